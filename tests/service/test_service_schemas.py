"""JSON Schemas of clients: which are taken."""

from __future__ import annotations

import pytest

from jina_components.service.wire.schemas import checked_schema


@pytest.mark.parametrize(
    "pattern",
    [
        "", "^[A-Z]{2}\\d+$", "^\\+?\\d{3}-\\d{4}$", "^(red|green|blue)$", r"\(.*\)", "[*+]", "[]*+{]+",
        r"^\d{4}(-\d{2})?$",        "^(?:a|b)$", "^.*x.*$",
    ],
)  # fmt: skip
def test_patterns_that_are_taken(pattern):
    schema = {"type": "object", "properties": {"pattern": {"type": "string", "pattern": pattern}}}
    assert checked_schema(schema) == schema


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$", "(a|a)*b", "(a|aa){2,}", "(a?){9}", ".*.*x", "^.*.*.*x", "a?" * 20 + "a" * 20, "(a|a)" * 20,
        "a" * 501, r"[^\]]+(a+)+", r"\[(a+)+\]", "a{1,500}b{1,500}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["pattern", "patternProperties"])
def test_patterns_that_are_not(pattern, place):
    schema = {"anyOf": [{"type": "string", place: pattern if place == "pattern" else {pattern: {"type": "string"}}}]}
    with pytest.raises(ValueError, match="could take too long"):
        checked_schema(schema)


def test_schemas_that_are_not():
    deep: dict[str, object] = {}
    for _ in range(600):
        deep = {"not": deep}
    for schema, why in (([], "an object"), ({"title": "x" * 100_000}, "100,000 bytes"), (deep, "few levels")):
        with pytest.raises(ValueError, match=why):
            checked_schema(schema)
