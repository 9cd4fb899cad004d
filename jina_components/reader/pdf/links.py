"""The links of a PDF page: what they lead to, and the words that they cover."""

from __future__ import annotations

import ctypes
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from jina_components.reader.charset import clean
from jina_components.reader.pdf.render import LINK_END, MARKS, link_start
from jina_components.reader.pdf.words import SOFT_HYPHEN, Word, rotation

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

MAX_LINKS = 2_000  # of a page
_LONGEST_URL = 4_000
_MOST_COMPARISONS = 2_000_000  # of words with links, on a page
_OPENS, _CLOSES, _HYPHEN = re.compile(r"[^\w#@/]*"), re.compile(r"[^\w#@/]*\Z"), re.compile(f"{SOFT_HYPHEN}?\\Z")
_SCHEMES = ("http://", "https://", "mailto:", "ftp://", "tel:")


def mark_links(document: PdfDocument, page: PdfPage, words: Sequence[Word], urls: list[str]) -> list[tuple[str, str]]:
    """Puts the marks of links around the words that they cover, and their URLs behind `urls`.

    Returns:
        The text and the URL of each link, in the order of the annotations.
    """
    links: list[tuple[str, str]] = []
    found = list(_links(document, page))
    by_height = sorted(((word.bottom + word.top) / 2, index) for index, word in enumerate(words)) if found else []
    budget = _MOST_COMPARISONS
    for url, (left, right, bottom, top) in found:
        near = by_height[bisect_left(by_height, (bottom - 1,)) : bisect_left(by_height, (top + 1, len(words)))]
        budget -= len(near)
        if budget < 0:
            break
        beside = (words[index] for index in sorted(index for _, index in near))
        covered = [word for word in beside if left - 1 <= (word.left + word.right) / 2 <= right + 1]
        if not covered or any(MARKS.search(word.text) for word in covered):
            continue
        before, after = _outside(covered, left, right)
        covered[0].text = f"{before}{link_start(len(urls))}{covered[0].text[len(before) :]}"
        last = covered[-1].text
        covered[-1].text = f"{last[: len(last) - len(after)]}{LINK_END}{after}"
        text = " ".join(word.text for word in covered)
        links.append((MARKS.sub("", text[len(before) : len(text) - len(after)]), url))
        urls.append(url)
    return links


def _outside(covered: Sequence[Word], left: float, right: float) -> tuple[str, str]:
    """What of the first and the last word is not of the link: punctuation that the box leaves out, a hyphen."""
    first, last = covered[0], covered[-1]
    before = _OPENS.match(first.text) if first.left < left - 1 else None
    after = _CLOSES.search(last.text) if last.right > right + 1 else _HYPHEN.search(last.text)
    return before[0] if before else "", after[0] if after else ""


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
