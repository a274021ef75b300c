"""Application Auto Scaling's refusals."""

from moto.core.exceptions import JsonRESTError


def validation(message: str) -> JsonRESTError:
    return JsonRESTError("ValidationException", message)


def not_found(message: str) -> JsonRESTError:
    return JsonRESTError("ObjectNotFoundException", message)


def resource_not_found(message: str) -> JsonRESTError:
    return JsonRESTError("ResourceNotFoundException", message)
