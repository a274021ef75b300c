"""A kit for Pulumi resource providers in Python, over the raw gRPC service.

Write one `Resource` per type, put them into a `Provider`, and call `serve(provider)` from the plugin's
executable:

    class Queue(Resource):
        token = "mlops:queues:Queue"                    # package:module:Type
        properties = {"name": Property(replace=True)}   # a property not named here updates in place
        outputs = frozenset({"arn"})                    # unknown while a creation is previewed
        unstable = frozenset()                          # outputs unknown while an update is previewed too

        def check(self, context, old_inputs, inputs):   # optional; default accepts
            if inputs.get("name") is UNKNOWN: ...       # unknowns are the one object UNKNOWN, at any depth
            return Checked(inputs, (Failure("name", "is too long"),))
        def create(self, context, inputs):              # never called on preview, nor with an unknown inside
            context.log.info("waiting", ephemeral=True)
            return Created(id, outputs)                 # outputs are merged over the inputs
        def read(self, context, id, state, inputs):     # None: it is gone; empty state on import
            return Read(id, outputs, inputs)            # inputs as they are in the world: refresh sees drift
        def update(self, context, id, state, old_inputs, inputs):
            return outputs                              # merged over the inputs
        def delete(self, context, id, state, old_inputs): ...

    serve(Provider("mlops", "0.1.0", [Queue()]))

`diff` is computed from `properties` (replace or update, by property path, unknowns too); override it to add
to that: `Resource.diff(self, …)` gives a `Diff`. On preview the kit answers with the inputs and unknown
outputs; override `preview_create` and `preview_update` to say more.

Values are plain Python: None, bool, int (a whole number), float, str, list, dict, `UNKNOWN`, `Asset`,
`Archive`, `ResourceReference`. Secrets arrive unwrapped, and everything returned is wrapped again where the
inputs had a secret or where its text is repeated; `Secret(value)` makes another output secret.

Errors: raise `SluiceError` (its text is the message), let botocore's `ClientError` through, or raise
`PartialFailure(id, outputs, reasons)` from `create` or `update` when the resource exists but is not well: it
is in the state then, and the next `up` calls `update`. Anything else is a bug: a short message, the
traceback in `.local/logs/provider-<name>.log`.

`context` is a `Context`: `urn`, `name` (from the URN), `preview`, `timeout` (seconds or None), `log`,
`config` (the provider's, decoded), `cancelled` (a `threading.Event`: stop soon), `raise_if_cancelled()`,
`autoname(…)`. Calls arrive in parallel, from many threads: keep nothing on the resource object.
"""

from sluice.provider.context import Context, EngineLog
from sluice.provider.diff import Change, Diff, Kind, Property, compare, path_text
from sluice.provider.resource import (
    Checked,
    Created,
    Failure,
    Function,
    PartialFailure,
    Provider,
    Read,
    Resource,
)
from sluice.provider.server import Servicer, serve, start
from sluice.provider.values import UNKNOWN, Archive, Asset, ResourceReference, Secret, contains_unknown

__all__ = [
    "UNKNOWN",
    "Archive",
    "Asset",
    "Change",
    "Checked",
    "Context",
    "Created",
    "Diff",
    "EngineLog",
    "Failure",
    "Function",
    "Kind",
    "PartialFailure",
    "Property",
    "Provider",
    "Read",
    "Resource",
    "ResourceReference",
    "Secret",
    "Servicer",
    "compare",
    "contains_unknown",
    "path_text",
    "serve",
    "start",
]
