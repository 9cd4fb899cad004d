"""Images as a vision model takes them: fetched, decoded within limits, cut to size."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

import numpy as np

from jina_components.core.background import run_sync
from jina_components.core.inputs import at_index
from jina_components.errors import InputError, MissingDependencyError, ModelFilesError, WebError
from jina_components.models.layout import read_json
from jina_components.net import Fetcher, SupportsFetch
from jina_components.types import Image

try:
    import PIL.Image
    from PIL import ImageOps, UnidentifiedImageError
except ImportError as error:
    raise MissingDependencyError("Images need Pillow: pip install 'jina-components[images]'.") from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES = 20_000_000
"""Of a file, as it is stored."""
MAX_PIXELS = 40_000_000
"""Of a decoded image: at the limit it takes 0.2 GB (a palette) to 0.65 GB (WebP), many of them together 1 GB."""
MAX_RATIO = 100
"""Of the longer side to the shorter: the shorter one is resized, and the longer with it."""

# What the web and cameras use. Pillow has decoders of many more, some of which run other programs.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_SCHEME = re.compile(r"(https?)://|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DATA_URI = re.compile(r"data:image/[\w.+-]+(;[\w.+-]+=[^;,]*)*;base64\Z", re.IGNORECASE)
_LONGEST_HEAD = 200
# At a time: fetched of each call, and decoded in the process; of more pixels than this only one.
_FETCHES, _DECODES, _LARGE = 8, 2, 20_000_000

T = TypeVar("T")
Reason: TypeAlias = InputError | WebError
"""Why an image is not to be had."""


class Pixels(NamedTuple):
    """An image as a vision model takes it; its length is that of the sequence it becomes.

    Attributes:
        values: Normalized, shape [3, side, side].
        tokens: Patches, and one for the class token.
        cost: Tokens it counts as in usage.
    """

    values: NDArray[np.float32]
    tokens: int
    cost: int = 0

    @property
    def num_rows(self) -> int:
        """Vectors that are wanted."""
        return 1

    @property
    def adapter(self) -> int:
        """Number of the adapter it runs with: none."""
        return -1

    def __len__(self) -> int:
        return self.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageProcessor:
    """CLIP's preprocessing (Radford et al. 2021): shorter side to size, centre cut out, channels normalized.

    Attributes:
        size: Side of what is cut out, in pixels.
        patch_size: Side of a patch; pixels beyond the last whole patch are not seen.
        mean, std: Of each channel, of values from 0 to 1.
        tile: Width and height in pixels of what counts as `tile_tokens`, if only begun; (0, 0) to count patches.
        tile_tokens: Tokens of a tile.
    """

    size: int
    patch_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tile: tuple[int, int] = (0, 0)
    tile_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Length of the sequence that an image becomes."""
        return (self.size // self.patch_size) ** 2 + 1

    def __call__(self, picture: PIL.Image.Image) -> Pixels:
        """An RGB image, prepared."""
        cut = self._cut(picture)
        mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
        values = (np.asarray(cut, np.float32) / 255 - mean) / std
        return Pixels(np.ascontiguousarray(values.transpose(2, 0, 1)), self.tokens, self.cost(*picture.size))

    def cost(self, width: int, height: int) -> int:
        """Tokens that an image of this many pixels counts as."""
        across, down = self.tile
        return ceil(width / across) * ceil(height / down) * self.tile_tokens if across else self.tokens

    def _cut(self, picture: PIL.Image.Image) -> PIL.Image.Image:
        shorter = min(picture.size)
        if shorter != self.size:
            width, height = (int(self.size * side / shorter) for side in picture.size)
            picture = picture.resize((width, height), PIL.Image.Resampling.BICUBIC)
        left, top = (round((side - self.size) / 2) for side in picture.size)  # halves to even, as torchvision does
        return picture.crop((left, top, left + self.size, top + self.size))


def read_processor(
    folder: Path, *, image_size: int, patch_size: int, tile: tuple[int, int] = (0, 0), tile_tokens: int = 0
) -> ImageProcessor:
    """The processor that `preprocessor_config.json` describes, in jina-clip's keys.

    Args:
        folder: The model's.
        image_size: What the vision model takes.
        patch_size: Likewise.
        tile: As in `ImageProcessor`.
        tile_tokens: Likewise.

    Raises:
        ModelFilesError: the file is missing, or describes something else.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise ModelFilesError(f"{path} is missing: how images are prepared is not known.")
    settings = {"resize_mode": "shortest", "interpolation": "bicubic", **read_json(path, default={})}
    for name, wanted in (("resize_mode", "shortest"), ("interpolation", "bicubic")):
        if settings[name] != wanted:
            raise ModelFilesError(f"{path}: {name} is {settings[name]!r}; only {wanted!r} is known.")
    if settings.get("size") not in (image_size, [image_size, image_size]):
        raise ModelFilesError(f"{path}: size is {settings.get('size')!r}, but the model takes {image_size}.")
    mean, std = (_channels(path, name, settings.get(name)) for name in ("mean", "std"))
    if min(std) <= 0:
        raise ModelFilesError(f"{path}: std must be positive, got {list(std)}.")
    return ImageProcessor(
        size=image_size, patch_size=patch_size, mean=mean, std=std, tile=tile, tile_tokens=tile_tokens
    )


def _channels(path: Path, name: str, values: object) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) != 3 or not all(isinstance(value, int | float) for value in values):
        raise ModelFilesError(f"{path}: {name} must be three numbers, got {values!r}.")
    return tuple(map(float, values))


def load_image(image: Image, *, fetcher: SupportsFetch | None = None) -> PIL.Image.Image:
    """An image in RGB, upright; of an animation the first frame, of transparent pixels the colour underneath.

    Args:
        image: Where it is.
        fetcher: What fetches URLs; None for one of the usual guard and the limit of bytes.

    Raises:
        InputError: no image that can be read is there, or it is over a limit.
        WebError: its URL cannot be fetched, or is refused.
    """
    return run_sync(_one(image, fetcher))


async def aload_images(
    images: Sequence[Image],
    *,
    process: Callable[[PIL.Image.Image], T],
    fetcher: SupportsFetch | None = None,
    indices: Sequence[int] | None = None,
) -> list[T]:
    """What `process` makes of each image as `load_image` gives it; two are in memory at a time, over all calls.

    Args:
        images: Where they are.
        process: Called in a thread.
        fetcher: As in `load_image`.
        indices: Positions of the images in the caller's list, for errors; 0 onwards if None.

    Raises:
        InputError, WebError: as in `load_image`, for the first image found to fail; message and `.index` name it.
    """
    async with _open_fetcher(fetcher) as opened:
        fetching = asyncio.Semaphore(_FETCHES)

        async def one(index: int, image: Image) -> T:
            try:
                return await _load(image, process, opened, fetching)
            except (InputError, WebError) as error:
                raise at_index(error, index, what="inputs") from error

        numbered = zip(range(len(images)) if indices is None else indices, images, strict=True)
        return await _all([one(index, image) for index, image in numbered])


async def atry_images(
    images: Sequence[Image], *, process: Callable[[PIL.Image.Image], T], fetcher: SupportsFetch | None = None
) -> list[T | Reason]:
    """As `aload_images`, but an image that fails has its error in its place."""
    async with _open_fetcher(fetcher) as opened:
        fetching = asyncio.Semaphore(_FETCHES)

        async def one(image: Image) -> T | Reason:
            try:
                return await _load(image, process, opened, fetching)
            except (InputError, WebError) as error:
                return error

        return await _all([one(image) for image in images])


async def _load(
    image: Image, process: Callable[[PIL.Image.Image], T], fetcher: SupportsFetch, fetching: asyncio.Semaphore
) -> T:
    async with fetching:
        source = await _fetched(image, fetcher)
        decoders, one_large = _decoders(os.getpid())
        return await asyncio.get_running_loop().run_in_executor(decoders, _decode, source, process, one_large)


async def _all(work: Sequence[Coroutine[None, None, T]]) -> list[T]:
    """Results in order; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except ExceptionGroup as failed:
        first = failed.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise first


def _decoders(process: int) -> tuple[ThreadPoolExecutor, threading.Lock]:
    """Threads in which this process decodes images, and what a large one holds; a forked child has its own."""
    with _starting:
        if process not in _started:
            _started[process] = ThreadPoolExecutor(_DECODES, "jina-components-image"), threading.Lock()
        return _started[process]


_starting = threading.Lock()
_started: dict[int, tuple[ThreadPoolExecutor, threading.Lock]] = {}


async def _one(image: Image, fetcher: SupportsFetch | None) -> PIL.Image.Image:
    async with _open_fetcher(fetcher) as opened:
        return await _load(image, lambda picture: picture, opened, asyncio.Semaphore())


def _open_fetcher(given: SupportsFetch | None) -> AbstractAsyncContextManager[SupportsFetch]:
    return Fetcher(max_bytes=MAX_BYTES) if given is None else nullcontext(given)


async def _fetched(image: Image, fetcher: SupportsFetch) -> str | os.PathLike[str] | bytes | PIL.Image.Image:
    """The source, or what is behind it when it is a URL."""
    source = image.source
    if not isinstance(source, str) or not (scheme := _SCHEME.match(source)):
        return source
    if scheme[1] is None:
        raise InputError(f"{image!r} is no http or https URL; of a file, pass the path.")
    return (await fetcher.fetch(source, headers={"accept": "image/*"})).content


def _decode(
    source: str | os.PathLike[str] | bytes | PIL.Image.Image,
    process: Callable[[PIL.Image.Image], T],
    one_large: threading.Lock,
) -> T:
    with _decoding():
        picture = source if isinstance(source, PIL.Image.Image) else _opened(source)
        _check_size(picture)
    width, height = picture.size
    with one_large if width * height > _LARGE else nullcontext():
        with _decoding():
            picture = _as_rgb(picture, given=picture is source)
        return process(picture)


def _opened(source: str | os.PathLike[str] | bytes) -> PIL.Image.Image:
    """What the file says of itself; its pixels are read later."""
    data = source if isinstance(source, bytes) else _read(source)
    if len(data) > MAX_BYTES:
        raise InputError(f"The image has more than {MAX_BYTES:,} bytes; make it smaller.")
    PIL.Image.init()
    return PIL.Image.open(BytesIO(data), formats=[name for name in _FORMATS if name in PIL.Image.OPEN])


def _read(source: str | os.PathLike[str]) -> bytes:
    """At most one byte more than are allowed, of a file or a data URI."""
    if isinstance(source, str) and source[:5].lower() == "data:":
        return _from_data_uri(source)
    path = Path(os.fsdecode(source))
    try:
        if path.is_file():  # a pipe or a device may never end
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {error}.") from error
    raise InputError(f"{str(path)!r} is no file; check the path.")


def _from_data_uri(uri: str) -> bytes:
    """The bytes of a data URI (RFC 2397) in base64."""
    head, comma, payload = uri[:_LONGEST_HEAD].partition(",")
    if not comma or not _DATA_URI.match(head):
        raise InputError("A data URI of an image begins with data:image/<type>;base64, and goes on in base64.")
    payload = uri[len(head) + 1 :]
    if len(payload) > ceil(MAX_BYTES / 3) * 4:
        raise InputError(f"The image has more than {MAX_BYTES:,} bytes; make it smaller.")
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError as error:
        raise InputError(f"The data URI is not valid base64: {error}.") from error


def _check_size(picture: PIL.Image.Image) -> None:
    width, height = picture.size
    if not width or not height:
        raise InputError("The image has no pixels.")
    if width * height > MAX_PIXELS:
        raise InputError(f"The image has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}; make it smaller.")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise InputError(f"The image has {width:,} x {height:,} pixels: one side is over {MAX_RATIO} times the other.")


def _as_rgb(picture: PIL.Image.Image, *, given: bool) -> PIL.Image.Image:
    """Upright and in RGB; changed in place unless it is the caller's, so that only two of its size are in memory."""
    if given:
        picture = ImageOps.exif_transpose(picture)
    else:
        ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode.startswith("I;16"):  # whose conversion would cut off all but the darkest 256 shades
        picture = PIL.Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise InputError(f"The image has pixels of 32 bits (mode {picture.mode}); convert it to 8 bits.")
    picture.info.pop("transparency", None)  # of which Pillow warns when it is lost
    return picture if picture.mode == "RGB" else picture.convert("RGB")


@contextmanager
def _decoding() -> Iterator[None]:
    """Map what decoders raise on broken data, which may be anything."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"The data is no image of a known format ({', '.join(_FORMATS)}); convert it.") from error
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise InputError(f"The image has more than {MAX_PIXELS:,} pixels; make it smaller.") from error
    except Exception as error:
        raise InputError(f"The image is broken or cut off: {error}.") from error
