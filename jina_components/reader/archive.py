"""ZIP-based documents, opened in memory and within limits: nothing is ever written to a path."""

from __future__ import annotations

import base64
import io
import mimetypes
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from jina_components.errors import ExtractionError

if TYPE_CHECKING:
    from jina_components.reader.sources import Source

MAX_ENTRIES = 20_000
MAX_READ_BYTES = 200_000_000
"""What is taken from one archive, unpacked; what is not asked for stays packed, whatever it would unpack to."""

_ENTRY = b"PK\x01\x02"  # what each entry of the directory begins with
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what Office and EPUB know; others could ask for much memory


class Archive:
    """The entries of a ZIP file.

    Args:
        source: The file.

    Raises:
        ExtractionError: it is broken, or has more than `MAX_ENTRIES` entries.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._left = MAX_READ_BYTES
        # Counted before the directory is read, which takes memory for each.
        if source.data.count(_ENTRY) > MAX_ENTRIES:
            raise ExtractionError(f"{source.label} is an archive of more than {MAX_ENTRIES:,} entries.", source.name)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(source.data))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise ExtractionError(f"{source.label} is a broken or truncated ZIP file: {error}.", source.name) from error
        self._entries = {info.filename.lstrip("/"): info for info in self._zip.infolist()}

    def __contains__(self, name: str) -> bool:
        return name.lstrip("/") in self._entries

    @property
    def names(self) -> list[str]:
        """Names of the entries, in the order of the directory."""
        return list(self._entries)

    def image_url(self, name: str, *, with_data: bool) -> str:
        """A `data:` URL of an image, or one that holds its checksum in place of its data; empty if it is missing.

        Raises:
            ExtractionError: its data is wanted and cannot be read.
        """
        info = self._entries.get(name.lstrip("/"))
        if info is None:
            return ""
        kind = mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"
        if with_data:
            return f"data:{kind};base64,{base64.b64encode(self.read(name)).decode()}"
        return f"data:{kind};crc32={info.CRC:08x};size={info.file_size},"

    def read(self, name: str) -> bytes:
        """The bytes of an entry.

        Raises:
            ExtractionError: there is none, it is broken or encrypted, or more than `MAX_READ_BYTES` were read from
                the archive.
        """
        label = self.source.label
        info = self._entries.get(name.lstrip("/"))
        if info is None:
            raise ExtractionError(f"{label} lacks its part {name!r}: it is damaged.", self.source.name)
        if info.flag_bits & _ENCRYPTED:
            raise ExtractionError(f"{label} is encrypted: remove its password first.", self.source.name)
        if info.compress_type not in _METHODS:
            raise ExtractionError(f"{label}: its part {name!r} is packed in a way not read.", self.source.name)
        try:
            with self._zip.open(info) as file:
                data = file.read(self._left + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            EOFError,
            NotImplementedError,
            struct.error,
            ValueError,
        ) as error:
            raise ExtractionError(f"{label}: its part {name!r} is broken: {error}.", self.source.name) from error
        self._left -= len(data)
        if self._left < 0:
            raise ExtractionError(
                f"{label} unpacks to more than {MAX_READ_BYTES:,} bytes: split it into smaller files.", self.source.name
            )
        return data
