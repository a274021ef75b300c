"""AWS on one machine: moto, what moto lacks, and a data plane of real models.

Imported by no other folder.
"""
