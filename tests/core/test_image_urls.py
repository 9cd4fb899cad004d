"""Images as URLs: those that they have, or `data:` URIs."""

from __future__ import annotations

import base64

import PIL.Image
import pytest

from jina_components.core.image_urls import MAX_IMAGE_BYTES, image_url
from jina_components.errors import InputError
from jina_components.types import Image

PNG = b"\x89PNG\r\n\x1a\n0000"


@pytest.mark.parametrize("url", ["https://e.org/a.png", "HTTP://e.org/a", "data:image/png;base64,AAAA"])
def test_a_url_is_for_the_server(url):
    assert image_url(Image(url)) == url


@pytest.mark.parametrize(
    ("data", "kind"),
    [(PNG, "png"), (b"\xff\xd8\xff0", "jpeg"), (b"GIF89a", "gif"), (b"RIFF\0\n\0\0WEBP", "webp")],
)
def test_bytes_and_files(tmp_path, data, kind):
    (tmp_path / "a").write_bytes(data)
    expected = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    assert (
        image_url(Image(data)) == image_url(Image(tmp_path / "a")) == image_url(Image(str(tmp_path / "a"))) == expected
    )


def test_a_pil_image():
    assert image_url(Image(PIL.Image.new("RGB", (2, 2)))).startswith("data:image/png;base64,iVBOR")
    with pytest.raises(InputError, match="PNG"):
        image_url(Image(PIL.Image.new("CMYK", (2, 2))))


@pytest.mark.parametrize("source", [b"no image", PNG + bytes(MAX_IMAGE_BYTES), "missing.png", "/", "a\0b"])
def test_what_is_none(source):
    with pytest.raises(InputError):
        image_url(Image(source))
