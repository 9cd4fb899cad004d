"""What the outside answered: recorded as it comes, served again in a replay and after an interruption.

The loop is a function of what everything outside of it answers (models, searches, pages, the clock). So a record of
the answers is all its state: to resume a search, or to replay it, it is run again with the answers on record.

Answers to calls under way at the same time may come in any order, in a replay in another than before. So members of a
team share nothing, not even a clock; and what one of them asks at the same time (`asyncio.gather`) does not depend on
each other's answers, and is gone on with in the order in which it was asked.

This is also the boundary to parts that are not ours: whatever they raise comes out as an error of ours, and none of
them outlasts the time there is.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeAlias, TypeVar

from filelock import FileLock, Timeout

from jina_components.core.durable import write_file
from jina_components.errors import (
    BackendError,
    BusyError,
    ChatError,
    ConfigError,
    FetchTimeoutError,
    JinaComponentsError,
    ReadError,
    TraceError,
)
from jina_components.types import TracedCall, shorten
from jina_components.types.codec import decode, encode
from jina_components.types.trace import first_line, line_of, parse_lines

T = TypeVar("T")

_Key: TypeAlias = tuple[str, str, bytes, int]
# What a call is that was given up as the time was over, where it is no FetchTimeoutError.
_OVERDUE: dict[str, type[JinaComponentsError]] = {"chat": ChatError}
_TIMELESS = frozenset({"clock"})


class Journal:
    """Records the calls of a search. Closes its file at the end of a `with` block.

    What ends the search there by an error of ours is taken off the record: when the caller has mended the cause, the
    search goes on by asking again.

    Args:
        request: What was asked of the agent, as JSON values; a checkpoint of another request is refused.
        calls: Those on record, where `path` holds none.
        recorded: The request that these were recorded for, which has to be the same; None where it is.
        path: Where each call is appended, and found again after an interruption; None for nowhere.
        strict: Whether a call that is not on record is a TraceError (a replay) or is made (a search resumed).
        deadline: Seconds since the search began at which calls are given up, and from which on none is made; None for
            never. Work in a thread, which nothing can stop, is not waited for.

    Attributes:
        request: As given, as JSON values.

    Raises:
        TraceError: the record or the file is of another request, or the file cannot be written.
        ReadError: the file is no checkpoint.
        BusyError: another search is writing it.
    """

    def __init__(
        self,
        request: Any,  # noqa: ANN401 (JSON)
        *,
        calls: Sequence[TracedCall] = (),
        recorded: Any = None,  # noqa: ANN401 (JSON)
        path: str | os.PathLike[str] | None = None,
        strict: bool = False,
        deadline: float | None = None,
    ) -> None:
        self.request = encode(request)
        self._member = ""
        self._strict = strict
        self._deadline = deadline
        if recorded is not None:
            _check_same(encode(recorded), self.request, "The trace")
        self._file = None if path is None else _Checkpoint(Path(path), self.request, calls)
        self._record = _Record(calls if self._file is None else self._file.calls)

    async def call(self, kind: str, request: Any, do: Callable[[], Awaitable[T]], result: object) -> T:  # noqa: ANN401
        """What `do` gives, or gave when the same was asked before (the n-th time for the n-th time) by this member.

        Args:
            kind: Whom is asked (`TracedCall.kind`).
            request: What is asked, as JSON values.
            do: Asks. What it raises is recorded, and raised again in a replay.
            result: Its type, such as `Ranking`, `list[list[float]]` or `Page | None`: what `types.codec` takes.

        Raises:
            JinaComponentsError: as `do` raised it.
            BackendError: `do` raised something else.
            ConfigError: `do` gives something else than it should.
            FetchTimeoutError, ChatError: the time is over; the latter of a chat model.
            TraceError: the call is not on record and may not be made, or the record cannot be written. No call after
                it is answered, nor are `calls` given: nothing that takes it for the failure of a tool gets anywhere.
        """
        asked, key = self._record.ask(TracedCall(kind, encode(request), member=self._member))
        await asyncio.sleep(0)  # all that is asked at the same time is asked before any of it is answered
        known = self._record.known.get(key)
        if known is None:
            call, answer = await self._ask(asked, do, result)
        else:
            call, answer = known, _replayed(known, result)
        self._record.answered(call)
        if isinstance(answer, JinaComponentsError) and call.error is not None:
            raise answer
        return answer

    async def _ask(self, asked: TracedCall, do: Callable[[], Awaitable[T]], result: object) -> tuple[TracedCall, Any]:
        """The call made, and what it gave or raised."""
        if self._strict:
            raise self._record.fail(
                f"The trace does not hold this call: {_shown(asked)}. It is of another search, or broke off."
            )
        at = self._record.now()
        answer: Any
        try:
            response, answer = _as_recorded(asked.kind, await self._made(asked.kind, do, at), result)
        except JinaComponentsError as error:
            call, answer = replace(asked, error=tuple(encode(error))), error
        else:
            call = replace(asked, response=response)
        call = replace(call, at=round(at, 6), seconds=round(self._record.now() - at, 6))
        if self._file is not None:
            try:
                self._file.append(call)
            except OSError as error:
                raise self._record.fail(f"The checkpoint cannot be written: {error.strerror or error}.") from error
        return call, answer

    async def _made(self, kind: str, do: Callable[[], Awaitable[T]], at: float) -> T:
        """What `do` gives within the time there is; its errors as ours."""
        left = None if self._deadline is None or kind in _TIMELESS else self._deadline - at
        overdue = _OVERDUE.get(kind, FetchTimeoutError)(f"The time for the search was over, {self._deadline} seconds.")
        if left is not None and left <= 0:
            raise overdue
        try:
            async with asyncio.timeout(left) as limit:
                return await do()
        except JinaComponentsError:
            raise
        except Exception as error:
            if limit.expired():
                raise overdue from error
            told = shorten(str(error), 300)
            raise BackendError(f"The part that is to {kind} failed: {type(error).__name__}: {told}") from error

    def member(self, name: str, *, deadline: float | None = None) -> Self:
        """The same journal for a member of a team, whose calls and whose clock are its own."""
        one = copy.copy(self)
        one._member, one._deadline = name, deadline  # noqa: SLF001 (its own class)
        return one

    def has_worked(self, kind: str) -> bool:
        """Whether such a call was answered before, so that the caller need not mend what it asks.

        Of a member, its own calls count and those of the search itself, for which those of all members do.
        """
        return self._record.has_worked(kind, self._member)

    @property
    def seconds(self) -> float:
        """Seconds since the search began at which its last call ended: of a member, the last of its own."""
        return self._record.seconds(self._member)

    @property
    def calls(self) -> tuple[TracedCall, ...]:
        """All calls so far, in the order in which they ended.

        Raises:
            TraceError: `call` raised it.
        """
        self._record.check()
        return tuple(sorted(self._record.calls, key=_end))

    def close(self) -> None:
        """Close the checkpoint, which then may be resumed."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._file is not None and isinstance(error, JinaComponentsError):
                self._file.forget(error)
                error = error.__cause__
        finally:
            self.close()


class _Record:
    """What was answered before, and what in this run."""

    def __init__(self, calls: Sequence[TracedCall]) -> None:
        self.known: dict[_Key, TracedCall] = {_key(call): call for call in calls}
        self.calls: list[TracedCall] = []
        self._times: Counter[_Key] = Counter()
        self._clocks: dict[str, float] = {}
        self._worked: set[tuple[str, str]] = set()
        self._error: TraceError | None = None
        self._ended = max(map(_end, calls), default=0.0)
        self._began = None if calls else time.monotonic()

    def ask(self, call: TracedCall) -> tuple[TracedCall, _Key]:
        self.check()
        first = _key(call)
        self._times[first] += 1
        call = replace(call, nth=self._times[first])
        return call, (*first[:3], call.nth)

    def now(self) -> float:
        """Seconds since the search began; what lies between the end of the record and going on does not count."""
        if self._began is None:
            self._began = time.monotonic() - self._ended
        return time.monotonic() - self._began

    def seconds(self, member: str) -> float:
        return self._clocks.get(member, 0.0) if member else max(self._clocks.values(), default=0.0)

    def answered(self, call: TracedCall) -> None:
        self.check()
        self.calls.append(call)
        self._clocks[call.member] = max(self._clocks.get(call.member, 0.0), _end(call))
        if call.error is None:
            self._worked.add((call.kind, call.member))

    def has_worked(self, kind: str, member: str) -> bool:
        return any(kind == one and (not member or by in (member, "")) for one, by in self._worked)

    def fail(self, message: str) -> TraceError:
        self._error = self._error or TraceError(message)
        return self._error

    def check(self) -> None:
        if self._error is not None:
            raise self._error


class _Checkpoint:
    """A file of calls, held by one search at a time."""

    def __init__(self, path: Path, request: object, calls: Sequence[TracedCall]) -> None:
        self.calls = tuple(calls)
        self._path = path
        if not path.parent.is_dir():  # which the lock would make
            raise TraceError(f"The checkpoint {path} cannot be written: there is no folder {path.parent}.")
        try:
            self._lock = FileLock(path.with_name(f"{path.name}.lock"), thread_local=False)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise BusyError(
                f"Another search is writing the checkpoint {path}: wait for it, or choose another."
            ) from None
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._file = self._open(path, request)
        except BaseException:
            self._lock.release()
            raise

    def append(self, call: TracedCall) -> None:
        self._file.write(line_of(call))
        self._file.flush()
        os.fsync(self._file.fileno())

    def forget(self, error: JinaComponentsError) -> None:
        """Leave out the calls that failed so.

        Raises:
            TraceError: the file cannot be written; it is as it was.
        """
        if isinstance(error, TraceError):  # which no call fails with; the last line may be but begun
            return
        told = encode(error)
        self._file.close()
        try:
            lines = self._path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if (json.loads(line).get("call") or {}).get("error") != told]
            if len(kept) < len(lines):
                write_file(self._path, lambda file: file.writelines(kept))
        except OSError as failure:
            raise _unwritable(self._path, failure) from failure

    def close(self) -> None:
        self._file.close()
        self._lock.release()

    def _open(self, path: Path, request: object) -> IO[bytes]:
        try:
            data = path.read_bytes() if path.exists() else b""
            if not data:
                lines = [first_line(request), *map(line_of, self.calls)]
                write_file(path, lambda file: file.writelines(lines))
                return path.open("ab")
            before, _, self.calls = parse_lines(data, str(path))
            _check_same(before, request, f"The checkpoint {path}")
            whole = data[: data.rfind(b"\n") + 1]
            if len(whole) < len(data):
                os.truncate(path, len(whole))
            return path.open("ab")
        except ReadError:  # which is an OSError too
            raise
        except OSError as error:
            raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> TraceError:
    return TraceError(f"The checkpoint {path} cannot be written: {error.strerror or error}.")


def _end(call: TracedCall) -> float:
    return call.at + call.seconds


def _as_recorded(kind: str, answer: object, result: object) -> tuple[Any, Any]:
    """An answer as JSON values, and as a replay will give it, so that the loop never sees another."""
    try:
        response = encode(answer)
        return response, decode(response, result)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"The part that is to {kind} gives {shorten(repr(answer))}, not what it should: {error}"
        ) from error


def _replayed(call: TracedCall, result: object) -> Any:  # noqa: ANN401 (what `result` says, or an error)
    try:
        return decode(call.response, result) if call.error is None else decode(list(call.error), JinaComponentsError)
    except (TypeError, ValueError) as error:
        raise TraceError(f"The record of this call is damaged: {_shown(call)}: {error}") from error


def _key(call: TracedCall) -> _Key:
    request = json.dumps(call.request, sort_keys=True, allow_nan=False)
    return call.member, call.kind, hashlib.blake2b(request.encode(), digest_size=16).digest(), call.nth


def _shown(call: TracedCall) -> str:
    who = f" of member {call.member}" if call.member else ""
    again = f", time {call.nth}" if call.nth > 1 else ""
    return f"{call.kind}{who}{again}, {shorten(repr(call.request), 200)}"


def _check_same(before: object, now: object, what: str) -> None:
    if differing := list(_differences(before, now)):
        raise TraceError(f"{what} is of another search: {'; '.join(differing[:3])}.")


def _differences(before: object, now: object, place: str = "") -> Iterator[str]:
    """Where two requests differ, in words."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted({*before, *now}):
            yield from _differences(before.get(name), now.get(name), f"{place}.{name}".strip("."))
    elif before != now:
        yield f"{place or 'the request'} was {shorten(repr(before), 80)} and is {shorten(repr(now), 80)}"
