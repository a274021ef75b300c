"""The gaps of moto that belong to no area of their own."""

from emulator.context import Context
from emulator.services import budgets, clocked_rules, events, keys, logs, network, refusals


def install(context: Context) -> None:
    """Fill them in this process."""
    events.install(context)
    clocked_rules.install(context)
    keys.install(context)
    budgets.install()
    logs.install()
    network.install()
    refusals.install()
