"""The links of a PDF page: what they lead to, and the words that they cover."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from jina_components.reader.charset import clean
from jina_components.reader.pdf.render import LINK_END, MARKS, link_start
from jina_components.reader.pdf.words import SOFT_HYPHEN, Word, rotation

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

MAX_LINKS = 2_000  # of a page
_LONGEST_URL = 4_000
_SCHEMES = ("http://", "https://", "mailto:", "ftp://", "tel:")


def mark_links(document: PdfDocument, page: PdfPage, words: Sequence[Word], urls: list[str]) -> list[tuple[str, str]]:
    """Puts the marks of links around the words that they cover, and their URLs behind `urls`.

    Returns:
        The text and the URL of each link, in the order of the annotations.
    """
    links: list[tuple[str, str]] = []
    for url, (left, right, bottom, top) in _links(document, page):
        covered = [
            word
            for word in words
            if left - 1 <= (word.left + word.right) / 2 <= right + 1
            and bottom - 1 <= (word.bottom + word.top) / 2 <= top + 1
        ]
        if not covered or any(MARKS.search(word.text) for word in covered):
            continue
        links.append((" ".join(word.text for word in covered), url))
        covered[0].text = link_start(len(urls)) + covered[0].text
        last = covered[-1].text
        covered[-1].text = last.removesuffix(SOFT_HYPHEN) + LINK_END + SOFT_HYPHEN * last.endswith(SOFT_HYPHEN)
        urls.append(url)
    return links


def _links(document: PdfDocument, page: PdfPage) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    from pypdfium2 import raw

    rotate = rotation(page)
    position, link, box = ctypes.c_int(0), raw.FPDF_LINK(), raw.FS_RECTF()
    for _ in range(MAX_LINKS):
        if not raw.FPDFLink_Enumerate(page, position, link):
            return
        action = raw.FPDFLink_GetAction(link)
        if (
            not action
            or raw.FPDFAction_GetType(action) != raw.PDFACTION_URI
            or not raw.FPDFLink_GetAnnotRect(link, box)
        ):
            continue
        length = raw.FPDFAction_GetURIPath(document, action, None, 0)
        if not 1 < length <= _LONGEST_URL:
            continue
        buffer = ctypes.create_string_buffer(length)
        raw.FPDFAction_GetURIPath(document, action, buffer, length)
        url = "".join(clean(buffer.value.decode("utf-8", "replace")).split())
        if url.lower().startswith(_SCHEMES):
            left, right = sorted((box.left, box.right))
            bottom, top = sorted((box.bottom, box.top))
            yield url, rotate(left, right, bottom, top) if rotate else (left, right, bottom, top)
