"""The forms of a chat model's replies: JSON Schemas, and what is made of the JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, get_args

from jina_components.core.controls import RULING
from jina_components.deep_search.actions import (
    MAX_QUERIES,
    MAX_SUB_QUESTIONS,
    MAX_URLS,
    Action,
    ActionKind,
    Calculate,
    Decision,
    Draft,
    Query,
    Reflect,
    Search,
    Visit,
)
from jina_components.deep_search.calculator import MAX_CODE
from jina_components.search_options import TimeRange

T_co = TypeVar("T_co", covariant=True)
Schema: TypeAlias = dict[str, Any]

MAX_THOUGHT = 500
_MAX_QUERY = 300
_MAX_PLACE = 100
_MAX_QUESTION = 500
_MAX_ANSWER = 30_000

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Form(Generic[T_co]):
    """What a reply looks like, and what is made of it.

    Attributes:
        schema: JSON Schema, in the few words of it that all servers know: no null, no list of types.
        read: Makes something of an object that follows it; the message of its ValueError is for the model.
        is_ours: Whether models may write null for what they may leave out; not so in a caller's schema.
    """

    schema: Schema
    read: Callable[[dict[str, Any]], T_co]
    is_ours: bool = True

    @property
    def accepted(self) -> Schema:
        """Schema of the replies that `read` takes."""
        return _with_nulls(self.schema) if self.is_ours else self.schema


def fields(properties: Mapping[str, Schema], *, optional: Mapping[str, Schema] | None = None) -> Schema:
    """Schema of an object with these properties, in this order."""
    return {"type": "object", "properties": {**properties, **(optional or {})}, "required": list(properties)}


def _with_nulls(schema: Schema) -> Schema:
    """The schema of a form, whose optional properties may be null too."""
    if schema["type"] == "array":
        return {**schema, "items": _with_nulls(schema["items"])}
    if schema["type"] != "object":
        return schema
    named = {name: _with_nulls(each) for name, each in schema["properties"].items()}
    either = {name: each if name in schema["required"] else _nullable(each) for name, each in named.items()}
    return {**schema, "properties": either}


def _nullable(schema: Schema) -> Schema:
    enum = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **enum}


def one_of(names: Iterable[str]) -> Schema:
    """Schema of one of these texts; with its type, which some servers want of every schema."""
    return {"type": "string", "enum": list(names)}


def several(item: Schema, most: int) -> Schema:
    """Schema of a list of which the first `most` items will be taken: more are not worth another attempt."""
    return {"type": "array", "items": item, "maxItems": 4 * most}


def clipped(text: str, most: int) -> str:
    """A text without white space around it, cut to so many characters; and without characters that rule a terminal or
    the direction of what is around it.
    """  # noqa: D205 (one sentence)
    stripped = RULING.sub("", text[: 2 * most]).strip()
    return stripped if len(stripped) <= most else stripped[: most - 1].rstrip() + "…"


def line(text: str, most: int) -> str:
    """The same on one line."""
    return " ".join(clipped(text, most).split())


_QUERY_OPTIONS: dict[str, Schema] = {"time_range": one_of(filter(None, get_args(TimeRange))), "location": TEXT}
QUERY = fields({"text": TEXT}, optional=_QUERY_OPTIONS)


def read_queries(items: Sequence[Mapping[str, Any]], most: int) -> tuple[Query, ...]:
    """Queries without the empty and the repeated ones."""
    queries: dict[str, Query] = {}
    for item in items:
        if any(map(str.isalnum, text := line(item["text"], _MAX_QUERY))):
            query = Query(text, item.get("time_range") or "", line(item.get("location") or "", _MAX_PLACE))
            queries.setdefault(text.casefold(), query)
    return tuple(queries.values())[:most]


def read_questions(items: Sequence[str], most: int) -> tuple[str, ...]:
    """Questions without the empty and the repeated ones."""
    questions = [line(item, _MAX_QUESTION) for item in items]
    return tuple(dict.fromkeys(question for question in questions if any(map(str.isalnum, question))))[:most]


def _filled(found: Sequence[Any], what: str) -> None:
    if not found:
        raise ValueError(f"`{what}` is missing or empty, and the action needs it.")


def _search(reply: Mapping[str, Any], _: Mapping[int, str]) -> Search:
    queries = read_queries(reply.get("queries") or (), MAX_QUERIES)
    _filled(queries, "queries")
    return Search(queries)


def _visit(reply: Mapping[str, Any], urls: Mapping[int, str]) -> Visit:
    numbers = reply.get("pages") or ()
    _filled(numbers, "pages")
    chosen = [urls[number] for number in dict.fromkeys(numbers) if number in urls]  # 2.0 is an integer too
    if not chosen:
        raise ValueError(f"There are no pages {list(numbers)[:5]} among those to choose from: {list(urls)}.")
    return Visit(tuple(chosen[:MAX_URLS]))


def _reflect(reply: Mapping[str, Any], _: Mapping[int, str]) -> Reflect:
    questions = read_questions(reply.get("questions") or (), MAX_SUB_QUESTIONS)
    _filled(questions, "questions")
    return Reflect(questions)


def _answer(reply: Mapping[str, Any], _: Mapping[int, str]) -> Draft:
    text = clipped(reply.get("answer") or "", _MAX_ANSWER)
    _filled(text, "answer")
    return Draft(text)


def _calculate(reply: Mapping[str, Any], _: Mapping[int, str]) -> Calculate:
    code = (reply.get("code") or "").strip()
    _filled(code, "code")
    if len(code) > MAX_CODE:
        raise ValueError(f"`code` has {len(code):,} characters; the most is {MAX_CODE:,}.")
    return Calculate(code, line(reply.get("think") or "", MAX_THOUGHT))


@dataclass(frozen=True, slots=True)
class ActionForm:
    """How an action is told in a reply: its fields, and how they are read, given the URLs of the numbered pages."""

    properties: Mapping[str, Schema]
    read: Callable[[Mapping[str, Any], Mapping[int, str]], Action]


ACTIONS: dict[ActionKind, ActionForm] = {
    "search": ActionForm({"queries": several(QUERY, MAX_QUERIES)}, _search),
    "visit": ActionForm({"pages": several({"type": "integer"}, MAX_URLS)}, _visit),
    "reflect": ActionForm({"questions": several(TEXT, MAX_SUB_QUESTIONS)}, _reflect),
    "calculate": ActionForm({"code": TEXT}, _calculate),
    "answer": ActionForm({"answer": TEXT}, _answer),
}


def ordered(allowed: frozenset[ActionKind], urls: Mapping[int, str]) -> list[ActionKind]:
    """The actions that can be taken, in the order of the table; to visit takes a page."""
    return [kind for kind in ACTIONS if kind in allowed and (kind != "visit" or urls or len(allowed) == 1)]


def decision_form(kinds: Sequence[ActionKind], urls: Mapping[int, str]) -> Form[Decision]:
    """Form of a decision for one of these actions.

    Args:
        kinds: The actions.
        urls: Of the pages that can be visited, by the numbers that a reply names them by.
    """
    optional: dict[str, Schema] = {}
    for kind in kinds:
        optional |= ACTIONS[kind].properties

    def read(reply: dict[str, Any]) -> Decision:
        return Decision(ACTIONS[reply["action"]].read(reply, urls), line(reply["think"], MAX_THOUGHT))

    return Form(fields({"think": TEXT, "action": one_of(kinds)}, optional=optional), read)


def queries_form(most: int) -> Form[list[Query]]:
    """Form of queries, each of which names its viewpoint, for the model's sake alone."""
    query = fields({"viewpoint": TEXT, "text": TEXT}, optional=_QUERY_OPTIONS)
    return Form(fields({"queries": several(query, most)}), lambda reply: list(read_queries(reply["queries"], most)))


def questions_form(most: int) -> Form[list[str]]:
    """Form of questions."""
    return Form(
        fields({"think": TEXT, "questions": several(TEXT, most)}),
        lambda reply: list(read_questions(reply["questions"], most)),
    )


def _read_draft(reply: dict[str, Any]) -> Draft:
    return _answer(reply, {}) if reply["answered"] else Draft("")


DRAFT: Form[Draft] = Form(fields({"answered": FLAG, "answer": TEXT}), _read_draft)
"""An answer, or that there is none."""

_ANALYSIS = {"recap": "What was done", "blame": "What went wrong", "improvement": "What to do better"}


def _read_analysis(reply: dict[str, Any]) -> str:
    return "\n".join(f"{told}: {line(reply[name], MAX_THOUGHT)}" for name, told in _ANALYSIS.items())


ANALYSIS: Form[str] = Form(fields(dict.fromkeys(_ANALYSIS, TEXT)), _read_analysis)
"""What went wrong on the way to an answer."""


def value_form(schema: Mapping[str, Any]) -> Form[Any]:
    """Form of a value of a schema: the value itself if that is an object, or else one with the value as `value`."""
    is_object = schema.get("type", "object") == "object" and not _COMBINED & schema.keys()
    if is_object:
        return Form({"type": "object", **schema}, lambda reply: reply, is_ours=False)
    shared = {name: schema[name] for name in _DEFINITIONS if name in schema}  # references begin at the root
    return Form({**fields({"value": dict(schema)}), **shared}, lambda reply: reply["value"], is_ours=False)


_DEFINITIONS = ("$defs", "definitions")
_COMBINED = frozenset({"anyOf", "oneOf", "allOf", "enum", "const", "$ref", "not"})
