"""The decision, row by row; each row is a trap of SageMaker's or of the stock Pulumi resource's."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoints.rollout.decide import (
    BUSY,
    GRACE,
    Action,
    Attempt,
    Create,
    Delete,
    Done,
    Fail,
    Memory,
    Update,
    Wait,
    Wanted,
    decide,
    remember,
)
from endpoints.rollout.observe import ABSENT, Observed, observed

T0, T1 = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
WANTED = Wanted("new", guarded=True, limit=3600, alarm_limit=600)
RING = frozenset({"e-abort"})


def seen(status: str, config: str = "old", pending: str | None = None, reason: str | None = None) -> Observed:
    return Observed(status, config, pending, reason, "arn", T0)


def later(one: Observed) -> Observed:
    return Observed(one.status, one.config, one.pending, one.reason, one.arn, T1)


ASKED = Memory(asked="update", at=100, modified=T0)
MOVED = Memory(asked="update", at=100, modified=T0, moved=True)
LOST = Memory(asked="update", at=100, modified=T0, certain=False)
CREATED = Memory(asked="create", at=100)
DELETED = Memory(asked="delete", at=100, modified=T0)

ROWS: list[tuple[str, Observed, Memory, frozenset[str], float, type[Action]]] = [
    ("nothing there", ABSENT, Memory(), frozenset(), 0, Create),
    ("live already", seen("InService", "new"), Memory(), frozenset(), 0, Done),
    ("live already, alarm rings", seen("InService", "new"), Memory(), RING, 0, Done),
    ("live in spite of an old reason", seen("InService", "new", None, "x"), MOVED, frozenset(), 110, Done),
    ("another is live", seen("InService"), Memory(), frozenset(), 0, Update),
    ("another is live, alarm rings", seen("InService"), Memory(), RING, 0, Wait),
    ("alarm rings too long", seen("InService"), Memory(ringing_since=0), RING, 600, Fail),
    ("update asked and not visible", seen("InService"), ASKED, frozenset(), 110, Wait),
    ("update asked and never begun", seen("InService"), ASKED, frozenset(), 101 + GRACE, Fail),
    ("rolled back", seen("InService"), MOVED, frozenset(), 110, Fail),
    ("rolled back unseen", later(seen("InService")), ASKED, frozenset(), 110, Fail),
    ("update lost", seen("InService"), LOST, frozenset(), 110, Wait),
    ("update lost for good", seen("InService"), LOST, frozenset(), 101 + GRACE, Update),
    ("update lost, autoscaler was there", later(seen("InService")), LOST, frozenset(), 110, Wait),
    ("rolled back while nobody looked", seen("InService"), Memory(attempt=Attempt(T1)), RING, 0, Fail),
    ("killed before the call", seen("InService"), Memory(attempt=Attempt(T0)), frozenset(), 0, Update),
    ("creating", seen("Creating", "new"), Memory(), frozenset(), 0, Wait),
    ("foreign update in flight", seen("Updating", "old", "third"), Memory(), frozenset(), 0, Wait),
    ("maintenance", seen("SystemUpdating"), Memory(), frozenset(), 0, Wait),
    ("rolling back", seen("RollingBack"), MOVED, frozenset(), 110, Wait),
    ("busy too long", seen("Updating", "old", "new"), MOVED, frozenset(), 3601, Fail),
    ("creation failed", seen("Failed", "new"), CREATED, frozenset(), 110, Fail),
    ("update failed", seen("Failed"), MOVED, frozenset(), 110, Fail),
    ("failed before", seen("Failed"), Memory(), frozenset(), 0, Delete),
    ("deletion not visible", seen("Failed"), DELETED, frozenset(), 110, Wait),
    ("deletion lost", seen("Failed"), DELETED, frozenset(), 101 + GRACE, Delete),
    ("rollback failed", seen("UpdateRollbackFailed"), MOVED, frozenset(), 110, Fail),
    ("rollback failed before", seen("UpdateRollbackFailed"), Memory(), frozenset(), 0, Update),
    ("rollback failed before, asked", seen("UpdateRollbackFailed"), ASKED, frozenset(), 110, Wait),
    ("being deleted", seen("Deleting"), Memory(), frozenset(), 0, Wait),
    ("deleted under an update", seen("Deleting"), MOVED, frozenset(), 110, Fail),
    ("gone under an update", ABSENT, MOVED, frozenset(), 110, Fail),
    ("creation not visible", ABSENT, CREATED, frozenset(), 110, Wait),
    ("gone under a creation", ABSENT, CREATED, frozenset(), 101 + GRACE, Fail),
    ("creation lost", ABSENT, Memory(asked="create", at=0, certain=False), frozenset(), 31, Create),
    ("a status of tomorrow", seen("Hibernating"), Memory(), frozenset(), 0, Wait),
]


@pytest.mark.parametrize(
    "one, memory, ringing, elapsed, action", [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_rows(
    one: Observed, memory: Memory, ringing: frozenset[str], elapsed: float, action: type[Action]
) -> None:
    assert isinstance(decide(WANTED, one, memory, ringing, elapsed), action)


@pytest.mark.parametrize(
    "one, memory, refuse",
    [
        (seen("InService"), MOVED, True),
        (seen("UpdateRollbackFailed"), MOVED, True),
        (seen("Failed"), MOVED, True),
        (seen("Failed"), CREATED, False),
        (seen("Deleting"), MOVED, False),
        (later(seen("InService")), Memory(attempt=Attempt(T0)), True),
    ],
)
def test_only_what_the_release_did_is_refused(one: Observed, memory: Memory, refuse: bool) -> None:
    action = decide(WANTED, one, memory, frozenset(), 110)
    assert isinstance(action, Fail) and action.refuse is refuse


def test_an_alarm_stops_no_unguarded_update() -> None:
    wanted = Wanted("new", guarded=False, limit=3600, alarm_limit=600)
    assert isinstance(decide(wanted, seen("InService"), Memory(), RING, 0), Update)


def test_an_update_under_way_to_the_wanted_config_is_joined() -> None:
    memory = remember(Memory(), seen("Updating", "old", "new"), WANTED, frozenset(), 5)
    assert memory.asked == "update" and memory.moved and memory.certain
    assert isinstance(decide(WANTED, seen("InService"), memory, frozenset(), 9), Fail)


def test_a_foreign_update_is_not_joined() -> None:
    memory = remember(Memory(), seen("Updating", "old", "third"), WANTED, frozenset(), 5)
    assert memory.asked is None
    assert isinstance(decide(WANTED, seen("InService", "third"), memory, frozenset(), 9), Update)


def test_the_autoscaler_does_not_prove_that_a_lost_update_began() -> None:
    assert not remember(LOST, seen("Updating"), WANTED, frozenset(), 110).moved


def test_the_description_of_sagemaker_is_read() -> None:
    answer = {
        "EndpointArn": "arn",
        "EndpointStatus": "Updating",
        "EndpointConfigName": "old",
        "LastModifiedTime": T0,
        "ProductionVariants": [
            {"VariantName": "AllTraffic", "DesiredInstanceCount": 4, "VariantStatus": [{"Status": "Baking"}]}
        ],
        "ShadowProductionVariants": [{"VariantName": "Shadow", "DesiredInstanceCount": 2}],
        "PendingDeploymentSummary": {"EndpointConfigName": "new"},
    }
    assert observed(answer) == Observed(
        "Updating", "old", "new", None, "arn", T0, {"AllTraffic": 4, "Shadow": 2}, "Baking"
    )
    assert observed(None) == ABSENT


STATUSES = ["InService", "Failed", "UpdateRollbackFailed", "Deleting", "Unheard", *sorted(BUSY)]
worlds = st.one_of(
    st.just(ABSENT),
    st.builds(
        Observed,
        status=st.sampled_from(STATUSES),
        config=st.sampled_from(["old", "new", "third"]),
        pending=st.sampled_from([None, "old", "new", "third"]),
        reason=st.sampled_from([None, "why"]),
        arn=st.just("arn"),
        modified=st.sampled_from([T0, T1]),
    ),
)
memories = st.builds(
    Memory,
    asked=st.sampled_from([None, "create", "update", "delete"]),
    at=st.floats(0, 1000),
    modified=st.sampled_from([None, T0, T1]),
    certain=st.booleans(),
    moved=st.booleans(),
    ringing_since=st.one_of(st.none(), st.floats(0, 1000)),
    attempt=st.sampled_from([None, Attempt(T0), Attempt(None)]),
)
ringings = st.sampled_from([frozenset(), RING])


@given(worlds, memories, ringings, st.floats(0, 5000), st.booleans())
def test_whatever_happens(
    one: Observed, memory: Memory, ringing: frozenset[str], elapsed: float, guarded: bool
) -> None:
    wanted = Wanted("new", guarded, limit=3600, alarm_limit=600)
    memory = remember(memory, one, wanted, ringing, elapsed)
    match decide(wanted, one, memory, ringing, elapsed):
        case Done():
            assert (one.status, one.config) == ("InService", "new")
        case Update():
            assert one.status in ("InService", "UpdateRollbackFailed")
            assert one.status == "UpdateRollbackFailed" or one.config != "new"
            assert not (guarded and ringing)
            assert not (memory.asked == "update" and memory.moved)
        case Create():
            assert one.status is None
        case Delete():
            assert one.status == "Failed"
        case Wait(why):
            assert elapsed <= wanted.limit and why
        case Fail(why, refuse):
            assert why
            if refuse:
                assert memory.asked == "update" or memory.attempt is not None
    if one.status == "InService" and one.config == "new":
        assert isinstance(decide(wanted, one, memory, ringing, elapsed), Done)


@given(st.lists(st.tuples(worlds, ringings), min_size=1, max_size=30))
def test_a_run_over_any_world_ends_and_never_takes_another_config_for_success(
    path: list[tuple[Observed, frozenset[str]]],
) -> None:
    memory, elapsed = Memory(), 0.0
    for one, ringing in [*path, *[path[-1]] * 400]:
        memory = remember(memory, one, WANTED, ringing, elapsed)
        action = decide(WANTED, one, memory, ringing, elapsed)
        if isinstance(action, Done):
            assert one.config == "new"
            return
        if isinstance(action, Fail):
            return
        if not isinstance(action, Wait):
            what = {Create: "create", Update: "update", Delete: "delete"}[type(action)]
            memory = memory.ask(what, one, elapsed, certain=True)
        elapsed += timedelta(seconds=10).total_seconds()
    raise AssertionError("it never ended")
