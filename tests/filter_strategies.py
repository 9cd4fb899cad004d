"""Random metadata and filters that have a fair chance to meet: few names, few values, and the awkward ones."""

import datetime as dt

from hypothesis import strategies as st

from jina_components.filters import And, Condition, Not, Or

NAMES = ["a", "b", "a.b", "$c", "Größe"]
TEXTS = [
    "", "x", "X", "1", "true", "null", "2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01 02:00:00+02:00",
    "2024-02-30", "2023-12-31T23:59:59.999999", "2024", "it's; DROP TABLE \"x\" --", "雨\n🌧", "\\", "%_",
]  # fmt: skip
NUMBERS = [0, -1, 1, 1.0, 2, 0.1, -0.0, 1e300, 2**53, 2**53 + 1, float(2**53), -(2**63), 2**63, 2**70 + 1, 10**400]
INSTANTS = [
    dt.date(2024, 1, 1),
    dt.datetime(2024, 1, 1),
    dt.datetime(2024, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    dt.datetime(2023, 12, 31, 23, 59, 59, 999999),
    dt.date(1, 1, 1),
]


def numbers(*, exact=True):
    """Numbers; without `exact`, those that a double holds."""
    drawn = st.sampled_from(NUMBERS) | st.integers(-3, 3)
    return drawn if exact else drawn.filter(lambda number: abs(number) <= 2**53)


def json_scalars(*, exact=True):
    """What a field may hold."""
    return st.none() | st.booleans() | numbers(exact=exact) | st.sampled_from(TEXTS)


def metadata(*, exact=True):
    """Metadata of a document: JSON values by name, nested, with lists."""
    values = st.recursive(
        json_scalars(exact=exact),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
        max_leaves=6,
    )
    return st.dictionaries(st.sampled_from(NAMES), values, max_size=4)


def conditions(*, exact=True):
    """One field compared with what is wanted."""
    paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple)
    wanted = json_scalars(exact=exact) | st.sampled_from(INSTANTS)
    ordered = numbers(exact=exact) | st.sampled_from(INSTANTS)
    return st.one_of(
        st.builds(Condition, paths, st.just("exists")),
        st.builds(Condition, paths, st.just("eq"), st.tuples(wanted)),
        st.builds(Condition, paths, st.just("in"), st.lists(wanted, max_size=12).map(tuple)),
        st.builds(Condition, paths, st.sampled_from(["lt", "lte", "gt", "gte"]), st.tuples(ordered)),
    )


def filters(*, exact=True):
    """Filters, nested some deep."""
    return st.recursive(
        conditions(exact=exact),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(And, st.lists(inner, max_size=3).map(tuple)),
            st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
        ),
        max_leaves=5,
    )
