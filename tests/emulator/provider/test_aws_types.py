"""Every mapped type through its life, and every mapped property through a change."""

import json

import grpc
import pytest

from emulator.provider.types import TYPES
from tests.emulator.endpoints.world import World as Serving
from tests.emulator.provider.samples import SAMPLES, World

TOKENS = [kind.token for kind in TYPES]
DECLARED = {kind.token: kind().declared for kind in TYPES}


@pytest.fixture(scope="module")
def world(engine, emulator, tmp_path_factory):
    serving = Serving(emulator, tmp_path_factory.mktemp("image"))
    for name in ("scaled-1", "scaled-2", "scaled-3", "scaled-4"):
        serving.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=serving.config(name, count=1))
    return World(engine, emulator.client, serving.image)


@pytest.fixture(scope="module")
def samples(world):
    """One sample a type, made when first asked for."""
    made = {}

    def get(token):
        if token not in made:
            made[token] = SAMPLES[token](world)
        return made[token]

    return get


def test_every_type_has_a_sample():
    assert sorted(TOKENS) == sorted(SAMPLES)


@pytest.mark.parametrize("token", TOKENS)
def test_every_property_of_a_type_is_in_its_sample(samples, token):
    sample = samples(token)
    covered = sample.update.keys() | sample.replace.keys() | sample.fixed.keys()
    settings = {name for name, rule in DECLARED[token].items() if rule.settings}
    assert covered | settings >= DECLARED[token].keys()
    assert not covered - DECLARED[token].keys()
    assert {name for name in sample.update if DECLARED[token][name].replace} == set()
    assert {name for name in sample.replace if not DECLARED[token][name].replace} == set()


@pytest.mark.parametrize("token", TOKENS)
def test_its_life_is_clean(engine, samples, token):
    """Created, read back without a difference, updated, read back, deleted, gone, deleted again."""
    sample = samples(token)
    made = engine.create(token, "life", sample.inputs)
    found = engine.read(made)
    assert found is not None
    assert found.inputs == made.inputs
    assert found.state == made.state
    assert engine.diff(found, sample.inputs) == {}
    if "tags" in sample.inputs:
        assert found.state["tagsAll"] == {
            "sluice:environment": "test",
            "common": "yes",
            **sample.inputs["tags"],
        }
    changed = {**sample.inputs, **sample.update}
    if sample.update:
        made = engine.update(made, changed)
        found = engine.read(made)
        assert found.inputs == made.inputs
        assert found.state == made.state
        assert engine.diff(found, changed) == {}
    engine.delete(made)
    if not token.endswith(
        (":TopicPolicy", ":BucketNotification", ":BucketVersioning", "ObjectLockConfiguration")
    ):
        # Those four are never absent on AWS: deleting puts back what a new topic or bucket has.
        assert engine.read(made) is None
    engine.delete(made)


UPDATES = [(kind.token, name) for kind in TYPES for name, rule in kind().declared.items() if not rule.replace]
REPLACES = [(kind.token, name) for kind in TYPES for name, rule in kind().declared.items() if rule.replace]


@pytest.mark.parametrize(("token", "name"), UPDATES)
def test_a_change_behind_the_back_shows_and_updates(engine, samples, token, name):
    sample = samples(token)
    if name not in sample.update:
        assert name in sample.fixed or DECLARED[token][name].settings
        return
    made = engine.create(token, f"drift-{name}", sample.inputs)
    wanted = {**sample.inputs, name: sample.update[name]}
    try:
        foreseen = engine.diff(made, wanted)
        assert {path.partition(".")[0].partition("[")[0] for path in foreseen} == {name}
        assert not any(kind.endswith("REPLACE") for kind in foreseen.values())
        engine.update(made, wanted)
        found = engine.read(made)
        shown = engine.diff(found, sample.inputs)
        assert {path.partition(".")[0].partition("[")[0] for path in shown} == {name}
        back = engine.update(found, sample.inputs)
        assert engine.diff(engine.read(back), sample.inputs) == {}
    finally:
        engine.delete(made)


@pytest.mark.parametrize(("token", "name"), REPLACES)
def test_a_change_replaces_and_the_new_value_reads_back(engine, samples, token, name):
    sample = samples(token)
    if name not in sample.replace:
        assert name in sample.fixed
        return
    wanted = {**sample.inputs, name: sample.replace[name]}
    wanted |= sample.along.get(name, {})
    made = engine.create(token, f"first-{name}", sample.inputs)
    foreseen = engine.diff(made, wanted)
    replaced = [path for path, kind in foreseen.items() if kind.endswith("REPLACE")]
    assert any(path.partition(".")[0].partition("[")[0] == name for path in replaced)
    engine.delete(made)
    other = engine.create(token, f"second-{name}", wanted)
    try:
        assert engine.read(other).inputs[name] == wanted[name]
        assert engine.diff(engine.read(other), wanted) == {}
    finally:
        engine.delete(other)


@pytest.mark.parametrize("token", TOKENS)
def test_an_unmapped_property_is_refused_by_name(engine, samples, token):
    answer = engine.check(token, "strange", {**samples(token).inputs, "notThere": 1})
    assert [item.property for item in answer.failures] == ["notThere"]
    assert f"does not map the property 'notThere' of {token}" in answer.failures[0].reason


@pytest.mark.parametrize("token", TOKENS)
def test_a_required_property_that_is_missing_is_named(engine, token):
    required = {name for name, rule in DECLARED[token].items() if rule.required}
    answer = engine.check(token, "empty", {})
    assert required <= {item.property for item in answer.failures}


def test_an_unmapped_type_is_refused_by_name(engine):
    with pytest.raises(grpc.RpcError, match="does not map the type aws:glue/job:Job"):
        engine.check("aws:glue/job:Job", "x", {})


@pytest.mark.parametrize("token", [token for token in TOKENS if not token.startswith("aws:appautoscaling")])
def test_it_can_be_imported_by_its_id(engine, samples, token):
    sample = samples(token)
    made = engine.create(token, "import", sample.inputs)
    try:
        found = engine.imported(token, "import", made.id)
        assert found is not None
        for name, rule in DECLARED[token].items():
            if rule.required and not rule.policy and not rule.json:
                assert name in found.inputs
    finally:
        engine.delete(made)


def test_a_policy_in_other_words_is_no_change(engine, samples):
    token = "aws:iam/role:Role"
    made = engine.create(token, "words", samples(token).inputs)
    document = json.loads(samples(token).inputs["assumeRolePolicy"])
    document["Statement"] = {**document["Statement"][0], "Action": "sts:AssumeRole"}
    wanted = {**samples(token).inputs, "assumeRolePolicy": json.dumps(document, indent=2)}
    assert engine.diff(made, wanted) == {}
    engine.delete(made)
