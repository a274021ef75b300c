import shutil

from hypothesis import given
from hypothesis import strategies as st

from pipelines.steps.versions import Registered, code_hash, next_version
from workloads.contract import FOLDER, version_key


def package(version, code="c", data="d"):
    return Registered(package=f"arn/{version}", version=version, code_hash=code, data_hash=data)


def test_the_first_model_follows_the_incumbent_as_a_new_method():
    assert next_version([], 1, "c", "d") == ("1.0", "method")
    assert next_version([package("0")], 1, "c", "d") == ("1.0", "method")


def test_new_data_and_new_hyperparameters_are_minor():
    assert next_version([package("1.0")], 1, "c", "new") == ("1.1", "data")
    assert next_version([package("1.9"), package("1.10")], 1, "c", "d") == ("1.11", "hyperparameters")


def test_new_code_or_a_declared_method_is_major():
    assert next_version([package("1.4")], 1, "new", "d") == ("2.0", "method")
    assert next_version([package("1.4")], 3, "c", "d") == ("3.0", "method")
    assert next_version([package("2.0", "new")], 1, "new", "e") == ("2.1", "data")


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20))),
    st.integers(1, 5),
    st.booleans(),
    st.booleans(),
)
def test_a_version_is_always_new_and_the_highest(known, method, same_code, same_data):
    registered = [package(f"{major}.{minor}") for major, minor in known]
    version, _ = next_version(registered, method, "c" if same_code else "x", "d" if same_data else "y")
    assert version not in {p.version for p in registered}
    assert version_key(version) >= (method, 0)
    assert all(version_key(version) > version_key(p.version) for p in registered)


def test_the_code_hash_sees_what_code_does_and_not_how_it_reads(tmp_path):
    for name in ("features.py", "model.py"):
        shutil.copy(FOLDER / "flights" / name, tmp_path / name)
    original = code_hash(FOLDER / "flights")
    file = tmp_path / "features.py"
    file.write_text(
        "# a remark\n" + file.read_text().replace('"""What the model sees', '"""All that the model sees')
    )
    assert code_hash(tmp_path) == original
    file.write_text(file.read_text().replace('"excess_delay"', '"other_delay"'))
    assert code_hash(tmp_path) != original
