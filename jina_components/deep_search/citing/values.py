"""JSON values that a model wrote: what it invented is cut out, and what no source shows is told."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from jina_components.deep_search.citing.drafting import compose, split_draft
from jina_components.deep_search.citing.evidence import Evidence
from jina_components.deep_search.citing.sanitizing import sanitize


def cleaned(value: Any, evidence: Evidence, kept: Collection[str]) -> Any:  # noqa: ANN401 (JSON)
    """The value, its texts without invented addresses and without sentences with invented quotes.

    Args:
        value: Anything that JSON can hold.
        evidence: What there is. Texts that stand there word for word stay as they are.
        kept: Further texts that do.

    Raises:
        RecursionError: the value is nested too deeply.
    """
    if isinstance(value, str):
        return _cleaned_text(value, evidence, kept)
    if isinstance(value, list):
        return [cleaned(item, evidence, kept) for item in value]
    if isinstance(value, dict):
        return {cleaned(name, evidence, kept): cleaned(item, evidence, kept) for name, item in value.items()}
    return value


def _cleaned_text(text: str, evidence: Evidence, kept: Collection[str]) -> str:
    if text in kept or ("<" not in text and evidence.verbatim.find(text) and not evidence.addresses.unknown(text)):
        return text
    sanitized = sanitize(text, evidence.addresses)
    pieces = split_draft(sanitized, evidence.verbatim)
    if not any(piece.invented for piece in pieces):
        return sanitized
    return compose(pieces, {place: "" for place, piece in enumerate(pieces) if not piece.invented})[0]


def without(value: Any, wrong: Collection[Any]) -> Any:  # noqa: ANN401 (JSON)
    """A JSON value without its members and items that are wrong; None if it is wrong itself."""
    if isinstance(value, list):
        return [without(item, wrong) for item in value if not _is_among(item, wrong)]
    if isinstance(value, dict):
        return {
            name: without(item, wrong)
            for name, item in value.items()
            if name not in wrong and not _is_among(item, wrong)
        }
    return None if _is_among(value, wrong) else value


def _is_among(value: Any, wrong: Collection[Any]) -> bool:  # noqa: ANN401 (JSON)
    return not isinstance(value, dict | list | bool) and value in wrong


def leaves(value: Any) -> Iterator[Any]:  # noqa: ANN401 (JSON)
    """All of a JSON value that is no list and no object; the names in objects too."""
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from leaves(item)
    if not isinstance(value, dict | list):
        yield value
