"""What clients ask of grounding, and what they are shown of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import Headers

from jina_components.grounder.grounder import MAX_STATEMENT
from jina_components.grounder.sources import is_host
from jina_components.read_options import QUOTABLE
from jina_components.search_options import SearchOptions
from jina_components.service.errors import for_clients
from jina_components.service.wire import option_values as values
from jina_components.service.wire.negotiation import Result
from jina_components.service.wire.reading import read_request, wrong
from jina_components.types import Grounding, GroundingStep

PARAMETERS: dict[str, str] = {
    "statement": "What is to be checked.",
    "references": "URLs and hosts to take evidence from: a list, or with commas between them. Also `X-References`.",
    "deepdive": "Read twice as many pages.",
}

MAX_REFERENCES = 100
_LONGEST_REFERENCE = 8192
_PAGES = 10
_URL = re.compile(r"https?://\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GroundRequest:
    """What a client wants to be checked.

    Attributes:
        statement: The statement; empty where nothing is asked.
        references: URLs and hosts; None for all that there is.
        max_pages: Pages to read for a claim.
        options: How to search and read.
    """

    statement: str
    references: tuple[str, ...] | None
    max_pages: int
    options: SearchOptions


def ground_request(given: Mapping[str, Any], headers: Headers, *, path: str = "") -> GroundRequest:
    """What a request asks for.

    Args:
        given: Values of the query string and the body, by name.
        headers: Those of the request.
        path: The statement as the path has it, where it is not `given`.

    Raises:
        Problem: 400 `ParamValidationError`, whose `path` is the name of the parameter.
    """
    statement = _taken("statement", given.get("statement") or path, values.text)
    if len(statement) > MAX_STATEMENT:
        raise wrong("statement", f"must be at most {MAX_STATEMENT:,} characters, got {len(statement):,}.")
    asked = read_request(headers, given).options
    # What is not read as plain Markdown cannot be quoted as a reader of the page sees it.
    how = replace(QUOTABLE, cache_tolerance=asked.cache_tolerance, locale=asked.locale, proxy=asked.proxy)
    deep = _taken("deepdive", given.get("deepdive") or False, values.flag)
    references = given.get("references") or ", ".join(headers.getlist("x-references"))
    return GroundRequest(
        statement, _references(references), _PAGES * 2 if deep else _PAGES, SearchOptions(read_options=how)
    )


def step_result(step: GroundingStep) -> Result:
    """A step on the way as an event, the last of them the verdict."""
    if step.grounding is not None:
        return ground_result(step.grounding)
    claim = {} if step.claim is None else {"claim": step.claim}
    return Result(
        {"stage": step.stage, "text": for_clients(step.text), **claim, "urls": step.urls}, "", 0, event="step"
    )


def ground_result(found: Grounding) -> Result:
    """A verdict as the client sees it."""
    tokens = found.usage.total_tokens
    warnings = [for_clients(each) for each in found.warnings]
    data = {
        "factuality": found.factuality,
        "result": found.result,
        "verdict": found.verdict,
        "reason": found.reason,
        "references": [
            {"url": each.url, "keyQuote": each.key_quote, "isSupportive": each.is_supportive}
            for each in found.references
        ],
        **({"warning": "\n".join(warnings)} if warnings else {}),
        "usage": {"tokens": tokens},
    }
    return Result(data, _text(found, warnings), tokens)


def _text(found: Grounding, warnings: Sequence[str]) -> str:
    head = [
        f"Factuality: {found.factuality:.2f}",
        f"Result: {_yes(found.result)}",
        f"Verdict: {found.verdict}",
        f"Reason: {found.reason}",
        *(f"Warning: {' '.join(warning.split())}" for warning in warnings),
    ]
    quotes = (
        f"[{number}] URL Source: {each.url}\n"
        f"[{number}] Key Quote: {' '.join(each.key_quote.split())}\n"
        f"[{number}] Supportive: {_yes(each.is_supportive)}"
        for number, each in enumerate(found.references, 1)
    )
    return "\n\n".join(["\n".join(head), *quotes]) + "\n"


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _taken(name: str, value: object, take: Any) -> Any:  # noqa: ANN401 (whatever it takes)
    try:
        return take(value)
    except ValueError as error:
        raise wrong(name, str(error)) from error


def _references(given: object) -> tuple[str, ...] | None:
    """References that name pages or hosts, and nothing else: texts and paths are not a client's to give."""
    listed = given if isinstance(given, list) else _taken("references", given, values.text).split(",")
    if len(listed) > MAX_REFERENCES:
        raise wrong("references", f"must be at most {MAX_REFERENCES}, got {len(listed)}.")
    found = tuple(_reference(index, each) for index, each in enumerate(listed))
    return tuple(filter(None, found)) or None


def _reference(index: int, given: object) -> str:
    name = f"references[{index}]"
    named: str = _taken(name, given, values.text)
    if len(named) > _LONGEST_REFERENCE:
        raise wrong(name, f"must be at most {_LONGEST_REFERENCE:,} characters, got {len(named):,}.")
    if not named or _URL.fullmatch(named):
        return named
    if not is_host(named):
        raise wrong(name, f"must be an http or https URL, or a host; got {named[:60]!r}.")
    # With the slash it can be no name of a file, about which the Grounder would drop a hint.
    return f"{named.rstrip('/')}/"
