"""A deep search as one watches it: a question, what is done for it step by step, and the answer with its sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter

from jina_components.service.playground.drawing import counted, facts, folded, listed, note, source, text, web_link
from jina_components.service.playground.markdown import drawn
from jina_components.service.wire.thinking import BEGIN, END
from jina_components.types import shorten

State: TypeAlias = Literal["thinking", "answered", "failed", "stopped"]
_TITLES: dict[State, str] = {
    "thinking": "Searching and reading…", "answered": "How it was found", "failed": "What was done before it failed",
    "stopped": "What was done before it was stopped",
}  # fmt: skip
_PAGES = 100  # listed of those read
_QUOTED = 300  # characters


@dataclass(slots=True)
class Step:
    """A paragraph of thoughts.

    Attributes:
        text: Its words so far; complete with an end of line.
        queries: What is searched for.
        urls: What is read.
    """

    text: str = ""
    queries: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Turn:
    """A question, and what has come of it.

    Attributes:
        question: As it was asked.
        state: How far it is.
        steps: The thoughts.
        answer: Markdown with marks of footnotes; of a turn that failed, why.
        is_json: Whether the answer is JSON instead.
        citations: Title, quote and URL, the n-th for the mark `[^n]`.
        read: URLs of pages that were read.
        known: How many sources are known.
        tokens: What it cost.
        seconds: How long it took.
    """

    question: str
    state: State = "thinking"
    steps: list[Step] = field(default_factory=list)
    answer: str = ""
    is_json: bool = False
    citations: list[dict[str, Any]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    known: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def take(self, chunk: Mapping[str, Any]) -> bool:
        """Go on by a chunk of the stream; whether there is something whole to be shown, rather than half a line."""
        [choice] = chunk["choices"]
        delta, ended = choice["delta"], choice["finish_reason"]
        if delta["type"] == "think":
            return self._think(delta)
        self.answer, self.is_json = delta["content"], delta["type"] == "json"
        self.state = "failed" if ended == "error" else "answered"
        self.citations = [each["url_citation"] for each in delta.get("annotations") or ()]
        self.read, self.known = list(chunk.get("readURLs") or ()), chunk.get("numURLs") or 0
        self.tokens = (chunk.get("usage") or {}).get("total_tokens", 0)
        return True

    def fail(self, why: str) -> None:
        """It failed."""
        self.state, self.answer = "failed", why

    def stop(self) -> None:
        """It was stopped, if it was still thinking."""
        if self.state == "thinking":
            self.state = "stopped"

    def _think(self, delta: Mapping[str, Any]) -> bool:
        words = delta["content"]
        if words == BEGIN or words.strip() == END:
            return False
        if not self.steps or self.steps[-1].text.endswith("\n"):
            self.steps.append(Step())
        step = self.steps[-1]
        step.queries += [delta["query"]] if "query" in delta else []
        step.urls += [delta["url"]] if "url" in delta else []
        step.text += words
        return not words or words.endswith("\n")


_KEPT: TypeAdapter[list[Turn]] = TypeAdapter(list[Turn])


def kept(turns: list[Turn]) -> str:
    """A conversation as text, for the page to keep."""
    return _KEPT.dump_json(turns).decode()


def read(text: str) -> list[Turn]:
    """The conversation that a page has kept.

    Raises:
        ValueError: it is none.
    """
    return _KEPT.validate_json(text) if text else []


def said(turns: Iterable[Turn]) -> list[dict[str, str]]:
    """The messages of what was asked and answered, for the next question; what has no answer is left out."""
    return [
        {"role": role, "content": content}
        for turn in turns
        if turn.state == "answered"
        for role, content in (("user", turn.question), ("assistant", turn.answer))
    ]


def messages(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """The conversation for `gr.Chatbot`: HTML in one line, which is Markdown that means itself. Call it in a thread."""
    return [message for turn in turns for message in _messages(turn)]


def _messages(turn: Turn) -> Iterator[dict[str, Any]]:
    yield {"role": "user", "content": _line(f'<div class="pg-question" dir="auto">{text(turn.question)}</div>')}
    is_thinking = turn.state == "thinking"
    if turn.steps or is_thinking:
        yield {
            "role": "assistant",
            "content": _line(f"<div>{listed(map(_step, turn.steps), look='pg-thoughts') or '…'}</div>"),
            "metadata": {
                "title": _TITLES[turn.state],
                "log": _log(turn),
                "status": "pending" if is_thinking else "done",
            },
        }
    if not is_thinking:
        yield {"role": "assistant", "content": _line(_ENDED[turn.state](turn))}


def _line(html: str) -> str:
    return html.replace("\r", "").replace("\n", "&#10;")


def _log(turn: Turn) -> str:
    queries, urls = (sum(len(getattr(step, name)) for step in turn.steps) for name in ("queries", "urls"))
    told = [f"{name}: {count}" for name, count in (("searches", queries), ("pages", urls)) if count]
    return f"· {', '.join([*told, f'{turn.seconds:.1f} s'])}"


def _step(step: Step) -> str:
    """A paragraph; queries and pages in it on their own."""
    if not step.queries and not step.urls:
        return f'<span dir="auto">{text(step.text.strip())}</span>'
    named = step.text.partition(":")[0].strip() or ("Searching for" if step.queries else "Reading")
    queries = listed((f'<q dir="auto">{text(each)}</q>' for each in step.queries), look="pg-queries")
    return f"{text(named)}{queries}{listed(map(source, step.urls), look='pg-urls')}"


def _answered(turn: Turn) -> str:
    """The answer with its marks, its quotes, and the pages that were read."""
    if turn.is_json:
        body = f"<pre>{text(turn.answer)}</pre>"
    else:
        body = drawn(turn.answer, lambda number: _mark(number, turn.citations))
    quotes = listed(map(_citation, turn.citations), kind="ol", look="pg-sources")
    pages = folded(f"Pages read ({len(turn.read):,})", listed(map(source, turn.read[:_PAGES]))) if turn.read else ""
    told = facts(
        f"{counted(turn.known, 'source')} known" if turn.known else "",
        counted(turn.tokens, "token"),
        f"{turn.seconds:.1f} s",
    )
    return f'<div class="pg-answer">{body}{quotes}{pages}{told}</div>'


def _mark(number: int, citations: Sequence[Mapping[str, Any]]) -> str:
    if not 0 < number <= len(citations):
        return ""
    cited = citations[number - 1]
    title = text(f"“{shorten(cited['exactQuote'], _QUOTED)}” {cited['title'] or cited['url']}")
    link = web_link(cited["url"], str(number))
    return f'<sup class="pg-mark" title="{title}">{link}</sup>'


def _citation(cited: Mapping[str, Any]) -> str:
    return f'<q dir="auto">{text(cited["exactQuote"])}</q><br>{source(cited["url"], cited["title"])}'


_ENDED: dict[State, Callable[[Turn], str]] = {
    "answered": _answered,
    "failed": lambda turn: f"<div>{note(turn.answer, 'error')}</div>",
    "stopped": lambda _: f"<div>{note('Stopped. The service works on it no more.')}</div>",
}
