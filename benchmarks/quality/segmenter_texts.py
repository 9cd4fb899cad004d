"""Texts to cut whose structure shows: Markdown that was written, read off web pages, or is in Japanese."""

from __future__ import annotations

import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.quality.reader import load
from jina_components.errors import JinaComponentsError
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.reader import Reader

_SHORTEST = 500
_PAGES = ("trafilatura_eval", "readability_pages")


def markdown_texts(data: Path) -> dict[str, list[str]]:
    """By where they come from, texts of at least 500 characters.

    - documents: reviewed Markdown of PDFs and office documents (`reader/docling_pairs`);
    - readmes: `.md` files and Markdown descriptions of the packages installed in this environment;
    - web: our Reader's Markdown of web pages, in many languages (`reader/{trafilatura_eval,readability_pages}`);
    - Japanese: paragraphs of articles of Wikipedia (`retrieval/jsquad`), parted by empty lines.
    """
    groups = _of_data(data) | {"readmes": _readmes()}
    return {name: [text for text in texts if len(text) >= _SHORTEST] for name, texts in groups.items()}


def texts_of_data(data: Path, characters: int | None) -> dict[str, list[str]]:
    """Those that are the same on every machine, so many characters of each kind, from its first text on; None: all."""
    found: dict[str, list[str]] = {}
    for name, texts in _of_data(data).items():
        kept: list[str] = []
        for text in texts:
            if characters is not None and sum(map(len, kept)) >= characters:
                break
            kept += [text] if len(text) >= _SHORTEST else []
        found[name] = kept
    return found


def _of_data(data: Path) -> dict[str, Iterator[str]]:
    return {"documents": _documents(data), "web": _web(data), "Japanese": _japanese(data)}


def _documents(data: Path) -> Iterator[str]:
    with tarfile.open(data / "reader/docling_pairs/pairs.tar.xz") as archive:
        for member in archive.getmembers():
            if member.name.endswith(".md") and (file := archive.extractfile(member)):
                yield file.read().decode()


def _readmes() -> Iterator[str]:
    packages = Path(sysconfig.get_paths()["purelib"])
    for path in sorted(packages.rglob("*.md")):
        yield path.read_text("utf-8", "replace")
    for path in sorted(packages.glob("*.dist-info/METADATA")):
        head, _, body = path.read_text("utf-8", "replace").partition("\n\n")
        if "text/markdown" in head:
            yield body


def _web(data: Path) -> Iterator[str]:
    reader = Reader()
    for name in _PAGES:
        for page in load(data / "reader" / name / "pages.jsonl.xz"):
            try:
                yield reader.read(page["html"].encode(), base_url=page["url"], content_type="text/html").content
            except JinaComponentsError as error:
                print(f"{page['url']}: {error}", file=sys.stderr)


def _japanese(data: Path) -> Iterator[str]:
    articles: dict[str, list[str]] = {}
    for row in read_jsonl(data / "retrieval/jsquad/valid_paras.jsonl.gz"):
        articles.setdefault(row["title"], []).append(row["text"])
    yield from ("\n\n".join(paragraphs) for paragraphs in articles.values())
