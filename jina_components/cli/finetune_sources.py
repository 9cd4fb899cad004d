"""What `finetune` learns from: files and folders, sites, files of documents, or a domain in words."""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jina_components.cli.common import NOTHING_TO_READ, add_reading_options, make_reader, shows_progress, tell_failures
from jina_components.cli.searching import PROVIDERS, make_providers
from jina_components.errors import ConfigError, InputError, ReadError
from jina_components.types import Document

if TYPE_CHECKING:
    from jina_components.reader import Reader
    from jina_components.types import Page
    from jina_components.web_search import WebSearch

_DOCUMENTS = (".jsonl", ".jsonl.gz")


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Sources, and how they are read."""
    parser.add_argument(
        "sources", nargs="*", metavar="PATH",
        help='file, folder or URL; a .jsonl (also .gz) holds documents, {"text": …, "title": …} a line',
    )  # fmt: skip
    parser.add_argument(
        "--domain", default="", metavar="WORDS",
        help="what the documents are about, instead of documents: pages found with --web, or written by --chat-model",
    )  # fmt: skip
    parser.add_argument(
        "--web", action="append", default=[], dest="provider", choices=PROVIDERS, metavar="PROVIDER",
        help=f"for --domain, whom to ask for pages: {', '.join(PROVIDERS)}; repeat it for others to ask when one fails",
    )  # fmt: skip
    parser.add_argument("--pages", type=Path, metavar="DIR", help="the index of the provider `local`")
    add_reading_options(parser)


@contextmanager
def make_search(options: argparse.Namespace, reader: Reader) -> Iterator[WebSearch | None]:
    """The search that `--web` names, if any."""
    if not options.provider:
        yield None
        return
    from jina_components.web_search import WebSearch

    with WebSearch(make_providers(options, flag="--web"), reader=reader) as search:
        yield search


def documents(options: argparse.Namespace) -> tuple[str | list[Document], bool]:
    """What `FineTuner.synthesize` takes, and whether a source could not be read; failures go to standard error.

    One URL alone stands for the site below it.

    Raises:
        ConfigError: there are neither sources nor a domain, or both.
        InputError: none of the sources could be read, or a line holds no document.
    """
    if bool(options.sources) == bool(options.domain):
        raise ConfigError("Name files, folders or URLs to learn from, or what they are about with --domain.")
    if options.domain:
        return options.domain, False
    if len(options.sources) == 1 and options.sources[0].startswith(("http://", "https://")):
        return options.sources[0], False
    found = [row for source in options.sources if source.endswith(_DOCUMENTS) for row in _rows(Path(source))]
    others = [source for source in options.sources if not source.endswith(_DOCUMENTS)]
    failed = False
    if others:
        with make_reader(options) as reader:
            reading = reader.read_all(others, show_progress=shows_progress())
        tell_failures(reading.failures)
        failed = bool(reading.failures)
        found += [_document(page) for page in reading.pages]
    if not found:
        raise InputError(NOTHING_TO_READ.replace("search", "learn from"))
    return found, failed


def _document(page: Page) -> Document:
    facts = {"source": page.url, "title": page.title, "language": page.language}
    return Document(page.content, id=page.url, metadata={name: value for name, value in facts.items() if value})


def _rows(path: Path) -> Iterator[Document]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _parsed(line, f"{path}, line {number}")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ReadError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.", str(path)) from error


def _parsed(line: str, place: str) -> Document:
    try:
        row = json.loads(line)
        return Document(row.pop("text"), id=str(row.pop("id", "")), metadata=row)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f'{place} holds no document, {{"text": …}}: {error!r}.') from error
