"""The README's session and commands are true."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from jina_components.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)[number]


def test_the_session_runs_and_quotes_verbatim(tmp_path):
    code = block("python").replace("my.index", str(tmp_path / "my.index"))
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "make check" in done.stdout
    assert done.stderr == ""


def test_the_retrieving_session_finds_its_document(tmp_path):
    code = re.findall(r"```python\n(.*?)```", README.split("## Retrieving")[1], re.S)[0]
    code = code.replace("my.index", str(tmp_path / "my.index"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Rain is due." in done.stdout
    assert "stage='dense'" in done.stdout


def section(title: str) -> str:
    return re.findall(r"```python\n(.*?)```", README.split(f"## {title}\n")[1], re.S)[0]


def test_the_classifying_session_learns_what_it_says(tmp_path):
    code = section("Classifying").replace("my.classifier", str(tmp_path / "my.classifier"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["app", "card"]


def test_the_segmenting_session_gives_chunks():
    code = "text = 'It rains. ' * 300\n" + section("Segmenting")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 3


def test_the_checking_session_refutes():
    given = "from jina_components import Document, Embedder, Retriever\n"
    given += "retriever = Retriever(Embedder())\n"
    given += "retriever.add([Document('The bridge was opened in 1952. It is 3 km long.', id='bridge')])\n"
    given += "answer_of_a_language_model = 'It is 3 km long.'\n"
    done = subprocess.run(
        [sys.executable, "-c", given + section("Checking statements")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("refuted")


def test_the_deep_search_session_answers_from_two_documents():
    given = "from jina_components import Document, Embedder, Retriever\n"
    given += "embedder = Embedder()\nretriever = Retriever(embedder)\n"
    given += "retriever.add([Document('The Holm Bridge over the Ness opened in 1952.', id='bridge'), "
    given += "Document('Ann Lee was an engineer. She designed the Holm Bridge.', id='lee'), Document('It rains.')])\n"
    done = subprocess.run(
        [sys.executable, "-c", given + section("Deep search")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "[^1]" in done.stdout
    assert "designed the Holm Bridge" in done.stdout


def test_the_commands_named_exist(capsys):
    for line in block("sh", 1).splitlines():
        command = shlex.split(line)[1]
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0


def test_the_first_command_answers(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(block("sh", 1).splitlines()[0])[1:]) == 0
    assert "[^1]" in capsys.readouterr().out


def test_every_public_component_is_in_the_table():
    import jina_components

    table = README.split("## Components")[1].split("## ")[0]
    missing = [name for name in jina_components.__all__ if name[0].isupper() and f"`{name}`" not in table]
    assert missing == ["Answer", "ChatMessage", "Document"]
