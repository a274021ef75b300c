"""SageMaker's actions that moto lacks or only pretends, one package for each area of its API."""
