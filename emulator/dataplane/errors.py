"""The errors of InvokeEndpoint as SageMaker's runtime writes them."""

import json
import uuid
from typing import Any

from aiohttp import web


def error(status: int, code: str, message: str, **fields: Any) -> web.Response:
    """An answer that botocore turns into the exception `code`."""
    return web.Response(
        body=json.dumps({"Message": message, "message": message, **fields}).encode(),
        status=status,
        headers={
            "Content-Type": "application/json",
            "x-amzn-ErrorType": code,
            "x-amzn-RequestId": str(uuid.uuid4()),
        },
    )


def not_found(endpoint: str, account: str) -> web.Response:
    """Also for an endpoint that is still being created."""
    return error(400, "ValidationError", f"Endpoint {endpoint} of account {account} not found.")


def too_large(limit: int) -> web.Response:
    return error(413, "413", f"HTTP content length exceeded {limit} bytes.")


def model_error(
    endpoint: str, account: str, region: str, variant: str, status: int, body: bytes
) -> web.Response:
    """ModelError 424: the container answered with something else than 2xx; `status` is 0 if it did not answer."""
    original = body.decode("utf-8", errors="replace")
    kind = "client" if 400 <= status < 500 else "server"
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    message = (
        f'Received {kind} error ({status}) from primary with message "{original}". See '
        f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group} "
        f"in account {account} for more information."
    )
    return error(
        424,
        "ModelError",
        message,
        ErrorCode=f"{kind.upper()}_ERROR_FROM_MODEL",
        LogStreamArn=f"arn:aws:logs:{region}:{account}:log-group:{group}",
        OriginalMessage=original,
        OriginalStatusCode=status,
        VariantName=variant,
    )
