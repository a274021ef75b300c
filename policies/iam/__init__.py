"""IAM as data: statements are built, checked and composed here, and nowhere else."""
