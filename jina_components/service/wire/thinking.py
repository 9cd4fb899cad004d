"""What an agent does, in the words that a client shows while it thinks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jina_components.service.errors import for_clients
from jina_components.types import DeepSearchStep
from jina_components.types.answered import StepKind

BEGIN, END = "<think>", "</think>"

# A few words at a time, as a model would write them.
_PHRASE = re.compile(r"\s*(?:\S+\s*){1,4}|\s+")
_TAG = re.compile(r"<(/?think)>", re.IGNORECASE)
_WEB = re.compile(r"https?://", re.IGNORECASE)
# What clients show by itself: by its key in a delta, the kind of step that it comes with.
_SHOWN: dict[str, StepKind] = {"query": "search", "url": "visit"}


def deltas(step: DeepSearchStep) -> Iterator[dict[str, Any]]:
    """Deltas of type `think` that tell a step: its queries, its pages, and a paragraph in phrases."""
    for key, values in (("query", step.queries), ("url", [url for url in step.urls if _WEB.match(url)])):
        if step.kind == _SHOWN[key]:
            yield from ({"content": "", "type": "think", key: value} for value in values)
    for phrase in _PHRASE.findall(told(step)):
        yield thought(phrase)


def told(step: DeepSearchStep) -> str:
    """A step as a paragraph; of a team, after the number of its member."""
    text = _TAG.sub(r"(\1)", for_clients(step.text)).strip()  # what a page says must not end the thoughts
    return f"{replace(step, text=text).told}\n"


def thought(text: str) -> dict[str, Any]:
    """A delta of type `think`."""
    return {"content": text, "type": "think"}
