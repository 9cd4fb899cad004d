"""The words of a PDF page: where each stands, how large and in which font.

PDFium is asked once for the text of a page, then twice a word for a box: a call a letter would cost more than
the text itself.
"""

from __future__ import annotations

import ctypes
import functools
import math
import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from jina_components.reader.charset import clean

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

_BOLD = re.compile(r"bold|black|heavy|demi|cmbx|bx\d|-bd", re.IGNORECASE)
_MONO = re.compile(r"mono|courier|consol|menlo|typewriter|cmtt|inconsolata|fixed|code", re.IGNORECASE)
_SYMBOLS = re.compile(r"wingding|dingbat|webding|symbol", re.IGNORECASE)
_FIXED_PITCH, _FORCE_BOLD = 1, 1 << 18  # flags of a font descriptor: ISO 32000-1, table 123

SOFT_HYPHEN = "\u00ad"
_BULLET = "•"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_WIDEST_LETTER = 1.4  # of the size of the type, on average in a word
# PDFium writes the hyphen of a word that goes on in the next line as one of two characters, without a line break.
_WORD = re.compile("[^\\s\x02\ufffe]+[\x02\ufffe]?|[\x02\ufffe]|\r\n")
_NO_TEXT = re.compile("[\ufdd0-\ufdef]")  # never characters; marks of ours
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}


@dataclass(frozen=True, slots=True)
class Font:
    """What the name and the flags of a font tell; a symbol font draws bullets as letters."""

    name: str = ""
    is_bold: bool = False
    is_mono: bool = False
    is_symbol: bool = False


@dataclass(slots=True)
class Word:
    """A word in points of the page as it is shown; `row` numbers the lines that PDFium sees.

    `is_artifact` says that the document itself marks it as no content (ISO 32000-1, 14.8.2.2), such as a page number;
    `is_vertical` that it is written upwards or downwards; `content` is the number of its marked content (14.6), or -1.
    """

    text: str
    left: float
    right: float
    bottom: float
    top: float
    size: float
    font: Font
    row: int
    is_artifact: bool = False
    content: int = -1
    is_vertical: bool = False


def page_words(page: PdfPage, text_page: PdfTextPage) -> list[Word]:
    """The words of a page in the order of its content."""
    reading = _Reading(page, text_page)
    text = text_page.get_text_range()
    exact = reading.is_exact(text, text_page.count_chars())
    char_of = _char_of(text, None if exact else reading.char_index)
    words: list[Word] = []
    row, starts_row = 0, True
    for found in _WORD.finditer(text):
        piece = found[0]
        if piece == "\r\n":
            row, starts_row = row + 1, True
            continue
        first, last = found.start(), found.end() - 1
        if piece[-1] in "\x02\ufffe" and len(piece) > 1:
            piece, last = piece[:-1] + SOFT_HYPHEN, max(first, last - 1)
        ends = (char_of(first), char_of(last)) if char_of else (first, last)
        cleaned = piece if piece.isascii() and piece.isprintable() else _cleaned(piece)
        if starts_row and (len(piece) < 3 or not exact):
            bullet, cleaned = reading.bullet(piece, cleaned, ends[0])
            if bullet and cleaned:
                words.append(reading.word(_BULLET, (ends[0] - 2, ends[0] - 2), row))
            elif bullet:
                cleaned = _BULLET
        starts_row = False
        if cleaned:
            word = reading.word(cleaned, ends, row)
            if word.right - word.left > _WIDEST_LETTER * (word.size or 1.0) * len(cleaned):
                words += reading.parts(word, ends)
            else:
                words.append(word)
    return words


def _char_of(text: str, to_char: Callable[[int], int] | None) -> Callable[[int], int] | None:
    """From an index of `text` to that of PDFium's character, by one of its UTF-16; None if they are the same."""
    wide = [] if text.isascii() else [index for index, character in enumerate(text) if character > "\uffff"]
    if not wide:
        return to_char
    if to_char is None:
        return lambda index: index + bisect_left(wide, index)
    return lambda index: to_char(index + bisect_left(wide, index))


def _cleaned(piece: str) -> str:
    return _NO_TEXT.sub("", clean(piece)).translate(_LIGATURES).strip()


_Style = tuple[float, Font, bool, int]  # size, font, whether it is an artifact, marked content


class _Reading:
    """PDFium's functions bound to one page; raw addresses, since pointer objects cost more than the calls."""

    def __init__(self, page: PdfPage, text_page: PdfTextPage) -> None:
        from pypdfium2 import raw

        address = ctypes.c_void_p
        self._text_page = ctypes.cast(text_page.raw, address).value
        whole = ctypes.c_int
        self._char_index = bound("FPDFText_GetCharIndexFromTextIndex", whole, address, whole)
        self._loose_box = bound("FPDFText_GetLooseCharBox", whole, address, whole, address)
        self._object = bound("FPDFText_GetTextObject", address, address, whole)
        self._unicode = bound("FPDFText_GetUnicode", ctypes.c_uint, address, whole)
        self._font_size = bound("FPDFTextObj_GetFontSize", whole, address, address)
        self._font = bound("FPDFTextObj_GetFont", address, address)
        self._matrix = bound("FPDFPageObj_GetMatrix", whole, address, address)
        self._flags = bound("FPDFFont_GetFlags", whole, address)
        self._font_name = bound("FPDFFont_GetBaseFontName", ctypes.c_size_t, address, address, ctypes.c_size_t)
        self._marks = bound("FPDFPageObj_CountMarks", whole, address)
        self._content = bound("FPDFPageObj_GetMarkedContentID", whole, address)
        self._mark = bound("FPDFPageObj_GetMark", address, address, ctypes.c_ulong)
        self._mark_name = bound(
            "FPDFPageObjMark_GetName", whole, address, address, ctypes.c_ulong, ctypes.POINTER(ctypes.c_ulong)
        )
        self._box = raw.FS_RECTF()
        self._box_at = ctypes.addressof(self._box)
        self._size = ctypes.c_float()
        self._size_at = ctypes.addressof(self._size)
        self._transform = raw.FS_MATRIX()
        self._transform_at = ctypes.addressof(self._transform)
        self._name = ctypes.create_string_buffer(128)
        self._name_at = ctypes.addressof(self._name)
        self._fonts: dict[int | None, Font] = {}
        self._styles: dict[int | None, _Style] = {}
        self._rotate = rotation(page)

    def char_index(self, text_index: int) -> int:
        return self._char_index(self._text_page, text_index)

    def is_exact(self, text: str, characters: int) -> bool:
        """Whether each character of the text has the same index in the page: none is left out."""
        last = len(text) - 1
        return last < 0 or (characters == len(text) and (text.isascii() or self.char_index(last) == last))

    def bullet(self, piece: str, cleaned: str, first: int) -> tuple[bool, str]:
        """Whether a row begins with a bullet that its font does not name, and what of the piece is text.

        It is a control character: in the piece, or left out of the text, with a space, before it.
        """
        if _CONTROL.search(piece) and len(piece) < 3:
            return True, ""
        if len(cleaned) == 1 and cleaned.isalnum() and self._styled(self._object(self._text_page, first))[1].is_symbol:
            return True, ""
        if first > 1 and self._unicode(self._text_page, first - 1) == 0x20:
            before = self._unicode(self._text_page, first - 2)
            return _CONTROL.match(chr(before)) is not None if before < 0xA0 else False, cleaned
        return False, cleaned

    def parts(self, word: Word, ends: tuple[int, int]) -> list[Word]:
        """The words in one that is very wide, since PDFium left out what parts them."""
        if ends[1] - ends[0] != len(word.text) - 1 or len(word.text) == 1:
            return [word]
        letters = [self.word(letter, (ends[0] + index,) * 2, word.row) for index, letter in enumerate(word.text)]
        groups = [[letters[0]]]
        for before, letter in pairwise(letters):
            if letter.left - before.right > max(word.size, 1.0):
                groups.append([])
            groups[-1].append(letter)
        return [_one(group) for group in groups]

    def word(self, text: str, ends: tuple[int, int], row: int) -> Word:
        box, first, last = self._box, *ends
        if self._loose_box(self._text_page, first, self._box_at):
            left, right, bottom, top = box.left, box.right, box.bottom, box.top
        else:
            left = right = bottom = top = 0.0
        if last != first and self._loose_box(self._text_page, last, self._box_at):
            # Comparisons, since this runs for every word, and calls of min and max would double its time.
            start, end, low, high = box.left, box.right, box.bottom, box.top
            left = start if start < left else left
            right = end if end > right else right
            bottom = low if low < bottom else bottom
            top = high if high > top else top
        handle = self._object(self._text_page, first)
        size, font, is_artifact, content = self._styles.get(handle) or self._styled(handle)
        if self._rotate is not None:
            left, right, bottom, top = self._rotate(left, right, bottom, top)
        height = top - bottom
        is_vertical = height > 2 * (right - left) and len(text) > 2 and height > 1.4 * size
        return Word(text, left, right, bottom, top, size or height, font, row, is_artifact, content, is_vertical)

    def _styled(self, handle: int | None) -> _Style:
        style = self._styles.get(handle)
        if style is None:
            style = self._styles[handle] = self._style(handle)
        return style

    def _style(self, handle: int | None) -> _Style:
        if not handle:
            return 0.0, Font(), False, -1
        self._font_size(handle, self._size_at)
        self._matrix(handle, self._transform_at)
        scale = math.hypot(self._transform.c, self._transform.d)
        size = self._size.value * scale
        font = self._font(handle)
        known = self._fonts.get(font)
        if known is None:
            known = self._fonts[font] = self._described(font)
        return (abs(size) if math.isfinite(size) else 0.0), known, self._is_artifact(handle), self._content(handle)

    def _described(self, font: int | None) -> Font:
        if not font:
            return Font()
        self._name[0] = b"\0"
        self._font_name(font, self._name_at, len(self._name))
        name, flags = self._name.value.decode("latin-1"), self._flags(font)
        has_flags = flags > 0
        return Font(
            name.partition("+")[2] or name,
            _BOLD.search(name) is not None or bool(has_flags and flags & _FORCE_BOLD),
            _MONO.search(name) is not None or bool(has_flags and flags & _FIXED_PITCH),
            _SYMBOLS.search(name) is not None,
        )

    def _is_artifact(self, handle: int) -> bool:
        length = ctypes.c_ulong()
        for index in range(min(max(self._marks(handle), 0), 8)):
            mark = self._mark(handle, index)
            if mark and self._mark_name(mark, self._name_at, len(self._name), length):
                name = self._name.raw[: length.value].decode("utf-16-le", "replace")
                if name.rstrip("\0") == "Artifact":
                    return True
        return False


def _one(letters: list[Word]) -> Word:
    return replace(letters[0], text="".join(letter.text for letter in letters), right=letters[-1].right)


@functools.cache
def bound(name: str, result: Any, *arguments: Any) -> Any:  # noqa: ANN401 (ctypes has no types for these)
    """A function of PDFium that takes raw addresses; pypdfium2's own make an object of each, which takes longer."""
    from pypdfium2 import raw

    return ctypes.CFUNCTYPE(result, *arguments)(ctypes.cast(getattr(raw, name), ctypes.c_void_p).value or 0)


Rotate = Callable[[float, float, float, float], tuple[float, float, float, float]]


def rotation(page: PdfPage) -> Rotate | None:
    """From (left, right, bottom, top) in the space of the page to the page as it is shown, if these differ."""
    angle = page.get_rotation()
    if angle == 90:
        return lambda left, right, bottom, top: (bottom, top, -right, -left)
    if angle == 180:
        return lambda left, right, bottom, top: (-right, -left, -top, -bottom)
    if angle == 270:
        return lambda left, right, bottom, top: (-top, -bottom, left, right)
    return None
