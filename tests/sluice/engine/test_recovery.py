"""Decisions about what a killed run left."""

from hypothesis import given
from hypothesis import strategies as st

from sluice.engine.recovery import Holder, Lock, Plan, holder, lock, pending_operations, plan

HERE = "here"
locks = st.builds(
    Lock, st.integers(1, 2**22), st.sampled_from([HERE, "there"]), st.floats(1e9, 2e9, allow_nan=False)
)


def test_lock_file_of_pulumi_is_read() -> None:
    content = {"pid": 7, "username": "me", "hostname": HERE, "timestamp": "2026-11-21T10:00:00.123456789Z"}
    found = lock(content)
    assert found is not None
    assert (found.pid, found.host) == (7, HERE)
    assert abs(found.taken - 1795255200.123) < 0.01
    with_zone = lock({**content, "timestamp": "2026-11-21T12:00:00.123456789+02:00"})
    assert with_zone == found


def test_cut_lock_file_is_a_dead_writers() -> None:
    assert lock({}) is None
    assert lock({"pid": "x", "hostname": HERE, "timestamp": "2026-11-21T10:00:00Z"}) is None
    assert holder(None, HERE, lambda _: None) is Holder.DEAD


@given(locks)
def test_lock_of_another_machine_is_never_ours_to_take(held: Lock) -> None:
    if held.host != HERE:
        assert holder(held, HERE, lambda _: None) is Holder.ELSEWHERE


@given(locks, st.floats(-1e6, 1e6, allow_nan=False))
def test_lock_is_respected_exactly_if_its_taker_lives(held: Lock, offset: float) -> None:
    """A process that started well after the lock was taken only has its number."""
    if held.host != HERE:
        return
    who = holder(held, HERE, lambda pid: held.taken + offset if pid == held.pid else None)
    if offset <= 1:
        assert who is Holder.ALIVE
    if offset > 3:
        assert who is Holder.DEAD
    assert holder(held, HERE, lambda _: None) is Holder.DEAD


@given(st.dictionaries(st.one_of(st.none(), locks), st.sampled_from(Holder), max_size=4), st.integers(0, 5))
def test_plan_touches_nothing_under_a_lock_that_stands(
    holders: dict[Lock | None, Holder], pending: int
) -> None:
    found = plan(holders, pending)
    if any(who is not Holder.DEAD for who in holders.values()):
        assert not found.cancel and not found.clear_pending
    else:
        assert found == Plan(cancel=bool(holders), clear_pending=pending > 0)


def test_clean_stack_needs_nothing() -> None:
    assert plan({}, 0) == Plan()


def test_pending_operations_are_counted_in_checkpoint_and_export() -> None:
    pending = [{"type": "creating"}, {"type": "updating"}]
    assert pending_operations({"checkpoint": {"latest": {"pending_operations": pending}}}) == 2
    assert pending_operations({"version": 3, "deployment": {"pending_operations": pending}}) == 2
    assert pending_operations({"checkpoint": {"latest": None}}) == 0
    assert pending_operations({"version": 3, "deployment": {}}) == 0
