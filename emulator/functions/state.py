"""The functions there are. In moto's own table of Lambda, so that `/moto-api/reset` ends them too."""

import re
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.awslambda.models import lambda_backends

from emulator.context import Context
from emulator.refusals import RefusalError

VERSION = "$LATEST"
_NAME = re.compile(
    r"^(?:arn:aws:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):function:|(?:\d{12}:)?(?:function:)?)"
    r"(?P<name>[A-Za-z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[A-Za-z0-9_-]+))?$"
)


@dataclass
class Function:
    """One function.

    Attributes:
        fields: what GetFunctionConfiguration answers.
        image_uri: as given; `resolved` by its digest.
        statements: of its resource policy, by Sid.
        reserved: how many invocations it may run at once, if that is limited.
        generation: counts the changes; processes of an older one end.
    """

    name: str
    arn: str
    fields: dict[str, Any]
    image_uri: str
    resolved: str
    tags: dict[str, str] = field(default_factory=dict)
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    reserved: int | None = None
    generation: int = 0

    def changed(self, now: datetime) -> None:
        """Note a change of code or configuration."""
        self.generation += 1
        self.fields["RevisionId"] = str(uuid.uuid4())
        # Lambda's own form, with milliseconds and a zone without a colon.
        self.fields["LastModified"] = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}+0000"


class Functions:
    """The table. Hold `lock` while names are checked and taken."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.lock = threading.RLock()

    def table(self) -> dict[str, Function]:
        """By name."""
        backend = lambda_backends[self._context.account][self._context.region]
        table: dict[str, Function] = backend.__dict__.setdefault("sluice_functions", {})
        return table

    def find(self, name: str, qualifier: str | None = None) -> Function:
        """By name, partial ARN or ARN.

        Raises:
            RefusalError: ResourceNotFoundException; ValidationException for what is no name.
        """
        parts = _NAME.match(name)
        if parts is None:
            raise RefusalError(
                "ValidationException",
                f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern of a function name or ARN",
            )
        qualifier = qualifier or parts["qualifier"] or VERSION
        found = self.table().get(parts["name"])
        here = parts["account"] in (None, self._context.account) and parts["region"] in (
            None,
            self._context.region,
        )
        if found is None or not here or qualifier != VERSION:
            end = "" if qualifier == VERSION else f":{qualifier}"
            arn = self._context.arn("lambda", f"function:{parts['name']}{end}")
            raise RefusalError("ResourceNotFoundException", f"Function not found: {arn}")
        return found
