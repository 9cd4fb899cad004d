from __future__ import annotations

import json

import pytest

from jina_components.core.background import run_sync
from jina_components.errors import ChatError
from jina_components.fine_tuner.chat_questions import ask_chat
from jina_components.fine_tuner.passages import Piece
from jina_components.fine_tuner.triplets import Passage
from jina_components.testing import FakeChat, FakeJSONChat


def piece(name, text="Der Zug fährt um acht."):
    return Piece(Passage(id=name, text=f"{text} {name}", document=name), "Fahrplan", ("Morgens",), 0)


def reply(messages):
    told = json.loads(messages[1].content)
    return json.dumps({"questions": [f"Wann fährt {told['passage'][-1]}?", " zug\nacht ", "x"][: told["questions"]]})


def ask(chat, pieces, **settings):
    return run_sync(ask_chat(chat, pieces, **{"count": 3, "concurrency": 2, **settings}))


def test_questions_come_by_passage_in_order():
    chat = FakeJSONChat(reply)
    written = ask(chat, [piece("a"), piece("b")])
    assert written.questions == [("a", ["Wann fährt a?", "zug acht"]), ("b", ["Wann fährt b?", "zug acht"])]
    assert written.usage.total_tokens > 0
    assert written.warnings == []
    told = json.loads(chat.asked[0][1].content)
    assert (told["title"], told["headings"]) == ("Fahrplan", ["Morgens"])
    assert chat.schemas[0]["properties"]["questions"]["maxItems"] == 3


def test_what_was_paid_for_is_kept(tmp_path):
    pieces = [piece("a"), piece("b")]
    ask(FakeChat(reply), pieces[:1], work=tmp_path / "work")
    again = FakeChat(reply)
    written = ask(again, pieces, work=tmp_path / "work")
    assert len(again.asked) == 1
    assert [name for name, _ in written.questions] == ["a", "b"]
    silent = FakeChat([])
    assert ask(silent, pieces, work=tmp_path / "work").questions == written.questions
    assert ask(FakeChat(reply), pieces, work=tmp_path / "work", count=1).questions[0][1] == ["Wann fährt a?"]


def test_a_line_torn_by_a_kill_is_asked_again(tmp_path):
    ask(FakeChat(reply), [piece("a"), piece("b")], work=tmp_path)
    path = tmp_path / "questions.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    chat = FakeChat(reply)
    assert len(ask(chat, [piece("a"), piece("b")], work=tmp_path).questions) == 2
    assert len(chat.asked) == 1
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def test_a_passage_on_which_it_fails_is_named():
    def fails(messages):
        return "I would rather not." if "bad" in messages[1].content else reply(messages)

    written = ask(FakeChat(fails), [piece("a"), piece("bad")])
    assert [name for name, _ in written.questions] == ["a"]
    assert written.warnings[0].startswith("Passage bad has no questions:")


def test_failing_on_all_is_an_error_and_not_all_are_tried():
    chat = FakeChat(lambda messages: "No.")
    with pytest.raises(ChatError, match="failed on every passage"):
        ask(chat, [piece("a"), piece("b")])
    with pytest.raises(ChatError, match="failed on every passage"):
        ask(chat, [piece(str(number)) for number in range(100)])
    assert len(chat.asked) < 3 * 40
