"""Readers of all formats but HTML and PDF, each `read_<format>(source, options) -> Page`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jina_components.read_options import ReadOptions
from jina_components.reader.formats.data import read_csv, read_json
from jina_components.reader.formats.docx import read_docx
from jina_components.reader.formats.epub import read_epub
from jina_components.reader.formats.feeds import read_feed
from jina_components.reader.formats.pptx import read_pptx
from jina_components.reader.formats.sitemap import read_sitemap
from jina_components.reader.formats.xlsx import read_xlsx
from jina_components.reader.formats.xml import read_xml
from jina_components.reader.sources import Format, Source
from jina_components.reader.text import read_text
from jina_components.types import Page

READERS: Mapping[Format, Callable[[Source, ReadOptions], Page]] = {
    "csv": read_csv,
    "docx": read_docx,
    "epub": read_epub,
    "feed": read_feed,
    "json": read_json,
    "pptx": read_pptx,
    "sitemap": read_sitemap,
    "text": lambda source, options: read_text(source),
    "xlsx": read_xlsx,
    "xml": read_xml,
}
"""The reader of each format."""

__all__ = ["READERS"]
