"""Office files and archives to read, made on the spot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Protocol

from jina_components.read_options import ReadOptions
from jina_components.reader.formats import READERS
from jina_components.reader.pdf import read_pdf
from jina_components.reader.sources import Source, format_of
from jina_components.types import Page

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
TYPES = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


class Saved(Protocol):
    """A document of python-docx, python-pptx or openpyxl."""

    def save(self, file: io.BytesIO) -> None:
        """Write it."""


def saved(document: Saved) -> bytes:
    """The bytes of a document's file."""
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def zipped(entries: Mapping[str, str | bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file.getvalue()


def changed(data: bytes, changes: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive with some entries replaced or added."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({name: archive.read(name) for name in archive.namelist()} | dict(changes))


def word(body: str, *, extra: Mapping[str, str | bytes] | None = None, relations: str = "") -> bytes:
    """A Word document of the given XML of its body."""
    spaces = (
        f'xmlns:w="{W}" xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
        'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    )
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
            f'<Override PartName="/word/document.xml" ContentType="{TYPES}"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r1" Type="{office}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{package}/relationships">{relations}'
            "</Relationships>",
            "word/document.xml": f"<w:document {spaces}><w:body>{body}</w:body></w:document>",
        }
        | dict(extra or {})
    )


def read(data: bytes | str, name: str = "", *, content_type: str = "", options: ReadOptions | None = None) -> Page:
    """The page of some data, by the format that it has."""
    source = Source(name, data.encode() if isinstance(data, str) else data, "https://h/d/", content_type)
    return {**READERS, "pdf": read_pdf}[format_of(source)](source, options or ReadOptions())
