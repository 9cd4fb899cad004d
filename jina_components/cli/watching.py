"""The steps of a deep search on standard error, as they are taken."""

from __future__ import annotations

import os
import re
from typing import TextIO

from jina_components.cli.common import Known, counted, readable, with_flags
from jina_components.types import DeepSearchStep, shorten
from jina_components.types.answered import StepKind

# By kind: a sign, and the colour of the line (SGR) where there are colours.
_SIGNS: dict[StepKind, tuple[str, str]] = {
    "plan": ("≡", ""),
    "think": ("·", "2"),
    "search": ("?", "36"),
    "found": ("+", ""),
    "visit": ("→", "36"),
    "read": ("+", ""),
    "reflect": ("↳", "35"),
    "calculate": ("=", ""),
    "answer": ("»", ""),
    "evaluate": ("✓", "32"),
    "reject": ("✗", "31"),
    "skip": ("-", "2"),
    "end": ("■", "33"),
    "write": ("»", ""),
    "verify": ("✓", "32"),
    "done": ("●", "1"),
}
_LONG_URL = re.compile(r"(https?://)(?:www\.)?(\S{48,})")
_URL_WIDTH = 48
# Characters of a line where no terminal tells its width.
_WIDTH = 240


class Watcher:
    """Tells steps, one line each: the time, tokens of the chat model, of a team the member, what is done and how.

    Why something failed is told the first time only.

    Args:
        question: What is asked; the sub-questions of others are told.
        stream: Where to; in a terminal lines are cut to its width, and coloured unless NO_COLOR is set.
    """

    def __init__(self, question: str, stream: TextIO) -> None:
        self._question = question
        self._stream = stream
        self._known = Known()
        is_terminal = stream.isatty()
        self._width = _columns(stream) if is_terminal else _WIDTH
        self._end = "\n\n" if is_terminal else "\n"  # parts the steps from the answer, which the terminal shows too
        self._is_coloured = is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"

    def tell(self, step: DeepSearchStep) -> None:
        """Write the line of a step."""
        sign, colour = _SIGNS[step.kind]
        tokens = f"{step.tokens / 1000:6.1f}k" if step.tokens else ""
        member = f" [{step.member}]" if step.member else ""
        head = f"{step.at:6.1f}s{tokens}{member} {sign} {step.kind:<9} "
        said = self._known.shortened(_said(step, self._question))
        line = head + shorten(said, max(self._width - len(head) - 1, 20))
        line = f"\033[{colour}m{line}\033[0m" if colour and self._is_coloured else line
        print(line, end=self._end if step.kind == "done" else "\n", file=self._stream, flush=True)


def short_url(url: str) -> str:
    """A long URL with its host and its end, and an ellipsis between them."""
    return _LONG_URL.sub(_shortened, url)


def _shortened(match: re.Match[str]) -> str:
    host, slash, path = match[2].partition("/")
    if not slash:
        return match[1] + shorten(host, _URL_WIDTH)
    return f"{host}/…{path[-max(_URL_WIDTH - len(host), 16) :]}"


def _said(step: DeepSearchStep, question: str) -> str:
    """What a step says, without what a page could steer a terminal by; and for which sub-question, if it searches."""
    if step.kind == "done" and (answer := step.answer) is not None:
        spent = answer.spent
        tokens = f", {spent.tokens:,} tokens" if spent.tokens else ""
        money = f", {spent.money:.4f} spent" if spent.money else ""
        return (
            f"{answer.ended}: {counted(len(answer.citations), 'quote')}, {counted(spent.steps, 'step')}, "
            f"{spent.seconds:.1f} s{tokens}{money}"
        )
    text = short_url(readable(with_flags(step.text)))
    is_for_another = step.kind in ("search", "answer") and step.question not in ("", question)
    return f"{text}  (for: {readable(step.question)})" if is_for_another else text


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDTH
    except OSError:
        return _WIDTH
