"""How answers look in a notebook."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from jina_components.types.markdown_html import MarkdownPage, linked, printable
from jina_components.types.texts import shorten

if TYPE_CHECKING:
    from jina_components.types.answered import Answer, Citation, Ended

_ENDED: dict[Ended, str] = {
    "answered": "passed its evaluation",
    "direct": "needed no sources",
    "attempts": "the last attempt; its evaluation rejected it too",
    "no progress": "nothing new was found any more",
    "tokens": "the budget of tokens ended the search",
    "steps": "the budget of steps ended the search",
    "seconds": "the time was up",
    "money": "the budget of money ended the search",
    "chat failed": "the chat model failed",
    "nothing found": "nothing was left to try",
}
_UNVERIFIED = "No source that was found shows this."
_SOURCES = 50
_BOX = "border-inline-start:3px solid rgba(128,128,128,.4);padding-inline-start:.8em;margin:.4em 0"


def answer_html(answer: Answer) -> str:
    """The answer, its quotes, what it cost, and the search for it."""
    return printable(
        f"<div style='max-width:60em;line-height:1.55;overflow-wrap:anywhere'>"
        f"<p dir='auto'><small style='opacity:.75'>{html.escape(shorten(answer.question, 300))}</small></p>"
        f"{_text(answer)}{_citations(answer)}{_warnings(answer.warnings)}{_cost(answer)}"
        f"{_sources('Sources read', answer.read_urls)}{_search(answer)}</div>"
    )


def _text(answer: Answer) -> str:
    if answer.value is not None:  # then the text is JSON
        return f"<pre style='white-space:pre-wrap'>{html.escape(answer.text)}</pre>"
    anchor = _anchor(answer)

    def note(number: int) -> str | None:
        if not 0 < number <= len(answer.citations):
            return None
        one = answer.citations[number - 1]
        title = html.escape(f"“{shorten(one.quote, 300)}” {one.title or one.source}")
        return f"<sup><a href='#{anchor}{number}' title='{title}'>[{number}]</a></sup>"

    marked = [(each.start, each.end) for each in answer.sentences if not each.supported]
    return MarkdownPage(note=note, marked=marked, title=_UNVERIFIED).write(answer.text)


def _citations(answer: Answer) -> str:
    anchor = _anchor(answer)
    items = "".join(
        f"<li id='{anchor}{number}' dir='auto' style='margin:.35em 0'>“{html.escape(one.quote)}” {_place(one)}</li>"
        for number, one in enumerate(answer.citations, 1)
    )
    if not items:
        return ""
    return f"<details open style='{_BOX}'><summary>Quotes ({len(answer.citations)})</summary><ol>{items}</ol></details>"


def _place(one: Citation) -> str:
    page = f"page {one.page}" if one.page else ""
    is_local = "://" not in one.source and one.title not in ("", one.source)  # where a title alone says not which
    place = f"{shorten(one.source, 120)}, characters {one.start:,}–{one.end:,}" if is_local else ""
    facts = " · ".join(html.escape(fact) for fact in (page, one.published_time, place) if fact)
    name = linked(one.source, shorten(one.title or one.source, 120))
    return f"<br><small><bdi>{name}</bdi>{f' · {facts}' if facts else ''}</small>"


def _warnings(warnings: Iterable[str]) -> str:
    items = "".join(f"<li dir='auto'>{html.escape(warning)}</li>" for warning in warnings)
    return f"<div style='{_BOX}'><small>To be known:</small><ul>{items}</ul></div>" if items else ""


def _cost(answer: Answer) -> str:
    spent = answer.spent
    facts = [
        f"{'Answered' if answer.answered else 'Not answered'}: {_ENDED.get(answer.ended, answer.ended)}",
        f"{spent.tokens:,} tokens", f"{spent.steps:,} steps", f"{spent.seconds:,.1f} s",
        *([f"{spent.money:,.4g} spent"] if spent.money else []),
        *([f"{answer.num_urls:,} sources known, {len(answer.read_urls):,} read"] if answer.num_urls else []),
    ]  # fmt: skip
    return f"<p><small style='opacity:.75'>{html.escape(' · '.join(facts))}</small></p>"


def _sources(name: str, urls: tuple[str, ...]) -> str:
    items = "".join(f"<li><bdi>{linked(url)}</bdi></li>" for url in urls[:_SOURCES])
    more = f"<li>and {len(urls) - _SOURCES:,} more</li>" if len(urls) > _SOURCES else ""
    return f"<details><summary>{name} ({len(urls):,})</summary><ul>{items}{more}</ul></details>" if items else ""


def _search(answer: Answer) -> str:
    if answer.trace is None:
        return ""
    return f"<details><summary>How it was found</summary>{answer.trace._repr_html_()}</details>"


def _anchor(answer: Answer) -> str:
    """Tells the notes of one answer from those of another in the same notebook."""
    text = f"{answer.question}\0{answer.text}".encode("utf-8", "surrogatepass")
    return f"answer-{hashlib.blake2b(text, digest_size=4).hexdigest()}-"
