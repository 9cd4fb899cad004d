"""The plain form says what the typed one does, and travels as JSON."""

import datetime as dt
import json

import pytest
from filter_strategies import filters, metadata
from hypothesis import given, settings

from jina_components.errors import InputError
from jina_components.filters import And, Field, Not, Or, as_filter, matches, to_json

DAY = dt.date(2024, 5, 1)


@pytest.mark.parametrize(
    ("plain", "typed"),
    [
        ({"a": 1}, Field("a") == 1),
        ({"a": None}, Field("a") == None),  # noqa: E711
        ({"a.b": "x"}, Field("a.b") == "x"),
        ({"a": [1, "x"]}, Field("a").is_in([1, "x"])),
        ({"a": (1,)}, Field("a").is_in([1])),
        ({"a": []}, Field("a").is_in([])),
        ({"a": {"$eq": 1}}, Field("a") == 1),
        ({"a": {"$ne": 1}}, Field("a") != 1),
        ({"a": {"$in": [1]}}, Field("a").is_in([1])),
        ({"a": {"$nin": [1]}}, Field("a").not_in([1])),
        ({"a": {"$gte": 1, "$lt": 5}}, (Field("a") >= 1) & (Field("a") < 5)),
        ({"a": {"$gt": 1}}, Field("a") > 1),
        ({"a": {"$lte": 1}}, Field("a") <= 1),
        ({"a": {"$exists": True}}, Field("a").exists()),
        ({"a": {"$exists": False}}, ~Field("a").exists()),
        ({"a": DAY}, Field("a") == DAY),
        ({"a": {"$date": "2024-05-01"}}, Field("a") == DAY),
        ({"a": {"$lt": {"$date": "2024-05-01T02:00+02:00"}}}, Field("a") < DAY),
        ({"a": [{"$date": "2024-05-01"}, DAY, 1]}, Field("a").is_in([DAY, DAY, 1])),
        ({r"\$a": 1}, Field("$a") == 1),
        ({}, And(())),
        ({"a": 1, "b": 2}, (Field("a") == 1) & (Field("b") == 2)),
        ({"$and": []}, And(())),
        ({"$or": [{"a": 1}, {}]}, Or((Field("a") == 1, And(())))),
        ({"$not": {"a": 1, "b": 2}}, ~((Field("a") == 1) & (Field("b") == 2))),
        ({"$and": [Field("a") == 1, {"b": 2}]}, (Field("a") == 1) & (Field("b") == 2)),
    ],
)
def test_the_plain_form(plain, typed):
    assert as_filter(plain) == typed


def test_no_filter():
    assert as_filter(None) is None


def test_sets_are_lists():
    assert set(as_filter({"a": {1, 2}}).wanted) == {1, 2}
    assert as_filter({"a": {"$in": frozenset([1])}}) == Field("a").is_in([1])


@settings(deadline=None)
@given(filters())
def test_a_filter_survives_json(one):
    assert as_filter(one) == one
    assert as_filter(json.loads(json.dumps(to_json(one)))) == one


@settings(deadline=None)
@given(metadata(), filters())
def test_what_travelled_means_the_same(found, one):
    assert matches(found, as_filter(to_json(one))) == matches(found, one)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (5, "got int"),
        ([{"a": 1}], "got list"),
        ("a", "got str"),
        (Field("a"), "got Field"),
        ({1: 2}, "must be a str, got int"),
        ({"a..b": 1}, "single dots"),
        ({"author": {"name": "x"}}, "'author'.*write 'author.name'"),
        ({"author": {"$eq": 1, "name": "x"}}, "'author'.*write 'author.name'"),
        ({"author": {"a.b": "x"}}, r"write 'author.a\\\\.b'"),
        ({"author": {}}, "'author'.*write 'author.name'"),
        ({"a": {"$like": "x"}}, r"'a': unknown operator '\$like'; known: \$eq, \$ne, \$in, \$nin, \$lt"),
        ({"a": {"$not": {"$gt": 1}}}, r"\$and, \$or, \$not around filters"),
        ({"$nor": []}, r"Unknown operator '\$nor' around filters; known: \$and, \$or, \$not; in a field: \$eq"),
        ({"$or": {"a": 1}}, r"\$or takes a list of filters, got dict"),
        ({"$and": [1]}, "got int"),
        ({"$not": [{"a": 1}]}, "got list"),
        ({"a": {"$eq": [1]}}, "'a'.*got list"),
        ({"a": {"$in": "xy"}}, "'a'.*takes a list of values, got str"),
        ({"a": {"$nin": 1}}, "'a'.*takes a list of values, got int"),
        ({"a": [[1]]}, "'a'.*got list"),
        ({"a": {"$exists": 1}}, r"'a': \$exists takes true or false, got 1"),
        ({"a": {"$lt": "2024-05-01"}}, r"'a': lt takes a number or a date.*\$date"),
        ({"a": {"$gt": None}}, "'a': gt takes a number or a date"),
        ({"a": {"$date": "2024"}}, "'a': a date is"),
        ({"a": {"$date": 5}}, "'a': a date is"),
        ({"a": {"$date": "2024-05-01", "$eq": 1}}, "'a': a date is"),
        ({"a": float("nan")}, "'a' cannot be compared with nan"),
        ({"a": json.loads("1e999")}, "'a' cannot be compared with inf"),
        ({"a": b"x"}, "'a'.*got bytes"),
    ],
)
def test_what_is_no_filter(wrong, message):
    with pytest.raises(InputError, match=message):
        as_filter(wrong)


def test_nesting_has_an_end():
    plain, typed = {"a": 1}, Field("a") == 1
    for _ in range(32):
        plain, typed = {"$not": plain}, Not(typed)
    assert as_filter(plain) == as_filter(typed) == typed
    for deep in ({"$and": [plain]}, Not(typed), And((typed,))):
        with pytest.raises(InputError, match="more than 32 deep"):
            as_filter(deep)
    for _ in range(100_000):
        plain = {"$or": [plain]}
    with pytest.raises(InputError, match="more than 32 deep"):
        as_filter(plain)
    while "$or" in plain:  # taken apart from outside, since Python frees what is nested by calls within calls
        plain = plain["$or"][0]
