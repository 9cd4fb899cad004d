"""Indexes of FAISS: how each is built, searched for candidates, and kept in a file. What they find is rescored outside.

An engine is not changed by a search, and any number of threads may search it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import faiss
import numpy as np

from jina_components.retriever.dense.plans import Exact, Graph, Lists, Plan, Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.retriever.dense.exact import Slots
    from jina_components.types import FloatArray

Stop = Callable[[], bool]

_BITS = 4  # of a product code, which stands for as many dimensions
_REGISTER = 16  # int8 codes of such a multiple are compared several times faster
_SAMPLE = 65_536
_SAMPLE_OF_LIST = 64
_ROUNDS = 6  # of k-means
_SEED = 7
# Vectors that are added between two looks at `stop`: well under a second for a graph on one thread.
_SLICE = 2_000
_FAR = np.float32(2)  # vectors of this length are farther from a unit vector than other unit vectors mostly are
# A graph gives so many candidates at least.
_LEAST = 20
_HALF = 0.5  # filters that let less through do not have more lists probed than twice as many


class BuildStopped(Exception):  # noqa: N818 (nothing is wrong)
    """The building of an index was called off; nothing has changed."""


class DenseEngine(Protocol):
    """An index of FAISS with what is to be known of it."""

    index: Any
    scale: float

    def add(self, vectors: FloatArray) -> None:
        """Take more vectors, shape [n, d]."""
        ...

    def candidates(self, queries: FloatArray, k: int, allowed: NDArray[np.bool_] | None, share: float) -> Slots:
        """Slots likely to be among the `k` nearest, -1 behind the last, shape [queries, at least k].

        Args:
            queries: Unit vectors, shape [n, d].
            k: How many are wanted in the end.
            allowed: Which slots may be found; None for all.
            share: How many of all those are.
        """
        ...


class GraphEngine:
    """HNSW by Euclidean distance, which has the order of the cosine on unit vectors.

    int8 codes are whole numbers around 128, and so are those of a query: their distances need no floats.

    Args:
        plan: Its parameters.
        index: The index of FAISS.
        scale: What a component is multiplied by for its code.
    """

    def __init__(self, plan: Graph, index: Any, scale: float) -> None:  # noqa: ANN401
        self.plan, self.index, self.scale = plan, index, scale
        self._parameters = self._of_effort(plan.effort)

    @classmethod
    def empty(cls, plan: Graph, vectors: FloatArray, stop: Stop) -> GraphEngine:  # noqa: ARG003
        """An engine for vectors like these, without them."""
        d = vectors.shape[1]
        if plan.codes == "int8":
            coder = faiss.ScalarQuantizer.QT_8bit_direct
            index = faiss.IndexHNSWSQ(_padded_width(d, _REGISTER), coder, plan.links, faiss.METRIC_L2)
            index.is_trained = True
        else:
            index = faiss.IndexHNSWFlat(d, plan.links, faiss.METRIC_L2)
        index.hnsw.efConstruction = plan.build_effort
        return cls(plan, index, 127.0 / max(float(np.abs(_sample(vectors, _SAMPLE)).max(initial=0)), 1e-6))

    def add(self, vectors: FloatArray) -> None:
        """Take more vectors."""
        # Equal nodes would link to each other alone, and a search that comes to them would not get out: so a little
        # noise goes on all. Zeros go where they are far from every query and each other; their cosine is 0, but they
        # would lie nearer than all whose cosine is below 1/2.
        rng = np.random.default_rng((_SEED, self.index.ntotal))
        empty = ~vectors.any(axis=1, keepdims=True)
        if empty.any():
            vectors = np.where(empty, _unit(rng.standard_normal(vectors.shape, np.float32)) * _FAR, vectors)
        noise = (rng.random(vectors.shape, np.float32) - np.float32(0.5)) / np.float32(self.scale)
        vectors = vectors + noise
        self.index.add(self._coded(vectors))

    def candidates(self, queries: FloatArray, k: int, allowed: NDArray[np.bool_] | None, share: float) -> Slots:
        """As the protocol says."""
        count = min(max(2 * k, _LEAST), self.index.ntotal)
        parameters = self._parameters
        if allowed is not None or count > self.plan.effort:
            # Nodes that are not allowed are walked through but not kept, so the walk goes on longer by itself; not
            # long enough, as was measured: recall@10 at 10% allowed is .92 with the same effort, .98 with this.
            parameters = self._of_effort(max(count, int(self.plan.effort / share**0.5)), allowed)
        found: Slots = self.index.search(self._coded(queries), count, params=parameters)[1]
        return found

    def _coded(self, vectors: FloatArray) -> FloatArray:
        if self.plan.codes == "float32":
            return vectors
        codes: FloatArray = _padded(vectors, self.index.d) * np.float32(self.scale)
        np.rint(codes, out=codes)
        np.clip(codes, -127, 127, out=codes)
        codes += 128
        return codes

    def _of_effort(self, effort: int, allowed: NDArray[np.bool_] | None = None) -> Any:  # noqa: ANN401
        selector = {} if allowed is None else {"sel": _selector(allowed)}
        return faiss.SearchParametersHNSW(efSearch=effort, **selector)


class ScanEngine:
    """All product codes are scanned.

    Args:
        plan: Its parameters.
        index: The index of FAISS.
        scale: Not used.
    """

    def __init__(self, plan: Scan, index: Any, scale: float = 1.0) -> None:  # noqa: ANN401
        self.plan, self.index, self.scale = plan, index, scale

    @classmethod
    def empty(cls, plan: Scan, vectors: FloatArray, stop: Stop) -> ScanEngine:
        """An engine trained for vectors like these, without them."""
        d = _padded_width(vectors.shape[1])
        index = faiss.IndexPQFastScan(d, d // _BITS, _BITS, faiss.METRIC_INNER_PRODUCT)
        index.train(_padded(_sample(vectors, _SAMPLE), d))
        _check(stop)
        return cls(plan, index)

    def add(self, vectors: FloatArray) -> None:
        """Take more vectors."""
        self.index.add(_padded(vectors, self.index.d))

    def candidates(self, queries: FloatArray, k: int, allowed: NDArray[np.bool_] | None, share: float) -> Slots:
        """As the protocol says."""
        # The scan knows no filter: more is found, so that enough is left.
        count = min(int(_wanted(k, self.plan.candidates) / share) + 1, self.index.ntotal)
        found: Slots = self.index.search(_padded(queries, self.index.d), count)[1]
        return found if allowed is None else _left(found, allowed)


class ListsEngine:
    """The codes of some lists are scanned.

    Args:
        plan: Its parameters.
        index: The index of FAISS.
        scale: Not used.
    """

    def __init__(self, plan: Lists, index: Any, scale: float = 1.0) -> None:  # noqa: ANN401
        self.plan, self.index, self.scale = plan, index, scale
        self._parameters = faiss.SearchParametersIVF(nprobe=plan.probes)

    @classmethod
    def empty(cls, plan: Lists, vectors: FloatArray, stop: Stop) -> ListsEngine:
        """An engine trained for vectors like these, without them."""
        d = _padded_width(vectors.shape[1])
        sample = _padded(_sample(vectors, plan.lists * _SAMPLE_OF_LIST), d)
        quantizer = faiss.IndexFlatIP(d)
        quantizer.add(_centroids(sample, plan.lists, stop))
        index = faiss.IndexIVFPQFastScan(quantizer, d, plan.lists, d // _BITS, _BITS, faiss.METRIC_INNER_PRODUCT)
        index.train(sample)
        return cls(plan, index)

    def add(self, vectors: FloatArray) -> None:
        """Take more vectors."""
        self.index.add(_padded(vectors, self.index.d))

    def candidates(self, queries: FloatArray, k: int, allowed: NDArray[np.bool_] | None, share: float) -> Slots:
        """As the protocol says."""
        parameters = self._parameters
        if allowed is not None:
            probes = min(int(self.plan.probes / max(share, _HALF)), self.plan.lists)
            parameters = faiss.SearchParametersIVF(nprobe=probes, sel=_selector(allowed))
        count = min(_wanted(k, self.plan.candidates), self.index.ntotal)
        found: Slots = self.index.search(_padded(queries, self.index.d), count, params=parameters)[1]
        return found


_ENGINES: dict[type, Any] = {Graph: GraphEngine, Scan: ScanEngine, Lists: ListsEngine}


def build(plan: Plan, vectors: FloatArray, stop: Stop) -> DenseEngine | None:
    """An engine of the plan with all vectors; None where the plan needs none.

    Raises:
        BuildStopped: `stop` said so.
    """
    if isinstance(plan, Exact):
        return None
    engine: DenseEngine = _ENGINES[type(plan)].empty(plan, vectors, stop)
    add(engine, vectors, stop)
    return engine


def add(engine: DenseEngine, vectors: FloatArray, stop: Stop) -> None:
    """Add vectors in slices."""
    for part in _slices(vectors):
        _check(stop)
        engine.add(np.ascontiguousarray(part))


def opened(plan: Plan, path: Path, scale: float) -> DenseEngine:
    """The engine that `faiss.write_index` kept at the beginning of a file; what of it can be mapped is.

    Raises:
        RuntimeError: FAISS cannot read it.
    """
    engine: DenseEngine = _ENGINES[type(plan)](plan, faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), scale)
    return engine


def write(engine: DenseEngine, path: Path) -> None:
    """Write an engine to a new file.

    Raises:
        RuntimeError: it cannot be written.
    """
    faiss.write_index(engine.index, str(path))


def memory_bytes(engine: DenseEngine) -> int:
    """Of its codes, edges, numbers and centroids."""
    index = engine.index
    if isinstance(engine, GraphEngine):
        graph, size = index.hnsw, index.d * (1 if engine.plan.codes == "int8" else 4)
        return int(
            size * index.ntotal + 4 * graph.neighbors.size() + 8 * graph.offsets.size() + 4 * graph.levels.size()
        )
    codes = index.ntotal * index.code_size
    if isinstance(engine, ListsEngine):
        return int(codes + 8 * index.ntotal + 4 * index.nlist * index.d)
    return int(codes)


def copied(plan: Plan, engine: DenseEngine) -> DenseEngine:
    """A copy that owns its memory."""
    content = faiss.serialize_index(engine.index)
    copy: DenseEngine = _ENGINES[type(plan)](plan, faiss.deserialize_index(content), engine.scale)
    return copy


def _check(stop: Stop) -> None:
    if stop():
        raise BuildStopped


def _slices(vectors: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, len(vectors), _SLICE):
        yield vectors[start : start + _SLICE]


def _sample(vectors: FloatArray, count: int) -> FloatArray:
    if len(vectors) <= count:
        return np.ascontiguousarray(vectors)
    drawn = np.random.default_rng(_SEED).choice(len(vectors), count, replace=False)
    return vectors[np.sort(drawn)]


def _centroids(sample: FloatArray, lists: int, stop: Stop) -> FloatArray:
    """Spherical k-means, a round at a time since FAISS cannot be called off inside a thread."""
    centroids = sample[np.random.default_rng(_SEED).choice(len(sample), lists, replace=False)]
    for _ in range(_ROUNDS):
        _check(stop)
        kmeans = faiss.Kmeans(
            sample.shape[1], lists, niter=1, spherical=True, seed=_SEED, max_points_per_centroid=_SAMPLE_OF_LIST * 2
        )
        kmeans.train(sample, init_centroids=centroids)
        centroids = kmeans.centroids
    return centroids


def _unit(rows: FloatArray) -> FloatArray:
    unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _padded_width(d: int, step: int = _BITS) -> int:
    return -(-d // step) * step


def _padded(vectors: FloatArray, d: int) -> FloatArray:
    missing = d - vectors.shape[1]
    return np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors


def _wanted(k: int, candidates: int) -> int:
    return max(candidates, 10 * k)


def _selector(allowed: NDArray[np.bool_]) -> Any:  # noqa: ANN401
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def _left(found: Slots, allowed: NDArray[np.bool_]) -> Slots:
    """Found slots that are allowed, moved to the front."""
    kept = allowed[found] & (found >= 0)
    order = np.argsort(~kept, axis=1, kind="stable")
    return np.take_along_axis(np.where(kept, found, -1), order, 1)
