"""What holds for every test."""

from hypothesis import settings

# No test is about how long things take: they run beside the end-to-end loop, and behind it.
settings.register_profile("sluice", deadline=None)
settings.load_profile("sluice")
