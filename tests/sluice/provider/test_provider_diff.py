import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.provider import UNKNOWN, Kind, Property, compare, path_text
from sluice.provider.diff import Change

PROPERTIES = {
    "fixed": Property(replace=True),
    "members": Property(unordered=True),
    "nested": Property(fields={"fixed": Property(replace=True)}),
    "list": Property(fields={"fixed": Property(replace=True)}),
    "policy": Property(same=lambda old, new: json.loads(old) == json.loads(new)),
}


def changes(old, new):
    return [(path_text(c.path), c.kind.value, c.replace) for c in compare(old, new, PROPERTIES)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("a", "UPDATE", False)]),
        ({"a": True}, {"a": 1}, [("a", "UPDATE", False)]),
        ({}, {"a": 1}, [("a", "ADD", False)]),
        ({"a": 1}, {}, [("a", "DELETE", False)]),
        ({"a": None}, {}, []),
        ({"__defaults": ["a"]}, {}, []),
        ({"fixed": 1}, {"fixed": 2}, [("fixed", "UPDATE", True)]),
        ({}, {"fixed": 2}, [("fixed", "ADD", True)]),
        ({"fixed": {"a": {"b": 1}}}, {"fixed": {"a": {"b": 2}}}, [("fixed.a.b", "UPDATE", True)]),
        ({"a": {"b.c": 1}}, {"a": {"b.c": 2}}, [('a["b.c"]', "UPDATE", False)]),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, [("a[1]", "UPDATE", False), ("a[2]", "ADD", False)]),
        ({"a": [1, 2]}, {"a": [2]}, [("a[0]", "UPDATE", False), ("a[1]", "DELETE", False)]),
        ({"members": ["x", "y"]}, {"members": ["y", "x"]}, []),
        ({"members": ["x", "y"]}, {"members": ["y", "z"]}, [("members[1]", "UPDATE", False)]),
        ({"members": ["x"]}, {"members": ["y", "x"]}, [("members[0]", "ADD", False)]),
        ({"members": ["x", "y"]}, {"members": ["y"]}, [("members[0]", "DELETE", False)]),
        (
            {"nested": {"free": 1, "fixed": 1}},
            {"nested": {"free": 2, "fixed": 1}},
            [("nested.free", "UPDATE", False)],
        ),
        ({"nested": {"fixed": 1}}, {"nested": {"fixed": 2}}, [("nested.fixed", "UPDATE", True)]),
        ({}, {"nested": {"fixed": 1}}, [("nested", "ADD", True)]),
        ({}, {"nested": {"free": 1}}, [("nested", "ADD", False)]),
        ({"list": [{"fixed": 1}]}, {"list": [{"fixed": 2}]}, [("list[0].fixed", "UPDATE", True)]),
        ({"policy": '{"a": 1}'}, {"policy": '{"a":1}'}, []),
        ({"policy": '{"a": 1}'}, {"policy": '{"a":2}'}, [("policy", "UPDATE", False)]),
        ({"policy": '{"a": 1}'}, {"policy": UNKNOWN}, [("policy", "UPDATE", False)]),
        ({"fixed": 1}, {"fixed": UNKNOWN}, [("fixed", "UPDATE", True)]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": UNKNOWN, "c": 2}}, [("a.b", "UPDATE", False)]),
        ({"members": ["x"]}, {"members": [UNKNOWN]}, [("members[0]", "UPDATE", False)]),
        ({}, {"a": UNKNOWN}, [("a", "ADD", False)]),
    ],
)
def test_changes(old, new, expected):
    assert changes(old, new) == expected


values = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.integers(0, 2) | st.booleans() | st.text("xy", max_size=2),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("de"), inner, max_size=2),
        max_leaves=5,
    ),
)


@given(values)
def test_nothing_differs_from_itself(value):
    assert compare(value, value, {key: Property(unordered=True) for key in value}) == ()


@given(values, values)
def test_what_differs_shows_in_both_directions(one, other):
    forth, back = compare(one, other), compare(other, one)
    assert bool(forth) == bool(back)
    mirrored = {Kind.ADD: Kind.DELETE, Kind.DELETE: Kind.ADD, Kind.UPDATE: Kind.UPDATE}
    assert {(c.path, mirrored[c.kind]) for c in forth} == {(c.path, c.kind) for c in back}


@given(values, values, st.randoms())
def test_order_in_a_set_means_nothing(one, other, random):
    old, new = list(one.items()), list(other.items())
    before = {"members": [list(item) for item in old]}
    after = {"members": [list(item) for item in new]}
    shuffled = {"members": random.sample(after["members"], len(after["members"]))}
    count = [len(compare(before, target, PROPERTIES)) > 0 for target in (after, shuffled)]
    assert count[0] == count[1]


def test_a_change_says_where():
    assert compare({"a": [1]}, {"a": [2]}) == (Change(("a", 0), Kind.UPDATE, False),)
