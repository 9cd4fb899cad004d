"""Qwen2-VL and Qwen2.5-VL through the classes of transformers: jina-embeddings-v4, jina-reranker-m0; no remote code.

Their linear layers are replaced by ours, with the adapters of all tasks beside the weights, so that tasks mix in one
batch. An image is put at a place that its sequence names, not where a placeholder token is: those are in reach of
whoever writes a text.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from jina_components.errors import ConfigError
from jina_components.models.backends.linear import (
    DTYPES,
    NONE,
    AdaptedLinear,
    Linear,
    TaskRows,
    adapter_rows,
    choose_precision,
    float_linear,
)
from jina_components.models.backends.padded import SwappedLinear
from jina_components.models.backends.qwen_vl_files import QwenFiles, build, read_files
from jina_components.models.backends.torch import memory_errors, must_fit, pick_device
from jina_components.models.patches import Patches
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from jina_components.types import FloatArray

# Tokens of a pass, padding included. An image's patches, four a token, come on top.
_CPU_BUDGET, _GPU_BUDGET = 4096, 32_768
PROJECTOR = "multi_vector_projector"
"""The layer beside the model that gives tokens their own vectors."""
SCORE = ("score.0", "score.2")
"""The two layers of a score, with a ReLU between them."""


class QwenVL:
    """Token vectors of texts and images.

    Attributes:
        device: Where it runs.
        precision: Of its products.
        adapters: Names of the checkpoint's adapters; a sequence's number is a place here.
        processor: Of its images.
        hidden: Width of a token's vector.
        head_widths: Features that the layers beside the model give, by name.

    Args:
        folder: With safetensors.
        config: Its config.json.
        heads: Names of the layers beside the model that the checkpoint must have.
        device: As `pick_device` takes it.
        precision: As `choose_precision` takes it, but not int8. `auto` means bfloat16 on a GPU: what these models hand
            on from layer to layer goes beyond float16.

    Raises:
        ConfigError: the device or the precision is not available.
        ModelFilesError: the folder holds something else.
        BackendError: it does not fit into memory.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        *,
        heads: Sequence[str] = (),
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        if precision == "int8":
            raise ConfigError("precision='int8' does not run this model: use auto, float32 or bfloat16.")
        self.device = pick_device(device)
        on_gpu = self.device.type != "cpu"
        self.precision = choose_precision(precision, self.device, wide=True)
        self.token_budget = _GPU_BUDGET if on_gpu else _CPU_BUDGET
        self._stream = DTYPES[self.precision] if on_gpu else torch.float32
        self._rows = TaskRows()
        self._turn = threading.Lock()
        with must_fit(folder, self.device):
            self._place(read_files(folder, config, heads))

    def _place(self, files: QwenFiles) -> None:
        self.adapters, self.processor = files.tasks, files.processor
        self.head_widths = {name: len(bias) for name, (_, bias) in files.heads.items()}
        self._heads = {name: self._linear(name, files, "float32", *affine) for name, affine in files.heads.items()}
        model = build(files)
        # By name, so that each layer's stored weights can go once it is replaced.
        for name in [name for name, layer in model.named_modules() if type(layer) is torch.nn.Linear]:
            make = partial(self._linear, name, files, self.precision)
            model.set_submodule(name, SwappedLinear(model.get_submodule(name), make))
        # Not model.to(dtype), which would round the frequencies of positions too.
        for parameter in model.parameters():
            parameter.data = parameter.data.to(self.device, self._stream)
        self._model: Any = model.to(self.device)
        self.hidden = int(self._model.language_model.embed_tokens.embedding_dim)

    def _linear(self, name: str, files: QwenFiles, precision: str, weight: torch.Tensor, bias: torch.Tensor) -> Linear:
        """A layer of the model, or beside it, with its adapters."""
        linear = float_linear((weight, bias), NONE, self.device, DTYPES[precision])
        if (adapters := files.adapters.get(name)) is None:
            return linear
        return AdaptedLinear(linear, adapters, self._rows, NONE, DTYPES[precision], self.device)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One pass at a time, whoever asks; errors of memory as the runner knows them."""
        with self._turn, torch.inference_mode(), memory_errors():
            yield

    def __call__(self, batch: Sequence[TokenSequence]) -> torch.Tensor:
        """Token vectors after the last norm, float32, shape [len(batch), longest, hidden]; padding is at the end."""
        shape = len(batch), max(map(len, batch))
        ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        positions = np.zeros((3, *shape), np.int64)
        for row, sequence in enumerate(batch):
            ids[row, : len(sequence)], mask[row, : len(sequence)] = sequence.ids, 1
            positions[:, row, : len(sequence)] = positions_of(sequence, self.processor.merge_size)
        adapters = [sequence.adapter for sequence in batch]
        self._rows.parts = adapter_rows(adapters, [shape[1]] * shape[0], self.device)
        words = self._model.language_model.embed_tokens(self._tensor(ids))
        self._put_images(words, batch)
        output = self._model.language_model(
            inputs_embeds=words,
            attention_mask=self._tensor(mask),
            position_ids=self._tensor(positions),
            use_cache=False,
        )
        vectors: torch.Tensor = output.last_hidden_state.float()
        return vectors

    def _put_images(self, words: torch.Tensor, batch: Sequence[TokenSequence]) -> None:
        placed = [(row, image) for row, sequence in enumerate(batch) for image in sequence.images]
        if not placed:
            return
        seen = self._see([image for _, image in placed]).to(words.dtype)
        for (row, image), tokens in zip(placed, seen.split([image.tokens for _, image in placed]), strict=True):
            words[row, image.start : image.start + image.tokens] = tokens

    def _see(self, images: Sequence[Patches]) -> torch.Tensor:
        """Vectors of the tokens of all images, shape [tokens, hidden]."""
        pixels = self._tensor(np.concatenate([image.values for image in images])).float().unflatten(1, (3, -1)) / 255
        mean, std = (
            torch.tensor(part, device=self.device)[:, None] for part in (self.processor.mean, self.processor.std)
        )
        patches = ((pixels - mean) / std).flatten(1).to(self._stream)
        output = self._model.visual(patches, grid_thw=self._tensor(np.array([(1, *image.grid) for image in images])))
        tokens: torch.Tensor = getattr(output, "pooler_output", output)  # older releases give the tokens themselves
        return tokens

    def head(self, name: str, vectors: torch.Tensor) -> torch.Tensor:
        """What a layer beside the model gives for vectors, float32; for those of the whole pass if it is adapted."""
        return self._heads[name](vectors.flatten(0, -2)).float().unflatten(0, vectors.shape[:-1])

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)


class QwenEmbeddingBackend:
    """Of each text the mean of its token vectors, or of its spans; of an image likewise, as its sequence says.

    Args:
        model: What runs.
    """

    padded = True
    takes_spans = True

    def __init__(self, model: QwenVL) -> None:
        self._model = model
        self.device, self.precision, self.token_budget = model.device, model.precision, model.token_budget
        self.adapters, self.width = model.adapters, model.hidden

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Vectors, float32, not normalized; shape [vectors, width]."""
        with self._model.turn():
            vectors = self._model(batch)
            means = [
                own[part].mean(0) for own, sequence in zip(vectors, batch, strict=True) for part in _parts(sequence)
            ]
            return np.asarray(torch.stack(means).cpu().numpy())


class QwenTokenBackend:
    """Of each sequence the vectors of the tokens that its spans begin at, through the projector and its adapters.

    Args:
        model: What runs, with the projector.
    """

    padded = True

    def __init__(self, model: QwenVL) -> None:
        self._model = model
        self.device, self.precision, self.token_budget = model.device, model.precision, model.token_budget
        self.adapters, self.width = model.adapters, model.head_widths[PROJECTOR]

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Vectors, float32, not normalized; shape [vectors, width]."""
        with self._model.turn():
            projected = self._model.head(PROJECTOR, self._model(batch))
            rows = [own[[part.start for part in _parts(one)]] for own, one in zip(projected, batch, strict=True)]
            return np.asarray(torch.cat(rows).cpu().numpy())


class QwenScoringBackend:
    """Of each sequence the logit that the score head gives for its last token.

    Args:
        model: What runs, with the two layers of the head.
    """

    padded = True
    width = 1

    def __init__(self, model: QwenVL) -> None:
        self._model = model
        self.device, self.precision, self.token_budget = model.device, model.precision, model.token_budget

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Logits, float32, shape [len(batch), 1]."""
        first, last = SCORE
        with self._model.turn():
            vectors = self._model(batch)
            tokens = torch.stack([own[len(one) - 1] for own, one in zip(vectors, batch, strict=True)])
            return np.asarray(self._model.head(last, torch.relu(self._model.head(first, tokens))).cpu().numpy())


def positions_of(sequence: TokenSequence, merge_size: int) -> NDArray[np.int64]:
    """Time, row and column of each token, shape [3, tokens].

    Those of a text go on together. An image is a moment, at which its tokens have rows and columns; what follows it
    goes on behind the larger of these (M-RoPE, Wang et al. 2024, arXiv:2409.12191).
    """
    parts, done, following = [], 0, 0
    for image in sequence.images:
        parts.append(np.tile(np.arange(following, following + image.start - done), (3, 1)))
        following += image.start - done
        rows, columns = (side // merge_size for side in image.grid)
        grid = np.indices((1, rows, columns)).reshape(3, -1)
        parts.append(grid + following)
        done, following = image.start + image.tokens, following + max(rows, columns)
    parts.append(np.tile(np.arange(following, following + len(sequence) - done), (3, 1)))
    return np.concatenate(parts, axis=1)


def _parts(sequence: TokenSequence) -> list[slice]:
    if sequence.spans is None:
        return [slice(0, len(sequence))]
    return [slice(start, stop) for start, stop in sequence.spans.tolist()]
