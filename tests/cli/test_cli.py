import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_server import http
from scripted_replies import scripted

from jina_components.cli import main
from jina_components.testing import ScriptedChatServer

GUIDE = """\
# Fieldwork guide

Boots must be dried slowly, away from the fire. Leather cracks above 40 degrees Celsius.

## Water

Boil stream water for three minutes before drinking it.
"""


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "guide.md").write_text(GUIDE)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing else")
    return folder


def lines(output):
    return [json.loads(line) for line in output.splitlines()]


def test_read_prints_markdown(run, docs):
    code, out, _ = run("read", docs / "guide.md")
    assert code == 0
    assert out.strip() == GUIDE.strip()


def test_read_json_and_page_numbers(run, make_pdf):
    path = make_pdf(["First page text.", "Second page text."])
    code, out, _ = run("read", path, "--json")
    page = json.loads(out)
    assert code == 0
    assert page["content"][page["page_offsets"][1] :].startswith("Second page text.")
    assert "<!-- page 2 -->\n\nSecond page text." in run("read", path)[1]


def test_embed_arguments_and_standard_input(run, monkeypatch):
    code, out, _ = run("embed", "a boat", "a ship", "--dimensions", 8)
    assert code == 0
    assert [len(row["embedding"]) for row in lines(out)] == [8, 8]
    done = subprocess.run(
        [sys.executable, "-m", "jina_components", "embed"],
        input="a boat\n\na ship\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [row["text"] for row in lines(done.stdout)] == ["a boat", "a ship"]


def test_index_lists_bad_sources_and_keeps_the_others(run, docs, tmp_path):
    code, out, err = run("index", docs, "--to", tmp_path / "index")
    assert code == 3
    assert "1 source read" in out
    assert "broken.pdf" in err
    code, out, _ = run("search", "boil water", "--index", tmp_path / "index", "--json")
    assert code == 0
    assert "three minutes" in lines(out)[0]["text"]


def test_indexing_again_replaces_a_source(run, docs, tmp_path):
    run("index", docs / "guide.md", "--to", tmp_path / "index")
    (docs / "guide.md").write_text("Only this is left.\n")
    code, out, _ = run("index", docs / "guide.md", "--to", tmp_path / "index")
    assert code == 0
    assert out.rstrip().endswith("1 in all")
    assert run("search", "boots", "--index", tmp_path / "index", "--mode", "lexical")[0] == 1


def test_an_index_names_sources_for_every_directory(run, docs, tmp_path, monkeypatch):
    monkeypatch.chdir(docs)
    run("index", "guide.md", "--to", tmp_path / "index")
    monkeypatch.chdir(tmp_path)
    assert run("index", docs / "guide.md", "--to", "index")[1].rstrip().endswith("1 in all")
    [hit, *_] = lines(run("search", "boots", "--index", "index", "--json")[1])
    assert hit["metadata"]["source"] == str(docs / "guide.md")


def test_search_for_people_and_filters(run, docs, tmp_path):
    run("index", docs / "guide.md", "--to", tmp_path / "index")
    code, out, _ = run("search", "leather boots", "--index", tmp_path / "index", "--top-k", 1)
    assert code == 0
    assert out.startswith("1. ")
    assert "guide.md" in out
    assert run("search", "boots", "--index", tmp_path / "index", "--filter", "source=other")[0] == 1
    assert run("search", "boots", "--index", tmp_path / "index", "--filter", "nonsense")[0] == 2


def test_another_embedders_index_is_refused(run, docs, tmp_path, static_folder):
    run("index", docs / "guide.md", "--to", tmp_path / "index")
    code, _, err = run("search", "boots", "--index", tmp_path / "index", "--embedder", static_folder)
    assert code == 2
    assert "another vector space" in err


def test_ask_quotes_verbatim(run, docs):
    code, out, _ = run("ask", "How long must stream water boil before drinking?", docs / "guide.md", "--json")
    answer = json.loads(out)
    assert code == 0
    assert answer["answered"] is True
    [citation, *_] = answer["citations"]
    assert citation["quote"] == "Boil stream water for three minutes before drinking it."
    assert GUIDE[citation["start"] : citation["end"]] == citation["quote"]


def test_ask_for_people_from_an_index(run, docs, tmp_path):
    run("index", docs / "guide.md", "--to", tmp_path / "index")
    code, out, _ = run("ask", "At which temperature does leather crack?", "--index", tmp_path / "index")
    assert code == 0
    assert out.startswith("Leather cracks above 40 degrees Celsius.[^1]")
    assert "guide.md, characters" in out


def test_ask_says_when_nothing_answers(run, docs):
    code, out, _ = run("ask", "Who composed the opera Carmen?", docs / "guide.md")
    assert code == 1
    assert "do not answer" in out


def test_ask_over_http_with_a_chat_model(run, server):
    text = "Boil water for three minutes. " * 8
    page = f"<html><title>Guide</title><body><article><p>{text}</p></article></body></html>"
    server.routes["/guide.html"] = [http(200, page.encode(), content_type="text/html")]
    with ScriptedChatServer(lambda request: scripted(request, answer="Boil water for three minutes.")) as chat:
        code, out, _ = run(
            "ask", "How long should water boil?", server.url("/guide.html"), "--allow-network", "127.0.0.0/8",
            "--chat-model", "scripted", "--chat-url", chat.base_url, "--json",
        )  # fmt: skip
    answer = json.loads(out)
    assert code == 0
    assert answer["text"].startswith("Boil water for three minutes.")
    assert answer["citations"][0]["source"] == server.url("/guide.html")
    assert answer["spent"]["tokens"] > 0


def test_a_private_address_is_refused(run, server):
    code, _, err = run("ask", "Anything?", server.url("/guide.html"))
    assert code == 2
    assert "loopback" in err
    assert not server.received


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["read", "absent.md"], "absent.md"),
        (["ask", "Why?"], "--index"),
        (["ask", " ", "README.md"], "question"),
        (["search", "x", "--index", "absent"], "absent"),
        (["segment", "README.md", "--max-chunk-length", "0"], "max_chunk_length"),
        (["embed", "x", "--embedder", "static-minilm-v2"], "static-minilm-v1"),
        (["embed", "x", "--task", "retrieval"], "retrieval.query"),
    ],
)
def test_errors_are_one_clear_line(run, arguments, says):
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert says in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 2


def test_usage_errors_and_help(capsys):
    for arguments, code in ((["unknown"], 2), ([], 2), (["--help"], 0), (["--version"], 0)):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == code


@pytest.mark.parametrize(
    "command", ["read", "segment", "embed", "embed-file", "index", "remove", "search", "maintain", "ask", "models"]
)
def test_every_command_has_help_with_examples(capsys, command):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"jina-components {command}" in capsys.readouterr().out.split("examples:")[1]


def test_models_lists_the_catalog(run):
    assert "static-minilm-v1 " in run("models")[1]
    rows = {row["name"]: row for row in lines(run("models", "--json")[1])}
    assert {row["kind"] for row in rows.values()} >= {"embedding", "cross-encoder"}
    assert rows["static-minilm-v1"]["files"] == "bundled"
    assert rows["all-MiniLM-L6-v2"]["files"] == "sentence-transformers/all-MiniLM-L6-v2"


def test_files_that_are_gone_leave_the_index(run, docs, tmp_path):
    (docs / "broken.pdf").unlink()
    (docs / "old.md").write_text("Old rules about tents.")
    (docs / "emptied.md").write_text("Rules about stoves.")
    run("index", docs, "--to", tmp_path / "index")
    (docs / "old.md").unlink()
    (docs / "emptied.md").write_text("")
    code, out, err = run("index", docs, "--to", tmp_path / "index")
    assert code == 0
    assert "2 removed" in out
    assert "emptied.md" in err
    for gone in ("tents", "stoves"):
        assert run("search", gone, "--index", tmp_path / "index", "--mode", "lexical")[0] == 1
    assert run("search", "boots", "--index", tmp_path / "index", "--mode", "lexical")[0] == 0


def test_a_source_that_cannot_be_read_this_time_keeps_its_place(run, docs, tmp_path):
    run("index", docs / "guide.md", "--to", tmp_path / "index")
    (docs / "guide.md").unlink()
    os.mkfifo(docs / "guide.md")
    code, _, err = run("index", docs / "guide.md", "--to", tmp_path / "index")
    assert code == 2
    assert "pipe" in err
    (docs / "other.md").write_text("Of ropes.")
    assert run("index", docs / "guide.md", docs / "other.md", "--to", tmp_path / "index")[0] == 3
    assert run("search", "boots", "--index", tmp_path / "index", "--mode", "lexical")[0] == 0


def test_other_ways_to_write_a_path_name_the_same_source(run, docs, tmp_path):
    run("index", docs / "guide.md", "--to", tmp_path / "index")
    assert run("index", docs / ".." / "docs" / "guide.md", "--to", tmp_path / "index")[1].rstrip().endswith("1 in all")


def test_an_unusable_target_is_refused_before_anything_is_read(run, docs):
    code, _, err = run("index", docs, "--to", docs)
    assert code == 2
    assert "not empty" in err
    assert "not read" not in err


def test_a_full_output_is_an_error():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "jina_components", "models"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_eight_megabytes_are_indexed_and_found(run, tmp_path):
    fast = "--embedder", "static-minilm-v1"
    line = "The harbour master counts the boats at dawn and writes the number into the book.\n"
    text = line * (8_000_000 // len(line) // 2)
    (tmp_path / "big.txt").write_text(f"{text}The lighthouse keeper is called Ambrose.\n{text}")
    code, out, err = run("index", tmp_path / "big.txt", "--to", tmp_path / "index", *fast)
    assert code == 0, err
    code, out, _ = run("search", "lighthouse keeper", "--index", tmp_path / "index", "--top-k", 1, "--json", *fast)
    assert "Ambrose" in lines(out)[0]["text"]


def test_a_filter_on_digits_that_are_text(run, docs, tmp_path):
    (docs / "2024.txt").write_text("The harvest was late.")
    run("index", docs / "2024.txt", "--to", tmp_path / "index")
    assert run("search", "harvest", "--index", tmp_path / "index", "--filter", "title=2024.txt")[0] == 0
    (docs / "year.md").write_text("# 2024\n\nThe harvest was late.")
    run("index", docs / "year.md", "--to", tmp_path / "index")
    assert run("search", "harvest", "--index", tmp_path / "index", "--filter", "title=2024")[0] == 0


def test_an_embedder_of_a_short_context_gets_short_chunks(run, docs, tmp_path, minilm_folder):
    (docs / "long.txt").write_text("日本語の文章です。" * 200)
    code, out, err = run(
        "index", docs / "long.txt", docs / "guide.md", "--to", tmp_path / "i", "--embedder", minilm_folder
    )
    assert code == 0, err
    code, out, _ = run("search", "boil water", "--index", tmp_path / "i", "--embedder", minilm_folder, "--json")
    assert "three minutes" in lines(out)[0]["text"]


def test_garbage_on_standard_input_is_an_error_and_other_encodings_are_shown():
    command = [sys.executable, "-m", "jina_components", "segment", "-"]
    done = subprocess.run(command, input=bytes(range(256)) * 4, capture_output=True)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, input="naïve".encode(), capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m jina_components segment README.md --max-chunk-length 20 | head -n 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_interrupting_exits_with_130():
    import signal

    process = subprocess.Popen(
        [sys.executable, "-m", "jina_components", "segment", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        process.stdin.write(b"word " * 100_000)  # more than a pipe holds: once written, it is being read
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_the_installed_command():
    done = subprocess.run(
        [Path(sys.executable).parent / "jina-components", "--version"], capture_output=True, text=True
    )
    assert done.stdout.startswith("jina-components 0.")
