"""Filters made with `Field`, `&`, `|` and `~`: what they build, and what they refuse."""

import copy
import datetime as dt
import doctest
import pickle
from importlib import import_module

import pytest

from jina_components.errors import InputError
from jina_components.filters import And, Condition, Field, Not, Or, as_filter

year, lang = Field("year"), Field("lang")


def test_comparisons_make_conditions():
    assert (year == 1) == Condition(("year",), "eq", (1,))
    assert (year != 1) == Not(Condition(("year",), "eq", (1,)))
    assert (year < 1) == Condition(("year",), "lt", (1,))
    assert (year <= 1) == Condition(("year",), "lte", (1,))
    assert (year > 1) == Condition(("year",), "gt", (1,))
    assert (year >= 1) == Condition(("year",), "gte", (1,))
    assert year.is_in([1, "x"]) == year.is_in(iter((1, "x"))) == Condition(("year",), "in", (1, "x"))
    assert year.not_in([]) == Not(Condition(("year",), "in"))
    assert year.exists() == Condition(("year",), "exists")
    assert repr(Field("a.b")) == "Field('a.b')"


def test_equal_conditions_mean_the_same():
    assert (year == 1) == (year == 1.0)
    assert hash(year == 1) == hash(year == 1.0)
    assert ((year == 1) == (year == True)) is False  # noqa: E712
    assert ((year < 1) == (year <= 1)) is False
    assert ((year < 1) == 1) is False
    assert len({(lang == 1) & (year == 1), (lang == True) & (year == 1)}) == 2  # noqa: E712


def test_joined_filters_stay_flat():
    one, two, three = year == 1, year == 2, year == 3
    assert one & two & three == one & (two & three) == And((one, two, three))
    assert one | two | three == Or((one, two, three))
    assert one & two | three == Or((And((one, two)), three))
    assert ~one == Not(one)
    assert ~~one == one
    joined = one
    for number in range(500):
        joined |= year == number
    assert as_filter(joined) == joined
    assert len(joined.filters) == 501


@pytest.mark.parametrize(
    ("name", "path"),
    [("a", ("a",)), ("a.b", ("a", "b")), (r"a\.b", ("a.b",)), (r"a\\.b", ("a\\", "b")), (r"\$a.$b", ("$a", "$b")),
     ("a b\n.é", ("a b\n", "é"))],
)  # fmt: skip
def test_paths(name, path):
    assert Field(name).exists().path == path
    assert eval(repr(Field(name))).exists().path == path


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", "\\", "a\\", r"a\b", 1, None, ("a",)])
def test_names_that_are_no_field(name):
    with pytest.raises(InputError, match="field"):
        Field(name)


def test_dates_become_instants_in_utc():
    midnight = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    zone = dt.timezone(dt.timedelta(hours=2))
    same = [dt.date(2024, 5, 1), dt.datetime(2024, 5, 1), midnight, dt.datetime(2024, 5, 1, 2, tzinfo=zone)]
    for date in same:
        assert (Field("d") == date).wanted == (midnight,)
        assert (Field("d") < date).wanted[0].tzinfo is dt.UTC
    with pytest.raises(InputError, match="'d'.*years 1 to 9999"):
        Field("d").is_in([dt.datetime(1, 1, 1, tzinfo=zone)])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1], {"a": 1}, b"x", object(), year, 1j])
def test_values_that_no_document_has(value):
    for compare in (lambda: lang == value, lambda: lang != value, lambda: lang > value, lambda: lang.is_in([value])):
        with pytest.raises(InputError, match="'lang'"):
            compare()


@pytest.mark.parametrize("value", ["2020", True, None])
def test_values_without_an_order(value):
    with pytest.raises(InputError, match=r"'lang'.*no order"):
        lang < value  # noqa: B015


def test_a_date_as_text_is_pointed_out():
    with pytest.raises(InputError, match="datetime.date"):
        lang < "2024-05-01"  # noqa: B015


@pytest.mark.parametrize("values", ["en", b"en", 5, None, {"en": 1}])
def test_several_values_are_a_list(values):
    with pytest.raises(InputError, match="'lang'.*list of values"):
        lang.is_in(values)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: bool(lang == "en"),
        lambda: (lang == "en") and (year == 1),
        lambda: not lang.is_in(["en"]),
        lambda: lang == "en" & year == 1,
        lambda: lang == "en" | year == 1,
        lambda: 1 < year < 5,
        lambda: year & (lang == "en"),
        lambda: ~year,
        lambda: bool(year),
        lambda: bool(And(())),
    ],
)
def test_words_and_chains_instead_of_operators(misuse):
    with pytest.raises(InputError, match=r"& \(and\), \| \(or\) and ~ \(not\)"):
        misuse()


def test_a_field_is_no_key():
    with pytest.raises(TypeError, match="unhashable"):
        hash(lang)
    with pytest.raises(InputError, match="got Field"):
        assert lang in [year]
    assert len({lang == "en", lang == "en", lang == "de"}) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Condition((), "eq", (1,)), "path of names"),
        (lambda: Condition(("a", ""), "eq", (1,)), "path of names"),
        (lambda: Condition("a", "eq", (1,)), "path of names"),
        (lambda: Condition(("a",), "ne", (1,)), "unknown operator 'ne'; known: eq, in, lt, lte, gt, gte, exists"),
        (lambda: Condition(("a",), "eq", (1, 2)), "eq takes 1 value"),
        (lambda: Condition(("a",), "exists", (1,)), "exists takes 0 value"),
        (lambda: And(({"a": 1},)), "got dict"),
        (lambda: Or((None,)), "got NoneType"),
        (lambda: Not(lang), "got Field"),
    ],
)
def test_parts_that_do_not_fit(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_other_operands():
    with pytest.raises(TypeError):
        (lang == "en") & {"lang": "en"}
    with pytest.raises(TypeError):
        (lang == "en") | 1


@pytest.mark.parametrize("name", ["typed", "flat"])
def test_examples(name):
    done = doctest.testmod(import_module(f"jina_components.filters.{name}"))
    assert done.attempted
    assert not done.failed


def test_filters_travel():
    joined = (year >= dt.date(2020, 1, 1)) & ~lang.is_in(["en", None])
    assert pickle.loads(pickle.dumps(joined)) == copy.deepcopy(joined) == joined
