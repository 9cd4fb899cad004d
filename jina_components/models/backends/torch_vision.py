"""Vision transformers in torch, on the path without padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.errors import ConfigError, MissingDependencyError

try:
    import torch
except ImportError as error:
    raise MissingDependencyError("This model needs torch: pip install 'jina-components[torch]'.") from error

from jina_components.models.architectures.eva02 import VisionWeights, read_weights
from jina_components.models.backends.attention import Packing
from jina_components.models.backends.layers import stream_type
from jina_components.models.backends.linear import DTYPES, NONE, choose_precision, float_linear
from jina_components.models.backends.stack import load_stack
from jina_components.models.backends.torch import memory_errors, must_fit, pick_device
from jina_components.models.images import Pixels

if TYPE_CHECKING:
    from jina_components.types import FloatArray

# Tokens of a pass; an image of jina-clip-v2 has 1297, one of v1 197.
_CPU_BUDGET, _GPU_BUDGET = 1536, 65_536


class TorchVisionBackend:
    """The vision side of a jina-clip checkpoint: of each image the class token after the last norm.

    Attributes:
        image_size: Side in pixels of the images it takes.
        patch_size: Side of a patch.

    Args:
        folder: With safetensors.
        config: `vision_config` of its config.json.
        device: As `pick_device` takes it.
        precision: As `choose_precision` takes it, but not int8.

    Raises:
        ConfigError: the device or the precision is not available.
        ModelFilesError: the folder holds something else.
        BackendError: it does not fit into memory.
    """

    padded = False

    def __init__(
        self, folder: Path, config: Mapping[str, Any], *, device: str = "auto", precision: str = "auto"
    ) -> None:
        if precision == "int8":
            raise ConfigError("precision='int8' is for texts; images take auto, float32, bfloat16 or float16.")
        self.device = pick_device(device)
        self.precision = choose_precision(precision, self.device)
        self.token_budget = _CPU_BUDGET if self.device.type == "cpu" else _GPU_BUDGET
        weights = read_weights(folder, config)
        self.image_size, self.patch_size, self.width = weights.image_size, weights.patch_size, weights.hidden
        with must_fit(folder, self.device):
            self._place(weights)

    def _place(self, weights: VisionWeights) -> None:
        weight, bias = weights.patches.weight.float(), weights.patches.bias
        affine = weight, torch.zeros(len(weight)) if bias is None else bias.float()
        self._grid = weights.grid
        self._embed = float_linear(affine, NONE, self.device, DTYPES[self.precision])
        self._stack = load_stack(weights.stack, self.device, self.precision)
        positions = weights.positions.float().clone()
        positions[0] += weights.first.float()
        self._positions = positions.to(self.device, stream_type(self.device, self.precision))

    def run(self, batch: Sequence[Pixels]) -> FloatArray:
        """Vectors before normalization, shape [len(batch), width]."""
        with torch.inference_mode(), memory_errors():
            patches = self._patches(torch.from_numpy(np.stack([image.values for image in batch])).to(self.device))
            packing = Packing([self._grid**2 + 1] * len(batch), self.device)
            tokens = self._stack.run(self._tokens(patches, packing), packing, first_only=True)
            return np.asarray(tokens[: len(batch)].float().cpu().numpy())

    def _patches(self, images: torch.Tensor) -> torch.Tensor:
        """Pixels of each patch, row by row, shape [images, patches, 3 * patch_size²]."""
        seen = self._grid * self.patch_size
        squares = images[:, :, :seen, :seen].unflatten(3, (self._grid, -1)).unflatten(2, (self._grid, -1))
        return squares.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)

    def _tokens(self, patches: torch.Tensor, packing: Packing) -> torch.Tensor:
        """The class token and the patches of each image, shape [rows, hidden]."""
        embedded = self._embed(patches.flatten(0, 1))
        tokens = self._positions.new_zeros(packing.rows, self.width)
        images = tokens[: sum(packing.lengths)].unflatten(0, (len(patches), -1))
        images[:] = self._positions
        images[:, 1:] += embedded.unflatten(0, (len(patches), -1))
        return tokens
