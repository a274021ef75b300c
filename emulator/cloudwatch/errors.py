"""CloudWatch's refusals, with AWS's codes. moto finds the service of an error by the module of its class."""

from moto.cloudwatch.exceptions import CloudWatchException


def invalid_value(message: str) -> CloudWatchException:
    return CloudWatchException("InvalidParameterValue", message)


def invalid_combination(message: str) -> CloudWatchException:
    return CloudWatchException("InvalidParameterCombination", message)


def validation(message: str) -> CloudWatchException:
    return CloudWatchException("ValidationError", message)


def missing_parameter(message: str) -> CloudWatchException:
    return CloudWatchException("MissingParameter", message)


def not_found(message: str) -> CloudWatchException:
    return CloudWatchException("ResourceNotFound", message)


def no_resource(arn: str) -> CloudWatchException:
    return CloudWatchException("ResourceNotFoundException", f"{arn} does not exist.")
