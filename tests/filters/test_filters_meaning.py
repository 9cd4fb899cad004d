"""What filters mean, case by case."""

import datetime as dt

import pytest
from filter_strategies import filters, metadata
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.filters import And, Field, Not, Or, matches, parse_instant

a = Field("a")
DAY = dt.date(2024, 5, 1)
SAME_DAY = [
    "2024-05-01",
    "2024-05-01T00:00",
    "2024-05-01 00:00:00Z",
    "2024-05-01t02:00:00.000+02:00",
    "2024-04-30T22:30-0130",
]


@pytest.mark.parametrize(
    ("filter", "yes", "no"),
    [
        (a == 1, [1, 1.0, [1], ["x", 1.0]], [True, "1", 2, None, [], [[1]], {}, {"a": 1}]),
        (a == True, [True, [False, True]], [1, 1.0, "true", False, None]),  # noqa: E712
        (a == False, [False], [0, "", None, [], True]),  # noqa: E712
        (a == None, [None, [None, 1]], [0, "", False, [], {}, "null"]),  # noqa: E711
        (a == "x", ["x", ["y", "x"]], ["X", "x ", ["xy"], {"x": 1}, None]),
        (a == "", [""], [None, [], " "]),
        (a == 2**53 + 1, [2**53 + 1], [2**53, float(2**53), 2**53 + 2]),
        (a == DAY, [*SAME_DAY, SAME_DAY], ["2024-05-01T00:00:01", "2024-05", "20240501", 1714521600, None]),
        (a == "2024-05-01", ["2024-05-01"], SAME_DAY[1:]),
        (a != 1, [True, "1", None, [], {}, [2]], [1, [2, 1]]),
        (a.is_in([1, "x", None]), [1, "x", None, [2, "x"]], [True, "1", 2, [], {}]),
        (a.is_in([DAY, 7]), [*SAME_DAY, 7.0], ["2024-05-02", 8]),
        (a.is_in([]), [], [1, None, [], {}]),
        (a.not_in([1, 2]), ["1", True, 3, []], [1, [3, 2]]),
        (a < 1, [0, 0.5, -5, [5, 0]], [1, 1.0, 2, "0", False, None, [], {}, "1970-01-01"]),
        (a <= 1, [1, 1.0, 0], [True, 1.5, "1"]),
        (a > 1, [2, 1.0001, [0, 2]], [1, True, "2", "2024-05-01", [0, 1]]),
        (a >= 2**53 + 1, [2**53 + 1, 1e300, 10**400], [2**53, float(2**53)]),
        (a < 10**400, [1, 1e300, 10**399], [10**400]),
        (a < DAY, ["2024-04-30", "1969-01-01", ["x", "2023-01-01"]], [*SAME_DAY, "x", "2024", 0, None, "2024-02-30"]),
        (a <= DAY, [*SAME_DAY, "0001-01-01"], ["2024-05-01T00:00:00.000001"]),
        (a >= DAY, [*SAME_DAY, "9999-12-31"], ["2024-04-30T23:59:59.999999"]),
        (a.exists(), [1, None, [], {}, "", False], []),
        (Field("a.b") == 1, [{"b": 1}, {"b": [0, 1]}], [{"b": None}, {"b": {"b": 1}}, [{"b": 1}], 1, {}]),
        (Field("a.b").exists(), [{"b": None}, {"b": {}}], [{}, [{"b": 1}], None, "b"]),
        ((a > 1) & (a < 3), [2, [0, 5]], [1, 3, []]),
        ((a == 1) | (a == 2), [1, 2], [3]),
        (And(()), [1, None], []),
        (Or(()), [], [1, None]),
    ],
)
def test_one_field(filter, yes, no):
    for value in yes:
        assert matches({"a": value, "z": 0}, filter), value
        assert not matches({"a": value, "z": 0}, Not(filter)), value
    for value in no:
        assert not matches({"a": value, "z": 0}, filter), value
        assert matches({"a": value, "z": 0}, Not(filter)), value


def test_a_missing_field_meets_only_what_is_turned_round():
    for one in (a == None, a.exists(), a < 1, a.is_in([None])):  # noqa: E711
        assert not matches({}, one)
        assert matches({"b": 1}, ~one)


def test_names_with_dots():
    assert matches({"a.b": 1}, Field(r"a\.b") == 1)
    assert not matches({"a.b": 1}, Field("a.b") == 1)
    assert not matches({"a": {"b": 1}}, Field(r"a\.b") == 1)


@settings(deadline=None)
@given(metadata(), st.lists(filters(), max_size=3))
def test_and_or_not_are_those_of_logic(found, some):
    truths = [matches(found, one) for one in some]
    assert matches(found, And(tuple(some))) == all(truths)
    assert matches(found, Or(tuple(some))) == any(truths)
    assert [matches(found, ~one) for one in some] == [not truth for truth in truths]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01", 0.0),
        ("1970-01-01T00:00", 0.0),
        ("1970-01-01 00:00:01", 1.0),
        ("1970-01-01T00:00:00.5", 0.5),
        ("1970-01-01T00:00:00,25Z", 0.25),
        ("1970-01-01T00:00:00.1234569Z", 0.123456),
        ("1970-01-01T01:00:00+01", 0.0),
        ("1970-01-01T00:00:00-05:30", 19800.0),
        ("1969-12-31T23:59:59z", -1.0),
        ("2024-02-29", 1709164800.0),
        ("0001-01-01", -62135596800.0),
        ("9999-12-31T23:59:59", 253402300799.0),
    ],
)
def test_instants(text, seconds):
    assert parse_instant(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", "12", "2024", "2024-05", "20240501", "2024-W01-1", "2024-5-1", "24-05-01", " 2024-05-01", "2024-05-01 ",
        "2024-05-01\n", "2024-05-01T", "2024-05-01T10", "2024-05-01T1000", "2024-05-01T10:00:00.", "2024-05-01x10:00",
        "2024-05-01Z", "2024-02-30", "2023-02-29", "2024-13-01", "0000-01-01", "2024-05-01T24:00", "2024-05-01T10:60",
        "2024-05-01T10:00:60", "2024-05-01T10:00+24:00", "2024-05-01T10:00+01:60", "0001-01-01T00:00+01:00",
        "9999-12-31T23:59-01:00", "２０２４-05-01", "2024-05-01T10:00+1", "+2024-05-01",
    ],
)  # fmt: skip
def test_texts_that_are_no_instants(text):
    assert parse_instant(text) is None


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_every_datetime_is_read_back(moment):
    assert parse_instant(moment.isoformat()) == moment.timestamp()
    assert matches({"a": moment.isoformat()}, a == moment)
