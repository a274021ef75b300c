"""The gaps of moto that belong to no area of their own."""

from emulator.context import Context
from emulator.services import events, keys


def install(context: Context) -> None:
    """Fill them in this process."""
    events.install()
    keys.install(context)
