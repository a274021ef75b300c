"""Running the platform's Pulumi programs: the CLI, its environment, the order of the stacks, recovery."""
