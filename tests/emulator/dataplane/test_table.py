"""Where a request goes."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.dataplane.table import (
    Endpoint,
    Fleet,
    Instance,
    UnknownVariantError,
    choose_fleet,
    choose_instance,
    mirror_share,
)


def fleet(variant: str, config: str, count: int, weight: float = 1.0, kind: str = "production") -> Fleet:
    instances = tuple(
        Instance(id=f"{variant}-{config}-{i}", port=1, zone=f"us-east-1{'abc'[i % 3]}") for i in range(count)
    )
    return Fleet.model_validate(
        {"variant": variant, "config": config, "kind": kind, "weight": weight, "instances": instances}
    )


def shares(endpoint: Endpoint, draws: int = 20_000) -> dict[str, float]:
    source = random.Random(1)
    counts = Counter(
        f"{chosen.variant}-{chosen.config}"
        for _ in range(draws)
        if (chosen := choose_fleet(endpoint, None, source.random))
    )
    return {key: count / draws for key, count in counts.items()}


def test_a_canary_gets_its_instances_share() -> None:
    endpoint = Endpoint(name="e", fleets=(fleet("A", "old", 3), fleet("A", "new", 1)))
    assert shares(endpoint)["A-new"] == pytest.approx(0.25, abs=0.02)


def test_variants_get_their_weights_whatever_their_instances() -> None:
    endpoint = Endpoint(name="e", fleets=(fleet("A", "c", 5, 1.0), fleet("B", "c", 1, 3.0)))
    assert shares(endpoint)["B-c"] == pytest.approx(0.75, abs=0.02)


def test_a_shadow_never_answers() -> None:
    endpoint = Endpoint(name="e", fleets=(fleet("S", "c", 2, kind="shadow"),))
    assert choose_fleet(endpoint, None) is None
    with pytest.raises(UnknownVariantError):
        choose_fleet(endpoint, "S")


@pytest.mark.parametrize(
    ("shadow", "production", "share"), [(1, 1, 1), (0.25, 1, 0.25), (4, 1, 1), (1, 4, 0.25)]
)
def test_the_mirror_takes_the_ratio_of_weights(shadow: float, production: float, share: float) -> None:
    mirrored = fleet("S", "c", 1, shadow, "shadow")
    endpoint = Endpoint(name="e", fleets=(fleet("A", "c", 1, production), mirrored))
    assert mirror_share(endpoint, mirrored) == share


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 4), st.floats(0, 5)), min_size=1, max_size=5),
    st.floats(0, 1, exclude_max=True),
)
def test_the_chosen_fleet_has_an_instance(fleets: list[tuple[str, int, float]], point: float) -> None:
    made = tuple(fleet(name, str(i), count, weight) for i, (name, count, weight) in enumerate(fleets))
    chosen = choose_fleet(Endpoint(name="e", fleets=made), None, lambda: point)
    assert (chosen is None) == all(count == 0 for _, count, _ in fleets)
    assert chosen is None or chosen.instances


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.sets(st.integers(0, 5)), st.floats(0, 1))
def test_the_least_busy_instance_is_taken(busy: list[int], avoid: set[int], point: float) -> None:
    some = fleet("A", "c", len(busy))
    outstanding = {instance.id: n for instance, n in zip(some.instances, busy, strict=True)}
    avoided = frozenset(f"A-c-{i}" for i in avoid)
    chosen = choose_instance(some, outstanding, avoided, lambda: point)
    free = [n for i, n in enumerate(busy) if i not in avoid]
    if chosen is None:
        assert not free
    else:
        assert chosen.id not in avoided
        assert outstanding[chosen.id] == min(free)
