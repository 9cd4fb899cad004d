"""The documentation: its examples run, and what it names is there."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from jina_components.cli import main
from jina_components.core.component import Component

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
NEEDS = {"the web", "a server", "the hub, or folders"}


def blocks(page: str, language: str = "python") -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return ["".join(line.removeprefix(indent) for line in code.splitlines(keepends=True)) for indent, code in found]


def runs(code: str) -> bool:
    return not code.startswith("# needs ")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in [name for name in os.environ if name.startswith("JINA")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if any(map(runs, blocks(page)))])
def test_the_examples_of_a_page_run_and_print_what_it_says(page, folder):
    """What stands behind an arrow is printed, by that line, among whatever else is."""
    there: dict[str, Any] = {}
    for code in filter(runs, blocks(page)):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, page, "exec"), there)
        lines = iter(printed.getvalue().splitlines())
        for said in re.findall(r"# → (.*)", code):
            assert any(line.strip() == said for line in lines), f"{said!r} is not printed: {printed.getvalue()}"
    for value in there.values():
        if isinstance(value, Component):
            value.close()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(code.startswith("# needs a server") for code in blocks(page))]
)
def test_what_needs_a_server_runs_with_one(page, service, folder):
    """Some of it asks of a site what another has read."""
    for code in blocks(page):
        if code.startswith("# needs a server"):
            code = code.replace("http://localhost:8080", service.url)
            code = code.replace("https://example.com", service.site.url("/tides"))
            exec(compile(code, page, "exec"), there := {})
            for value in there.values():
                if isinstance(value, Component) or type(value).__name__ == "OpenAI":
                    value.close()


@pytest.mark.parametrize("page", PAGES)
def test_what_does_not_run_says_what_it_needs_and_is_python_all_the_same(page):
    for code in blocks(page):
        compile(code, page, "exec")
        if not runs(code):
            assert code.splitlines()[0].removeprefix("# needs ") in NEEDS


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_named_exist(page, capsys):
    lines = [line.strip() for code in blocks(page, "sh") for line in code.splitlines()]
    commands = {shlex.split(line, comments=True)[1] for line in lines if line.startswith("jina-components ")}
    for command in commands:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path, monkeypatch):
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20 + len([*(ROOT / "cookbook").glob("*.ipynb")])
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"?([^\" >]+)", text)
        loaded += re.findall(r"<link[^>]* rel=\"?(?:stylesheet|preconnect|preload)\"?[^>]* href=\"?([^\" >]+)", text)
        assert not [url for url in loaded if url.startswith(("http:", "https:", "//"))], page
        assert not re.search(r"\{\{ \w+(: \w+)? \}\}", text), page  # a place that was not filled
