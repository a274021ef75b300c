"""The faults there are, as plain data, and which calls one of them strikes. Pure."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from sluice.config import Frozen, parse
from sluice.errors import SluiceError


def _share(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError(f"a share lies above 0 and is at most 1, not {value}")
    return value


Share = Annotated[float, AfterValidator(_share)]
Name = Annotated[str, Field(min_length=1, max_length=256)]


class What(Frozen):
    """One kind of fault with its parameters."""

    kind: ClassVar[str]


class Instance(What):
    """An instance of an endpoint ends, as by `kill -9`."""

    kind: ClassVar[str] = "instance"
    endpoint: Name
    variant: Name | None = None
    config: Name | None = None


class Zone(What):
    """A zone is lost to an endpoint, or to all of them."""

    kind: ClassVar[str] = "zone"
    zone: Name
    endpoint: Name | None = None

    def closes(self, endpoint: str) -> bool:
        """Whether the endpoint may not use the zone."""
        return self.endpoint in (None, endpoint)


class Model(What):
    """A model is slow, or fails with status 500. What is not given does not matter."""

    kind: ClassVar[str] = "model"
    endpoint: Name
    variant: Name | None = None
    config: Name | None = None
    package: Name | None = None
    """`group/version` or the ARN."""
    slow: Annotated[int, Field(gt=0, le=600_000)] | None = None
    """Milliseconds that are added."""
    share: Share = 1.0
    """Of the invocations that are slow."""
    fail: Share | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.slow is None) == (self.fail is None):
            raise ValueError("exactly one of slow and fail must be given; inject two faults for both")
        if self.fail is not None and self.share != 1:
            raise ValueError("share belongs to slow; fail is a share itself")
        return self

    @property
    def rate(self) -> float:
        """The share of the invocations that it strikes."""
        return self.share if self.fail is None else self.fail

    def concerns(self, endpoint: str, variant: str, config: str, package: str | None) -> bool:
        """Whether it is about invocations of this fleet."""
        names = (package, package.partition(":model-package/")[2]) if package is not None else ()
        return (
            self.endpoint == endpoint
            and self.variant in (None, variant)
            and self.config in (None, config)
            and self.package in (None, *names)
        )


class Captures(What):
    """Captured requests never reach S3."""

    kind: ClassVar[str] = "captures"
    endpoint: Name
    variant: Name | None = None
    lose: Share


class Events(What):
    """EventBridge calls a target twice for the same event, as at-least-once delivery allows."""

    kind: ClassVar[str] = "events"
    duplicate: Share = 1.0
    rule: Name | None = None


class Function(What):
    """Invocations of a Lambda function fail, or with `drop` never happen."""

    kind: ClassVar[str] = "function"
    function: Name
    drop: bool = False


class Api(What):
    """Calls of AWS's control plane are throttled, or done without their answer arriving."""

    kind: ClassVar[str] = "api"
    throttle: Share | None = None
    lose: Share | None = None
    service: Name | None = None
    """As boto3 names it."""
    action: Name | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.throttle is None) == (self.lose is None):
            raise ValueError("exactly one of throttle and lose must be given; inject two faults for both")
        if self.action is not None and self.service is None:
            raise ValueError("an action needs its service")
        return self

    def concerns(self, service: str, action: str | None) -> bool:
        """Whether it is about calls of this action."""
        return self.service in (None, service) and self.action in (None, action)


class Labels(What):
    """Objects under `<workload>/labels/` of any bucket are late, or missing."""

    kind: ClassVar[str] = "labels"
    workload: Name
    late: Annotated[float, Field(gt=0)] | None = None
    """Seconds."""
    missing: Share | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.late is None) == (self.missing is None):
            raise ValueError("exactly one of late and missing must be given; inject two faults for both")
        return self

    def concerns(self, key: str) -> bool:
        """Whether the key is one of the workload's labels."""
        return key.startswith(f"{self.workload}/labels/")


KINDS: Mapping[str, type[What]] = {
    each.kind: each for each in (Instance, Zone, Model, Captures, Events, Function, Api, Labels)
}


class Struck(Frozen):
    """An instance that a fault ended."""

    id: str
    endpoint: str
    variant: str
    config: str
    zone: str


class Fault(Frozen):
    """A fault that was injected."""

    name: str
    what: What
    began: datetime
    ends: datetime | None = None
    """When it ends by itself."""
    ended: datetime | None = None
    instances: tuple[Struck, ...] = ()
    """Those it ended."""

    def over(self, now: datetime) -> datetime | None:
        """Since when it has been over; None while it lasts."""
        if self.ended is not None:
            return self.ended
        return self.ends if self.ends is not None and self.ends <= now else None


def read(body: Any) -> tuple[What, float | None]:
    """A request for a fault: `{"kind": …, "seconds": …, parameters}`.

    Raises:
        SluiceError: if it asks for something that there is not.
    """
    given = dict(body) if isinstance(body, Mapping) else {}
    kind, seconds = given.pop("kind", None), given.pop("seconds", None)
    if kind not in KINDS:
        raise SluiceError(f"there is no fault {kind!r}", f"There are: {', '.join(KINDS)}.")
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float)):
        raise SluiceError(f"the seconds of a fault are a number, not {seconds!r}")
    if seconds is not None and seconds <= 0:
        raise SluiceError(
            f"a fault lasts longer than {seconds} seconds", "Leave --seconds out: it lasts until ended."
        )
    return parse(KINDS[kind], given, f"the fault {kind}"), seconds


def strikes(number: int, share: float) -> bool:
    """Whether the call of this number, from 1, is struck: of the first n, the whole part of n times the share, so that
    a run can be repeated."""
    exact = _exact(share)
    return int(exact * number) > int(exact * (number - 1))


@lru_cache(maxsize=64)
def _exact(share: float) -> Fraction:
    # 0.29 times 100 is less than 29 in binary.
    return Fraction(str(share))


def packed(fault: Fault) -> dict[str, Any]:
    """A fault as a JSON value that `unpacked` reads."""
    return {
        "kind": fault.what.kind,
        "what": fault.what.model_dump(),
        "fault": fault.model_dump(mode="json", exclude={"what"}),
    }


def unpacked(value: Mapping[str, Any]) -> Fault:
    """What was packed, in another process."""
    what = KINDS[value["kind"]].model_validate(value["what"])
    return Fault.model_validate({**value["fault"], "what": what})
