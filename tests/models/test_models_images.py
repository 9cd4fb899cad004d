"""Images from every kind of source, hostile ones among them."""

from __future__ import annotations

import asyncio
import base64
import io
import multiprocessing
import os
import pickle
import struct
import subprocess
import sys
import threading
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_server import http, loopback_fetcher
from PIL import Image as PILImage

from jina_components import Image
from jina_components.core.background import run_sync
from jina_components.errors import BlockedURLError, ContentTooLargeError, HTTPStatusError, InputError
from jina_components.models.images import MAX_BYTES, MAX_PIXELS, aload_images, atry_images, load_image


def picture(width=20, height=10, mode="RGB", seed=0):
    random = np.random.default_rng(seed)
    return PILImage.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)


def file_of(made, kind="PNG", **options):
    buffer = io.BytesIO()
    made.save(buffer, kind, **options)
    return buffer.getvalue()


def data_uri(data, head="data:image/png;base64,"):
    return head + base64.b64encode(data).decode()


def pixels_of(image, **options):
    loaded = load_image(image, **options)
    assert loaded.mode == "RGB"
    return np.asarray(loaded).tolist()


def png_of_size(width, height, body=b""):
    """A PNG whose header claims a size that its body does not have."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


@pytest.fixture
def fetcher():
    made = loopback_fetcher()
    yield made
    run_sync(made.aclose())


# --- sources ------------------------------------------------------------------------------------------------------


def test_every_kind_of_source_gives_the_same_image(tmp_path, server, fetcher):
    made = picture()
    data = file_of(made)
    path = tmp_path / "bild ü.png"
    path.write_bytes(data)
    server.routes["/a.png"] = [http(302, location="/b")]
    server.routes["/b"] = [http(body=data, Content_Type="image/png")]
    wanted = np.asarray(made).tolist()
    lazy = PILImage.open(io.BytesIO(data))
    sources = [
        path,
        str(path),
        data,
        made,
        lazy,
        data_uri(data),
        data_uri(data, "DATA:image/png;charset=utf-8;base64,"),
    ]
    for source in sources:
        assert pixels_of(Image(source)) == wanted
    for url in (server.url("/a.png"), server.url("/b").replace("http", "HTTP")):
        assert pixels_of(Image(url), fetcher=fetcher) == wanted
    assert server.received[0].headers["accept"] == "image/*"


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_formats(kind):
    made = picture(mode="P" if kind == "GIF" else "RGB")
    options = {"lossless": True} if kind == "WEBP" else {}
    assert pixels_of(Image(file_of(made, kind, **options))) == np.asarray(made.convert("RGB")).tolist()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_modes(mode):
    made = picture(mode=mode) if mode != "PA" else picture(mode="LA").convert("PA")
    assert pixels_of(Image(made)) == np.asarray(made.convert("RGB")).tolist()


def test_transparent_pixels_show_the_colour_underneath():
    made = PILImage.new("RGBA", (2, 1), (200, 100, 50, 0))
    assert pixels_of(Image(file_of(made))) == [[[200, 100, 50]] * 2]
    palette = PILImage.new("P", (2, 1), 1)
    palette.putpalette([0, 0, 0, 9, 8, 7])
    assert pixels_of(Image(file_of(palette, transparency=b"\xff\x00"))) == [[[9, 8, 7]] * 2]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_to_eight(kind):
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    assert pixels_of(Image(file_of(PILImage.fromarray(values), kind))) == [[[v] * 3 for v in (0, 0, 1, 128, 255)]]


@pytest.mark.parametrize("values", [np.ones((2, 2), np.float32), np.ones((2, 2), np.int32)])
def test_pixels_without_a_range_are_refused(values):
    with pytest.raises(InputError, match="32 bits"):
        load_image(Image(PILImage.fromarray(values)))


def test_a_turned_photo_is_set_upright():
    made = picture(20, 10)
    exif = PILImage.Exif()
    exif[0x0112] = 6  # turned right by a quarter to look at
    wanted = np.rot90(np.asarray(made), -1).tolist()
    assert pixels_of(Image(file_of(made, exif=exif))) == wanted
    assert made.size == (20, 10)


def test_of_an_animation_the_first_frame():
    frames = [PILImage.new("RGB", (4, 4), colour) for colour in ("red", "green", "blue")]
    for kind in ("GIF", "PNG", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = file_of(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert pixels_of(Image(data)) == [[[255, 0, 0]] * 4] * 4


def test_the_given_image_is_left_as_it_is():
    made = picture(mode="L")
    before = made.copy()
    load_image(Image(made)).paste((1, 2, 3), (0, 0, 5, 5))
    assert made == before
    palette = picture(mode="P")
    palette.info["transparency"] = b"\0"
    load_image(Image(palette))
    assert palette.info["transparency"] == b"\0"
    rgb = picture()
    load_image(Image(rgb)).paste((1, 2, 3), (0, 0, 20, 10))
    assert rgb == picture()


# --- hostile and broken -------------------------------------------------------------------------------------------

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (SVG, "no image of a known format"),
        (b"<html><body>Not found</body></html>", "no image of a known format"),
        (EPS, "no image of a known format"),  # Pillow would run Ghostscript
        (b"P6 2 2 255 " + bytes(12), "no image of a known format"),
        (b"\x89PNG\r\n\x1a\n", "no image of a known format|broken"),
        (b"\0" * (MAX_BYTES + 1), "20,000,000 bytes"),
        (png_of_size(50_000, 50_000), "pixels"),
        (png_of_size(60_000, 2), "over 100 times"),
        (png_of_size(2, 201, bytes(7 * 201)), "over 100 times"),
        (png_of_size(9, 9, bytes(20)), "broken or cut off"),
        (png_of_size(0, 9), "no image|broken|no pixels"),
    ],
)
def test_what_is_no_image_is_refused(data, says):
    with pytest.raises(InputError, match=says) as caught:
        load_image(Image(data))
    assert len(str(caught.value)) < 300


def test_more_pixels_than_the_limit_are_refused():
    with pytest.raises(InputError, match="8,000 x 5,001 pixels, more than 40,000,000"):
        load_image(Image(png_of_size(8_000, 5_001)))
    with pytest.raises(InputError, match="8,000 x 5,001 pixels"):
        load_image(Image(PILImage.new("1", (8_000, 5_001))))


@pytest.mark.parametrize("size", [(0, 0), (0, 9), (9, 0)])
def test_an_image_without_pixels_is_refused(size):
    with pytest.raises(InputError, match=r"^The image has no pixels\.$"):
        load_image(Image(PILImage.new("RGB", size)))


_PEAK = """
import asyncio, sys
from PIL import Image as PILImage
from jina_components import Image
from jina_components.models.images import aload_images, load_image

def resident(line):
    return next(int(row.split()[1]) for row in open("/proc/self/status") if row.startswith(line)) * 1024

load_image(Image(PILImage.new("RGB", (9, 9))))
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = resident("VmRSS")
asyncio.run(aload_images([Image(sys.argv[1])] * 3, process=lambda image: image.size))
print(resident("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read as Linux tells it")
@pytest.mark.parametrize(("mode", "most"), [("P", 10), ("RGBA", 16)])
def test_large_images_are_decoded_in_little_memory(tmp_path, mode, most):
    made = PILImage.new(mode, (MAX_PIXELS // 5000, 5000))
    exif = PILImage.Exif()
    exif[0x0112] = 6
    options = {"transparency": b"\0"} if mode == "P" else {}
    (tmp_path / "large.png").write_bytes(file_of(made, exif=exif, compress_level=1, **options))
    run = [sys.executable, "-c", _PEAK, str(tmp_path / "large.png")]
    growth = int(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    assert growth < most * MAX_PIXELS  # bytes; an image in RGB has four a pixel


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_files_cut_off_are_refused(kind, part):
    data = file_of(picture(64, 64), kind)
    with pytest.raises(InputError):
        load_image(Image(data[: int(len(data) * part)]))


@given(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"]), st.data())
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_give_an_image_or_an_input_error(kind, data):
    good = bytearray(file_of(picture(16, 16), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InputError):
        assert load_image(Image(bytes(good))).mode == "RGB"


@given(st.binary(min_size=1, max_size=300))
@settings(deadline=None)
def test_other_bytes_are_refused(junk):
    with pytest.raises(InputError):
        load_image(Image(junk))


@pytest.mark.parametrize(
    "uri",
    [
        "data:,",
        "data:image/png;base64",
        "data:image/png,AAAA",
        "data:text/html;base64,AAAA",
        "data:;base64,AAAA",
        "data:image/png;base64 ,AAAA",
        "data:image/png;base64,AA=A",
        "data:image/png;base64,AA\nAA",
        "data:image/png;base64,AAAA====junk",
        "data:image/png;base64,A-_A",
        "data:image/png;base64,ÄÖÜß",
        "data:image/png;base64,",
        "data:image/png;" + "x=y;" * 100 + "base64,AAAA",
        data_uri(SVG, "data:image/svg+xml;base64,"),
        "data:image/png;base64," + "A" * 30_000_000,
    ],
    ids=lambda uri: uri[:40],
)
def test_malformed_data_uris_are_refused(uri):
    with pytest.raises(InputError) as caught:
        load_image(Image(uri))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("no/such/file.png", "no file"),
        (".", "no file"),
        ("/dev/zero", "no file"),
        ("nul\0.png", "nul"),
        ("file:///etc/passwd", "no http or https"),
        ("ftp://127.0.0.1/a.png", "no http or https"),
        ("gopher://127.0.0.1/", "no http or https"),
    ],
)
def test_other_strings_are_refused(source, says):
    with pytest.raises(InputError, match=says):
        load_image(Image(source))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no file"):
        load_image(Image(tmp_path / "pipe"))


def test_a_large_file_is_not_read_whole(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match="20,000,000 bytes"):
        load_image(Image(tmp_path / "large"))


@pytest.mark.parametrize("source", ["", b"", 3, None, ["a.png"], object(), np.zeros((2, 2, 3))])
def test_an_image_is_made_of_known_sources(source):
    with pytest.raises(InputError, match="Image takes"):
        Image(source)


def test_an_image_is_shown_short():
    assert repr(Image("a.png")) == "Image('a.png')"
    assert repr(Image(Path("a.png"))) == "Image('a.png')"
    assert repr(Image(b"x" * 10_000)) == "Image(10,000 bytes)"
    assert repr(Image(picture(mode="L"))) == "Image(L, 20 x 10 pixels)"
    for source in (b"x" * 10_000, "data:image/png;base64," + "A" * 10_000, picture()):
        assert len(repr(Image(source))) < 80
    assert pickle.loads(pickle.dumps(Image("a.png"))) == Image("a.png")


# --- URLs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/a.png", "http://10.0.0.1/", "file:///etc/passwd", "data:,x"]
)
def test_redirects_to_what_is_blocked_are_refused(server, fetcher, target):
    server.routes["/a.png"] = [http(302, location=target)]
    with pytest.raises(BlockedURLError):
        load_image(Image(server.url("/a.png")), fetcher=fetcher)
    assert server.paths() == ["/a.png"]


def test_addresses_that_are_not_public_are_blocked(server):
    with pytest.raises(BlockedURLError):
        load_image(Image(server.url("/a.png")))
    assert server.received == []


def test_what_a_url_gives_must_be_an_image(server, fetcher):
    server.routes["/a.png"] = [http(body=b"<html>please log in</html>", Content_Type="image/png")]
    with pytest.raises(InputError, match="no image of a known format"):
        load_image(Image(server.url("/a.png")), fetcher=fetcher)


def test_a_url_is_read_up_to_the_limit(server, fetcher):
    server.routes["/a.png"] = [http(body=b"x" * 1000)]
    fetcher.max_bytes = 999
    with pytest.raises(ContentTooLargeError):
        load_image(Image(server.url("/a.png")), fetcher=fetcher)
    fetcher.max_bytes = 2 * MAX_BYTES
    server.routes["/b.png"] = [http(body=b"x" * (MAX_BYTES + 1))]
    with pytest.raises(InputError, match="20,000,000 bytes"):
        load_image(Image(server.url("/b.png")), fetcher=fetcher)


# --- many ---------------------------------------------------------------------------------------------------------


async def test_many_images_come_in_their_order(tmp_path, server):
    files = [file_of(picture(seed=seed)) for seed in range(30)]
    for number in range(0, 30, 2):
        server.routes[f"/{number}"] = [http(body=files[number])]
    images = [Image(data if number % 2 else server.url(f"/{number}")) for number, data in enumerate(files)]
    async with loopback_fetcher() as fetcher:
        loaded = await aload_images(images, process=lambda image: np.asarray(image).tolist(), fetcher=fetcher)
    assert loaded == [np.asarray(picture(seed=seed)).tolist() for seed in range(30)]
    assert server.connections <= 8
    assert await aload_images([], process=len) == []


async def test_few_images_are_decoded_at_a_time():
    lock, running, most = threading.Lock(), 0, 0

    def process(image):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1

    images = [Image(picture())] * 6
    await asyncio.gather(*(load(images, process=process) for load in (aload_images, atry_images, aload_images)))
    assert most == 2


def test_of_large_ones_one():
    lock, running, most = threading.Lock(), 0, 0

    def process(image):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.05)
        with lock:
            running -= 1

    large = PILImage.new("1", (5_000, 4_001))
    run_sync(aload_images([Image(large)] * 3, process=process))
    assert most == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_decodes_too():
    load_image(Image(picture()))
    child = multiprocessing.get_context("fork").Process(target=load_image, args=(Image(picture()),))
    child.start()
    child.join(30)
    assert child.exitcode == 0


async def test_the_one_that_fails_is_named(server):
    good = Image(picture())
    with pytest.raises(InputError, match=r"inputs\[2\]: .*known format") as caught:
        await aload_images([good, good, Image(b"junk"), good], process=lambda image: image)
    assert caught.value.index == 2
    async with loopback_fetcher() as fetcher:
        with pytest.raises(HTTPStatusError, match=r"inputs\[1\]: .*404") as missing:
            await aload_images([good, Image(server.url("/x"))], process=lambda image: image, fetcher=fetcher)
        assert (missing.value.status_code, missing.value.url, missing.value.index) == (404, server.url("/x"), 1)
    with pytest.raises(BlockedURLError, match=r"inputs\[7\]") as blocked:
        await aload_images([Image("http://10.0.0.1/a.png")], process=lambda image: image, indices=[7])
    assert blocked.value.index == pickle.loads(pickle.dumps(blocked.value)).index == 7


async def test_those_that_fail_can_be_left_to_the_caller():
    images = [Image(picture()), Image(b"junk"), Image("http://10.0.0.1/a.png"), Image(picture())]
    first, junk, blocked, last = await atry_images(images, process=lambda image: image.size)
    assert first == last == (20, 10)
    assert (type(junk), type(blocked)) == (InputError, BlockedURLError)


async def test_a_failure_ends_the_others(server):
    async def hang(request, writer):
        await asyncio.sleep(60)

    server.routes["/slow"] = hang
    images = [Image(server.url("/slow"))] * 3 + [Image(b"junk")]
    async with asyncio.timeout(10), loopback_fetcher() as fetcher:
        with pytest.raises(InputError, match=r"inputs\[3\]"):
            await aload_images(images, process=lambda image: image, fetcher=fetcher)


async def test_an_error_of_the_processing_is_raised_as_it_is():
    def fail(image):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await aload_images([Image(picture())], process=fail)


def test_without_pillow_the_extra_is_named():
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "from jina_components import Image\n"
        "Image('a.png')\n"
        "try:\n    import jina_components.models.images\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "MissingDependencyError" in shown
    assert "jina-components[images]" in shown
