"""Training of one workload: the program, the steps that run inside the jobs, and the built definitions."""
