"""The platform of one environment and region. Knows no workload by name."""
