"""One look more."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from endpoints.release.judge.batch import Batch
from endpoints.release.judge.rules import Rules
from endpoints.release.judge.state import VERSION, State
from endpoints.release.judge.weigh import strongest
from sluice.errors import SluiceError


def start(rules: Rules, expected: Mapping[str, float] | None = None) -> State:
    """Nothing seen.

    Args:
        expected: in the stage live; see `promise.bounds`.
    """
    return State(rules=rules.fingerprint, expected=dict(expected or {}))


def update(state: State, batch: Batch, rules: Rules) -> State:
    """The state after one more look.

    Raises:
        SluiceError: if the state began under other rules: margins chosen after the evidence prove nothing.
    """
    if (state.rules, state.version) != (rules.fingerprint, VERSION):
        raise SluiceError(
            "the judge's rules, or the judge, changed while a release was being judged",
            "Begin the evidence anew: withdraw the challenger and propose it again.",
        )
    first = state.first or batch.since
    state = state.model_copy(update={"first": first})
    if _warming(batch.since, first, rules.settings.warm_up):
        return state
    state = state.add(batch, rules)
    now = strongest(state, rules)
    if state.peak is None or now.log10_e > state.peak.log10_e:
        state = state.model_copy(update={"peak": now})
    return state


def _warming(since: datetime, first: datetime, warm_up: timedelta) -> bool:
    return since < first + warm_up
