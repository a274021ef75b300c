"""Where a world comes to rest once nothing befalls it any more."""

from pathlib import Path
from typing import Any

from hypothesis import note

from endpoints.plan import plan
from endpoints.release import back, runner
from endpoints.release.flow import Ask, Deploy, Wait
from endpoints.rollout.glass import glass_of
from endpoints.rollout.marks import REFUSED
from tests.endpoints.release.machine.trouble import NONE, Trouble
from tests.endpoints.release.machine.world import ENDPOINT, World

STEPS = 40


def the_same_end(world: World, folders: tuple[Path, Path], kill: int) -> None:
    """Let two copies of a world come to rest, one of them killed once on the way.

    Args:
        folders: of the copies.
        kill: at which thousandth of all that the other one does.

    Raises:
        AssertionError: if they do not end the same, or the endpoint is not what the file says where it can be.
    """
    one, other = (world.copy(folder) for folder in folders)
    done, moments = rest(one)
    note(f"ending without a kill: {done}")
    ended = end(one)
    note(str(ended))
    release, wanted = one.read(), plan(one.read())
    refused = wanted is not None and one.tags().get(REFUSED, "").endswith(wanted.release)
    if release.hold is None and not one.undeployable() and not refused and not ended["glass"]:
        assert one.agrees(), ended
    note(f"ending with a kill: {rest(other, 1 + kill * moments // 1000)[0]}")
    assert end(other) == ended


def rest(world: World, kill: int | None = None) -> tuple[list[str], int]:
    """Let the automatic flow go on until it waits for something that does not come; what it did, and in how many
    moments.

    Args:
        kill: a moment, counted over all of its steps, at which it is killed once.
    """
    world.activate()
    world.aws.rings_at = None
    done: list[str] = []
    steps: list[Any] = []
    moments = 0

    def once() -> str:
        steps.append(None)
        steps[-1] = runner.once(world.target, lambda *_: world.opinion)
        return str(steps[-1])

    for _ in range(STEPS):
        # What was asked for before comes to its end meanwhile, and alarms get quiet.
        world.clock.pass_time(120)
        told = world.command(once, NONE if kill is None else Trouble(kill=kill))
        moments += world.moments
        kill = None if kill is None or told == "killed" else max(1, kill - world.moments)
        done.append(told)
        world.check()
        step = steps[-1]
        if isinstance(step, Ask) and "release adopt" in step.why:
            done.append(world.command(lambda: str(back.adopt(world.target, "it is live")), NONE, True))
            if done[-1].startswith("done"):
                continue
            return done, moments
        if isinstance(step, Wait | Ask):
            return done, moments
        if told.startswith("refused") and done[-3:] == [told] * 3:
            return done, moments
        assert not isinstance(step, Deploy) or done[-5:].count(told) < 5, done
    raise AssertionError(f"it does not come to rest: {done}")


def end(world: World) -> dict[str, Any]:
    """What is compared: all that lasts but moments."""
    release, endpoint = world.read(), world.aws.endpoint(ENDPOINT)
    return {
        "champion": release.champion and release.champion.package,
        "challenger": release.challenger and (release.challenger.package, release.challenger.stage),
        "history": release.history,
        "rejected": release.rejected,
        "withdrawn": release.withdrawn,
        "hold": release.hold and release.hold.why,
        "status": endpoint and endpoint.status,
        "serves": world.serves(),
        "glass": glass_of(world.tags()) is not None,
    }
