from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest
from local_server import http
from scripted_replies import scripted

from jina_components.cli.answering import print_answer
from jina_components.cli.common import print_json, readable, warn
from jina_components.cli.watching import Watcher, short_url
from jina_components.testing import ScriptedChatServer, ScriptedReply
from jina_components.types import Answer, Citation, DeepSearchStep, Spent
from jina_components.types.answered import StepKind

BRIDGE = (
    "# The harbour bridge\n\nThe harbour bridge of Tarn was opened in 1932. It was designed by Ada Moss and carries "
    "rail and road traffic.\n"
)
MOSS = "# Ada Moss\n\nAda Moss was an engineer. Ada Moss was born in the village of Lindow in 1889.\n"
QUESTION = "When was the harbour bridge of Tarn opened?"
FAST = ("--embedder", "static-minilm-v1")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "bridge.md").write_text(BRIDGE)
    (folder / "moss.md").write_text(MOSS)
    return folder


def told(*steps, question=QUESTION, stream=None):
    stream = stream or io.StringIO()
    watcher = Watcher(question, stream)
    for step in steps:
        watcher.tell(step)
    return stream.getvalue().splitlines()


def test_each_kind_of_step_has_a_line_of_its_own():
    lines = told(*(DeepSearchStep(kind, "Words\nof it.", at=1.25) for kind in get_args(StepKind)))
    assert len(lines) == len(get_args(StepKind))
    for kind, line in zip(get_args(StepKind), lines, strict=True):
        assert re.fullmatch(rf"   1\.[23]s \S {kind} +Words of it\.", line), line


def test_time_tokens_member_and_sub_question_are_told():
    step = DeepSearchStep("search", "moss", question="Who is Moss?", member="2", at=61, tokens=12_345)
    assert told(step) == ["  61.0s  12.3k [2] ? search    moss (for: Who is Moss?)"]
    assert told(step, question="Who is Moss?") == ["  61.0s  12.3k [2] ? search    moss"]


def test_the_reason_of_failures_is_told_once(capsys):
    texts = [f"passages: 0; failed: The search for '{name}' failed: no network" for name in "ab"]
    first, second = told(*(DeepSearchStep("found", text) for text in texts))
    assert first.endswith(texts[0])
    assert second.endswith("passages: 0; failed: The search for 'b' failed as before")
    warn(["It failed: no network", "It failed: no network", "The other failed: no network", "Twice", "Twice"])
    assert capsys.readouterr().err.splitlines() == [
        f"jina-components: {text}" for text in ("It failed: no network", "The other failed as before", "Twice")
    ]


def test_the_last_line_sums_up():
    answer = Answer(QUESTION, "1932.", True, spent=Spent(tokens=1234, steps=3, seconds=2.5, money=0.012))
    [line] = told(DeepSearchStep("done", "1932.", at=2.5, tokens=1234, answer=answer))
    assert line.endswith("● done      answered: 0 quotes, 3 steps, 2.5 s, 1,234 tokens, 0.0120 spent")


def test_pages_cannot_steer_the_terminal(capsys):
    evil = "a\033[2Jb\x9b31mc\rd\u202ee\x07"
    [line] = told(DeepSearchStep("think", evil, question=evil))
    assert line.endswith("a[2Jb31mcde")
    assert readable("two\tlines\nof text") == "two\tlines\nof text"
    warn([evil])
    print_json({"a": evil})
    out, err = capsys.readouterr()
    assert err == "jina-components: a[2Jb31mc de\n"
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out)
    assert json.loads(out) == {"a": evil}


def test_lines_fit_the_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    leader, follower = pty.openpty()
    try:
        with os.fdopen(follower, "w") as stream:
            Watcher(QUESTION, stream).tell(DeepSearchStep("reject", "word " * 200))
            shown = os.read(leader, 10_000).decode()
    finally:
        os.close(leader)
    assert shown.startswith("\033[31m")
    assert shown.count("\n") == 1
    stream = Terminal()
    [line] = told(DeepSearchStep("reject", "word " * 200), stream=stream)
    assert line.endswith("…\033[0m")
    monkeypatch.setenv("NO_COLOR", "1")
    [line] = told(DeepSearchStep("reject", "Words."), stream=Terminal())
    assert "\033" not in line


def test_long_urls_are_shortened():
    assert short_url("https://example.com/a") == "https://example.com/a"
    long = "https://www.example.com/" + "a/" * 60 + "the-end.html"
    short = short_url(f"{long}, {long}")
    assert short.count("example.com/…") == 2
    assert short.count("the-end.html") == 2
    assert len(short) < 130


def test_help_says_what_exit_codes_mean(run, capsys):
    with pytest.raises(SystemExit):
        run("deepsearch", "--help")
    out = capsys.readouterr().out
    assert 'jina-components deepsearch "How do I install it?" README.md docs/' in out
    codes = out.partition("exit codes:\n")[2].splitlines()
    assert [line.split()[0] for line in codes] == ["0", "1", "2", "3", "130"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "needs a question"),
        ([QUESTION], "give files, folders or URLs, --index DIR, --web PROVIDER or --file"),
        ([" ", "README.md"], "question is empty"),
        ([QUESTION, "README.md", "--schema", "README.md"], "README.md is no JSON Schema"),
        ([QUESTION, "README.md", "--chat-url", "http://localhost:1/v1"], "pass --chat-model NAME too"),
        ([QUESTION, "README.md", "--schema", "README.md", "--chat-model", "x"], "README.md is no JSON Schema"),
        ([QUESTION, "README.md", "--schema", "absent", "--chat-model", "x"], "absent is no JSON Schema: No such file"),
        ([QUESTION, "README.md", "--html", "absent/a.html"], "there is no folder absent"),
        ([QUESTION, "README.md", "--html", "tests"], "tests cannot be written: it is a folder"),
        ([QUESTION, "README.md", "--team-size", "99"], "--team-size must be"),
        ([QUESTION, "README.md", "--max-steps", "0"], "--max-steps must be"),
        ([QUESTION, "README.md", "--budget-tokens", "0"], "--budget-tokens must be"),
        ([QUESTION, "README.md", "--max-money", "1"], "--max-money needs prices: pass --price-prompt"),
        ([QUESTION, "README.md", "--price-read", "-1"], "--price-read must"),
        ([QUESTION, "README.md", "--only-host", "no host"], "--only-host holds what is no host name"),
        ([QUESTION, "--file", "absent.txt"], "--file absent.txt: there is no such file"),
        ([QUESTION, "--web", "local"], "--pages, or ask another: --web ddgs"),
        ([QUESTION, "--web", "ddgs", "--pages", "x"], "add --web local"),
        (["--replay", "README.md"], "README.md is no trace of a deep search"),
    ],
)
def test_errors_are_one_clear_line(run, arguments, says):
    code, out, err = run("deepsearch", *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_files_without_a_chat_model(run, docs):
    code, out, err = run("deepsearch", QUESTION, docs)
    assert code == 0
    assert err.startswith(f"jina-components: reading {docs} …\njina-components: indexing 2 passages …\n")
    assert "opened in 1932" in out.splitlines()[0]
    assert "[^1]" in out.splitlines()[0]
    place = re.search(r"^\[\^1\]: The harbour bridge — (\S+), characters (\d+)–(\d+)\n    “(.+)”$", out, re.MULTILINE)
    assert place[1] == str(docs / "bridge.md")
    assert BRIDGE[int(place[2]) : int(place[3])] == place[4]
    kinds = [line.split()[2] for line in err.splitlines() if not line.startswith("jina-components:")]
    assert "search" in kinds
    assert kinds[-1] == "done"


def test_quotes_of_several_lines_stay_in_their_footnotes(capsys):
    citation = Citation("One\ntwo\x1b[0m", "a.md", 0, 12, "id", page=3)
    print_answer(Answer(QUESTION, "One two.[^1]", True, citations=(citation,)), as_json=False)
    assert capsys.readouterr().out == "One two.[^1]\n\n[^1]: a.md, page 3, characters 0–12\n    “One\n    two[0m”\n"


def test_json_quiet_and_an_index(run, docs, tmp_path):
    index = tmp_path / "my.index"
    assert run("index", docs, "--to", index, *FAST)[0] == 0
    code, out, err = run("deepsearch", QUESTION, "--index", index, *FAST, "--json", "--quiet")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["answered"] is True
    assert "trace" not in answer
    assert answer["citations"]
    for citation in answer["citations"]:
        text = Path(citation["source"]).read_text()
        assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_what_is_not_answered_and_sources_that_fail(run, docs):
    code, out, _ = run("deepsearch", "Who composed the opera Carmen?", docs, "--quiet")
    assert code == 1
    assert "do not answer" in out
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 nothing else")
    code, out, err = run("deepsearch", QUESTION, docs, "--quiet")
    assert code == 3
    assert "1932" in out
    assert "not read" in err


def test_the_web(run, server, monkeypatch):
    monkeypatch.setenv("SEARXNG_URL", server.url(""))
    asked = ("deepsearch", QUESTION, "--web", "searxng", "--allow-network", "127.0.0.0/8")

    async def search(_, writer):
        row = {"url": server.url("/bridge"), "title": "The bridge", "content": "Of the harbour bridge of Tarn."}
        writer.write(http(body=json.dumps({"results": [row]}).encode(), content_type="application/json"))

    assert run(*asked)[0] == 1
    server.routes |= dict.fromkeys(server.paths(), search)
    text = "The harbour bridge of Tarn was opened in 1932. " + "It carries rail and road traffic. " * 20
    page = f"<title>Harbour\x9b31m</title><article><p>{text}</p></article>"
    server.routes["/bridge"] = [http(body=page.encode(), content_type="text/html; charset=utf-8")]

    def say(request):
        reply = scripted(request, answer="The harbour bridge of Tarn was opened in 1932.")
        return reply | ({"queries": [{"text": QUESTION}]} if "queries" in reply else {})

    with ScriptedChatServer(say) as chat:
        code, out, err = run(*asked, "--chat-model", "scripted", "--chat-url", chat.base_url)
    assert code == 0, err
    assert "opened in 1932" in out
    assert f"{server.url('/bridge')}, characters" in out
    assert re.search(f"→ visit +{server.url('/bridge')}", err)
    assert "\x9b" not in out + err


def test_a_file_sent_along(run, docs):
    code, out, err = run("deepsearch", QUESTION, "--file", docs / "bridge.md", "--quiet")
    assert (code, err) == (0, "")
    assert "1932" in out
    assert f"{docs / 'bridge.md'}, characters" in out


def test_a_large_file_is_no_file_to_send_along(run, tmp_path):
    (tmp_path / "big.txt").write_bytes(b"Words. " * 1_500_000)
    code, out, err = run("deepsearch", QUESTION, "--file", tmp_path / "big.txt", "--quiet")
    assert (code, out) == (2, "")
    assert "Pass it as a PATH instead" in err
    assert "messages[" not in err


def test_a_page_and_a_trace_that_replays(run, docs, tmp_path):
    page, trace = tmp_path / "answer.html", tmp_path / "trace.jsonl"
    code, out, _ = run("deepsearch", QUESTION, docs, "--quiet", "--html", page, "--save-trace", trace)
    assert code == 0
    assert "<!doctype html>" in page.read_text()
    assert "1932" in page.read_text()
    assert run("deepsearch", "--replay", trace) == (0, out, "")
    assert run("deepsearch", QUESTION, "--replay", trace) == (0, out, "")
    code, _, err = run("deepsearch", "Another question?", "--replay", trace)
    assert code == 2
    assert "question" in err
    assert len(err.strip().splitlines()) == 1


def test_a_trace_replays_when_the_file_sent_along_is_gone(run, docs, tmp_path):
    trace, file = tmp_path / "trace.jsonl", docs / "bridge.md"
    code, out, _ = run("deepsearch", QUESTION, "--file", file, "--quiet", "--save-trace", trace)
    file.unlink()
    assert run("deepsearch", QUESTION, "--file", file, "--replay", trace) == (code, out, "")


def test_a_chat_model_within_a_budget_of_money(run, docs):
    def say(request):
        return scripted(request, answer="The harbour bridge of Tarn was opened in 1932.")

    asked = ("deepsearch", QUESTION, docs, "--chat-model", "scripted", "--price-prompt", "1")
    with ScriptedChatServer(say) as server:
        code, out, err = run(*asked, "--chat-url", server.base_url, "--max-money", "1000", "--json")
        answer = json.loads(out)
        assert (code, answer["ended"]) == (0, "answered")
        assert answer["text"].startswith("The harbour bridge of Tarn was opened in 1932.")
        assert re.search(r"k \? search ", err)
        code, out, err = run(*asked, "--chat-url", server.base_url, "--max-money", "0.000001")
        assert code in (0, 1)
        assert "● done      money: " in err


def test_a_schema_needs_a_chat_model_whose_url_the_environment_may_have(run, docs, tmp_path, monkeypatch):
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    code, _, err = run("deepsearch", QUESTION, docs, "--schema", tmp_path / "schema.json")
    assert code == 2
    assert "name one with --chat-model" in err
    assert run("deepsearch", QUESTION, docs, "--quiet")[0] == 0


def test_an_answer_in_a_schema(run, docs, tmp_path):
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"year": {"type": "string"}}}')
    with ScriptedChatServer(lambda request: scripted(request, answer="The harbour bridge opened in 1932.")) as server:
        code, out, _ = run(
            "deepsearch", QUESTION, docs, "--chat-model", "scripted", "--chat-url", server.base_url, "--quiet",
            "--schema", tmp_path / "schema.json", "--json",
        )  # fmt: skip
    answer = json.loads(out)
    assert code == 0
    assert isinstance(answer["value"], dict)
    assert json.loads(answer["text"]) == answer["value"]


def test_an_interrupted_search_goes_on_from_its_checkpoint(run, docs, tmp_path):
    def say(request):
        return scripted(request, answer="The harbour bridge of Tarn was opened in 1932.")

    def say_and_hang(request):
        return ScriptedReply(text="{}", delay=120) if "Searched for" in str(request["messages"]) else say(request)

    checkpoint = tmp_path / "search.jsonl"
    asked = ["deepsearch", QUESTION, str(docs), "--checkpoint", str(checkpoint), "--chat-model", "scripted"]
    with ScriptedChatServer(say_and_hang) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "jina_components", *asked, "--chat-url", server.base_url],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 120
            while process.poll() is None and not any("Searched for" in str(each) for each in server.requests):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        before = [json.dumps(request, sort_keys=True) for request in server.requests]
    assert (process.returncode, out) == (130, "")
    assert f"interrupted; what was done is in {checkpoint}" in err
    assert "Traceback" not in err
    with ScriptedChatServer(say) as server:
        code, out, _ = run(*asked, "--chat-url", server.base_url, "--quiet")
        again = [json.dumps(request, sort_keys=True) for request in server.requests]
    assert code == 0
    assert out.startswith("The harbour bridge of Tarn was opened in 1932.")
    assert not set(before[:-1]) & set(again)
