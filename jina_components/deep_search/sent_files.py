"""Files that are sent along with a question: texts and PDFs as evidence, pictures for chat models.

They come as paths, or as `data:` URIs (RFC 2397), of which the ones that clients write have a parameter `name` or
`filename` too. A URL is never taken for a file, and what a URI holds never for a path.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import stat
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, count
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from jina_components.deep_search.gathering.cutting import cut
from jina_components.errors import ConfigError, InputError, JinaComponentsError, MissingDependencyError
from jina_components.protocols import SupportsRead
from jina_components.read_options import QUOTABLE
from jina_components.types import Document, Image, shorten

MAX_FILE_BYTES = 10_000_000
"""Of a file, decoded."""
MAX_PASSAGE = 2000
"""Characters of the longest piece of a file."""

_IMAGES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
_TEXTS = {"text/plain": ".txt", "text/markdown": ".md"}
# What a reader reads, by the suffix it knows it by.
_READABLE = {
    "application/pdf": ".pdf",
    "text/html": ".html",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/epub+zip": ".epub",
}
_SUFFIXES = _IMAGES | _TEXTS | _READABLE
_IMAGE_SUFFIXES = {*_IMAGES.values(), ".jpeg"}
_TEXT_SUFFIXES = {*_TEXTS.values(), ".text", ".markdown"}
_URL = re.compile(r"[a-z][a-z0-9+.-]+://|file:", re.IGNORECASE)
# Codecs that take time in proportion to the text, and nothing but text.
_CHARSET = re.compile(
    r"(?:us-)?ascii|utf-?8|utf-?16(?:le|be)?|iso-?8859-?\d{1,2}|latin-?1|(?:windows|cp)-?125\d|koi8-[ru]"
    r"|shift[_-]?jis|euc-?(?:jp|kr)|gbk|gb2312|gb18030|big5",
    re.IGNORECASE,
)
_MAX_HEAD = 1000  # characters of a URI before its data
_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as it was sent.

    Attributes:
        place: What to call it in errors: `messages[0].files[1]`.
        index: Place of its message.
        name: What citations call its source: the path as given, the name that a URI has, or `file-1`.
        suffix: By which it is known what it holds, in lower case: `.pdf`.
        path: Where it is, of one on disk; else empty.
        data: Encoded, of a `data:` URI.
        is_base64: How it is encoded: so, or by percent signs.
        charset: Of a text, as declared, or empty.
    """

    place: str
    index: int
    name: str
    suffix: str
    path: str = ""
    data: str = field(default="", repr=False)
    is_base64: bool = False
    charset: str = ""

    @property
    def is_image(self) -> bool:
        """Whether it is a picture, which chat models may see."""
        return self.suffix in _IMAGE_SUFFIXES

    def as_json(self) -> dict[str, str]:
        """By which it is known again, as JSON values."""
        digest = blake2b(self.data.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return {"name": self.name} | ({} if self.path else {"digest": digest})


@dataclass(frozen=True, slots=True)
class FileText:
    """What a file says.

    Attributes:
        title: Its title, or its name.
        text: Its text.
        page_offsets: For paged files, the offset in `text` at which each page begins; else empty.
        warnings: What a reader of the text should know.
    """

    title: str
    text: str
    page_offsets: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()


def sent_file(given: object, place: str, index: int, *, number: int) -> SentFile:
    """A file as the caller passed it, looked at from the outside only.

    Args:
        given: A path, or a `data:` URI.
        place: What to call it in errors.
        index: Place of its message.
        number: Names it where it has no name.

    Raises:
        InputError: it is neither, is a URL, is larger than 10 MB, or of a type that cannot be read.
    """
    path = os.fsdecode(given) if isinstance(given, str | os.PathLike) else ""
    if not path:
        raise InputError(f"{place} must be a path or a data: URI, got {shorten(repr(given))}.", index)
    if isinstance(given, str) and given[:5].lower() == "data:":
        return _of_uri(given, place, index, number)
    if isinstance(given, str) and _URL.match(given):
        raise InputError(
            f"{place} is a URL, {shorten(given)!r}: files are paths or data: URIs. To have a page read, name its URL "
            "in the question.",
            index,
        )
    if "\0" in path:
        raise InputError(f"{place} holds a NUL character, as no path does: {shorten(repr(path))}.", index)
    name = path.encode("utf-8", "replace").decode()
    return SentFile(place, index, name, PurePath(path).suffix.lower(), path)


def as_image(file: SentFile) -> Image:
    """A picture for chat models.

    Raises:
        InputError: it is empty, too large, no valid base64, or cannot be read from disk.
    """
    if not (data := _bytes(file)):
        raise InputError(f"{_label(file)} is empty.", file.index)
    return Image(data)


def sources_of(files: Sequence[SentFile]) -> list[str]:
    """What citations call each of the files: its name, with a number behind it where another has the same."""
    sources: dict[str, None] = {}
    for file in files:
        names = chain([file.name], (f"{file.name} ({number})" for number in count(2)))
        sources[next(name for name in names if name not in sources)] = None
    return list(sources)


async def read_file(file: SentFile, reader: SupportsRead | None) -> FileText:
    """The text of a file. One in UTF-8 is taken as it is, but for its line ends; all else is read by the reader.

    Raises:
        InputError: it is missing, too large, broken or without text.
        ConfigError: there is no reader, and it is no text in UTF-8.
        MissingDependencyError: reading it takes a package that is not installed.
    """
    data = await asyncio.to_thread(_bytes, file)
    plain = await asyncio.to_thread(_as_text, file, data)
    text = FileText(PurePath(file.name).name, plain) if plain is not None else await _by_reader(file, data, reader)
    if not text.text.strip():
        why = f" ({'; '.join(text.warnings)})" if text.warnings else ""
        raise InputError(f"{_label(file)} holds no text{why}.", file.index)
    return text


def passages(text: FileText, source: str) -> list[Document]:
    """A file's text in pieces, as `Conversation.read_files` gives them."""
    documents = []
    for start, end in cut(text.text, MAX_PASSAGE, breaks=text.page_offsets):
        place: dict[str, Any] = {"source": source, "title": text.title, "start": start, "end": end}
        if text.page_offsets:
            place["page"] = bisect_right(text.page_offsets, start) or 1
        documents.append(Document(text.text[start:end], metadata=place))
    return documents


def _of_uri(uri: str, place: str, index: int, number: int) -> SentFile:
    head, comma, data = uri[5 : _MAX_HEAD + 5].partition(",")
    if not comma:
        raise InputError(f"{place} is a data: URI without a comma before its data: {shorten(uri)!r}.", index)
    data = uri[5 + len(head) + 1 :]
    media_type, *parameters = (part.strip() for part in head.split(";"))
    named = dict(part.split("=", 1) for part in parameters if "=" in part)
    media_type = media_type.lower() or "text/plain"
    if media_type not in _SUFFIXES:
        raise InputError(f"{place} is of type {media_type!r}; what can be sent: {', '.join(_SUFFIXES)}.", index)
    name = PurePath(unquote(named.get("filename") or named.get("name") or "").replace("\\", "/")).name
    name = "".join(character for character in name if character.isprintable()) or f"file-{number}"
    is_base64 = "base64" in (part.lower() for part in parameters)
    file = SentFile(
        place, index, name, _SUFFIXES[media_type], "", data, is_base64, named.get("charset", "").strip("\"' ")
    )
    # Before it is decoded; three characters for a byte are the most that percent signs take.
    _check_size(file, len(data) * 3 // 4 - data[-2:].count("=") if is_base64 else len(data) // 3)
    return file


def _check_size(file: SentFile, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise InputError(
            f"{_label(file)} has {size:,} bytes; a file sent along may have {MAX_FILE_BYTES:,}. Put larger ones into a "
            "Retriever, and search that.",
            file.index,
        )


def _bytes(file: SentFile) -> bytes:
    data = _from_disk(file) if file.path else _decoded(file)
    _check_size(file, len(data))
    return data


def _decoded(file: SentFile) -> bytes:
    try:
        data = unquote_to_bytes(file.data)
        if not file.is_base64:
            return data
        data = data.translate(bytes.maketrans(b"-_", b"+/"), b" \t\r\n=")
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except ValueError as error:
        how = "base64" if file.is_base64 else "percent encoding"
        raise InputError(f"{_label(file)} is not valid {how}: {error}.", file.index) from error


async def _by_reader(file: SentFile, data: bytes, reader: SupportsRead | None) -> FileText:
    if reader is None:
        kind = "a text in UTF-8" if file.suffix in _TEXT_SUFFIXES else "plain text or Markdown"
        raise ConfigError(f"{_label(file)} is not {kind}, and there is nothing to read it with: pass reader=Reader().")
    if file.path:
        return await _read(file, file.path, reader)
    folder = await asyncio.to_thread(TemporaryDirectory)  # which only its owner may enter
    try:
        path = Path(folder.name) / f"{_UNSAFE.sub('_', PurePath(file.name).stem)[:100]}{file.suffix}"
        await asyncio.to_thread(path.write_bytes, data)
        return await _read(file, str(path), reader)
    finally:
        await asyncio.to_thread(folder.cleanup)


async def _read(file: SentFile, path: str, reader: SupportsRead) -> FileText:
    try:
        page = await reader.aread(path, options=QUOTABLE)
    except (ConfigError, MissingDependencyError):
        raise
    except JinaComponentsError as error:
        raise InputError(f"{file.place}: {error.message.replace(path, file.name)}", file.index) from error
    warnings = tuple(warning.replace(path, file.name) for warning in page.warnings)
    return FileText(page.title, page.content, page.page_offsets, warnings)


def _as_text(file: SentFile, data: bytes) -> str | None:
    """The text of a text; None where it takes a reader to tell."""
    if file.suffix not in _TEXT_SUFFIXES:
        return None
    if file.charset and not _CHARSET.fullmatch(file.charset):
        raise InputError(f"{_label(file)} declares an unknown charset, {file.charset!r}: send UTF-8.", file.index)
    try:
        text = data.decode(file.charset or "utf-8")
    except UnicodeDecodeError as error:
        if file.charset:
            raise InputError(f"{_label(file)} is not in {file.charset}, as it says: {error}.", file.index) from error
        return None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n") if "\0" not in text else None


def _from_disk(file: SentFile) -> bytes:
    path = Path(file.path)
    try:
        # Asked before it is opened: opening a pipe that nobody writes to would wait for ever.
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            _check_size(file, status.st_size)
            with path.open("rb") as opened:
                return opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{_label(file)} cannot be read: {error.strerror or error}.", file.index) from error
    raise InputError(f"{_label(file)} is no file: folders and pipes cannot be sent along.", file.index)


def _label(file: SentFile) -> str:
    return f"{file.place} ({shorten(file.name)})"
