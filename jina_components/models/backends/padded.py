"""Any architecture that transformers has a class for, in padded batches: no remote code, safetensors only."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from jina_components.errors import MissingDependencyError, ModelFilesError
from jina_components.models.backends.linear import (
    DTYPES,
    NONE,
    Int8Linear,
    Linear,
    RecordingLinear,
    float_linear,
)
from jina_components.models.backends.packed import Hidden
from jina_components.models.backends.silence import SILENCE
from jina_components.models.sequences import TokenSequence

try:
    import transformers
except ImportError as error:
    raise MissingDependencyError("This model needs transformers: pip install 'jina-components[torch]'.") from error

# Tensors that pooling over tokens does not use: a checkpoint may carry heads, or the temperature it was trained at,
# beside its encoder, and lack the pooler. Any other unexpected or missing tensor means that the architecture is not
# the checkpoint's, which transformers would load with random weights.
_MAY_CARRY = re.compile(
    r"^((head|decoder)\.|logit_scale$)"
    r"|(^|\.)(pooler|cls|lm_head|(pre_)?classifier|vocab_\w+|predictions|position_ids)(\.|$)"
)
_MAY_LACK = re.compile(r"(^|\.)(pooler|position_ids)(\.|$)")
# Families of encoder and decoder that embed with the encoder alone.
ENCODERS = {"t5": "T5EncoderModel", "mt5": "MT5EncoderModel", "umt5": "UMT5EncoderModel"}


def load_padded_encoder(
    folder: Path, config: Mapping[str, Any], device: torch.device, precision: str, calibration: Sequence[TokenSequence]
) -> Callable[..., Iterator[Hidden]]:
    """Token vectors of a checkpoint, in one group a batch.

    Raises:
        ModelFilesError: it cannot be loaded, or lacks or has tensors that its architecture does not.
    """
    auto_class = getattr(transformers, ENCODERS.get(config.get("model_type", ""), "AutoModel"))
    model = _Padded(load_checkpoint(auto_class, folder), device, precision, calibration)

    def encode(batch: Sequence[TokenSequence], *, first_only: bool = False) -> Iterator[Hidden]:
        output, mask = model(batch)
        tokens = slice(1 if first_only else None)
        yield Hidden(list(range(len(batch))), output.last_hidden_state[:, tokens], mask[:, tokens])

    return encode


def load_padded_classifier(
    folder: Path, device: torch.device, precision: str, calibration: Sequence[TokenSequence]
) -> Callable[[Sequence[TokenSequence]], torch.Tensor]:
    """Logits of a sequence-classification checkpoint, shape [len(batch), labels].

    Raises:
        ModelFilesError: as above.
    """
    checkpoint = load_checkpoint(transformers.AutoModelForSequenceClassification, folder)
    model = _Padded(checkpoint, device, precision, calibration)
    return lambda batch: model(batch)[0].logits


class _Padded:
    """A model of transformers on a device, run on padded batches.

    On a CPU only the linear layers of its body run at lower precision: what they give is float32 again, and a head
    stays float32.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401 (transformers is untyped)
        device: torch.device,
        precision: str,
        calibration: Sequence[TokenSequence],
    ) -> None:
        self._device = device
        self._model = model
        self._pad_id = model.config.pad_token_id or 0
        model.config.use_cache = False  # of keys and values, which nobody reads
        self._takes_types = "token_type_ids" in inspect.signature(model.forward).parameters
        if device.type != "cpu":
            for parameter in model.parameters():  # not model.to(dtype), which would round the frequencies of positions
                parameter.data = parameter.data.to(device, DTYPES[precision])
            model.to(device)
        elif precision == "int8":
            swapped = _swap_linears(model, RecordingLinear)
            with torch.inference_mode():
                for sequence in calibration:
                    self([sequence])
            for layer in swapped:
                layer.quantize()
        elif precision != "float32":
            _swap_linears(model, lambda weight, bias: float_linear((weight, bias), NONE, device, DTYPES[precision]))

    def __call__(self, batch: Sequence[TokenSequence]) -> tuple[Any, torch.Tensor]:
        """The model's output, and the attention mask, shape [batch, longest]."""
        shape = (len(batch), max(len(sequence) for sequence in batch))
        ids, mask = np.full(shape, self._pad_id, np.int64), np.zeros(shape, np.int64)
        types = np.zeros(shape, np.int64)
        for row, sequence in enumerate(batch):
            ids[row, : len(sequence)] = sequence.ids
            mask[row, : sequence.num_seen] = 1
            if sequence.type_ids is not None:
                types[row, : len(sequence)] = sequence.type_ids
        inputs = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if self._takes_types else {})
        tensors = {name: torch.from_numpy(array).to(self._device) for name, array in inputs.items()}
        return self._model(**tensors), tensors["attention_mask"]


class SwappedLinear(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """Stands where a torch.nn.Linear stood; gives tokens of any shape in the type that it takes them in."""

    def __init__(self, layer: torch.nn.Linear, make: Callable[[torch.Tensor, torch.Tensor], Linear]) -> None:
        super().__init__()
        bias = torch.zeros(layer.out_features) if layer.bias is None else layer.bias.detach()
        self.linear = make(layer.weight.detach(), bias)
        self.weight = torch.empty(0)  # some models look at its type

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """What the layer gives."""
        result = self.linear(tokens.reshape(-1, tokens.shape[-1])).to(tokens.dtype)
        return result.view(*tokens.shape[:-1], -1)

    def quantize(self) -> None:
        """Make the layer that recorded its inputs int8; one that got none (an expert no text chose) stays float32."""
        recorder = cast("RecordingLinear", self.linear)
        if recorder.has_seen:
            self.linear = Int8Linear(recorder.weight, recorder.bias, low=recorder.low, high=recorder.high)


def _swap_linears(
    model: Any,  # noqa: ANN401 (transformers is untyped)
    make: Callable[[torch.Tensor, torch.Tensor], Linear],
) -> list[SwappedLinear]:
    """Replace the linear layers of a model's body but its pooler's, and return what stands there now."""
    body = getattr(model, model.base_model_prefix, model)
    swapped = []
    for parent in list(body.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear and parent is not getattr(body, "pooler", None):
                layer = SwappedLinear(child, make)
                setattr(parent, name, layer)
                swapped.append(layer)
    return swapped


def load_checkpoint(auto_class: Any, folder: Path) -> Any:  # noqa: ANN401 (transformers is untyped)
    """A model of transformers in float32, ready to run.

    Raises:
        ModelFilesError: it cannot be loaded, or lacks or has tensors that its architecture does not.
    """
    try:
        with SILENCE:
            model, info = auto_class.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,  # refused below: transformers' error names no tensor
                output_loading_info=True,
            )
    except MemoryError:
        raise
    except Exception as error:  # a broken folder may end in any error
        if "out of memory" in str(error) or "can't allocate memory" in str(error):
            raise
        raise ModelFilesError(f"{folder} cannot be loaded with {auto_class.__name__}: {error}") from error
    # A sequence classifier uses its pooler.
    strict = auto_class is transformers.AutoModelForSequenceClassification
    wrong = [key for key in sorted(info["missing_keys"]) if strict or not _MAY_LACK.search(key)]
    wrong += [key for key in sorted(info["unexpected_keys"]) if not _MAY_CARRY.search(key)]
    wrong += sorted(info["mismatched_keys"])  # with both shapes
    if wrong:
        raise ModelFilesError(
            f"{folder} does not hold the weights of {type(model).__name__}: {len(wrong)} tensors are "
            f"missing, unexpected or of another shape, such as {wrong[0]!r}."
        )
    return model.eval()
