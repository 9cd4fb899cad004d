"""Recipe: the ONNX graphs of a small BERT model in the stored form, written over the bytes of its weights.

    python -m jina_components.fine_tuner.recipes.graphs.bert FOLDER

For an embedder (Transformer, mean Pooling, Dense steps, Normalize) or a cross-encoder. Products of the int8 graph take
weights as they are stored, and inputs at a scale that calibration texts gave, so that a row depends on nothing beside
it. A few features of an input reach far beyond the others, and would leave them few of the 256 steps: what these
features have beyond the range of the rest is multiplied in float32 and added, so none of it is lost (after LLM.int8(),
Dettmers et al. 2022). On the six layers of all-MiniLM-L6-v2 that is a cosine of .9988 to float32, without it .9936.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import onnx
import onnxruntime

from jina_components.errors import ConfigError, ModelFilesError
from jina_components.fine_tuner.recipes.graphs.writer import MICROSOFT, GraphWriter, StoredTensors
from jina_components.models.architectures.bert import FAMILIES, is_native
from jina_components.models.architectures.blocks import ACTIVATIONS
from jina_components.models.backends.onnx_graphs import FILES, relative, write_index
from jina_components.models.backends.steps import pooling_modes, pools_prompt, sentence_modules
from jina_components.models.calibration import TEXTS
from jina_components.models.layout import Layout, Module, read_layout
from jina_components.models.sequences import TokenSequence
from jina_components.models.stored import is_stored
from jina_components.models.tokenize import TextTokenizer, load_tokenizer

if TYPE_CHECKING:
    from jina_components.types import FloatArray

Range: TypeAlias = "tuple[FloatArray, FloatArray]"
"""Lowest and highest value of each feature of an input."""
Ranges: TypeAlias = dict[str, Range]
"""By the name of the first linear layer that takes the input."""

_FAMILY = FAMILIES["bert"]
_FAR = 8
# Documents that each calibration text is a query beside: of a pair's first token, only one is seen a pair.
_BESIDE = 6
_WORDS = "embeddings.word_embeddings.weight"


class _Quantized(NamedTuple):
    """An input of int8 products: values, scale and zero point; its far features, and what these have beyond."""

    values: str
    scale: str
    zero: str
    far: str
    excess: str


def write_graphs(folder: Path, calibration: Sequence[TokenSequence]) -> None:
    """Write the graphs of a stored model, and the index that declares them.

    Args:
        folder: An embedder as sentence-transformers saves it, or a BertForSequenceClassification.
        calibration: Inputs that show the range of every product's input.

    Raises:
        ConfigError: a model of another architecture or with other steps; says which.
        ModelFilesError: the folder lacks something.
    """
    layout = read_layout(folder)
    if layout.config.get("model_type") != "bert" or not is_native(layout.config):
        raise ConfigError(f"{folder} is no BERT with learned positions: no graph is written for it.")
    if not is_stored(layout.transformer.folder / "model.safetensors"):
        raise ModelFilesError(f"{folder} does not hold its weights in the stored form: write_stored brings them there.")
    plain = _Bert(layout, None)
    onnx.save(plain.model(), folder / FILES["float32"])
    onnx.save(_Bert(layout, _calibrate(plain, folder, calibration)).model(), folder / FILES["int8"])
    write_index(layout, "cross-encoder" if layout.is_cross_encoder else "embedding")


class _Bert:
    """A model's graph.

    Args:
        layout: The model.
        ranges: Of the inputs of products, for int8; None for float32, which notes these inputs.
    """

    def __init__(self, layout: Layout, ranges: Ranges | None) -> None:
        self.inputs: dict[str, str] = {}
        self._layout, self._ranges, self._config = layout, ranges, layout.config
        self._graph = GraphWriter()
        self._weights = self._tensors(layout.transformer.folder, _FAMILY.prefix)
        self._hidden = int(layout.config["hidden_size"])
        sizes = self._graph.node("Shape", "input_ids")
        self._shape = self._graph.node(
            "Concat", sizes, self._graph.integers(self._hidden), attributes={"axis": 0}
        )  # [batch, length, hidden]
        self._rows = self._run()

    def model(self, *also: str) -> onnx.ModelProto:
        """The graph; `also` are values that it gives beside its rows."""
        names = ["input_ids", "token_type_ids"] if self._layout.is_cross_encoder else ["input_ids"]
        return self._graph.model("rows", names, [self._rows, *also])

    def _tensors(self, folder: Path, prefix: str = "") -> StoredTensors:
        path = folder / "model.safetensors"
        return StoredTensors(self._graph, path, relative(path, self._layout), prefix)

    def _run(self) -> str:
        tokens = self._graph.node("Reshape", self._embed(), self._graph.integers(-1, self._hidden))
        pairs, layers = self._layout.is_cross_encoder, int(self._config["num_hidden_layers"])
        for number in range(layers):
            tokens = self._layer(tokens, number, first_only=pairs and number == layers - 1)
        return self._classify(tokens) if pairs else self._pool(tokens)

    def _embed(self) -> str:
        graph, weights = self._graph, self._weights
        words = graph.node(
            "GatherBlockQuantized", weights.stored(_WORDS), "input_ids", weights.scale(_WORDS), domain=MICROSOFT,
            attributes={"bits": 4, "block_size": weights.group(_WORDS), "gather_axis": 0, "quantize_axis": 1},
        )  # fmt: skip
        positions, types = (weights.floats(f"embeddings.{one}_embeddings.weight") for one in ("position", "token_type"))
        length = graph.node("Shape", "input_ids", attributes={"start": 1})
        positions = graph.node("Slice", positions, graph.integers(0), length, graph.integers(0))
        types = graph.node("Gather", types, "token_type_ids" if self._layout.is_cross_encoder else graph.integers(0))
        return self._norm(graph.node("Add", words, graph.node("Add", positions, types)), "embeddings.LayerNorm")

    def _layer(self, tokens: str, number: int, *, first_only: bool) -> str:
        residual = self._first(tokens) if first_only else tokens
        context = self._attend(residual, tokens, number)
        [output] = self._linear(context, _FAMILY.output.format(number))
        tokens = self._norm(self._graph.node("Add", output, residual), _FAMILY.output_norm.format(number))
        [inner] = self._linear(tokens, _FAMILY.up.format(number))
        function, approximation = ACTIVATIONS[self._config.get("hidden_act", "gelu")]
        attributes = {"approximate": approximation} if approximation else None
        inner = self._graph.node(function.capitalize(), inner, attributes=attributes)
        [down] = self._linear(inner, _FAMILY.down.format(number))
        return self._norm(self._graph.node("Add", down, tokens), _FAMILY.down_norm.format(number))

    def _attend(self, asking: str, tokens: str, number: int) -> str:
        """Attention of tokens, or of the first ones, to all."""
        names = [part.format(number) for part in (_FAMILY.query, _FAMILY.key, _FAMILY.value)]
        if asking == tokens:
            query, key, value = self._linear(tokens, *names)
            query = self._graph.node("Reshape", query, self._shape)
        else:
            [query], [key, value] = self._linear(asking, names[0]), self._linear(tokens, *names[1:])
            query = self._graph.node("Unsqueeze", query, self._graph.integers(1))
        key, value = (self._graph.node("Reshape", part, self._shape) for part in (key, value))
        context = self._graph.node(
            "MultiHeadAttention", query, key, value, domain=MICROSOFT,
            attributes={"num_heads": int(self._config["num_attention_heads"])},
        )  # fmt: skip
        return self._graph.node("Reshape", context, self._graph.integers(-1, self._hidden))

    def _first(self, tokens: str) -> str:
        """The first token of each sequence."""
        whole = self._graph.node("Reshape", tokens, self._shape)
        return self._graph.node("Gather", whole, self._graph.constant(np.int64(0)), attributes={"axis": 1})

    def _classify(self, first: str) -> str:
        pooler, activation, classifier = _FAMILY.head
        pooled = self._graph.node(activation.capitalize(), self._affine(self._weights, first, pooler))
        return self._affine(self._weights, pooled, classifier)

    def _pool(self, tokens: str) -> str:
        pooling, *steps = sentence_modules(self._layout)
        if pooling_modes(pooling) != ["mean"] or not pools_prompt(pooling):
            raise ConfigError(f"{pooling.folder}: {dict(pooling.config)} is not the mean that graphs are written for.")
        whole = self._graph.node("Reshape", tokens, self._shape)
        vectors = self._graph.node("ReduceMean", whole, self._graph.integers(1), attributes={"keepdims": 0})
        for step in steps:
            vectors = self._dense(vectors, step)
        return vectors

    def _dense(self, vectors: str, step: Module) -> str:
        if step.type != "Dense" or not str(step.config.get("activation_function")).endswith("Identity"):
            raise ConfigError(f"{step.folder}: no graph is written for {step.type} {dict(step.config)}.")
        return self._affine(self._tensors(step.folder), vectors, "linear")

    def _linear(self, tokens: str, *names: str) -> list[str]:
        """Linear layers of one input, shape [tokens, features]."""
        if self._ranges is None:
            self.inputs[names[0]] = tokens
            return [self._affine(self._weights, tokens, name) for name in names]
        quantized = self._quantize(tokens, *self._ranges[names[0]])
        return [self._product(quantized, name) for name in names]

    def _quantize(self, tokens: str, low: FloatArray, high: FloatArray) -> _Quantized:
        order = np.argsort(-np.maximum(np.abs(low), np.abs(high)), kind="stable")
        far, near = np.split(order, [min(_FAR, len(order) // 4)])
        smallest, largest = min(0.0, float(low[near].min())), max(0.0, float(high[near].max()))
        step = np.float32(max(largest - smallest, 1e-6) / 255)
        offset = round(-smallest / float(step))
        graph = self._graph
        scale, zero, indices = (graph.constant(one) for one in (step, np.uint8(offset), np.sort(far)))
        ends = [graph.constant(np.float32(end - offset) * step) for end in (0, 255)]
        gathered = graph.node("Gather", tokens, indices, attributes={"axis": 1})
        excess = graph.node("Sub", gathered, graph.node("Clip", gathered, *ends))
        return _Quantized(graph.node("QuantizeLinear", tokens, scale, zero), scale, zero, indices, excess)

    def _product(self, tokens: _Quantized, name: str) -> str:
        graph, weight = self._graph, f"{name}.weight"
        columns = graph.node("Transpose", self._weights.stored(weight), attributes={"perm": [1, 0]})
        scales = graph.node("Reshape", self._weights.scale(weight), graph.integers(-1))
        bias = self._weights.stored(f"{name}.bias")
        near = graph.node(
            "MatMulIntegerToFloat",
            tokens.values,
            columns,
            tokens.scale,
            scales,
            tokens.zero,
            "",
            bias,
            domain=MICROSOFT,
        )
        far = graph.node("Gather", self._weights.floats(weight), tokens.far, attributes={"axis": 1})
        return graph.node("Gemm", tokens.excess, far, near, attributes={"transB": 1})

    def _affine(self, weights: StoredTensors, tokens: str, name: str) -> str:
        bias = [weights.floats(f"{name}.bias")] if f"{name}.bias" in weights else []
        return self._graph.node("Gemm", tokens, weights.floats(f"{name}.weight"), *bias, attributes={"transB": 1})

    def _norm(self, tokens: str, name: str) -> str:
        parts = [self._weights.floats(f"{name}.{part}") for part in ("weight", "bias")]
        epsilon = float(self._config.get("layer_norm_eps", _FAMILY.epsilon))
        return self._graph.node("LayerNormalization", tokens, *parts, attributes={"axis": -1, "epsilon": epsilon})


def _calibrate(bert: _Bert, folder: Path, sequences: Sequence[TokenSequence]) -> Ranges:
    """Ranges of the inputs of products over sequences, each run alone."""
    watched = list(dict.fromkeys(bert.inputs.values()))
    draft = folder / "calibration.onnx"  # beside the weights that it names
    onnx.save(bert.model(*watched), draft)
    try:
        session = onnxruntime.InferenceSession(draft, providers=["CPUExecutionProvider"])
        seen = [_ranges(session.run(watched, _feed(session, one))) for one in sequences]
    finally:
        draft.unlink()
    ranges = {
        value: (np.min([low for low, _ in column], 0), np.max([high for _, high in column], 0))
        for value, column in zip(watched, zip(*seen, strict=True), strict=True)
    }
    return {name: ranges[value] for name, value in bert.inputs.items()}


def _ranges(values: Sequence[FloatArray]) -> list[Range]:
    return [(value.min(0), value.max(0)) for value in values]


def _feed(session: onnxruntime.InferenceSession, sequence: TokenSequence) -> dict[str, object]:
    types = np.zeros_like(sequence.ids) if sequence.type_ids is None else sequence.type_ids
    given = {"input_ids": sequence.ids, "token_type_ids": types}
    return {row.name: given[row.name][None].astype(np.int64) for row in session.get_inputs()}


def calibration_sequences(folder: Path, texts: Sequence[str] = TEXTS) -> list[TokenSequence]:
    """Texts as a model takes them: for a cross-encoder, each as a query beside those that follow it.

    Args:
        folder: With `tokenizer.json` and `config.json`.
        texts: At least two.
    """
    layout = read_layout(folder)
    tokenizer = TextTokenizer(
        load_tokenizer(layout.transformer.folder / "tokenizer.json"),
        context=int(layout.config["max_position_embeddings"]),
        segments=layout.is_cross_encoder,
    )
    if not layout.is_cross_encoder:
        return tokenizer.texts(texts, truncate=True)
    following = [[texts[(place + step) % len(texts)] for step in range(1, _BESIDE + 1)] for place in range(len(texts))]
    pairs = [tokenizer.pairs(query, some, truncate=True) for query, some in zip(texts, following, strict=True)]
    return [chunk for documents in pairs for chunks in documents for chunk in chunks]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write graphs into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a model whose weights are in the stored form")
    folder = parser.parse_args(arguments).folder
    write_graphs(folder, calibration_sequences(folder))
    print(f"wrote {', '.join(FILES.values())} into {folder}")


if __name__ == "__main__":
    main()
