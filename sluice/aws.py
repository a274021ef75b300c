"""The one place that makes AWS clients, with the one retry policy."""

import os
from functools import cache
from typing import Any

import boto3
from botocore import loaders, session
from botocore.config import Config

RETRIES = {"mode": "standard", "total_max_attempts": 5}


def region() -> str:
    """The region of this process: `AWS_REGION`, else `AWS_DEFAULT_REGION`, else us-east-1."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def client(service: str, *, read_timeout: float = 70, max_attempts: int | None = None) -> Any:
    """A boto3 client of `service`. It goes to `AWS_ENDPOINT_URL` where that is set, as every AWS client does.

    Args:
        service: boto3's name of the service.
        read_timeout: seconds; the default lets an endpoint use SageMaker's 60 s for an answer.
        max_attempts: tries in all, the first included; 1 for calls that must not be repeated.
    """
    retries = RETRIES if max_attempts is None else {**RETRIES, "total_max_attempts": max_attempts}
    config = Config(retries=retries, connect_timeout=5, read_timeout=read_timeout, max_pool_connections=64)
    core = session.get_session()
    core.register_component("data_loader", _models())
    return boto3.Session(region_name=region(), botocore_session=core).client(service, config=config)


@cache
def _models() -> Any:
    """botocore's reader of the services' models. It keeps what it has parsed, which costs more than all else that a
    client is made of; so the clients of a process share one."""
    return loaders.create_loader(os.environ.get("AWS_DATA_PATH"))
