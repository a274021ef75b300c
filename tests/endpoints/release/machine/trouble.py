"""What befalls a command: calls that fail, a fleet that does not start, an alarm, and its end in the middle."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.exceptions import ReadTimeoutError
from hypothesis import strategies as st

from tests.endpoints.rollout.fake import refuse

RETRIES = 5
"""How often boto3 makes a call in all, as sluice/aws.py tells it to."""

Kind = Literal["throttled", "dropped", "lost"]


class Killed(BaseException):
    """SIGKILL: nothing catches it."""


@dataclass(frozen=True)
class Trouble:
    """
    Attributes:
        kill: the command ends before this moment of it, counted over all that lasts: calls of AWS, writes, waits.
        faults: by the number of the AWS call: what happens to it, and how often in a row.
        ring: a rollback alarm goes off this many seconds after the command began.
        full: no instance that the command asks for gets a machine.
    """

    kill: int | None = None
    faults: dict[int, tuple[Kind, int]] = field(default_factory=dict)
    ring: float | None = None
    full: bool = False


NONE = Trouble()

faults = st.dictionaries(
    st.integers(0, 60),
    st.tuples(st.sampled_from(["throttled", "dropped", "lost"]), st.sampled_from([1, 1, 2, RETRIES + 1])),
    max_size=3,
)
kills = st.integers(1, 25) | st.integers(1, 250)
troubles = st.one_of(
    st.just(NONE),
    st.just(NONE),
    st.just(NONE),
    st.builds(Trouble, kill=kills),
    st.builds(Trouble, faults=faults),
    st.builds(Trouble, kill=st.none() | kills, faults=faults, ring=st.none() | st.floats(0, 60)),
    st.builds(Trouble, kill=st.none() | kills, full=st.just(True)),
)


class Course:
    """One command under way, with its trouble. Between commands there is none."""

    def __init__(self) -> None:
        self.trouble = NONE
        self.moments = 0
        self.calls = 0
        self.dead = False

    def begin(self, trouble: Trouble) -> None:
        """Count from here."""
        self.trouble, self.moments, self.calls, self.dead = trouble, 0, 0, False

    def end(self) -> None:
        """Nothing befalls what follows."""
        self.begin(NONE)

    def moment(self) -> None:
        """Something that lasts is about to happen, or has just happened.

        Raises:
            Killed: if this is where the command ends, and at whatever its dead process would do after that.
        """
        self.moments += 1
        if self.dead or self.moments == self.trouble.kill:
            self.dead = True
            raise Killed

    def call(self, operation: str, attempts: int, do: Callable[[], Any]) -> Any:
        """A call as boto3 makes it: again after a fault, as often as the client is told to.

        Raises:
            Killed: before it, or after it was done and before anybody heard of it.
        """
        kind, times = self.trouble.faults.get(self.calls, ("throttled", 0))
        self.calls += 1
        for attempt in range(attempts):
            self.moment()
            if attempt >= times:
                answer = do()
                self.moment()
                return answer
            if kind == "lost":
                # A refusal is lost on its way as well.
                with contextlib.suppress(Exception):
                    do()
            if attempt + 1 == attempts:
                raise _error(kind, operation)
        raise AssertionError("a call is made at least once")


def _error(kind: Kind, operation: str) -> Exception:
    if kind == "throttled":
        return refuse(operation, "Rate exceeded", "ThrottlingException")
    return ReadTimeoutError(endpoint_url="http://aws")
