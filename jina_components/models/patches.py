"""Images as Qwen's vision models take them: resized to whole squares within limits of area, then cut into patches.

The way of Qwen2-VL (Wang et al. 2024, arXiv:2409.12191): resolution is the image's own, and 2 x 2 patches become one
token. Limits and statistics are those of the checkpoint's `preprocessor_config.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import ceil, floor, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from jina_components.errors import ModelFilesError
from jina_components.models.layout import read_json

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

# Where the file leaves them out: the limits of Qwen2VLImageProcessor, and the statistics of CLIP (Radford et al. 2021).
_MIN_PIXELS, _MAX_PIXELS = 3136, 1_003_520
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
# What must be so, or be left out: cubic interpolation, and nothing but the usual steps.
_FIXED = {"resample": 3, "temporal_patch_size": 2, "do_resize": True, "do_rescale": True, "do_normalize": True}
_CUBIC = 3


class Patches(NamedTuple):
    """An image, cut into patches.

    Attributes:
        values: Of 0 to 255, shape [patches, 3 * side²], each by channel, row and column; patches that become one token
            are together.
        grid: Rows and columns of patches.
        tokens: That they become.
        digest: Of values and grid.
        start: Place of the first of these in its sequence.
        tile_tokens: Tokens that each of these counts as in usage.
    """

    values: NDArray[np.uint8]
    grid: tuple[int, int]
    tokens: int
    digest: bytes
    start: int = 0
    tile_tokens: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchProcessor:
    """Resizes and cuts images.

    Attributes:
        patch_size: Side of a patch in pixels.
        merge_size: Side of a token in patches.
        min_pixels, max_pixels: Area of an image after it is resized.
        mean, std: Of each channel, of values from 0 to 1.
    """

    patch_size: int
    merge_size: int
    min_pixels: int = _MIN_PIXELS
    max_pixels: int = _MAX_PIXELS
    mean: tuple[float, ...] = _MEAN
    std: tuple[float, ...] = _STD

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height to which an image is resized: whole tokens, of nearly its proportions, within the limits."""
        side = self.patch_size * self.merge_size
        across, down = (round(length / side) for length in (width, height))
        area = across * down * side * side
        if area > self.max_pixels:
            scale = sqrt(width * height / self.max_pixels)
            across, down = (max(1, floor(length / scale / side)) for length in (width, height))
        elif area < self.min_pixels:
            scale = sqrt(self.min_pixels / (width * height))
            across, down = (ceil(length * scale / side) for length in (width, height))
        return across * side, down * side

    def tokens(self, width: int, height: int) -> int:
        """Tokens that an image of this many pixels becomes."""
        across, down = self.resized(width, height)
        return across * down // (self.patch_size * self.merge_size) ** 2

    def __call__(self, picture: PIL.Image.Image) -> Patches:
        """An RGB image, prepared."""
        size = self.resized(*picture.size)
        pixels = np.asarray(picture if picture.size == size else picture.resize(size, _CUBIC))
        patch, merge = self.patch_size, self.merge_size
        rows, columns = pixels.shape[0] // patch, pixels.shape[1] // patch
        squares = pixels.reshape(rows // merge, merge, patch, columns // merge, merge, patch, 3)
        values = squares.transpose(0, 3, 1, 4, 6, 2, 5).reshape(rows * columns, 3 * patch * patch)
        digest = blake2b(values.data, digest_size=16, salt=b"%d %d" % (rows, columns)).digest()
        return Patches(values, (rows, columns), rows * columns // merge**2, digest)


def read_patch_processor(folder: Path, vision: Mapping[str, Any]) -> PatchProcessor:
    """The processor that `preprocessor_config.json` describes.

    Args:
        folder: The model's.
        vision: `vision_config` of its config.json.

    Raises:
        ModelFilesError: the file is missing, or describes something else than the model takes.
    """
    path = folder / "preprocessor_config.json"
    settings = read_json(path)
    patch_size, merge_size = int(vision.get("patch_size", 14)), int(vision.get("spatial_merge_size", 2))
    for name, wanted in {**_FIXED, "patch_size": patch_size, "merge_size": merge_size}.items():
        if settings.get(name, wanted) != wanted:
            raise ModelFilesError(f"{path}: {name} is {settings[name]!r}; only {wanted!r} is known for this model.")
    size = settings.get("size") or {}
    least, most = (
        _number(path, name, settings.get(name) or size.get(edge) or default)
        for name, edge, default in (
            ("min_pixels", "shortest_edge", _MIN_PIXELS), ("max_pixels", "longest_edge", _MAX_PIXELS),
        )
    )  # fmt: skip
    mean, std = (_channels(path, name, settings.get(name, usual)) for name, usual in _STATISTICS.items())
    if min(std) <= 0 or not 0 < least <= most:
        raise ModelFilesError(f"{path}: std {list(std)} and limits of {least} to {most} pixels cannot be.")
    return PatchProcessor(
        patch_size=patch_size, merge_size=merge_size, min_pixels=least, max_pixels=most, mean=mean, std=std
    )


_STATISTICS: Mapping[str, tuple[float, ...]] = {"image_mean": _MEAN, "image_std": _STD}


def _number(path: Path, name: str, value: object) -> int:
    if not isinstance(value, int):
        raise ModelFilesError(f"{path}: {name} must be an integer, got {value!r}.")
    return value


def _channels(path: Path, name: str, values: object) -> tuple[float, ...]:
    is_list = isinstance(values, list | tuple) and len(values) == 3
    if not is_list or not all(isinstance(value, int | float) for value in values):  # type: ignore[attr-defined]
        raise ModelFilesError(f"{path}: {name} must be three numbers, got {values!r}.")
    return tuple(map(float, values))  # type: ignore[call-overload]
