"""Pages as a PNG picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_SCALE = 1.5  # pixels for a point
_MOST_PIXELS = 2_000  # of a side


def picture(document: PdfDocument, numbers: Iterable[int]) -> bytes:
    """PNG of the pages of these numbers, from 0, one below the other, on white."""
    from pypdfium2 import raw

    sheets: list[tuple[int, int, bytes]] = []
    for index in numbers:
        page = document[index]
        scale = min(_SCALE, _MOST_PIXELS / max(page.get_width(), page.get_height(), 1.0))
        bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=True)
        rows = bytes(bitmap.buffer)
        if bitmap.format == raw.FPDFBitmap_Gray:
            raise ValueError("PDFium drew in grey where colour was asked for.")
        sheets.append((bitmap.width, bitmap.height, _rgb(rows, bitmap.width, bitmap.height, bitmap.stride)))
        bitmap.close()
        page.close()
    return _png(sheets)


def _rgb(data: bytes, width: int, height: int, stride: int) -> bytes:
    """Rows of four bytes a pixel as rows of three."""
    out = bytearray(3 * width * height)
    packed = b"".join(data[row * stride : row * stride + 4 * width] for row in range(height))
    for channel in range(3):
        out[channel::3] = packed[channel::4]
    return bytes(out)


def _png(sheets: list[tuple[int, int, bytes]]) -> bytes:
    """https://www.w3.org/TR/png-3/: a header, the rows deflated, an end."""
    width = max(sheet[0] for sheet in sheets)
    height = sum(sheet[1] for sheet in sheets)
    lines = bytearray()
    for across, down, pixels in sheets:
        margin = b"\xff" * (3 * (width - across))
        for row in range(down):
            lines += b"\0" + pixels[3 * across * row : 3 * across * (row + 1)] + margin
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(lines), 6)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
