"""What pages take from the code itself: `{{ name }}` in a page is replaced by a table, and notebooks are pages too."""

from __future__ import annotations

import importlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

from jina_components.models.catalog import MODELS

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
# Languages that a table lists.
_FEW = 4
_PLACE = re.compile(r"^\{\{ (\w+)(?:: (\w+))? \}\}$", re.MULTILINE)


def on_config(config: MkDocsConfig) -> None:  # noqa: ARG001 (as MkDocs calls it)
    """Lets modules of `docs` and `integrations` be imported."""
    sys.path[:0] = [str(ROOT / "integrations"), str(ROOT / "docs")]


@event_priority(100)  # before the plugin that makes pages of them
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the notebooks and pages of the cookbook."""
    for page in [*_notebooks(), *(ROOT / "cookbook").glob("*.md")]:
        files.append(File(f"cookbook/{page.name}", str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 (as MkDocs calls it)
    """Fills the places of a page."""
    return filled(markdown)


def filled(markdown: str) -> str:
    """A page with its places filled.

    Raises:
        KeyError: there is no such table.
    """
    return _PLACE.sub(lambda place: _TABLES[place[1]](*filter(None, [place[2]])), markdown)


def _models() -> str:
    rows = [
        "| name | kind | parameters | dimensions | context | languages | licence |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in MODELS:
        size = f"{model.parameters / 1e6:,.0f} M" if model.parameters else "–"
        widths = (
            ", ".join(map(str, filter(None, model.matryoshka or (model.dimensions, *model.token_dimensions)))) or "–"
        )
        many = "mul" in model.languages or len(model.languages) > _FEW
        languages = "many" if many else ", ".join(model.languages)
        kind = f"{model.kind}, images" if "image" in model.modalities else model.kind
        rows.append(
            f"| `{model.name}` | {kind} | {size} | {widths} | {model.context or '–'} | {languages} | {model.license} |"
        )
    return "\n".join(rows)


def _routes() -> str:
    from jina_components.service import ServiceSettings, create_app

    with tempfile.TemporaryDirectory() as folder:
        document = create_app(ServiceSettings(data=folder, playground=False)).openapi()
    rows = ["| route | method | what it does |", "|---|---|---|"]
    for path, methods in document["paths"].items():
        told = [(method.upper(), operation) for method, operation in methods.items()]
        for summary in dict.fromkeys(operation["summary"] for _, operation in told):
            names = ", ".join(method for method, operation in told if operation["summary"] == summary)
            rows.append(f"| `{path}` | {names} | {summary} |")
    return "\n".join(rows)


def _notebooks() -> list[Path]:
    return sorted((ROOT / "cookbook").glob("*.ipynb"))


def _notebook_rows() -> Iterator[str]:
    yield from ("| notebook | what it shows |", "|---|---|")
    for notebook in _notebooks():
        first = "".join(json.loads(notebook.read_text("utf-8"))["cells"][0]["source"])
        title, _, text = first.removeprefix("# ").partition("\n")
        paragraph = " ".join(text.strip().split("\n\n")[0].split())
        yield f"| [{title}](cookbook/{notebook.name}) | {paragraph} |"


def _package(name: str) -> str:
    """The reference of a package's public names."""
    return "\n\n".join(f"::: {name}.{each}" for each in importlib.import_module(name).__all__)


def _stores() -> str:
    from vector_stores import STORES

    sections = []
    for store in STORES:
        runs = "in this process, tested end to end" if store.tested else "against a server of yours"
        install = f"`pip install {store.packages}`; runs {runs}."
        sections.append(f"## {store.name}\n\n{install}\n\n```python\n{store.code.strip()}\n```")
    return "\n\n".join(sections)


_TABLES: dict[str, Callable[..., str]] = {
    "models": _models,
    "notebooks": lambda: "\n".join(_notebook_rows()),
    "package": _package,
    "routes": _routes,
    "stores": _stores,
}
