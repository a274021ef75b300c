"""The program of one workload's endpoint, and what runs with it: serving, releases, and the rollout of a release."""
