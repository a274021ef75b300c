"""The emulator's own API under `/_sluice/`: JSON in, JSON out."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sluice.errors import SluiceError

Handler = Callable[..., Any]
PREFIX = "/_sluice/"
LOST = "x-sluice-lost"
"""A header of an answer that its client must never see: the router breaks the connection instead."""


class Api:
    """Routes of the control process. Areas add theirs when they are installed."""

    def __init__(self) -> None:
        self._routes = Map()
        self._handlers: dict[str, Handler] = {}

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Serve `method path` by `handler(body, **parts of the path)`, which returns a JSON value.

        Args:
            path: from `/_sluice/`, with `<name>` for parts; werkzeug's rule syntax.
            handler: gets the request's JSON value or None. A SluiceError of it becomes status 400.
        """
        name = f"{method} {path}"
        self._handlers[name] = handler
        self._routes.add(Rule(path, methods=[method], endpoint=name))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        try:
            name, parts = self._routes.bind_to_environ(environ).match()
            body = json.loads(request.get_data()) if request.content_length else None
            status, value = 200, self._handlers[name](body, **parts)
        except HTTPException as error:
            status, value = error.code or 500, {"error": f"{request.method} {request.path}: {error.name}"}
        except (SluiceError, ValueError) as error:
            status, value = 400, {"error": str(error)}
        response = Response(json.dumps(value, default=str), status=status, content_type="application/json")
        return response(environ, start_response)
