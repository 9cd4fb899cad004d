"""What a source is: its bytes, what is known of them, and which of our formats they hold."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from jina_components.errors import ExtractionError

Format = Literal["html", "pdf", "text"]

SUFFIXES: dict[str, Format] = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".md": "text",
    ".markdown": "text",
    ".txt": "text",
    ".rst": "text",
    ".text": "text",
}

_HTML_TYPES = frozenset(("text/html", "application/xhtml+xml"))
_TEXT_TYPES = re.compile(r"text/(?!html).+|application/([\w.-]+\+)?(json|xml|yaml|toml|javascript)")

# What binary data begins with, for the error message.
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive (Office files such as .docx and .xlsx are such too)"),
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
    (b"\xd0\xcf\x11\xe0", "an old Office document (.doc, .xls, .ppt)"),
    (b"SQLite format 3", "an SQLite database"),
    (b"ID3", "an MP3 file"),
    (b"OggS", "an Ogg media file"),
)
# Beginnings that no text has, although what follows them may be text.
_NEVER_TEXT = tuple(magic for magic, _ in _MAGIC if not magic.isascii() or not magic.decode("ascii").isprintable())
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_SUPPORTED = "HTML, PDF, Markdown and plain text are supported"

_HEAD_BYTES = 1024
_SNIFFED_BYTES = 65_536
_UNPRINTABLE = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
_MOST_UNPRINTABLE = 0.02

# The groups are atomic, so that no input makes them search for ever.
_HTML_DOCUMENT = re.compile(
    rb"(?>\s|<\?xml[^>]*>|<!--(?>.*?-->))*+<(!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL
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


def format_of(source: Source) -> Format:
    """The format that `source` is to be read as.

    The declared type decides, then the first bytes, then the suffix of the name; but data that begins as a
    PDF is one, whatever is declared.

    Raises:
        ExtractionError: the source is empty, or binary data; the message says what it looks like.
    """
    if not source.data.strip():
        raise ExtractionError(f"{source.label} is empty: there is nothing to read.", source.name)
    # Without byte order marks and the NULs of UTF-16.
    head = source.data[:_HEAD_BYTES].lstrip(b"\xff\xfe\xef\xbb\xbf").replace(b"\0", b"")
    named = SUFFIXES.get(PurePath(source.file_name).suffix.lower())
    if head.lstrip().startswith(b"%PDF-") or (b"%PDF-" in head and named in (None, "pdf")):
        return "pdf"
    declared = _declared(source.media_type)
    if declared == "pdf":
        return declared
    _refuse_binary(source)
    if declared:
        return declared
    if _HTML_DOCUMENT.match(head):
        return "html"
    return named or ("html" if _HTML_FRAGMENT.match(head) else "text")


def _declared(media_type: str) -> Format | None:
    if media_type in _HTML_TYPES:
        return "html"
    if media_type == "application/pdf":
        return "pdf"
    return "text" if _TEXT_TYPES.fullmatch(media_type) else None


def _refuse_binary(source: Source) -> None:
    sample = source.data[:_SNIFFED_BYTES]
    looks_like = next((name for magic, name in _MAGIC if sample.startswith(magic)), "binary data of an unknown kind")
    unprintable = len(sample) - len(sample.translate(None, _UNPRINTABLE))
    wide = sample.startswith(_WIDE_BOMS) or source.charset.lower().startswith(("utf-16", "utf-32"))
    if (unprintable > _MOST_UNPRINTABLE * len(sample) and not wide) or sample.startswith(_NEVER_TEXT):
        raise ExtractionError(f"{source.label} looks like {looks_like}; {_SUPPORTED}.", source.name)
