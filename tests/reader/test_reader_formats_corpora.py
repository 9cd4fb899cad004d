"""Word documents with reviewed Markdown; JINA_COMPONENTS_DATA names the directory that holds `reader/`."""

from __future__ import annotations

import difflib
import html
import os
import re
import statistics
import tarfile
from pathlib import Path

import pytest
from office_samples import read

pytestmark = pytest.mark.slow


def test_word_documents_are_read_as_reviewed() -> None:
    """Mean similarity of words, of words and marks: markitdown 0.1 has .919 and .868, mammoth 1.13 .903 and .840."""
    path = Path(os.environ.get("JINA_COMPONENTS_DATA", "no such directory"), "reader/docling_pairs/pairs.tar.xz")
    if not path.exists():
        pytest.skip("JINA_COMPONENTS_DATA has no reader/docling_pairs")
    with tarfile.open(path) as archive:
        files = {
            member.name: file.read()
            for member in archive
            if member.name.startswith("docx/") and (file := archive.extractfile(member))
        }
    documents = [name for name in files if name.endswith(".docx")]
    pairs = [(plain(files[f"{name}.md"].decode()), plain(read(files[name], name).content)) for name in documents]
    assert len(pairs) == 32
    words = statistics.mean(similarity(r"\w+", *pair) for pair in pairs)
    marks = statistics.mean(similarity(r"\w+|[^\w\s]", *pair) for pair in pairs)
    assert words > 0.98
    assert marks > 0.95


def plain(markdown: str) -> str:
    """Without images, tags, escapes and the rules of tables, which are matters of style."""
    text = re.sub(r"<!-- image -->|!\[[^\]]*\]\([^)]*\)|\|[\s:|-]+\|\n", "", markdown)
    return html.unescape(re.sub(r"\\([^\w\s])", r"\1", re.sub(r"</?[a-z]+[^<>]*>", " ", text)))


def similarity(pattern: str, expected: str, found: str) -> float:
    """Ratio of Ratcliff and Obershelp over the matches of `pattern`."""
    pieces = re.findall(pattern, expected), re.findall(pattern, found)
    return difflib.SequenceMatcher(None, *pieces, autojunk=False).ratio()
