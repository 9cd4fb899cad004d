"""Who is measured: a table of contenders, each loaded in a process of its own that imports only what it needs.

A contender's `load(folder, threads)` gives a function that embeds a list of texts (or one text), or scores a
`{"query": …, "documents": […]}`. Vectors are unit length. Everyone gets the same folder, in which `exports` has put
ONNX and OpenVINO files, and the same number of threads; batch sizes and the rest are everyone's defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Run = Callable[[Any], Any]

ONNX, ONNX_INT8 = "onnx/model.onnx", "onnx/model_qint8_avx512_vnni.onnx"
OPENVINO, OPENVINO_INT8 = "openvino/openvino_model.xml", "openvino/openvino_model_qint8_quantized.xml"
# Tokens of a pass, padding included, of the runners that are written here.
_BUDGET = 4096


@dataclass(frozen=True)
class Contender:
    """A way to run the model: how it is loaded, the modules it needs, and its file in the folder if it has its own.

    `bundled` is one of our own models, whose results are not to be compared with the baseline's.
    """

    load: Callable[[Path, int], Run]
    needs: tuple[str, ...]
    file: str = ""
    bundled: bool = False


def _ours(folder: Path | str, threads: int, *, precision: str = "auto", backend: str = "auto") -> Run:  # noqa: ARG001
    from jina_components import Embedder

    embedder = Embedder(folder, backend=backend, precision=precision, truncate=True)
    return lambda job: embedder.embed_query(job) if isinstance(job, str) else embedder.embed(job).vectors


def _our_reranker(folder: Path | str, threads: int, *, precision: str = "auto") -> Run:  # noqa: ARG001
    from jina_components import Reranker
    from jina_components.models import scoring

    scoring._RECENT = 0  # noqa: SLF001 (each round has the same documents: they are to be read again, as by the peers)
    reranker = Reranker(folder, precision=precision)

    def run(job: Any) -> Any:  # noqa: ANN401
        scores = np.empty(len(job["documents"]))
        for hit in reranker.rerank(job["query"], job["documents"]):
            scores[hit.index] = hit.score
        return np.log(scores) - np.log1p(-scores)  # the logits, as of the peers

    return run


def _session_options(threads: int) -> Any:  # noqa: ANN401
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return options


_BACKEND_OPTIONS: dict[str, Callable[[int], dict[str, Any]]] = {
    "torch": lambda threads: {},
    "onnx": lambda threads: {"provider": "CPUExecutionProvider", "session_options": _session_options(threads)},
    "openvino": lambda threads: {"ov_config": {"INFERENCE_NUM_THREADS": str(threads)}},
}


def _options(file: str, threads: int) -> tuple[str, dict[str, Any]]:
    """sentence-transformers' backend and model_kwargs for a file."""
    backend = Path(file).parent.name or "torch"
    return backend, {**({"file_name": file} if file else {}), **_BACKEND_OPTIONS[backend](threads)}


def _autocast(*, bf16: bool) -> Any:  # noqa: ANN401
    if not bf16:
        return nullcontext()
    import torch

    return torch.autocast("cpu", torch.bfloat16)


def _sentence_transformers(folder: Path, threads: int, *, file: str = "", bf16: bool = False) -> Run:
    from sentence_transformers import SentenceTransformer

    backend, options = _options(file, threads)
    model = SentenceTransformer(str(folder), device="cpu", backend=backend, model_kwargs=options)  # type: ignore[arg-type]

    def run(job: Any) -> Any:  # noqa: ANN401
        with _autocast(bf16=bf16):
            return model.encode(job, normalize_embeddings=True, show_progress_bar=False)

    return run


def _cross_encoder(folder: Path, threads: int, *, file: str = "", bf16: bool = False) -> Run:
    import torch
    from sentence_transformers import CrossEncoder

    backend, options = _options(file, threads)
    model = CrossEncoder(str(folder), device="cpu", backend=backend, model_kwargs=options)

    def run(job: Any) -> Any:  # noqa: ANN401
        with _autocast(bf16=bf16):
            pairs = [(job["query"], document) for document in job["documents"]]
            # Logits, since a sigmoid in float32 ties what it saturates.
            return model.predict(pairs, activation_fn=torch.nn.Identity(), show_progress_bar=False)

    return run


def _fastembed(folder: Path, threads: int) -> Run:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="local/model",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="local/model"),
        dim=384,
        model_file=ONNX,
    )
    model = TextEmbedding("local/model", specific_model_path=str(folder), threads=threads)
    return lambda job: np.array(list(model.embed(job)))


def _infinity(folder: Path, threads: int) -> Run:  # noqa: ARG001
    from infinity_emb import EngineArgs, SyncEngineArray

    name = str(folder)
    settings = EngineArgs(
        model_name_or_path=name, engine="torch", device="cpu", model_warmup=False, bettertransformer=False
    )
    engines = SyncEngineArray.from_args([settings])
    return lambda job: np.array(engines.embed(model=name, sentences=[job] if isinstance(job, str) else job).result()[0])


def _bare_transformers(folder: Path, threads: int) -> Run:  # noqa: ARG001
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()

    def forward(inputs: dict[str, Any]) -> Any:  # noqa: ANN401
        with torch.inference_mode():
            return model(**{name: torch.from_numpy(value) for name, value in inputs.items()})[0].numpy()

    return _sorted_by_length(folder, forward)


def _bare_openvino(folder: Path, threads: int, *, file: str) -> Run:
    import openvino

    model = openvino.Core().compile_model(
        str(folder / file), "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    )
    names = {name for port in model.inputs for name in port.names}
    request = model.create_infer_request()

    def forward(inputs: dict[str, Any]) -> Any:  # noqa: ANN401
        return request.infer({name: value for name, value in inputs.items() if name in names})[0]

    return _sorted_by_length(folder, forward)


def _sorted_by_length(folder: Path, forward: Callable[[dict[str, Any]], Any]) -> Run:
    """Batches of like lengths within a token budget; pools token vectors, and passes logits through."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512, strategy="longest_first")

    def run(job: Any) -> Any:  # noqa: ANN401
        inputs = [job] if isinstance(job, str) else job
        if isinstance(job, dict):
            inputs = [(job["query"], document) for document in job["documents"]]
        rows: list[int] = []
        results = []
        for batch, arrays in _batches(tokenizer, inputs):
            found = forward(arrays)
            results.append(_pool(found, arrays["attention_mask"]) if found.ndim == 3 else found[:, 0])
            rows += batch
        joined = np.concatenate(results)
        ordered = np.empty_like(joined)
        ordered[rows] = joined
        return ordered

    return run


def _batches(tokenizer: Tokenizer, inputs: Sequence[Any]) -> Iterator[tuple[list[int], dict[str, Any]]]:
    encodings = tokenizer.encode_batch(list(inputs))
    order = sorted(range(len(encodings)), key=lambda row: -len(encodings[row].ids))
    while order:
        width = len(encodings[order[0]].ids)
        batch, order = order[: max(1, _BUDGET // width)], order[max(1, _BUDGET // width) :]
        arrays = {name: np.zeros((len(batch), width), np.int64) for name in _INPUTS}
        for line, row in enumerate(batch):
            for name, attribute in _INPUTS.items():
                values = getattr(encodings[row], attribute)
                arrays[name][line, : len(values)] = values
        yield batch, arrays


_INPUTS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


def _pool(tokens: Any, mask: Any) -> Any:  # noqa: ANN401
    summed = np.einsum("ntd,nt->nd", tokens, mask.astype(np.float32))
    return summed / np.linalg.norm(summed, axis=1, keepdims=True)


def _bundled(load: Callable[[str, int], Run], name: str) -> Contender:
    return Contender(lambda _, threads: load(name, threads), ("jina_components",), bundled=True)


_OURS = ("jina_components", "torch")
_ST = ("sentence_transformers",)
_ST_ONNX, _ST_OPENVINO = (*_ST, "optimum.onnxruntime"), (*_ST, "optimum.intel.openvino")
PRECISIONS = ("float32", "bfloat16", "int8")
BASELINE = "sentence-transformers"

EMBEDDING: dict[str, Contender] = {
    **{f"ours {name}": Contender(partial(_ours, precision=name), _OURS) for name in PRECISIONS},
    "ours onnx": Contender(partial(_ours, precision="float32", backend="onnx"), ("jina_components", "onnxruntime")),
    **{name: _bundled(_ours, name) for name in ("small-embedding-v1", "static-minilm-v1")},
    BASELINE: Contender(_sentence_transformers, _ST),
    "sentence-transformers bf16": Contender(partial(_sentence_transformers, bf16=True), _ST),
    "sentence-transformers onnx": Contender(partial(_sentence_transformers, file=ONNX), _ST_ONNX, ONNX),
    "sentence-transformers onnx int8": Contender(partial(_sentence_transformers, file=ONNX_INT8), _ST_ONNX, ONNX_INT8),
    "sentence-transformers openvino": Contender(partial(_sentence_transformers, file=OPENVINO), _ST_OPENVINO, OPENVINO),
    "sentence-transformers openvino int8": Contender(
        partial(_sentence_transformers, file=OPENVINO_INT8), _ST_OPENVINO, OPENVINO_INT8
    ),
    "FastEmbed": Contender(_fastembed, ("fastembed",), ONNX),
    "Infinity": Contender(_infinity, ("infinity_emb", "sentence_transformers")),
    "openvino, sorted": Contender(partial(_bare_openvino, file=OPENVINO), ("openvino",), OPENVINO),
    "openvino int8, sorted": Contender(partial(_bare_openvino, file=OPENVINO_INT8), ("openvino",), OPENVINO_INT8),
    "transformers, sorted": Contender(_bare_transformers, ("transformers", "torch")),
}
RERANKING: dict[str, Contender] = {
    **{f"ours {name}": Contender(partial(_our_reranker, precision=name), _OURS) for name in PRECISIONS},
    **{name: _bundled(_our_reranker, name) for name in ("small-reranker-v1", "small-cross-encoder-v1")},
    BASELINE: Contender(_cross_encoder, _ST),
    "sentence-transformers bf16": Contender(partial(_cross_encoder, bf16=True), _ST),
    "sentence-transformers onnx": Contender(partial(_cross_encoder, file=ONNX), _ST_ONNX, ONNX),
    "sentence-transformers onnx int8": Contender(partial(_cross_encoder, file=ONNX_INT8), _ST_ONNX, ONNX_INT8),
    "sentence-transformers openvino": Contender(partial(_cross_encoder, file=OPENVINO), _ST_OPENVINO, OPENVINO),
    "sentence-transformers openvino int8": Contender(
        partial(_cross_encoder, file=OPENVINO_INT8), _ST_OPENVINO, OPENVINO_INT8
    ),
    "openvino, sorted": Contender(partial(_bare_openvino, file=OPENVINO), ("openvino",), OPENVINO),
    "openvino int8, sorted": Contender(partial(_bare_openvino, file=OPENVINO_INT8), ("openvino",), OPENVINO_INT8),
}
CONCURRENCY: dict[str, Contender] = {
    "ours float32": EMBEDDING["ours float32"],
    "ours auto": Contender(partial(_ours, precision="auto"), _OURS),
    BASELINE: EMBEDDING[BASELINE],
}
STARTUP: dict[str, Contender] = {
    "ours, bundled": EMBEDDING["small-embedding-v1"],
    "ours float32": EMBEDDING["ours float32"],
    "ours auto": CONCURRENCY["ours auto"],
    "ours onnx": EMBEDDING["ours onnx"],
    BASELINE: EMBEDDING[BASELINE],
}
TABLES = {"embedding": EMBEDDING, "reranking": RERANKING, "concurrency": CONCURRENCY, "startup": STARTUP}
