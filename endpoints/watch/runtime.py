"""A program as a Lambda function: events from the Runtime API, one at a time, and answers to it.

Lambda Developer Guide, "Using the Lambda runtime API": an image needs no more than this.
"""

import json
import os
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

BASE = "2018-06-01/runtime/invocation"
Handler = Callable[[dict[str, Any]], Any]


def serve(handle: Handler, api: str | None = None) -> None:
    """Handle events until the process is ended; an error of one is its answer."""
    api = api or os.environ["AWS_LAMBDA_RUNTIME_API"]
    while True:
        # Without a timeout: the next event may be a minute away, and Lambda freezes the process until then.
        try:
            with urllib.request.urlopen(f"http://{api}/{BASE}/next") as answer:
                body, request = answer.read(), answer.headers["Lambda-Runtime-Aws-Request-Id"]
        except urllib.error.HTTPError as gone:
            if gone.code == 410:  # no event will come any more
                return
            raise
        except (ConnectionError, urllib.error.URLError):  # nor if the API itself is gone
            return
        try:
            kind, said = "response", handle(json.loads(body))
        except Exception as error:  # noqa: BLE001 - Lambda is told, and decides about trying again
            traceback.print_exc()
            kind = "error"
            said = {
                "errorType": type(error).__name__,
                "errorMessage": str(error),
                "stackTrace": traceback.format_tb(error.__traceback__),
            }
        data = json.dumps(said, default=str).encode()
        asked = urllib.request.Request(f"http://{api}/{BASE}/{request}/{kind}", data, method="POST")
        urllib.request.urlopen(asked, timeout=30).close()
