"""What every part of Sluice shares. Holds no domain logic and imports no other folder of the repository."""
