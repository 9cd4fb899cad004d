import pytest

from jina_components.core.json_schema import violations
from jina_components.errors import InputError

SCHEMA = {
    "type": "object",
    "properties": {
        "action": {"enum": ["search", "answer"]},
        "queries": {"type": "array", "items": {"$ref": "#/$defs/query"}, "maxItems": 2},
    },
    "required": ["action"],
    "additionalProperties": False,
    "$defs": {"query": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}},
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"action": "search", "queries": [{"text": "a"}]}, ""),
        ({"action": "fly"}, "At $.action: 'fly' is not one of ['search', 'answer']"),
        (
            {"action": "search", "queries": [{"text": "a"}, {"text": 7}]},
            "At $.queries[1].text: 7 is not of type 'string'",
        ),
        ({}, "At $: 'action' is a required property"),
        ([], "At $: [] is not of type 'object'"),
        (
            {"action": 1, "queries": [{}]},
            "At $.action: 1 is not one of ['search', 'answer']; At $.queries[0]: 'text' is a required property",
        ),
    ],
)
def test_what_is_wrong_and_where(value, told):
    assert violations(value, SCHEMA) == told


def test_of_alternatives_the_nearest_is_told_and_of_many_the_first():
    number = {"type": "object", "properties": {"kind": {"const": "n"}, "n": {"type": "number"}}, "required": ["n"]}
    told = violations({"a": {"n": "x"}}, {"properties": {"a": {"anyOf": [number, {"type": "string"}]}}})
    assert told.startswith("At $.a")
    assert violations(list("abcdef"), {"items": {"type": "number"}}).count(";") == 2


def test_long_values_leave_room_for_what_is_wrong():
    told = violations({"a": ["x" * 10_000]}, {"properties": {"a": {"type": "string"}}})
    assert len(told) < 350
    assert told.endswith("is not of type 'string'")
    assert len(violations({"k" * 999: 1}, {"additionalProperties": {"type": "string"}})) < 500


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nothing"},
        {"type": {1}},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "#/nowhere"},
        {"a": float("nan")},
        {"$ref": "#"},
    ],
)
def test_what_is_no_schema_is_the_callers(schema):
    with pytest.raises(InputError, match="JSON Schema"):
        violations({}, schema)
