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


def test_the_classes_of_frameworks_and_the_files_named_are_there():
    exec(block("python", 1), {})
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link
