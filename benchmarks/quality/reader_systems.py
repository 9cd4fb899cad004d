"""Readers of HTML, each run in a process of its own over a file of pages.

    python reader_systems.py NAME PAGES RESULTS

Runs in any environment that has the reader: the standard library is all this module needs besides. PAGES are JSON Lines
of `html` and `url`, RESULTS the texts and the CPU-seconds it took to make them, without the first of all.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

Read = Callable[[bytes, str], str]


def ours() -> Read:
    """Our Reader, all of it but the network."""
    from jina_components.reader import Reader

    reader = Reader()
    return lambda page, url: reader.read(page, base_url=url, content_type="text/html").content


def trafilatura_markdown() -> Read:
    """Markdown with all that it can keep."""
    from trafilatura import extract

    return lambda page, url: (
        extract(
            page, url=url, output_format="markdown", include_links=True, include_images=True, include_comments=False
        )
        or ""
    )


def trafilatura_text() -> Read:
    """Text, by the settings of its own evaluation."""
    from trafilatura import extract

    return lambda page, url: extract(page, include_comments=False) or ""


def trafilatura_precision() -> Read:
    """Text, in the setting that does best on articles."""
    from trafilatura import extract

    return lambda page, url: extract(page, include_comments=False, favor_precision=True) or ""


def readability_lxml() -> Read:
    """Its HTML, as markdownify writes it."""
    from markdownify import markdownify
    from readability import Document

    return lambda page, url: markdownify(
        Document(page.decode(), url=url).summary(html_partial=True), heading_style="ATX"
    )


def resiliparse() -> Read:
    """Text of the main content."""
    from resiliparse.extract.html2text import extract_plain_text

    return lambda page, url: extract_plain_text(page.decode(), main_content=True)


def markitdown() -> Read:
    """Markdown of the whole page."""
    from markitdown import MarkItDown, StreamInfo

    converter, info = MarkItDown(), StreamInfo(extension=".html", charset="utf-8")
    return lambda page, url: converter.convert_stream(BytesIO(page), stream_info=info).text_content


SYSTEMS: dict[str, Callable[[], Read]] = {
    "ours": ours,
    "trafilatura Markdown": trafilatura_markdown,
    "trafilatura text": trafilatura_text,
    "trafilatura precision": trafilatura_precision,
    "readability-lxml + markdownify": readability_lxml,
    "resiliparse": resiliparse,
    "markitdown": markitdown,
}
"""Readers by name, the first ours."""

PLAIN_TEXT = frozenset(("trafilatura text", "trafilatura precision", "resiliparse"))
"""Those that write text rather than Markdown."""


def main() -> None:
    """Read all pages; a page that a reader fails on counts as empty."""
    name, pages_path, results_path = sys.argv[1:]
    pages = [json.loads(line) for line in Path(pages_path).read_text("utf-8").splitlines()]
    read = SYSTEMS[name]()
    attempted(read, pages[0])
    begin = time.process_time()
    outcomes = [attempted(read, page) for page in pages]
    seconds = time.process_time() - begin
    texts = [text for text, _ in outcomes]
    failures = sum(failed for _, failed in outcomes)
    Path(results_path).write_text(json.dumps({"texts": texts, "seconds": seconds, "failures": failures}), "utf-8")


def attempted(read: Read, page: dict[str, str]) -> tuple[str, bool]:
    """What was read, and whether that failed."""
    try:
        return read(page["html"].encode(), page["url"]), False
    except Exception as error:  # noqa: BLE001 (any reader, any error: it is counted and shown)
        print(f"{page['url']}: {error!r}"[:300], file=sys.stderr)
        return "", True


if __name__ == "__main__":
    main()
