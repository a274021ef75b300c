"""A provider of things that are made when the file SLOW_GATE is there, and that writes down what it does."""

import os
import time
from pathlib import Path

from sluice.errors import SluiceError
from sluice.provider import Created, Provider, Read, Resource, serve


def note(text: str) -> None:
    with Path(os.environ["SLOW_JOURNAL"]).open("a") as journal:
        journal.write(f"{text}\n")


class Thing(Resource):
    token = "slow:index:Thing"

    def create(self, context, inputs):
        note(f"begin {context.name}")
        context.log.info("waiting for it", ephemeral=True)
        gate = os.environ.get("SLOW_GATE")
        end = time.monotonic() + 180
        while gate and not Path(gate).exists() and time.monotonic() < end:
            time.sleep(0.05)
        if os.environ.get("SLOW_FAIL"):
            raise SluiceError(os.environ["SLOW_FAIL"])
        note(f"made {context.name}")
        return Created(context.name, {})

    def read(self, context, id, state, inputs):
        return Read(id, state, inputs)

    def update(self, context, id, state, old_inputs, inputs):
        note(f"updated {context.name}")
        return {}

    def delete(self, context, id, state, old_inputs):
        note(f"deleted {context.name}")


serve(Provider("slow", "0.1.0", [Thing()]))
