"""What a source is: its bytes, what is known of them, and which of our formats they hold."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from dataclasses import dataclass, replace
from pathlib import PurePath, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from jina_components.errors import ExtractionError
from jina_components.reader.archive import Archive

Format = Literal["csv", "docx", "epub", "feed", "html", "json", "pdf", "pptx", "sitemap", "text", "xlsx", "xml"]

SUFFIXES: dict[str, Format] = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".docm": "docx",
    ".pptx": "pptx",
    ".pptm": "pptx",
    ".ppsx": "pptx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".epub": "epub",
    ".rss": "feed",
    ".atom": "feed",
    ".rdf": "xml",
    ".xml": "xml",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".geojson": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".md": "text",
    ".markdown": "text",
    ".txt": "text",
    ".rst": "text",
    ".text": "text",
}
"""What a folder is searched for, and what the name of a source says of its format."""

MAX_UNPACKED_BYTES = 200_000_000
"""Longest data that a gzip file may hold."""

# Formats by a pattern of the declared type; of several that fit, the first.
_DECLARED: tuple[tuple[re.Pattern[str], Format], ...] = (
    (re.compile(r"text/html|application/xhtml\+xml"), "html"),
    (re.compile(r"application/pdf"), "pdf"),
    (re.compile(r"(text|application)/(csv|tab-separated-values)"), "csv"),
    (re.compile(r"application/(([\w.-]+\+)?json|x-ndjson|jsonl?|json-lines)|text/json"), "json"),
    (re.compile(r"application/(rss|atom|rdf)\+xml"), "feed"),
    (re.compile(r"(text|application)/([\w.-]+\+)?xml"), "xml"),
    (re.compile(r"text/.+|application/([\w.-]+\+)?(yaml|toml|javascript)"), "text"),
)
# Formats by the name of the root element.
_ROOTS: dict[bytes, Format] = {
    b"html": "html",
    b"rss": "feed",
    b"feed": "feed",
    b"RDF": "feed",
    b"urlset": "sitemap",
    b"sitemapindex": "sitemap",
}
# What is named so may be declared as plain text: it is what servers of source code do.
_REFINING_TEXT = ("csv", "json")
# Formats that are ZIP archives, which only their content tells: what is named so but is none is not read as one.
_ZIPPED = ("docx", "epub", "pptx", "xlsx")

# Formats by the end of the type that a ZIP archive gives its main part, or itself.
_MAIN_PARTS: tuple[tuple[bytes, Format], ...] = (
    (b"wordprocessingml.document.main+xml", "docx"),
    (b"wordprocessingml.template.main+xml", "docx"),
    (b"ms-word.document.macroEnabled.main+xml", "docx"),
    (b"ms-word.template.macroEnabledTemplate.main+xml", "docx"),
    (b"presentationml.presentation.main+xml", "pptx"),
    (b"presentationml.slideshow.main+xml", "pptx"),
    (b"presentationml.template.main+xml", "pptx"),
    (b"ms-powerpoint.presentation.macroEnabled.main+xml", "pptx"),
    (b"ms-powerpoint.slideshow.macroEnabled.main+xml", "pptx"),
    (b"spreadsheetml.sheet.main+xml", "xlsx"),
    (b"spreadsheetml.template.main+xml", "xlsx"),
    (b"ms-excel.sheet.macroEnabled.main+xml", "xlsx"),
    (b"application/epub+zip", "epub"),
)
_OTHER_ZIPS = (
    (b"application/vnd.oasis.opendocument", "an OpenDocument file: save it as .docx, .xlsx or .pptx"),
    (b"application/vnd.ms-excel.sheet.binary", "a binary workbook (.xlsb): save it as .xlsx"),
    (b"application/vnd.ms-visio", "a Visio drawing: export it as PDF"),
)
_NAMING_TYPES = ("mimetype", "[Content_Types].xml")

# What binary data begins with, for the error message.
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"BZh", "bzip2-compressed data"),
    (b"\xfd7zXZ\x00", "xz-compressed data"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!\x1a", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"RIFF", "a WebP image or a media file"),
    (b"\x7fELF", "an executable program"),
    (b"MZ", "an executable program"),
    (b"\xca\xfe\xba\xbe", "an executable program"),
    (b"\xcf\xfa\xed\xfe", "an executable program"),
    (b"\xd0\xcf\x11\xe0", "an old Office document (.doc, .xls, .ppt): save it as .docx, .xlsx or .pptx"),
    (b"{\\rtf", "a document in rich text format: save it as .docx"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ID3", "an MP3 file"),
    (b"OggS", "an Ogg media file"),
)
# Beginnings that no text has, although what follows them may be text.
_NEVER_TEXT = (
    b"{\\rtf",
    *(magic for magic, _ in _MAGIC if not magic.isascii() or not magic.decode("ascii").isprintable()),
)
_GZIP = b"\x1f\x8b\x08"
_MOST_MEMBERS = 20_000  # by far: tools make one for 64 KB or more
_OLE = b"\xd0\xcf\x11\xe0"
_ANY_TYPE = ("", "application/octet-stream", "binary/octet-stream", "application/x-download")
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_SUPPORTED = "HTML, PDF, Office files, EPUB, feeds, XML, JSON, CSV, Markdown and plain text are supported"
_ENCRYPTED_OFFICE = "EncryptedPackage".encode("utf-16-le")

_HEAD_BYTES = 4096
_PDF_HEAD_BYTES = 1024
_SNIFFED_BYTES = 65_536
_UNPRINTABLE = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
_MOST_UNPRINTABLE = 0.02

# The groups are atomic, so that no input makes them search for ever.
_HTML_DOCUMENT = re.compile(
    rb"(?>\s|<\?xml[^>]*>|<!--(?>.*?-->))*+<(!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL
)
_ROOT_ELEMENT = re.compile(
    rb"(?>\s|<\?(?>.*?\?>)|<!--(?>.*?-->)|<![dD][^\[>]*+(?:\[(?>.*?\]\s*>)|>))*+<(?:[\w.-]++:)?([\w.-]++)", re.DOTALL
)
_HTML_FRAGMENT = re.compile(
    rb"\s*<(head|body|title|meta|script|style|div|p|h[1-6]|table|a|b|br|ul|ol|article|main|section)[\s>/]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes to read.

    Attributes:
        name: The final URL, or the path as given; of bytes, their base URL or empty.
        data: The bytes.
        base_url: What relative links are resolved against, or empty.
        content_type: As declared, with its parameters, or empty.
    """

    name: str
    data: bytes
    base_url: str = ""
    content_type: str = ""

    @property
    def label(self) -> str:
        """What to call it in errors."""
        return self.name or "The given data"

    @property
    def file_name(self) -> str:
        """Last part of the path or URL, or empty; what is not Unicode in it is replaced by U+FFFD."""
        is_url = "://" in self.name
        name = unquote(PurePosixPath(urlsplit(self.name).path).name) if is_url else PurePath(self.name).name
        return name.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    @property
    def media_type(self) -> str:
        """The declared type in lower case, without parameters."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The declared charset, or empty."""
        found = _CHARSET.search(self.content_type)
        return found[1] if found else ""


def unpacked(source: Source) -> Source:
    """`source`, or what it holds if it is a gzip file (such as a `sitemap.xml.gz`): under its name without `.gz`.

    Raises:
        ExtractionError: the gzip file is broken, or holds more than `MAX_UNPACKED_BYTES`.
    """
    if not source.data.startswith(_GZIP):
        return source
    if source.data.count(_GZIP) > _MOST_MEMBERS:  # each takes its time, and may hold nothing
        raise ExtractionError(f"{source.label} is a gzip file of too many members: unpack it first.", source.name)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(source.data)) as file:
            data = file.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ExtractionError(f"{source.label} is a broken or truncated gzip file: {error}.", source.name) from error
    if len(data) > MAX_UNPACKED_BYTES:
        raise ExtractionError(
            f"{source.label} is a gzip file of more than {MAX_UNPACKED_BYTES:,} bytes: unpack it first.", source.name
        )
    # What is declared of the file says nothing of what is in it.
    declared = "" if "gzip" in source.media_type or source.media_type in _ANY_TYPE else source.content_type
    return replace(source, name=source.name.removesuffix(".gz"), data=data, content_type=declared)


def format_of(source: Source) -> Format:
    """The format that `source` is to be read as.

    The declared type decides, then the first bytes, then the suffix of the name. But data that begins as a PDF, or is
    a ZIP archive of a format known, is that, whatever is declared; so is what is not declared plain text and has the
    root element of a feed or a sitemap.

    Raises:
        ExtractionError: the source is empty, or binary data; the message says what it looks like.
    """
    if not source.data.strip():
        raise ExtractionError(f"{source.label} is empty: there is nothing to read.", source.name)
    # Without byte order marks and the NULs of UTF-16.
    head = source.data[:_HEAD_BYTES].lstrip(b"\xff\xfe\xef\xbb\xbf").replace(b"\0", b"")
    named = SUFFIXES.get(PurePath(source.file_name).suffix.lower())
    declared = next((each for pattern, each in _DECLARED if pattern.fullmatch(source.media_type)), None)
    # The standard allows something before it; what says that it is something else may just speak of it.
    is_open = declared in (None, "pdf") and named in (None, "pdf")
    if head.lstrip().startswith(b"%PDF-") or (is_open and b"%PDF-" in head[:_PDF_HEAD_BYTES]):
        return "pdf"
    if source.data.startswith(b"PK\x03\x04"):
        return _zipped(source)
    if declared == "pdf":
        return declared
    _refuse_binary(source)
    if declared == "text":
        return named if named in _REFINING_TEXT else declared
    return _by_markup(head, declared) or declared or _by_name(head, named)


def _by_markup(head: bytes, declared: Format | None) -> Format | None:
    root = _ROOT_ELEMENT.match(head)
    found = _ROOTS.get(root[1]) if root else None
    if found == "html" and declared is None:
        return None  # which is looked at in more detail
    return found if declared in (None, "html", "xml", "feed") else None


def _by_name(head: bytes, named: Format | None) -> Format:
    if _HTML_DOCUMENT.match(head):
        return "html"
    if named and named not in _ZIPPED:
        return named
    if head.lstrip().startswith(b"<?xml"):
        return "xml"
    return "html" if _HTML_FRAGMENT.match(head) else "text"


def _zipped(source: Source) -> Format:
    """The format of a ZIP archive, by the types it names: of its parts (Office), or its own (EPUB, OpenDocument)."""
    archive = Archive(source)
    types = b" ".join(archive.read(name) for name in _NAMING_TYPES if name in archive)
    for kind, each in _MAIN_PARTS:
        if kind in types:
            return each
    looks_like = next((each for kind, each in _OTHER_ZIPS if kind in types), "a ZIP archive of no document")
    if "META-INF/container.xml" in archive and b"opendocument" not in types:
        return "epub"  # that lacks its type
    raise ExtractionError(f"{source.label} looks like {looks_like}; {_SUPPORTED}.", source.name)


def _refuse_binary(source: Source) -> None:
    sample = source.data[:_SNIFFED_BYTES]
    looks_like = next((name for magic, name in _MAGIC if sample.startswith(magic)), "binary data of an unknown kind")
    if sample.startswith(_OLE) and _ENCRYPTED_OFFICE in source.data:
        looks_like = "an encrypted Office document: remove its password"
    unprintable = len(sample) - len(sample.translate(None, _UNPRINTABLE))
    wide = sample.startswith(_WIDE_BOMS) or source.charset.lower().startswith(("utf-16", "utf-32"))
    if (unprintable > _MOST_UNPRINTABLE * len(sample) and not wide) or sample.startswith(_NEVER_TEXT):
        raise ExtractionError(f"{source.label} looks like {looks_like}; {_SUPPORTED}.", source.name)
