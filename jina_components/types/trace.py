"""All that a deep search did: its steps, and what everything outside of it answered."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jina_components.errors import ReadError, TraceError
from jina_components.types.codec import decode, encode
from jina_components.types.trace_html import trace_html

if TYPE_CHECKING:
    from jina_components.types.answered import DeepSearchStep

_FORMAT = "jina-components deep search"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class TracedCall:
    """One call of something outside of the loop (chat model, search, page, reranker …) and what came of it.

    Attributes:
        kind: Whom was asked: `chat`, `search`, `retrieve`, `read`, `rerank`, `similarity`, `verify`, `clock`.
        request: What was asked, as JSON values.
        response: What was answered, as JSON values; None for an error.
        error: Name of the error class and its arguments, of which the first is the message; or None.
        member: Of a team, who asked.
        at: Seconds since the search began at which it was asked.
        seconds: How long it took.
        nth: The how many-th call of this member for the same it is, from 1.
    """

    kind: str
    request: Any
    response: Any = None
    error: tuple[Any, ...] | None = None
    member: str = ""
    at: float = 0.0
    seconds: float = 0.0
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Trace:
    """All that a search did. Replays without network (`DeepSearchAgent.replay`); draws itself as a timeline.

    Attributes:
        request: What was asked of the agent, its options and its parts by kind, as JSON values.
        steps: Its steps.
        calls: What everything outside of the loop answered, in the order of the answers.
    """

    request: Any
    steps: tuple[DeepSearchStep, ...] = ()
    calls: tuple[TracedCall, ...] = field(default=(), repr=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON lines, atomically; the same form as a checkpoint of `DeepSearchAgent.run`.

        A step's answer is not written: a replay gives it.

        Raises:
            TraceError: the file cannot be written.
        """
        place = Path(path)
        temporary = place.with_name(f"{place.name}.unfinished-{uuid.uuid4().hex[:12]}")
        try:
            with temporary.open("wb") as file:
                file.write(first_line(self.request))
                file.writelines(map(line_of, self.calls))
                file.writelines(map(line_of, self.steps))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(place)
        except OSError as error:
            raise TraceError(f"The trace {place} cannot be written: {error.strerror or error}.") from error
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote, or the checkpoint of a search that was interrupted.

        Raises:
            ReadError: the file cannot be read or is no trace.
        """
        place = Path(path)
        try:
            data = place.read_bytes()
        except OSError as error:
            raise ReadError(f"{place} cannot be read: {error.strerror or error}.", str(place)) from error
        return cls(*parse_lines(data, str(place)))

    def _repr_html_(self) -> str:
        return trace_html(self)


def first_line(request: object) -> bytes:
    """With what a file of a trace or a checkpoint begins: its format, and what was asked."""
    return _line({"format": _FORMAT, "version": _VERSION, "request": encode(request)})


def line_of(item: TracedCall | DeepSearchStep) -> bytes:
    """The line of a call or of a step."""
    if isinstance(item, TracedCall):
        return _line({"call": encode(item)})
    return _line({"step": encode(replace(item, answer=None))})


def parse_lines(data: bytes, source: str) -> tuple[Any, tuple[DeepSearchStep, ...], tuple[TracedCall, ...]]:
    """What was asked, the steps and the calls of such a file. A last line that a kill cut short is left out.

    Raises:
        ReadError: it is no such file.
    """
    from jina_components.types.answered import DeepSearchStep

    first, *lines = data.split(b"\n")[:-1] or [b""]
    head = _parsed(first, 1, source)
    if head.get("format") != _FORMAT or "request" not in head:
        raise ReadError(f"{source} is neither a trace nor a checkpoint of a deep search.", source)
    if head.get("version") != _VERSION:
        raise ReadError(f"{source} was written by another version (format {head.get('version')!r}).", source)
    steps: list[DeepSearchStep] = []
    calls: list[TracedCall] = []
    for number, line in enumerate(lines, 2):
        item = _parsed(line, number, source)
        try:
            if "call" in item:
                calls.append(decode(item["call"], TracedCall))
            else:
                steps.append(decode(item.get("step"), DeepSearchStep))
        except ValueError as error:
            raise ReadError(f"{source} is damaged in line {number}: {error}", source) from error
    return head["request"], tuple(steps), tuple(calls)


def _line(item: dict[str, Any]) -> bytes:
    text = json.dumps(item, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


def _parsed(line: bytes, number: int, source: str) -> dict[str, Any]:
    try:
        item = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        kind = "is no trace of a deep search" if number == 1 else f"is damaged in line {number}"
        raise ReadError(f"{source} {kind}: {error}.", source) from error
    return item if isinstance(item, dict) else {}
