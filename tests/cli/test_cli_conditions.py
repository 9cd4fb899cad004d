import pytest

from jina_components.cli.conditions import parse_conditions
from jina_components.errors import ConfigError, InputError
from jina_components.filters import matches

METADATA = {
    "lang": "en", "year": 2021, "date": "2024-05-02", "author": {"name": "Noor"}, "text": "a=b", "done": True,
    "ticker": "NaN",
}  # fmt: skip


@pytest.mark.parametrize(
    ("conditions", "does"),
    [
        ([], True),
        (["lang=en"], True),
        (["lang=de"], False),
        (["lang=de", "lang=en"], True),
        (["lang!=de"], True),
        (["lang!=en"], False),
        (["missing!=en"], True),
        (["year=2021"], True),
        (["year!=2021"], False),
        (["year>=2021", "year<2022"], True),
        (["year > 2021"], False),
        (["year<=2020.5"], False),
        (["date>=2024-05-02"], True),
        (["date<2024-05-02T12:00"], True),
        (["date<2024-05-02"], False),
        (["author.name=Noor"], True),
        (["text=a=b"], True),
        (["done=true"], True),
        (["lang=en", "year<2000"], False),
        (["ticker=NaN"], True),
        (["ticker=Infinity", "ticker=1e999", "ticker=[1]", f"ticker={'9' * 5000}"], False),
    ],
)
def test_what_conditions_match(conditions, does):
    wanted = parse_conditions(conditions)
    assert (wanted is None or matches(METADATA, wanted)) is does


@pytest.mark.parametrize(
    "condition", ["lang", "=en", "year>soon", "year<", "year=>2020", "year==2020", "year=<2020", ""]
)
def test_what_is_no_condition(condition):
    with pytest.raises(ConfigError, match="--filter"):
        parse_conditions([condition])


def test_what_is_no_field():
    with pytest.raises(InputError, match="field"):
        parse_conditions(["a..b=3"])
