"""Who searches vectors in the benchmark of the Retriever, each in a process of its own.

    python -m benchmarks.speed.retriever_contenders NAME CORPUS   # prints a JSON line

A contender's `make` builds its index from vectors and texts, and gives the settings that it searches with, from the
cheapest on, each with a function from a query to the rows found, best first. A `store` also keeps the texts and reads
them for every hit, as its user would. Sizes are of files and memory that hold vectors and index, without texts.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.retriever_vectors import Corpus, K, opened, truth

Search = Callable[[Any], Any]
Settings = Iterator[tuple[str, Search]]
TARGET = 0.95
_ROUNDS, _CHUNK = 4, 20
_EFFORTS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_BATCH = 5_000


@dataclass(frozen=True)
class Built:
    """An index: its settings, and bytes of a vector where they can be told."""

    settings: Settings
    bytes_per_vector: float | None = None


@dataclass(frozen=True)
class Contender:
    """How to build an index, the modules that it needs, whether it is a store, and up to how many vectors it is run.

    `beyond` says why not with more.
    """

    make: Callable[[Corpus, Path], Built]
    needs: tuple[str, ...]
    store: bool = False
    most: int = 10**9
    beyond: str = ""


def _ours(corpus: Corpus, folder: Path, *, storage: str) -> Built:
    from jina_components.retriever.dense import DenseIndex

    vectors = np.memmap(_raw(corpus, folder), np.float32, "r", shape=corpus.vectors.shape)
    index = DenseIndex.build(vectors, storage=storage)  # type: ignore[arg-type]
    settings = iter([(type(index.plan).__name__, lambda query: index.search(query[None], K, vectors)[0][0])])
    return Built(settings, index.memory_bytes / len(vectors))


def _raw(corpus: Corpus, folder: Path) -> Path:
    path = folder / "vectors.f32"
    corpus.vectors.tofile(path)
    return path


def _our_store(corpus: Corpus, folder: Path) -> Built:
    from jina_components import Document
    from jina_components.retriever.stores.faiss import FaissStore

    store = FaissStore(folder / "store")
    for start, texts in _batches(corpus):
        rows = range(start, start + len(texts))
        store.put(
            [Document(text, id=str(row)) for row, text in zip(rows, texts, strict=True)],
            corpus.vectors[start : start + len(texts)],
        )
    store.compact()

    def search(query: Any) -> Any:  # noqa: ANN401
        (hits,) = store.search_dense(query[None], K)
        return [int(document.id) for document in store.get([key for key, _ in hits]) if document]

    return Built(iter([("auto", search)]))


def _faiss_hnsw(corpus: Corpus, folder: Path) -> Built:  # noqa: ARG001
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexHNSWFlat(corpus.vectors.shape[1], 32, faiss.METRIC_L2)
    index.hnsw.efConstruction = 100  # with FAISS' 40 no effort up to 512 reaches the target among a million
    index.add(np.asarray(corpus.vectors))

    def settings() -> Settings:
        for effort in _EFFORTS:
            parameters = faiss.SearchParametersHNSW(efSearch=effort)
            yield f"ef {effort}", partial(_faiss_search, index, parameters)

    return Built(settings(), faiss.serialize_index(index).size / index.ntotal)


def _faiss_search(index: Any, parameters: Any, query: Any) -> Any:  # noqa: ANN401
    return index.search(query[None], K, params=parameters)[1][0]


def _faiss_ivf(corpus: Corpus, folder: Path) -> Built:  # noqa: ARG001
    import faiss

    faiss.omp_set_num_threads(1)
    count, d = corpus.vectors.shape
    lists = 1024 if count <= 200_000 else 4096
    index = faiss.index_factory(d, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
    index.cp.max_points_per_centroid = 64
    index.train(np.asarray(corpus.vectors[: lists * 64]))
    index.add(np.asarray(corpus.vectors))

    def settings() -> Settings:
        for probes in (16, 32, 64, 96, 128, 192, 256, 384, 512):
            yield f"nprobe {probes}", partial(_faiss_search, index, faiss.SearchParametersIVF(nprobe=probes))

    return Built(settings(), 4 * d + 8)


def _faiss_flat(corpus: Corpus, folder: Path) -> Built:  # noqa: ARG001
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(corpus.vectors.shape[1])
    index.add(np.asarray(corpus.vectors))
    return Built(iter([("", partial(_faiss_search, index, None))]), 4 * index.d)


def _numpy(corpus: Corpus, folder: Path) -> Built:  # noqa: ARG001
    vectors = np.array(corpus.vectors)

    def search(query: Any) -> Any:  # noqa: ANN401
        cosines = vectors @ query
        best = np.argpartition(-cosines, K)[:K]
        return best[np.argsort(-cosines[best])]

    return Built(iter([("", search)]), 4 * vectors.shape[1])


def _hnswlib(corpus: Corpus, folder: Path) -> Built:
    import hnswlib

    count, d = corpus.vectors.shape
    index = hnswlib.Index(space="ip", dim=d)
    index.init_index(max_elements=count, M=16, ef_construction=100, random_seed=7)
    index.set_num_threads(1)
    index.add_items(corpus.vectors, np.arange(count))
    index.save_index(str(folder / "index"))

    def settings() -> Settings:
        for effort in _EFFORTS:
            index.set_ef(effort)
            yield f"ef {effort}", lambda query: index.knn_query(query, k=K)[0][0]

    return Built(settings(), (folder / "index").stat().st_size / count)


def _usearch(corpus: Corpus, folder: Path, *, dtype: str) -> Built:  # noqa: ARG001
    from usearch.index import Index

    count, d = corpus.vectors.shape
    index = Index(ndim=d, metric="ip", dtype=dtype, connectivity=16, expansion_add=128)
    index.add(np.arange(count), np.asarray(corpus.vectors), threads=1)

    def settings() -> Settings:
        for effort in _EFFORTS:
            index.expansion_search = effort
            yield f"ef {effort}", lambda query: index.search(query, K, threads=1).keys

    return Built(settings(), index.serialized_length / count)


def _lancedb(corpus: Corpus, folder: Path) -> Built:
    import lancedb
    import pyarrow as pa

    count, d = corpus.vectors.shape
    flat = pa.array(np.asarray(corpus.vectors).reshape(-1))
    columns = {
        "row": pa.array(range(count)),
        "text": pa.array(corpus.texts()),
        "vector": pa.FixedSizeListArray.from_arrays(flat, d),
    }
    table = lancedb.connect(folder / "lance").create_table("texts", pa.table(columns))
    table.create_index(metric="cosine", index_type="IVF_HNSW_SQ", num_partitions=max(1, count // 100_000))

    def settings() -> Settings:
        for effort in _EFFORTS[2:]:
            yield f"ef {effort}, refined", lambda query, effort=effort: _lance_search(table, query, effort)

    return Built(settings())


def _lance_search(table: Any, query: Any, effort: int) -> Any:  # noqa: ANN401
    found = table.search(query).nprobes(10).ef(effort).refine_factor(2).limit(K).select(["row", "text"]).to_list()
    return [row["row"] for row in found]


def _chroma(corpus: Corpus, folder: Path) -> Built:
    import chromadb

    settings = chromadb.Settings(anonymized_telemetry=False)
    client = chromadb.PersistentClient(str(folder / "chroma"), settings=settings)

    def collection(effort: int) -> Any:  # noqa: ANN401
        hnsw = {"space": "ip", "ef_search": effort, "ef_construction": 100, "max_neighbors": 16, "num_threads": 1}
        made = client.create_collection(f"ef{effort}", configuration={"hnsw": hnsw}, embedding_function=None)
        for start, texts in _batches(corpus):
            ids = [str(row) for row in range(start, start + len(texts))]
            made.add(ids=ids, embeddings=corpus.vectors[start : start + len(texts)], documents=texts)
        return made

    first = collection(100)  # its default

    def search(made: Any, query: Any) -> Any:  # noqa: ANN401
        found = made.query(query_embeddings=[query], n_results=K, include=["documents", "distances"])
        return [int(row) for row in found["ids"][0]]

    return Built(iter([("ef 100", partial(search, first))]))


def _qdrant(corpus: Corpus, folder: Path) -> Built:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder / "qdrant"))
    parameters = models.VectorParams(size=corpus.vectors.shape[1], distance=models.Distance.DOT)
    client.create_collection("texts", vectors_config=parameters)
    for start, texts in _batches(corpus):
        points = models.Batch(
            ids=list(range(start, start + len(texts))),
            vectors=corpus.vectors[start : start + len(texts)].tolist(),
            payloads=[{"text": text} for text in texts],
        )
        client.upsert("texts", points)

    def search(query: Any) -> Any:  # noqa: ANN401
        return [point.id for point in client.query_points("texts", query=query, limit=K).points]

    return Built(iter([("exact", search)]))


def _batches(corpus: Corpus) -> Iterator[tuple[int, list[str]]]:
    texts = corpus.texts()
    for start in range(0, len(texts), _BATCH):
        yield start, texts[start : start + _BATCH]


_FAISS = ("faiss",)
_OURS = ("jina_components",)
_SLOW = "builds for more than ten minutes"
CONTENDERS: dict[str, Contender] = {
    **{f"ours {name}": Contender(partial(_ours, storage=name), _OURS) for name in ("binary", "int8", "float32")},
    "ours auto": Contender(partial(_ours, storage="auto"), _OURS),
    "faiss flat": Contender(_faiss_flat, _FAISS),
    "faiss HNSW": Contender(_faiss_hnsw, _FAISS),
    "faiss IVF": Contender(_faiss_ivf, _FAISS),
    "hnswlib": Contender(_hnswlib, ("hnswlib",), most=200_000, beyond=_SLOW),
    "usearch float32": Contender(partial(_usearch, dtype="f32"), ("usearch",), most=200_000, beyond=_SLOW),
    "usearch int8": Contender(partial(_usearch, dtype="i8"), ("usearch",), most=200_000, beyond=_SLOW),
    "numpy": Contender(_numpy, ("numpy",)),
    "our FaissStore": Contender(_our_store, _OURS, store=True),
    "LanceDB": Contender(_lancedb, ("lancedb",), store=True, most=200_000, beyond=_SLOW),
    "Chroma": Contender(_chroma, ("chromadb",), store=True, most=200_000, beyond=_SLOW),
    "Qdrant local": Contender(
        _qdrant, ("qdrant_client",), store=True, most=200_000, beyond="compares all vectors, as numpy does"
    ),
}


def main() -> None:
    """Build and measure one contender."""
    name, where = sys.argv[1:3]
    corpus = opened(Path(where))
    with tempfile.TemporaryDirectory(dir=where) as folder:
        corpus.texts()  # read from the disk before time is taken
        started, cpu = time.perf_counter(), time.process_time()
        built = CONTENDERS[name].make(corpus, Path(folder))
        row: dict[str, Any] = {"build s": time.perf_counter() - started, "build cpu": time.process_time() - cpu}
        row["bytes"] = built.bytes_per_vector
        print(json.dumps(row | _cheapest(built.settings, corpus)))


def _cheapest(settings: Settings, corpus: Corpus) -> dict[str, Any]:
    """The first setting that reaches the target, or the last."""
    best = truth(corpus)
    for label, search in settings:
        (cpu, wall), found = _timed(search, corpus.queries)
        shares = [len(set(map(int, rows)) & set(true)) / K for rows, true in zip(found, best, strict=True)]
        result = {
            "q/cpu-s": len(found) / cpu,
            "q/s": len(found) / wall,
            "recall": float(np.mean(shares)),
            "setting": label,
        }
        if result["recall"] >= TARGET:
            break
    return result


def _timed(search: Search, queries: Any) -> tuple[Any, list[Any]]:  # noqa: ANN401
    """CPU and wall seconds for all queries, one at a time: the best round of each chunk, as the machine is shared."""
    found: list[Any] = [None] * len(queries)
    starts = range(0, len(queries), _CHUNK)
    best = np.full((len(starts), 2), np.inf)
    for _ in range(_ROUNDS):
        for chunk, start in enumerate(starts):
            began = np.array([time.process_time(), time.perf_counter()])
            for row in range(start, min(start + _CHUNK, len(queries))):
                found[row] = search(queries[row])
            best[chunk] = np.minimum(best[chunk], np.array([time.process_time(), time.perf_counter()]) - began)
    return best.sum(0), found


if __name__ == "__main__":
    main()
