"""What DeepSearch says on its way to an answer, chunk by chunk, and the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from jina_components.core.boundaries import sentences
from jina_components.errors import WebError
from jina_components.remote.fields import Fields
from jina_components.types import Answer, AnsweredSentence, Citation, DeepSearchStep, Usage, shorten
from jina_components.types.answered import StepKind

DONE = "[DONE]"

_TAGS = re.compile(r"</?think>")
_THOUGHTS = re.compile(r"<think>[\s\S]*?</think>")
_MEMBER = re.compile(r"\[\d+\] ")
_MARKS = re.compile(r"(?: ?\[(?:\^\d{1,6}|unverified)\])+")
_NUMBER = re.compile(r"\^(\d+)")
# What stands at the beginning of a line and is no word of a sentence.
_LEAD = re.compile(r"(?:[ \t]*(?:[-*+>|]|#{1,6}|\d{1,9}[.)])(?=[ \t]))*[ \t]*")
# What is shown by itself, by its key in a delta.
_SHOWN: dict[str, StepKind] = {"query": "search", "url": "visit"}
_EMPTY = Fields({}, "")


class Answering:
    """An answer that is being read.

    Args:
        question: What was asked.
        url: Where it comes from, for errors.
        wants_json: Whether it is to be JSON.

    Attributes:
        finished: Whether all of it has come.
    """

    def __init__(self, question: str, url: str, *, wants_json: bool) -> None:
        self.finished = False
        self._question = question
        self._url = url
        self._wants_json = wants_json
        self._thought: list[str] = []
        self._shown: StepKind | None = None
        self._searched = False
        self._text: list[str] = []
        self._annotations: list[Fields] = []
        self._last = _EMPTY

    def take(self, data: str) -> Iterator[DeepSearchStep]:
        """The steps that a chunk tells or completes.

        Raises:
            WebError: it tells a failure, or is out of form.
        """
        chunk = Fields.parse(data, self._url)
        if "error" in chunk:
            raise self._failed(str(chunk.value("error")))
        if "usage" in chunk or "visitedURLs" in chunk:
            self._last = chunk
        for choice in chunk.rows("choices")[:1]:
            said = choice.fields("message" if "message" in choice else "delta")
            if said.text("type") == "think":
                yield from self._think(said)
            else:
                yield from self._paragraph()
                self._say(said, choice.text("finish_reason"), is_whole="message" in choice)

    def answer(self) -> Answer:
        """The whole answer.

        Raises:
            WebError: it has not ended, is not the JSON that was asked for, or is out of form.
        """
        if not self.finished:
            raise WebError(f"{self._url} ended before its answer did; try again.", self._url)
        text = _THOUGHTS.sub("", "".join(self._text)).strip()
        citations = tuple(
            _citation(each.fields("url_citation")) for each in self._annotations if "url_citation" in each
        )
        value = self._json(text) if self._wants_json else None
        answered = bool(citations) or value is not None or (bool(text) and not self._searched)
        usage = self._last.fields("usage")
        return Answer(
            question=self._question,
            text=text,
            answered=answered,
            citations=citations,
            sentences=() if self._wants_json else tuple(_marked(text, len(citations))),
            value=value,
            ended="nothing found" if not answered else "answered" if self._searched else "direct",
            visited_urls=self._last.texts("visitedURLs"),
            read_urls=self._last.texts("readURLs"),
            num_urls=self._last.count("numURLs"),
            images=self._last.texts("relatedImages"),
            usage=Usage(usage.count("prompt_tokens"), usage.count("completion_tokens")),
        )

    def _think(self, said: Fields) -> Iterator[DeepSearchStep]:
        """The query or URL that comes with a piece of a thought, and the paragraphs that it ends."""
        for key, kind in _SHOWN.items():
            if key in said:
                yield from self._paragraph()
                shown = (said.text(key),)
                self._searched, self._shown = True, kind
                yield DeepSearchStep(
                    kind,
                    shown[0],
                    queries=shown if kind == "search" else (),
                    urls=shown if kind == "visit" else (),
                )
        *ended, rest = _TAGS.sub("", said.text("content")).split("\n")
        for line in ended:
            self._thought.append(line)
            yield from self._paragraph()
        self._thought.append(rest)

    def _paragraph(self) -> Iterator[DeepSearchStep]:
        """The thought that has ended, unless it says again what was shown by itself."""
        text, self._thought = "".join(self._thought).strip(), []
        if not text:
            return
        shown, self._shown = self._shown, None
        if shown is None or not _MEMBER.sub("", text).startswith(DeepSearchStep(shown, "").told):
            yield DeepSearchStep("think", text)

    def _say(self, said: Fields, reason: str, *, is_whole: bool) -> None:
        """A piece of the answer, or all of it."""
        if said.text("type") == "error" or reason == "error":
            raise self._failed(said.text("content"))
        self._text.append(said.text("content"))
        self._annotations += said.rows("annotations")
        self.finished = self.finished or is_whole or bool(reason)

    def _json(self, text: str) -> Any:  # noqa: ANN401 (JSON values)
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WebError(f"{self._url} answered with no JSON: {shorten(text, 200)!r}.", self._url) from error

    def _failed(self, why: str) -> WebError:
        return WebError(f"{self._url} could not answer: {shorten(why.removeprefix('Error: '), 500)}", self._url)


def _marked(text: str, citations: int) -> Iterator[AnsweredSentence]:
    """The sentences that marks follow; of the others nobody tells whether a source shows them."""
    end = 0
    for marks in _MARKS.finditer(text):
        begin = max(end, text.rfind("\n", end, marks.start()) + 1)
        if lead := _LEAD.match(text, begin, marks.start()):
            begin = lead.end()
        *_, start = begin, *(place for place in sentences(text, begin, marks.start()) if place < marks.start())
        end = marks.end()
        cited = tuple(number for each in _NUMBER.findall(marks[0]) if 0 < (number := int(each)) <= citations)
        is_unverified = "unverified" in marks[0]
        if start < marks.start() and (cited or is_unverified):
            yield AnsweredSentence(start, end, not is_unverified, cited)


def _citation(cited: Fields) -> Citation:
    url = cited.text("url")
    return Citation(
        quote=cited.text("exactQuote"),
        source=url,
        start=0,
        end=0,
        document_id=url,
        title=cited.text("title"),
        published_time=cited.text("dateTime"),
    )
