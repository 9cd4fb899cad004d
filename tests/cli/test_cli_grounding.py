from __future__ import annotations

import io
import json

import pytest
from local_server import http

STATEMENT = "The harbour bridge was opened in 1932."
FACTS = (
    "# The harbour\n\nThe harbour bridge was opened in 1932. It is made of steel and carries rail and road traffic.\n\n"
    "The old ferry was sold in 1950.\n"
)
LOOPBACK = ("--allow-network", "127.0.0.0/8")


@pytest.fixture
def facts(tmp_path):
    path = tmp_path / "facts.md"
    path.write_text(FACTS)
    return path


def test_a_statement_against_a_file(run, facts):
    code, out, err = run("ground", STATEMENT, "--reference", facts)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("✓ supported (factuality 0.")
    assert any(line.startswith("[1] for (0.") and f"{facts}, characters 15–53" in line for line in lines)
    assert f"    “{STATEMENT}”" in lines


def test_steps_go_to_standard_error_and_json_to_standard_output(run, facts):
    code, out, err = run("ground", STATEMENT, "--reference", facts, "--json", "--stream")
    grounding = json.loads(out)
    assert code == 0
    assert (grounding["verdict"], grounding["result"]) == ("supported", True)
    for reference in grounding["references"]:
        assert FACTS[reference["start"] : reference["end"]] == reference["key_quote"]
    stages = [line.split()[1].rstrip(":") for line in err.splitlines()]
    assert list(dict.fromkeys(stages)) == ["claims", "passages", "judge", "done"]


def test_an_index(run, facts, tmp_path):
    index = tmp_path / "my.index"
    assert run("index", facts, "--to", index)[0] == 0
    code, out, _ = run("ground", STATEMENT, "--index", index, "--json")
    assert code == 0
    assert json.loads(out)["references"][0]["url"] == str(facts)


def test_the_web(run, server, monkeypatch):
    monkeypatch.setenv("SEARXNG_URL", server.url(""))
    asked = ("ground", STATEMENT, "--web", "searxng", *LOOPBACK)
    assert run(*asked)[0] == 2
    row = {"url": server.url("/read"), "title": "Harbour", "content": "A snippet."}
    for path in set(server.paths()):
        server.routes[path] = [http(body=json.dumps({"results": [row]}).encode())]
    page = f"<title>Harbour</title><article><p>{FACTS[15:]} {'The harbour is deep. ' * 20}</p></article>".encode()
    server.routes["/read"] = [http(body=page, content_type="text/html")]
    code, out, _ = run(*asked, "--json")
    assert code == 0
    assert json.loads(out)["references"][0]["url"] == server.url("/read")


@pytest.mark.parametrize("command", ["ground", "ground-text"])
def test_help_says_what_exit_codes_mean(run, capsys, command):
    with pytest.raises(SystemExit):
        run(command, "--help")
    codes = capsys.readouterr().out.partition("exit codes:\n")[2].splitlines()
    assert [line.split()[0] for line in codes] == ["0", "1", "2", "3"]
    assert "supported or refuted" in codes[0]
    assert "not enough evidence" in codes[1]


def test_nothing_found_and_sources_that_fail(run, facts, server, tmp_path):
    assert run("ground", "Is it a bridge?", "--reference", facts)[0] == 1
    code, out, err = run("ground", STATEMENT, "--reference", server.url("/gone"), "--reference", facts, *LOOPBACK)
    assert (code, out[0]) == (0, "✓")
    assert f"not read: {server.url('/gone')}" in err.lower()
    empty = tmp_path / "empty.pdf"
    empty.write_bytes(b"%PDF-")
    code, _, err = run("ground", STATEMENT, "--reference", empty, "--reference", facts)
    assert code == 3
    assert "not read: " in err
    code, out, err = run("ground", STATEMENT, "--reference", empty)
    assert (code, out) == (2, "")
    assert "None of the references" in err
    assert run("ground", STATEMENT, "--reference", server.url("/gone"), *LOOPBACK)[0] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --index DIR, --web PROVIDER or --reference"),
        (["--reference", "no file", "--web", "searxng"], "'no file' is no file, no folder and no URL, nor a host"),
        (["--reference", "example.com"], "no file, no folder and no URL; to search a host, give --web"),
        (["--reference", "x" * 5000], "is no file"),
        (["--reference", "file:///etc/hostname"], "no http or https URL"),
    ],
)
def test_what_is_missing_is_named(run, arguments, said):
    code, out, err = run("ground", STATEMENT, *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_a_text(run, facts, tmp_path, monkeypatch):
    answer = tmp_path / "answer.md"
    answer.write_text(f"Hello! {STATEMENT} Who knows?\n")
    code, out, _ = run("ground-text", answer, "--reference", facts)
    assert code == 0
    assert out.splitlines()[0] == "  Hello!"
    assert f"✓ {STATEMENT}" in out.splitlines()
    code, out, _ = run("ground-text", answer, "--reference", facts, "--json")
    assert [bool(each["grounding"]) for each in json.loads(out)["sentences"]] == [False, True, False]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(answer.read_bytes())))
    code, out, _ = run("ground-text", "-", "--reference", facts, "--json", "--stream")
    assert [bool(json.loads(line)["grounding"]) for line in out.splitlines()] == [False, True, False]
    answer.write_text("Hello!\n")
    assert run("ground-text", answer, "--reference", facts)[0] == 1


def test_what_was_checked_in_other_words_is_told(run, facts, tmp_path):
    answer = tmp_path / "answer.md"
    answer.write_text("The harbour bridge is old. It was opened in 1932.")
    for stream in ((), ("--stream",)):
        _, out, _ = run("ground-text", answer, "--reference", facts, *stream)
        assert out.count("    checked as: “The harbour bridge was opened in 1932.”\n") == 1
    _, out, _ = run("ground", STATEMENT, "--reference", facts)
    assert "checked as" not in out
