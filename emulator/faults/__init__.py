"""Faults that an operator injects: `sluice fault …`, and `/_sluice/faults` behind it.

`kinds` says what there is and which calls are struck, `book` holds what was injected; each area asks the book at the
point where the fault would strike. What strikes inside moto is in `calls` and `labels`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.context import Context


def install(context: "Context") -> None:
    """Let faults strike, and serve the API. After every other area, whose parts they wrap."""
    # Here, for the command must not import moto.
    from emulator.faults import calls, http, labels

    labels.install(context)
    calls.install(context)
    http.install(context)
