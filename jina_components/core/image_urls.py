"""Images as the URLs in which the wires of chat and of classification take them."""

from __future__ import annotations

import base64
import os
import re
from io import BytesIO
from pathlib import Path

from jina_components.errors import InputError
from jina_components.types import Image

MAX_IMAGE_BYTES = 20_000_000
# The formats that vision endpoints take, by how files of them begin.
_FORMATS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)
_FOR_THE_SERVER = re.compile(r"https?://|data:image/", re.IGNORECASE)


def image_url(image: Image) -> str:
    """The URL that the image has, which the server fetches, or a `data:` URI that holds it. Reads files.

    Raises:
        InputError: it cannot be read, or is none that vision endpoints take.
    """
    source = image.source
    if isinstance(source, str) and _FOR_THE_SERVER.match(source):
        return source
    if not isinstance(source, str | bytes | os.PathLike):
        file = BytesIO()
        try:
            source.save(file, "PNG")
        except (OSError, ValueError) as error:  # such as of a picture in CMYK
            raise InputError(f"{image!r} cannot be made a PNG: {error}.") from error
        source = file.getvalue()
    data = source if isinstance(source, bytes) else _read(source)
    media_type = next((media_type for start, media_type in _FORMATS if start.match(data)), None)
    if media_type is None or len(data) > MAX_IMAGE_BYTES:
        raise InputError(f"{image!r} must be a PNG, JPEG, GIF or WebP of up to {MAX_IMAGE_BYTES:,} bytes: convert it.")
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _read(source: str | os.PathLike[str]) -> bytes:
    path = Path(source)
    try:
        if path.is_file():  # a pipe or a device may never end
            with path.open("rb") as file:
                return file.read(MAX_IMAGE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}.") from error
    raise InputError(f"{str(path)!r} is no file; check the path.")
