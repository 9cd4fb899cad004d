"""Transformer checkpoints as ONNX graphs, run by onnxruntime on the CPU: neither torch nor transformers is imported.

A folder may ship graphs for its weights (`onnx_graphs`). Else a graph is made from the checkpoint itself when it is
first asked for (`onnx_export`, which needs torch), and kept in `cache_folder()`. Other graphs that a folder has
(`onnx/model.onnx`) are not used: what they pool, nobody says.

Nothing is padded: sequences of equal length run together, which on a CPU is as fast as any batch. Graphs that a folder
ships are of small models: each core runs a batch of its own, which is up to 1.4 times as fast as all cores on one.
An int8 graph that was made here has weights of 8 bits with a scale a row, and scales its activations as they come, with
one scale for all of a product's input. So that a vector does not depend on what shares its pass, sequences run one by
one there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock

from jina_components.errors import (
    BackendError,
    ConfigError,
    JinaComponentsError,
    MissingDependencyError,
    ModelFilesError,
)
from jina_components.models.backends.onnx_graphs import Kind, find_graph, relative, weight_paths
from jina_components.models.fingerprint import sha256
from jina_components.models.layout import Layout, read_json
from jina_components.models.sequences import TokenSequence
from jina_components.models.stored import is_stored

# Its official builds report their use to Microsoft over the network from their import on (Privacy.md of onnxruntime),
# unless this is set before; and in a process that imported it earlier, unless told not to.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
try:
    import onnxruntime
except ImportError as error:
    raise MissingDependencyError("Graphs need onnxruntime, which the base brings: pip install onnxruntime.") from error

onnxruntime.disable_telemetry_events()

if TYPE_CHECKING:
    from jina_components.types import FloatArray

logger = logging.getLogger(__name__)

GRAPH = "model.onnx"
_SIZES = "complete.json"  # written last: the size of each file beside it
# Of a batch: few enough for what a layer leaves to the next to stay in a core's cache.
_BATCH_TOKENS = 1024
# Raised when graphs of the same library version must be made anew.
_REVISION = 1
_PRECISIONS = {"auto": "float32", "float32": "float32", "int8": "int8"}
_NO_MEMORY = re.compile(r"bad_?alloc|failed to allocate|out of memory", re.IGNORECASE)
# Both described in onnxruntime_session_options_config_keys.h of onnxruntime: threads wait actively within a pass, but
# not between passes; and int8 products avoid instructions whose 16-bit sums saturate, at less than half the speed.
_SPIN_WITHIN_A_PASS, _AVOID_SATURATION = "session.force_spinning_stop", "session.x64quantprecision"
# Its kernel is 8 times slower than a sum and a LayerNormalization (onnxruntime 1.31, a row of 384 numbers).
_NO_FUSION = ["SkipLayerNormFusion"]
# A graph of one node: c = MatMulInteger(a: uint8, b: int8).
_PRODUCT = (
    b'\x08\n:>\n\x18\n\x01a\n\x01b\x12\x01c"\rMatMulInteger\x12\x01gZ\t\n\x01a\x12\x04\n\x02\x08\x02'
    b"Z\t\n\x01b\x12\x04\n\x02\x08\x03b\t\n\x01c\x12\x04\n\x02\x08\x06B\x04\n\x00\x10\x14"
)


def cache_folder() -> Path:
    """Where graphs are kept: `jina_components/onnx` in `$XDG_CACHE_HOME`, or else in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jina_components" / "onnx"


def load_onnx_embedding(layout: Layout, *, device: str = "auto", precision: str = "auto") -> OnnxBackend:
    """A sentence-transformers folder as a graph that gives the vector before a closing Normalize step.

    Args:
        layout: The folder.
        device: `auto` or `cpu`.
        precision: `auto`, `float32` or `int8`. `auto` is int8 for a folder that ships graphs, else float32.

    Raises:
        ConfigError: another device or precision.
        ModelFilesError: the checkpoint cannot be loaded, its graphs are for other weights, or the cache folder cannot
            be written.
        MissingDependencyError: the graph is not in the cache, and what makes it is not installed.
        BackendError: the checkpoint cannot be exported, or its graph cannot be run.
    """
    return _load(layout, "embedding", device, precision)


def load_onnx_cross_encoder(layout: Layout, *, device: str = "auto", precision: str = "auto") -> OnnxBackend:
    """A sequence-classification checkpoint as a graph that gives a pair's logits, one a label; the rest as above."""
    return _load(layout, "cross-encoder", device, precision)


class OnnxBackend:
    """A graph on the CPU.

    Args:
        graph: The file. It takes int64 `input_ids` and, if it knows them, `token_type_ids`, of shape [batch, length],
            and gives float32 rows.
        precision: What it computes in: `float32` or `int8`.
        alone: Run sequences one by one, for a graph that scales activations by all that share a pass.
        workers: Threads that run a batch each on a core; None runs one batch after the other, each on all cores.
        remedy: For the error: what to do about a damaged graph.

    Raises:
        BackendError: it cannot be run.
    """

    padded = False
    device = "cpu"

    def __init__(
        self,
        graph: Path,
        *,
        precision: str = "float32",
        alone: bool = False,
        workers: int | None = None,
        remedy: str = "Fetch the model again.",
    ) -> None:
        self.precision = precision
        # Two batches for each worker, so that none waits long for another's end.
        self.token_budget = _BATCH_TOKENS * (2 * workers if workers is not None and workers > 1 else 1)
        self._alone = alone
        self._workers = workers
        try:
            self._session = _open_session(graph, threads=0 if workers is None else 1)
            self._takes_types = any(row.name == "token_type_ids" for row in self._session.get_inputs())
            self.width = int(self.run([TokenSequence(np.zeros(1, np.int32))]).shape[1])
        except Exception as error:  # onnxruntime's errors share no other base
            raise BackendError(f"{graph} cannot be run: {error}. {remedy}") from error

    def run(self, batch: Sequence[TokenSequence]) -> FloatArray:
        """What the graph gives, float32, shape [len(batch), width]."""
        groups: dict[int, list[int]] = {}
        for row, sequence in enumerate(batch):
            groups.setdefault(row if self._alone else len(sequence), []).append(row)
        parts = list(groups.values())
        if self._workers is not None:
            parts = [part for rows in parts for part in _split(rows, len(batch[rows[0]]))]
        inputs = [[batch[row] for row in part] for part in parts]
        if self._workers is not None and self._workers > 1 < len(parts):
            # Threads of this pass alone: they start in a ten-thousandth of a second, and survive a fork.
            with ThreadPoolExecutor(self._workers) as workers:
                results = list(workers.map(self._run_equal, inputs))
        else:
            results = [self._run_equal(part) for part in inputs]
        ordered = np.empty((len(batch), results[0].shape[1]), np.float32)
        for part, rows in zip(parts, results, strict=True):
            ordered[part] = rows
        return ordered

    def _run_equal(self, batch: Sequence[TokenSequence]) -> FloatArray:
        ids = np.stack([sequence.ids for sequence in batch]).astype(np.int64)
        inputs = {"input_ids": ids}
        if self._takes_types:
            inputs["token_type_ids"] = types = np.zeros_like(ids)
            for row, sequence in enumerate(batch):
                types[row] = 0 if sequence.type_ids is None else sequence.type_ids
        try:
            return np.asarray(self._session.run(None, inputs)[0])
        except Exception as error:
            if _NO_MEMORY.search(str(error)):  # only the text tells it apart
                raise MemoryError(str(error)) from error
            raise


def _split(rows: list[int], length: int) -> Iterator[list[int]]:
    """Batches of sequences of a length."""
    size = max(1, _BATCH_TOKENS // length)
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _open_session(graph: Path, threads: int) -> onnxruntime.InferenceSession:
    """A session that runs a batch in so many threads; 0 for one a core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # With an arena, or a plan of memory for each shape seen, memory grows with the number of different shapes.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 4  # what goes wrong is raised, so it need not be on stderr too
    options.add_session_config_entry(_SPIN_WITHIN_A_PASS, "1")
    options.add_session_config_entry(_AVOID_SATURATION, str(int(_saturates())))
    return onnxruntime.InferenceSession(
        graph, options, providers=["CPUExecutionProvider"], disabled_optimizers=_NO_FUSION
    )


def _cores() -> int:
    """Those that the process may use, or fewer if OMP_NUM_THREADS says so."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, max(1, int(asked))) if asked.isdigit() else allowed


@cache
def _saturates() -> bool:
    """Whether int8 products are wrong on this CPU unless told not to be, as on x86 without VNNI."""
    session = onnxruntime.InferenceSession(_PRODUCT, providers=["CPUExecutionProvider"])
    left, right = np.full((2, 64), 255, np.uint8), np.full((64, 32), 127, np.int8)
    [product] = session.run(None, {"a": left, "b": right})
    return bool((product != left.astype(np.int32) @ right.astype(np.int32)).any())


def _load(layout: Layout, kind: Kind, device: str, precision: str) -> OnnxBackend:
    if device not in ("auto", "cpu"):
        raise ConfigError(f"backend='onnx' runs on the CPU, not on {device!r}: use device='cpu', or backend='torch'.")
    if precision not in _PRECISIONS:
        raise ConfigError(
            f"backend='onnx' does not run in {precision!r}: use {', '.join(_PRECISIONS)}, or backend='torch'."
        )
    if layout.ships_graphs:
        precision = "int8" if precision == "auto" else precision
        return OnnxBackend(find_graph(layout, kind, precision), precision=precision, workers=_cores())
    if any(map(is_stored, weight_paths(layout))):
        raise ModelFilesError(f"{layout.folder} has stored weights, but no graphs for them: use backend='torch'.")
    precision = _PRECISIONS[precision]
    graph = _graph(layout, kind, precision)
    remedy = f"If it was damaged, delete {graph.parent}; it will be made anew."
    return OnnxBackend(graph, precision=precision, alone=precision == "int8", remedy=remedy)


def _graph(layout: Layout, kind: Kind, precision: str) -> Path:
    """The file of a graph, made if need be."""
    folder = cache_folder() / _key(layout, kind)

    def export(draft: Path) -> None:
        try:
            from jina_components.models.backends.onnx_export import export_graph
        except ImportError as error:
            raise MissingDependencyError(
                f"The ONNX graph of {layout.folder} is not in {folder}, and making it needs torch, transformers, onnx "
                f"and onnxscript ({error}): pip install 'jina-components[torch,onnx]'. It runs without torch once made."
            ) from error
        export_graph(layout, kind, draft / GRAPH)

    def quantize(draft: Path) -> None:
        _quantize(_complete(folder / "float32", export, layout) / GRAPH, draft / GRAPH)

    make = {"float32": export, "int8": quantize}[precision]
    return _complete(folder / precision, make, layout) / GRAPH


def _key(layout: Layout, kind: Kind) -> str:
    """A digest of all that a graph follows from.

    The versions of torch and transformers are not among it: a graph was compared with them when it was made, and runs
    where they are not installed.
    """
    identity = [
        version("jina-components"),
        _REVISION,
        kind,
        layout.config,
        [(module.type, relative(module.folder, layout), module.config) for module in layout.modules],
        [(relative(file, layout), sha256(file)) for file in weight_paths(layout)],
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def _complete(folder: Path, make: Callable[[Path], None], layout: Layout) -> Path:
    """The folder, with what `make` writes into it: once, however many processes ask."""
    if _is_complete(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not _is_complete(folder):
                _write(folder, make, layout)
    except JinaComponentsError:
        raise
    except OSError as error:
        raise ModelFilesError(
            f"{folder} cannot be written: {error}. Set XDG_CACHE_HOME to a folder with room that can be written."
        ) from error
    return folder


def _is_complete(folder: Path) -> bool:
    """Whether all files are there at their sizes; a graph that onnxruntime maps beyond its end kills the process."""
    try:
        sizes = read_json(folder / _SIZES, default={})
        return bool(sizes) and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except OSError:
        return False


def _write(folder: Path, make: Callable[[Path], None], layout: Layout) -> None:
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed
    draft.mkdir()
    logger.info("making an ONNX graph of %s in %s: once, and it takes a while", layout.folder, folder)
    start = time.perf_counter()
    try:
        make(draft)
        sizes = {file.name: file.stat().st_size for file in draft.iterdir()}
        (draft / _SIZES).write_text(json.dumps(sizes), encoding="utf-8")
        if folder.exists():
            logger.warning("%s was damaged or incomplete and is replaced", folder)
            shutil.rmtree(folder)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    logger.info("made %s in %.1f s (%d MB)", folder, time.perf_counter() - start, sum(sizes.values()) / 1e6)


def _quantize(graph: Path, target: Path) -> None:
    """Write a graph with the weights of its linear layers in int8, a scale a row; attention stays float32."""
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise MissingDependencyError("Making an int8 graph needs onnx: pip install 'jina-components[onnx]'.") from error
    try:
        model = onnx.load(graph)
        # Shapes that the exporter noted: onnxruntime infers them anew, and takes a transposed weight for a conflict.
        model.graph.ClearField("value_info")
        quantize_dynamic(
            model,
            target,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=True,
        )
    except OSError:
        raise
    except Exception as error:  # onnx and onnxruntime raise what they will
        raise BackendError(f"{graph} cannot be quantized: {error}. Use precision='float32'.") from error
