"""`mlops:pipelines:ThrowawayPackages`: lets `pulumi destroy` of a throwaway stack take the model packages too.

Packages are data and no resource of any program, and SageMaker deletes no group that holds some. In a stack that
protects its state this resource is not declared, so nothing there ever deletes a package.
"""
