"""What was answered is served again: in a replay, and after a kill."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.deep_search.journal import Journal
from jina_components.errors import (
    BackendError,
    BusyError,
    ChatError,
    ConfigError,
    FetchTimeoutError,
    HTTPStatusError,
    InputError,
    ReadError,
    TraceError,
)
from jina_components.protocols import ChatReply
from jina_components.types import Document, Page, Ranking, ScoredDocument, Trace, TracedCall, Usage

REQUEST = {"question": "Why?", "options": {"team_size": 1, "language": ""}}


def giving(value: Any) -> Callable[[], Awaitable[Any]]:
    async def do() -> Any:
        return value

    return do


def raising(error: Exception) -> Callable[[], Awaitable[Any]]:
    async def do() -> Any:
        raise error

    return do


async def never() -> Any:
    raise AssertionError("This call is on record.")


async def test_replays_results_errors_and_time() -> None:
    ranking = Ranking((ScoredDocument(Document("a", metadata={"source": "s"}), 0.1),), Usage(3))
    journal = Journal(REQUEST)
    assert await journal.call("rerank", {"query": "q"}, giving(ranking), Ranking) == ranking
    with pytest.raises(HTTPStatusError):
        await journal.call(
            "read", "https://a.example", raising(HTTPStatusError("no", "https://b.example", 503, 2.0)), Page
        )
    await asyncio.sleep(0.01)
    assert await journal.call("chat", ["m"], giving(ChatReply("hello", Usage(1, 2))), ChatReply) == ChatReply(
        "hello", Usage(1, 2)
    )
    assert journal.seconds >= 0.01

    replay = Journal(REQUEST, calls=journal.calls, strict=True)
    assert replay.seconds == 0
    assert await replay.call("rerank", {"query": "q"}, never, Ranking) == ranking
    with pytest.raises(HTTPStatusError) as caught:
        await replay.call("read", "https://a.example", never, Page)
    assert (caught.value.url, caught.value.status_code, caught.value.retry_after) == ("https://b.example", 503, 2.0)
    assert await replay.call("chat", ["m"], never, ChatReply) == ChatReply("hello", Usage(1, 2))
    assert (replay.seconds, replay.calls) == (journal.seconds, journal.calls)


async def test_same_question_again_is_another_call() -> None:
    journal = Journal(REQUEST)
    one, other = journal.member("1"), journal.member("2")
    for number, member in enumerate((one, one, other, one)):
        assert await member.call("chat", {"b": 1, "a": (2,)}, giving(number), int) == number
    replay = Journal(REQUEST, calls=journal.calls, strict=True)
    one, other = replay.member("1"), replay.member("2")
    assert [await member.call("chat", {"a": [2], "b": 1}, never, int) for member in (one, one, other, one)] == [
        0,
        1,
        2,
        3,
    ]


async def test_call_that_is_not_on_record_fails_for_good() -> None:
    journal = Journal(REQUEST)
    await journal.call("chat", "a", giving(1), int)
    replay = Journal(REQUEST, calls=journal.calls, strict=True)
    with pytest.raises(TraceError, match="search, 'how'"):
        await replay.call("search", "how", never, int)
    with pytest.raises(TraceError):  # though somebody took the first for the failure of a search
        await replay.call("chat", "a", never, int)
    with pytest.raises(TraceError):
        replay.calls  # noqa: B018 (it raises)


async def test_whatever_a_part_raises_or_gives_is_an_error_of_ours_and_replayed() -> None:
    async def ask(journal: Journal, do: Callable[[], Awaitable[Any]] = never) -> list[str]:
        told = []
        for number, kind in enumerate((int, Page, object)):
            with pytest.raises((BackendError, ConfigError)) as caught:
                await journal.call("read", number, does[number] if do is not never else do, kind)
            told.append(str(caught.value))
        return told

    does = [raising(ZeroDivisionError("by 0")), giving("text"), giving(object())]
    journal = Journal(REQUEST)
    told = await ask(journal, does[0])
    assert told[0] == "The part that is to read failed: ZeroDivisionError: by 0"
    assert told[1].startswith("The part that is to read gives 'text'")
    assert "object cannot be kept" in told[2]
    assert await ask(Journal(REQUEST, calls=journal.calls, strict=True)) == told


async def _team(journal: Journal, delay: Callable[[], float]) -> dict[str, list[Any]]:
    """What three members find, each of which asks by what it knows by then, some of it in threads."""

    async def ask(member: Journal, request: Any) -> int:
        async def do() -> int:
            if request[-1]:
                await asyncio.to_thread(time.sleep, delay())
            else:
                await asyncio.sleep(delay())
            return random.randrange(10**6)

        return await member.call("chat", request, do, int)

    async def work(name: str) -> list[Any]:
        member, known = journal.member(name), []
        for _ in range(4):
            found = await asyncio.gather(*(ask(member, [sum(known), one, one % 2]) for one in range(3)))
            await asyncio.to_thread(time.sleep, delay())
            known += found
        return [*known, member.seconds]

    return dict(zip("123", await asyncio.gather(*map(work, "123")), strict=True))


@pytest.mark.parametrize("rest", [0, 7, 24])
async def test_replays_a_team_whatever_the_order_of_its_answers_was(rest: int, tmp_path: Path) -> None:
    """And goes on with it when it was interrupted."""
    journal = Journal(REQUEST, path=tmp_path / "trace")
    found = await _team(journal, lambda: random.random() / 100)
    journal.close()
    replay = Journal(REQUEST, calls=journal.calls, strict=True)
    assert await _team(replay, lambda: 0.0) == found
    assert (replay.calls, replay.seconds) == (journal.calls, journal.seconds)

    lines = (tmp_path / "trace").read_bytes().splitlines(keepends=True)
    (tmp_path / "trace").write_bytes(b"".join(lines[: 1 + rest]))
    resumed = Journal(REQUEST, path=tmp_path / "trace")
    last = await _team(resumed, lambda: random.random() / 100)
    resumed.close()
    kept = Trace.load(tmp_path / "trace").calls
    assert {*map(repr, journal.calls[:rest])} <= {*map(repr, kept)}
    assert await _team(Journal(REQUEST, calls=kept, strict=True), lambda: 0.0) == last


async def test_all_is_asked_before_any_of_it_is_answered() -> None:
    """So that in a replay nobody knows more than in the search: that a part failed which another has asked too."""

    async def both(journal: Journal) -> list[str]:
        broken: list[int] = []

        async def ask(number: int) -> str:
            if broken:
                return "not asked"
            try:
                return await journal.call("rerank", number, raising(ValueError("no")) if not number else do, str)
            except BackendError:
                broken.append(number)
                return "failed"

        return await asyncio.gather(ask(0), ask(1))

    do = giving("a")
    journal = Journal(REQUEST)
    found = await both(journal)
    assert found == ["failed", "a"]
    do = never
    assert await both(Journal(REQUEST, calls=journal.calls, strict=True)) == found


async def test_calls_on_record_that_nobody_asks_for_are_left_out() -> None:
    journal = Journal(REQUEST)
    for one in ("a", "b", "c"):
        await journal.call("chat", one, giving(one), str)
    resumed = Journal(REQUEST, calls=journal.calls)
    assert await resumed.call("chat", "c", never, str) == "c"
    assert await resumed.call("chat", "d", giving("d"), str) == "d"
    assert [call.request for call in resumed.calls] == ["c", "d"]


async def test_no_call_outlasts_the_time_there_is() -> None:
    journal = Journal(REQUEST, deadline=0.05)
    assert await journal.call("chat", "quick", giving(1), int) == 1
    with pytest.raises(FetchTimeoutError, match="0.05 seconds"):
        await journal.call("rerank", "thread", lambda: asyncio.to_thread(time.sleep, 0.5), type(None))
    with pytest.raises(ChatError, match="time for the search was over"):
        await journal.call("chat", "late", never, int)
    assert await journal.call("clock", {}, giving("2024-05-06"), str) == "2024-05-06"
    assert await journal.member("1").call("chat", "of a member", giving(1), int) == 1
    replay = Journal(REQUEST, calls=journal.calls, strict=True)
    with pytest.raises(FetchTimeoutError, match="0.05 seconds"):
        await replay.call("rerank", "thread", never, type(None))
    assert replay.seconds >= 0.05


async def test_each_member_has_its_own_clock() -> None:
    journal = Journal(REQUEST)
    one, other = journal.member("1"), journal.member("2")
    await asyncio.gather(
        one.call("chat", "a", giving(1), int), other.call("chat", "a", lambda: asyncio.sleep(0.05), type(None))
    )
    assert one.seconds < other.seconds == journal.seconds


async def test_a_cancelled_call_blocks_nobody() -> None:
    journal = Journal(REQUEST)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await journal.call("chat", "slow", lambda: asyncio.sleep(60), type(None))
    assert await journal.call("chat", "a", giving("a"), str) == "a"
    assert [call.request for call in journal.calls] == ["a"]


async def test_time_between_runs_does_not_count(tmp_path: Path) -> None:
    calls = (TracedCall("chat", "a", 1, at=100.0, seconds=20.0),)
    journal = Journal(REQUEST, calls=calls, path=tmp_path / "trace")
    await journal.call("chat", "a", never, int)
    assert journal.seconds == 120
    await journal.call("chat", "b", giving(1), int)
    assert 120 <= journal.calls[1].at <= journal.seconds < 150
    journal.close()


async def test_checkpoint_is_resumed_wherever_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "search.trace"
    journal = Journal(REQUEST, path=path)
    for number in range(3):
        await journal.call("chat", number, giving(f"Größe {number}\u2028\ud800"), str)
    journal.close()
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for cut in {*ends, *(end - 1 for end in ends[1:]), *range(ends[0], len(whole), 23)}:
        path.write_bytes(whole[:cut])
        journal = Journal(REQUEST, path=path)
        left = sum(end <= cut for end in ends) - 1
        for number in range(3):
            do = never if number < left else giving(f"Größe {number}\u2028\ud800")
            assert await journal.call("chat", number, do, str) == f"Größe {number}\u2028\ud800"
        journal.close()
        assert len(Trace.load(path).calls) == 3


async def test_what_ended_the_search_is_asked_again(tmp_path: Path) -> None:
    """Though others have been answered since; other failures stay as they were."""
    path = tmp_path / "search.trace"
    slow, empty = FetchTimeoutError("slow", "a"), InputError("no documents")

    async def search() -> None:
        with Journal(REQUEST, path=path) as journal:
            with pytest.raises(FetchTimeoutError):
                await journal.call("read", "a", raising(slow), str)
            with pytest.raises(InputError) as caught:
                await journal.call("retrieve", "b", raising(empty), str)
            await journal.call("search", "b", giving("found"), str)
            raise caught.value

    with pytest.raises(InputError, match="no documents"):
        await search()
    with Journal(REQUEST, path=path) as resumed:
        with pytest.raises(FetchTimeoutError):
            await resumed.call("read", "a", never, str)
        assert await resumed.call("retrieve", "b", giving("mended"), str) == "mended"
        assert await resumed.call("search", "b", never, str) == "found"
    assert len(Trace.load(path).calls) == 3


async def test_what_ended_the_search_by_another_name_is_asked_again_too(tmp_path: Path) -> None:
    async def search() -> None:
        with Journal(REQUEST, path=tmp_path / "trace") as journal:
            try:
                await journal.call("read", "a", raising(FetchTimeoutError("slow", "a")), str)
            except FetchTimeoutError as error:
                raise InputError("The file could not be read.") from error

    with pytest.raises(InputError, match="could not be read"):
        await search()
    with Journal(REQUEST, path=tmp_path / "trace") as resumed:
        assert await resumed.call("read", "a", giving("text"), str) == "text"


async def test_checkpoint_is_of_one_search_and_of_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "search.trace"
    journal = Journal(REQUEST, path=path)
    with pytest.raises(BusyError, match=r"search\.trace"):
        Journal(REQUEST, path=path)
    await journal.call("chat", 1, giving(1), int)
    journal.close()
    with pytest.raises(TraceError, match=r"options\.team_size was 1 and is 4"):
        Journal({"question": "Why?", "options": {"team_size": 4, "language": ""}}, path=path)
    with Journal(REQUEST, path=path) as journal:  # not held any more
        assert journal.request == REQUEST


def test_trace_is_of_one_search() -> None:
    Journal({"urls": ("a",)}, recorded={"urls": ["a"]}, strict=True)
    with pytest.raises(TraceError, match=r"trace is of another search: question was 'How\?' and is 'Why\?'"):
        Journal(REQUEST, recorded={**REQUEST, "question": "How?"}, strict=True)


@pytest.mark.parametrize("content", [b"notes of mine", b"notes\n", b'{"format":1}\n', b"[]\n", b"\xff\n"])
def test_never_writes_over_another_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    with pytest.raises(ReadError, match="notes"):
        Journal(REQUEST, path=path)
    assert path.read_bytes() == content


def test_says_where_a_checkpoint_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "file" / "trace", tmp_path):
        with pytest.raises((TraceError, ReadError), match="cannot be"):
            Journal(REQUEST, path=path)
    with pytest.raises(TraceError, match="cannot be written: there is no folder"):
        Journal(REQUEST, path=tmp_path / "absent" / "trace")
    assert not (tmp_path / "absent").exists()


async def test_full_disk_ends_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(REQUEST, path=tmp_path / "trace")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TraceError, match="No space left"):
        await journal.call("chat", 1, giving(1), int)
    with pytest.raises(TraceError, match="No space left"):
        await journal.call("chat", 2, giving(1), int)
    journal.close()


_SEARCH = """
import asyncio, sys
from jina_components.deep_search.journal import Journal

async def main():
    journal = Journal({"question": "Why?"}, path=sys.argv[1])
    for number in range(200):
        async def do():
            print(number, flush=True)
            await asyncio.sleep(0.001)
            return "x" * 5000
        await journal.call("chat", number, do, str)
    journal.close()

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("calls", [1, 30])
def test_killed_search_makes_no_call_twice(calls: int, tmp_path: Path) -> None:
    """But for the one under way."""
    path = tmp_path / "trace"
    command = [sys.executable, "-c", _SEARCH, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as search:
        assert search.stdout is not None
        for _ in range(calls):
            last = int(search.stdout.readline())
        search.send_signal(signal.SIGKILL)
        made = [last, *map(int, search.stdout.read().split())]
    done = len(Trace.load(path).calls)
    assert made[-1] <= done <= made[-1] + 1
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert list(map(int, again.stdout.split())) == list(range(done, 200))
    assert [call.request for call in Trace.load(path).calls] == list(range(200))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_request_and_answer_survives(value: Any) -> None:
    async def check() -> None:
        journal = Journal(REQUEST)
        live = await journal.call("chat", value, giving(value), Any)
        record = json.loads(json.dumps([call.response for call in journal.calls]))
        replay = Journal(REQUEST, calls=[TracedCall("chat", value, record[0])], strict=True)
        assert live == value == await replay.call("chat", value, never, Any)

    asyncio.run(check())
