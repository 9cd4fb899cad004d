"""What a chat model is shown of a search, within so many tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jina_components.core.origins import origin_of
from jina_components.deep_search.chat.counting import IMAGE_TOKENS, count_tokens, head
from jina_components.deep_search.chat.prompts import quoted, role
from jina_components.deep_search.gathering.urls import ListedUrl
from jina_components.deep_search.state import State
from jina_components.protocols import ChatMessage
from jina_components.types import Document, Image

MAX_PAGES = 20
"""Pages to choose from."""

# A text cut shorter than this tells nothing.
_LEAST = 24
# Tokens of the name and the brackets around a part.
_AROUND = 10
# Shares of the tokens that the question, and the user's wishes, may take.
_QUESTION, _WISHES, _IMAGES = 0.3, 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the material: items, each with its text as `text`.

    Attributes:
        name: Its name.
        items: JSON objects; one that has a text alone is shown as that.
        share: Of the tokens, as much as it may take at most. What it leaves is for those after it.
        is_latest_first: Whether the last items are kept where not all of them fit.
    """

    name: str
    items: Sequence[Mapping[str, Any]]
    share: float = 1.0
    is_latest_first: bool = False


def brief(
    state: State, task: str, sections: Sequence[Section], *, tokens: int, question: str = "", images: bool = False
) -> list[ChatMessage]:
    """The messages that put a task to a model.

    Args:
        state: Of the search.
        task: What is to be done.
        sections: What is known, the dearest first.
        tokens: That all of it may have; what is said in any case may be more.
        question: The sub-question that the task is for; empty for the question alone.
        images: Whether the user's images are shown.
    """
    tokens = max(tokens, 0)
    wishes = "\n".join(message.content for message in state.messages if message.role == "system")
    system = role(state.options, state.today, head(wishes, int(tokens * _WISHES)) if wishes else "")
    asked = [f"Question: {quoted(head(state.question, max(int(tokens * _QUESTION), _LEAST)))}"]
    if question and question != state.question:
        asked.append(f"Sub-question: {quoted(head(question, max(int(tokens * _QUESTION), _LEAST)))}")
    shown = _images(state, int(tokens * _IMAGES)) if images else ()
    said = sum(count_tokens(text) for text in (system, *asked, task)) + IMAGE_TOKENS * len(shown)
    said += _AROUND * (len(sections) + 2)
    material = json.dumps(_fitted(sections, tokens - said), ensure_ascii=False, separators=(",", ":"))
    told = [*asked, f"Material:\n{material}", f"Task: {task}"]
    return [ChatMessage("system", system), ChatMessage("user", "\n\n".join(told), images=shown)]


def _fitted(sections: Sequence[Section], tokens: int) -> dict[str, list[Any]]:
    """The sections that hold something, with what fits of them."""
    material, left = {}, max(tokens, 0)
    for section in sections:
        kept, used = _kept(section, min(int(left * section.share), left))
        left -= used
        if kept:
            material[section.name] = kept
    return material


def _kept(section: Section, room: int) -> tuple[list[Any], int]:
    """The items that fit, in their order, and their tokens."""
    order = range(len(section.items))
    kept: dict[int, Any] = {}
    left, each = room, max(room // min(max(len(order), 1), 4), _LEAST)
    for index in reversed(order) if section.is_latest_first else order:
        item, cost = _cut(section.items[index], min(left, each))
        if item is None:
            item, cost = _cut(section.items[index], left)
        if item is None:
            break
        kept[index] = item["text"] if item.keys() == {"text"} else item
        left -= cost
    return [kept[index] for index in sorted(kept)], room - left


def _cut(item: Mapping[str, Any], room: int) -> tuple[Mapping[str, Any] | None, int]:
    """An item, its text cut to about this room, and its tokens; None where too little of it would be left."""
    text = head(item["text"], max(room, 1))  # before anything is counted, as it may be of any length
    cost, around = _cost({**item, "text": text}), _cost({**item, "text": ""})
    if cost > room:
        share = (room - around) / max(cost - around, 1)  # of its tokens, more of which JSON writes than there are
        text = head(text, max(int(count_tokens(text) * share) - 1, 0))
        cost = _cost({**item, "text": text})
    is_too_short = text != item["text"] and count_tokens(text) < _LEAST
    return (None, 0) if is_too_short or around > room else ({**item, "text": text}, cost)


def _cost(item: Mapping[str, Any]) -> int:
    return count_tokens(json.dumps(item, ensure_ascii=False))


def _images(state: State, tokens: int) -> tuple[Image, ...]:
    """The last of the user's images."""
    images = [image for message in state.messages if message.role == "user" for image in message.images]
    most = max(tokens // IMAGE_TOKENS, 1)
    return tuple(images[-most:])


def conversation(state: State) -> Section:
    """What was said before the question."""
    turns = [message for message in state.messages[:-1] if message.role != "system"]
    items = [{"role": message.role, "text": message.content} for message in turns]
    return Section("conversation", items, 0.2, is_latest_first=True)


def findings(state: State) -> Section:
    """What was found out."""
    items = [{"kind": one.kind, "question": one.question, "text": one.text} for one in state.knowledge]
    return Section("findings", items, 0.3, is_latest_first=True)


def rejections(state: State) -> Section:
    """Answers that were rejected."""
    items = [
        {"question": one.question, "check": one.evaluator, "reason": one.reason, "text": one.text}
        for one in state.rejected
    ]
    return Section("rejected_answers", items, 0.15, is_latest_first=True)


def past(state: State) -> Iterator[Section]:
    """What was done: the diary, and what was asked."""
    yield Section("diary", _texts(state.diary), 0.15, is_latest_first=True)
    yield Section("queries_asked", _texts(state.queries), 0.1, is_latest_first=True)
    yield Section("open_questions", _texts([one for one in state.open if one != state.question]), 0.1)


def texts(name: str, items: Sequence[str], share: float = 1.0) -> Section:
    """A section of texts alone."""
    return Section(name, _texts(items), share)


def pages(listed: Sequence[ListedUrl]) -> Section:
    """Pages to visit, by number."""
    return Section("pages", [_page(one) for one in listed], 0.25)


def documents(ranked: Sequence[Document], files: Sequence[str]) -> Iterator[Section]:
    """Evidence: the files that the user sent along, of which no more than half is filled, and the rest.

    Args:
        ranked: The documents, the most useful first.
        files: Ids of those that the user sent.
    """
    sent = frozenset(files)
    yield Section("documents_of_the_user", [_document(one) for one in ranked if one.id in sent], 0.5)
    yield Section("documents", [_document(one) for one in ranked if one.id not in sent])


def _page(listed: ListedUrl) -> dict[str, Any]:
    told = {"title": listed.title, "date": listed.published_time}
    named = {name: value for name, value in told.items() if value}
    return {"page": listed.number, "url": listed.url[:_LONGEST_NAME], **named, "text": listed.snippet}


def _document(document: Document) -> dict[str, Any]:
    origin, day = origin_of(document), document.metadata.get("published_time")
    names = {"source": origin.source, "title": origin.title, "heading": origin.heading, "date": day}
    named = {name: value[:_LONGEST_NAME] for name, value in names.items() if isinstance(value, str) and value}
    return {**named, "text": document.text}


_LONGEST_NAME = 200


def _texts(items: Sequence[str]) -> list[dict[str, Any]]:
    return [{"text": item} for item in items]
