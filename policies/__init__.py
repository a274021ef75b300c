"""Rules about what may be deployed, and the one builder of IAM statements. Declares no resources."""
