"""Checkpoints into ONNX graphs: traced by torch, and compared with torch before anyone may use them."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxscript  # noqa: F401 (which torch.onnx needs: better missed before the checkpoint is loaded)
import torch
import transformers

from jina_components.errors import BackendError, ConfigError, ModelFilesError
from jina_components.models.architectures.native import find_architecture
from jina_components.models.backends.onnx import OnnxBackend
from jina_components.models.backends.onnx_graphs import Kind
from jina_components.models.backends.padded import ENCODERS, load_checkpoint
from jina_components.models.backends.steps import Step, build_step, pools_prompt, sentence_modules
from jina_components.models.layout import Layout
from jina_components.models.sequences import TokenSequence

if TYPE_CHECKING:
    from jina_components.types import FloatArray

_CPU = torch.device("cpu")
_INPUTS = ("input_ids", "token_type_ids")
# Shape that a model is traced at, with both dimensions free, and the lengths that its graph is compared at: alone and
# together, and beyond the window of models that attend locally.
_TRACED = (2, 5)
_COMPARED = (1, 4, 7, 7, 7, 40, 300)
_TOLERANCE = 1e-4


def export_graph(layout: Layout, kind: Kind, target: Path) -> None:
    """Write a float32 graph, and its weights beside it.

    Args:
        layout: The folder.
        kind: `embedding` gives the sentence vector before a closing Normalize step, `cross-encoder` the logits.
        target: The file, in a folder of its own.

    Raises:
        ConfigError: transformers, which the graph is traced from, has no class for it.
        ModelFilesError: the checkpoint cannot be loaded.
        BackendError: it cannot be traced, or the graph gives something else than the checkpoint.
    """
    folder = layout.transformer.folder
    own = find_architecture(folder, layout.config, with_head=kind == "cross-encoder")
    if own is not None and own.only_here:
        raise ConfigError(f"{folder} is of an architecture that is not exported: use backend='torch'.")
    module = _Sentence(layout) if kind == "embedding" else _Logits(layout)
    names = [name for name in _INPUTS if name in inspect.signature(module.model.forward).parameters]
    dynamic = dict.fromkeys((0, 1), torch.export.Dim.DYNAMIC)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module.eval(),
                tuple(torch.ones(_TRACED, dtype=torch.int64) for _ in names),  # one tensor twice is one input
                dynamo=True,
                dynamic_shapes=tuple(dynamic for _ in names),
                input_names=names,
                output_names=["rows"],
                verbose=False,
            )
            # The mark of a graph that onnxruntime's quantizer needs not warn of.
            program.model.metadata_props["onnx.quant.pre_process"] = "onnxruntime.quant"
            program.save(target, external_data=True)
    except OSError:
        raise
    except Exception as error:  # any failure of the tracer, which has errors of its own and Python's
        reason = str(error).strip().partition("\n")[0]
        raise BackendError(
            f"{layout.folder} ({layout.config.get('model_type')}) cannot be exported to ONNX: {type(error).__name__}: "
            f"{reason}. Use backend='torch'."
        ) from error
    _compare(layout, module, target)


class _Model(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """A model of transformers, for sequences without padding."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 (transformers is untyped)
        super().__init__()
        # As written in the paper; the fused form becomes a larger graph, and is no faster in onnxruntime.
        model.set_attn_implementation("eager")
        self.model = model

    def _call(self, ids: torch.Tensor, types: torch.Tensor | None) -> Any:  # noqa: ANN401
        mask = torch.ones_like(ids)
        if types is None:
            return self.model(input_ids=ids, attention_mask=mask)
        return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types)


class _Sentence(_Model):
    """Ids to sentence vectors before a closing Normalize step."""

    def __init__(self, layout: Layout) -> None:
        auto_class = getattr(transformers, ENCODERS.get(layout.config.get("model_type", ""), "AutoModel"))
        super().__init__(load_checkpoint(auto_class, layout.transformer.folder))
        self._steps = _sentence_steps(layout)

    def forward(self, ids: torch.Tensor, types: torch.Tensor | None = None) -> torch.Tensor:
        vectors: torch.Tensor = self._call(ids, types).last_hidden_state
        for step in self._steps:
            vectors = step(vectors, torch.ones_like(ids))
        return vectors


class _Logits(_Model):
    """Ids of pairs to logits, one a label."""

    def __init__(self, layout: Layout) -> None:
        checkpoint = load_checkpoint(transformers.AutoModelForSequenceClassification, layout.transformer.folder)
        super().__init__(checkpoint)

    def forward(self, ids: torch.Tensor, types: torch.Tensor | None = None) -> torch.Tensor:
        logits: torch.Tensor = self._call(ids, types).logits
        return logits


def _sentence_steps(layout: Layout) -> list[Step]:
    modules = sentence_modules(layout)
    if not pools_prompt(modules[0]):
        raise ModelFilesError(f"{layout.folder} leaves prompts out of its pooling, which a graph cannot: use 'torch'.")
    return [build_step(module, _CPU) for module in modules]


def _compare(layout: Layout, module: _Model, graph: Path) -> None:
    """Run sequences of random ids through the graph, and each of them alone through torch.

    Raises:
        BackendError: they differ.
    """
    positions = layout.config.get("max_position_embeddings") or max(_COMPARED)
    vocabulary = module.model.get_input_embeddings().num_embeddings
    random = np.random.default_rng(0)
    lengths = [max(1, min(length, positions - 2)) for length in _COMPARED]  # some begin to count at 2
    batch = [TokenSequence(random.integers(0, vocabulary, length).astype(np.int32)) for length in lengths]
    got = OnnxBackend(graph).run(batch)
    wanted = np.concatenate([_run_alone(module, sequence) for sequence in batch])
    reach = float(np.abs(wanted).max())
    far = float(np.abs(got - wanted).max()) if got.shape == wanted.shape else float("inf")
    if not far <= _TOLERANCE * reach:  # NaN is no match either
        raise BackendError(
            f"The ONNX graph of {layout.folder} differs from torch by up to {far:.2g} (its values reach {reach:.2g}), "
            "so it is not used. Use backend='torch'."
        )


def _run_alone(module: _Model, sequence: TokenSequence) -> FloatArray:
    ids = torch.from_numpy(sequence.ids.astype(np.int64))[None]
    with torch.inference_mode():
        rows: torch.Tensor = module(ids)
    return np.asarray(rows.numpy())


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of what the tracer warns of is in the caller's hands: the graph is compared instead."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
