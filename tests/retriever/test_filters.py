import pytest

from jina_components.errors import InputError
from jina_components.retriever.filters import check_filter, matches

METADATA = {"lang": "en", "year": 2020, "tags": ["a", "b"], "draft": None}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, True),
        ({"lang": "en"}, True),
        ({"lang": "de"}, False),
        ({"lang": ["de", "en"]}, True),
        ({"lang": "en", "year": 2021}, False),
        ({"tags": "b"}, True),
        ({"tags": ["c", "a"]}, True),
        ({"absent": None}, False),
        ({"draft": None}, True),
        ({"year": []}, False),
    ],
)
def test_matches(conditions, expected):
    assert matches(METADATA, conditions) is expected


@pytest.mark.parametrize("conditions", ["lang=en", {"lang": {"gt": 1}}, {"lang": [["x"]]}, {3: "x"}])
def test_what_cannot_be_decided_is_refused(conditions):
    with pytest.raises(InputError, match="filter"):
        check_filter(conditions)
