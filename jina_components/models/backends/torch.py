"""Transformer checkpoints in torch: the native classes of transformers, no remote code, safetensors only."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components.errors import BackendError, ConfigError, MissingDependencyError, ModelFilesError
from jina_components.models.layout import Layout, Module
from jina_components.models.runner import TokenSequence

try:
    import torch
    import transformers
    from safetensors import SafetensorError
    from safetensors.torch import load_file
except ImportError as error:
    raise MissingDependencyError("This model needs torch: pip install 'jina-components[torch]'.") from error

if TYPE_CHECKING:
    from jina_components.types import FloatArray

logger = logging.getLogger(__name__)

Step = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]

# Tensors that pooling over tokens does not use: a checkpoint may carry heads beside its encoder, and lack the
# pooler. Any other unexpected or missing tensor means that the architecture is not the checkpoint's, which
# transformers would load with random weights.
_MAY_CARRY = re.compile(
    r"^(head|decoder)\.|(^|\.)(pooler|cls|lm_head|(pre_)?classifier|vocab_\w+|predictions|position_ids)(\.|$)"
)
_MAY_LACK = re.compile(r"(^|\.)(pooler|position_ids)(\.|$)")
# Families of encoder and decoder that embed with the encoder alone.
_ENCODERS = {"t5": "T5EncoderModel", "mt5": "MT5EncoderModel", "umt5": "UMT5EncoderModel"}


def pick_device(device: str) -> torch.device:
    """`auto` means CUDA, then MPS, then CPU; the choice is logged.

    Raises:
        ConfigError: the device asked for is not there.
    """
    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    available = {name: count for name, count in counts.items() if count}
    if device == "auto":
        device = next(iter(available))
        logger.info("device='auto' chose %s", device)
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"{device!r} is no device: give auto, cpu, cuda, cuda:1 or mps.") from error
    if (chosen.index or 0) >= available.get(chosen.type, 0):
        raise ConfigError(f"Device {device!r} is not available here; there is: {available}.")
    return chosen


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Raise MemoryError where torch raises RuntimeError; only the text tells it apart on every device."""
    try:
        yield
    except RuntimeError as error:
        if "out of memory" in str(error) or "can't allocate memory" in str(error):
            raise MemoryError(str(error)) from error
        raise


class _Transformer:
    """A checkpoint on a device, run on padded batches."""

    def __init__(self, auto_class: Any, folder: Path, device: str) -> None:  # noqa: ANN401 (transformers is untyped)
        self.device = pick_device(device)
        self.token_budget = 4096 if self.device.type == "cpu" else 65_536
        try:
            with _memory_errors():
                self.model = _load_checkpoint(auto_class, folder).to(self.device).eval()
        except MemoryError as error:
            raise BackendError(f"{folder} does not fit into the memory of {self.device}.") from error
        self.pad_id = self.model.config.pad_token_id or 0
        self.takes_types = "token_type_ids" in inspect.signature(self.model.forward).parameters

    def __call__(self, batch: Sequence[TokenSequence]) -> tuple[Any, torch.Tensor]:
        """The model's output, and the attention mask, shape [batch, longest]."""
        shape = (len(batch), max(len(sequence) for sequence in batch))
        ids, mask = np.full(shape, self.pad_id, np.int64), np.zeros(shape, np.int64)
        types = np.zeros(shape, np.int64)
        for row, sequence in enumerate(batch):
            ids[row, : len(sequence)] = sequence.ids
            mask[row, : len(sequence)] = 1
            if sequence.type_ids is not None:
                types[row, : len(sequence)] = sequence.type_ids
        inputs = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if self.takes_types else {})
        tensors = {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}
        return self.model(**tensors), tensors["attention_mask"]


def _load_checkpoint(auto_class: Any, folder: Path) -> Any:  # noqa: ANN401 (transformers is untyped)
    try:
        with _memory_errors():
            model, info = auto_class.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except MemoryError:
        raise
    except Exception as error:  # a broken folder may end in any error
        raise ModelFilesError(f"{folder} cannot be loaded with {auto_class.__name__}: {error}") from error
    # A sequence classifier uses its pooler.
    strict = auto_class is transformers.AutoModelForSequenceClassification
    wrong = [key for key in info["missing_keys"] if strict or not _MAY_LACK.search(key)]
    wrong += [key for key in info["unexpected_keys"] if not _MAY_CARRY.search(key)]
    if wrong:
        raise ModelFilesError(
            f"{folder} does not hold the weights of {type(model).__name__}: {len(wrong)} tensors are "
            f"missing or unexpected, such as {wrong[0]!r}."
        )
    return model


class TorchEmbeddingBackend:
    """A sentence-transformers folder: Transformer, then Pooling, Dense and LayerNorm steps in its order."""

    def __init__(self, layout: Layout, *, device: str = "auto") -> None:
        later = [module for module in layout.modules if module.type != "Transformer"]
        while later and later[-1].type == "Normalize":  # left to the caller
            later.pop()
        if not later or later[0].type != "Pooling":
            raise ModelFilesError(
                f"{layout.folder} names no Pooling step after its Transformer, so the sentence vector is "
                "undefined: save the model with sentence-transformers first."
            )
        auto_class = getattr(transformers, _ENCODERS.get(layout.config.get("model_type", ""), "AutoModel"))
        self._transformer = _Transformer(auto_class, layout.transformer.folder, device)
        self.token_budget = self._transformer.token_budget
        self._steps = [_build_step(module, self._transformer.device) for module in later]
        try:
            self.width = int(self.run([TokenSequence(np.zeros(1, np.int32))]).shape[1])
        except (RuntimeError, ValueError, TypeError, AttributeError, LookupError) as error:
            raise ModelFilesError(f"{layout.folder}: its steps do not run: {error}") from error

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Sentence vectors before a closing Normalize step, shape [len(batch), width]."""
        with torch.inference_mode(), _memory_errors():
            output, mask = self._transformer(batch)
            vectors = output.last_hidden_state
            for step in self._steps:
                vectors = step(vectors, mask)
            return np.asarray(vectors.float().cpu().numpy())


class TorchCrossEncoderBackend:
    """A sequence-classification checkpoint with one label: a logit for each pair."""

    width = 1

    def __init__(self, layout: Layout, *, device: str = "auto") -> None:
        self._transformer = _Transformer(
            transformers.AutoModelForSequenceClassification, layout.transformer.folder, device
        )
        self.token_budget = self._transformer.token_budget
        labels = self._transformer.model.config.num_labels
        if labels != 1:
            raise ModelFilesError(f"{layout.folder} scores {labels} labels; a reranker has one.")

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """Logits, shape [len(batch), 1]."""
        with torch.inference_mode(), _memory_errors():
            output, _ = self._transformer(batch)
            return np.asarray(output.logits.float().cpu().numpy())


def _build_step(module: Module, device: torch.device) -> Step:
    build = _STEPS.get(module.type)
    if build is None:
        raise ModelFilesError(f"{module.folder}: step {module.type!r} is not known; known: {', '.join(_STEPS)}.")
    return build(module, device)


def _build_pooling(module: Module, device: torch.device) -> Step:  # noqa: ARG001 (the signature of all steps)
    config = module.config
    modes = config.get("pooling_mode") or [key for key, name in _OLD_POOLING_KEYS.items() if config.get(name)]
    modes = [modes] if isinstance(modes, str) else list(modes)
    unknown = [mode for mode in modes if mode not in _POOLING]
    if unknown or not modes or not config.get("include_prompt", True):
        raise ModelFilesError(
            f"{module.folder}: pooling {dict(config)} is not supported; known modes: {', '.join(_POOLING)}."
        )
    return lambda hidden, mask: torch.cat([_POOLING[mode](hidden, mask) for mode in modes], dim=-1)


def _build_dense(module: Module, device: torch.device) -> Step:
    weight, bias = _weight_and_bias(module, device)
    activation = _ACTIVATIONS.get(module.config.get("activation_function", "Tanh").rsplit(".", 1)[-1])
    name = module.config.get("module_input_name", "sentence_embedding")
    if activation is None or name != "sentence_embedding" or module.config.get("use_residual"):
        raise ModelFilesError(f"{module.folder}: Dense {dict(module.config)} is not supported.")
    return lambda vectors, mask: activation(torch.nn.functional.linear(vectors, weight, bias))


def _build_layer_norm(module: Module, device: torch.device) -> Step:
    weight, bias = _weight_and_bias(module, device)
    return lambda vectors, mask: torch.nn.functional.layer_norm(vectors, weight.shape, weight, bias)


def _weight_and_bias(module: Module, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The tensors of a step that is one layer."""
    path = module.folder / "model.safetensors"
    if not path.is_file():
        raise ModelFilesError(f"{path} is missing; pickled weights (pytorch_model.bin) are never loaded.")
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelFilesError(f"{path} cannot be read: {error}.") from error
    named = {name.rsplit(".", 1)[-1]: tensor.to(device, torch.float32) for name, tensor in tensors.items()}
    if "weight" not in named or len(tensors) != len(named) or named.keys() - {"weight", "bias"}:
        raise ModelFilesError(f"{path} holds {sorted(tensors)}, where one weight and bias are expected.")
    return named["weight"], named.get("bias")


def _mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return _sum(hidden, mask) / mask.sum(1, keepdim=True).clamp(min=1)


def _sum(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (hidden * mask.unsqueeze(-1)).sum(1)


def _weighted_mean(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Later tokens weigh more, by their position from 1 (SGPT, Muennighoff 2022)."""
    weights = mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (hidden * weights.unsqueeze(-1)).sum(1) / weights.sum(1, keepdim=True)


_POOLING: dict[str, Step] = {
    "cls": lambda hidden, mask: hidden[:, 0],
    "mean": _mean,
    "max": lambda hidden, mask: hidden.masked_fill(mask.unsqueeze(-1) == 0, float("-inf")).amax(1),
    "mean_sqrt_len_tokens": lambda hidden, mask: _sum(hidden, mask) / mask.sum(1, keepdim=True).clamp(min=1).sqrt(),
    "weightedmean": _weighted_mean,
    "lasttoken": lambda hidden, mask: hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1],
}
_OLD_POOLING_KEYS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Identity": lambda vectors: vectors,
    "Tanh": torch.tanh,
    "ReLU": torch.relu,
    "GELU": torch.nn.functional.gelu,
    "Sigmoid": torch.sigmoid,
    "SiLU": torch.nn.functional.silu,
}
_STEPS: dict[str, Callable[[Module, torch.device], Step]] = {
    "Pooling": _build_pooling,
    "Dense": _build_dense,
    "LayerNorm": _build_layer_norm,
    "Normalize": lambda module, device: (  # amid the steps; the one at the end is the caller's
        lambda vectors, mask: torch.nn.functional.normalize(vectors, dim=-1)
    ),
    "Dropout": lambda module, device: lambda vectors, mask: vectors,
}
