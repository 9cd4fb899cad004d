"""What storage types cost in quality and save in bytes, in one step and rescored, beside FAISS.

    python -m benchmarks.quality.storage_types --data DATA [--sets scifact …] [--oversample 4] [--to results.json]

nDCG@10, its share of float32's, the part of float32's first ten that is kept, and queries a
second on one thread. `+ float32` ranks the candidates by the float32 rows, `+ int8` by int8 rows, `+ own` by
the float query against the binary codes themselves. The peers are FAISS's scalar quantizer, trained on the
corpus, and its binary index, alone and with the same rescoring.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from jina_components import Embedder
from jina_components.core.quantization import calibrate, quantize, search_quantized
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.recipes.quality.metrics import ndcg
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, load_set
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.types import StorageType

if TYPE_CHECKING:
    from jina_components.types import FloatArray

TOP_K = 10
Search = Callable[["FloatArray"], list[int]]  # rows of the corpus, best first
SCALAR = {"float16": faiss.ScalarQuantizer.QT_fp16, "uint8": faiss.ScalarQuantizer.QT_8bit}


@dataclass(frozen=True)
class System:
    """A way to search: bytes a vector takes in the first step, bytes of the rows read in the second, the search."""

    bytes: int
    second: int
    search: Search


def ours(vectors: FloatArray, oversample: int) -> dict[str, System]:
    """Every storage type, in one step and in two."""
    ranges = calibrate(vectors)
    int8 = quantize(vectors, "int8")

    def system(storage_type: StorageType, ranges: FloatArray | None = None, **second: Any) -> System:  # noqa: ANN401
        codes = quantize(vectors, storage_type, ranges=ranges)
        finer = second.get("rescore_with")

        def search(query: FloatArray) -> list[int]:
            hits = search_quantized(query, codes, storage_type, top_k=TOP_K, ranges=ranges, **second)
            return [row for row, _ in hits]

        return System(codes[0].nbytes, 0 if finer is None else finer[0].nbytes, search)

    one: dict[str, Any] = {"oversample": None}
    two: dict[str, Any] = {"oversample": oversample}
    return {
        "float32": system("float32", **one),
        "float16": system("float16", **one),
        "int8": system("int8", **one),
        "uint8": system("uint8", **one),
        "int8 calibrated": system("int8", ranges, **one),
        "int8 + float32": system("int8", **two, rescore_with=vectors),
        "binary": system("binary", **one),
        "ubinary": system("ubinary", **one),
        "binary + own": system("binary", **two),
        "binary + int8": system("binary", **two, rescore_with=int8),
        "binary + float32": system("binary", **two, rescore_with=vectors),
    }


def peers(vectors: FloatArray, oversample: int) -> dict[str, System]:
    """FAISS's counterparts."""
    dimensions = vectors.shape[1]
    systems = {}
    for name, kind in SCALAR.items():
        index = faiss.IndexScalarQuantizer(dimensions, kind, faiss.METRIC_INNER_PRODUCT)
        index.train(vectors)
        index.add(vectors)
        systems[f"faiss {name}"] = System(index.code_size, 0, _searching(index))
        refined = faiss.IndexRefineFlat(index, faiss.swig_ptr(vectors))
        refined.k_factor = oversample
        systems[f"faiss {name} + float32"] = System(index.code_size, vectors[0].nbytes, _searching(refined))
    binary = faiss.IndexBinaryFlat(dimensions)
    binary.add(np.packbits(vectors > 0, axis=1))

    def nearest(query: FloatArray, k: int) -> Any:  # noqa: ANN401
        return binary.search(np.packbits(query > 0)[None], k)[1][0]

    def rescored(query: FloatArray) -> list[int]:
        candidates = nearest(query, TOP_K * oversample)
        return candidates[np.argsort(-(vectors[candidates] @ query))][:TOP_K].tolist()

    width = dimensions // 8
    systems["faiss binary"] = System(width, 0, lambda query: nearest(query, TOP_K).tolist())
    systems["faiss binary + float32"] = System(width, vectors[0].nbytes, rescored)
    return systems


def _searching(index: Any) -> Search:  # noqa: ANN401
    return lambda query: index.search(query[None], TOP_K)[1][0].tolist()


def measure(task: JudgedQuestions, embedder: Embedder, oversample: int) -> dict[str, dict[str, float]]:
    """Quality, bytes and speed by system."""
    vectors = embedder.embed_documents([text if text.strip() else "-" for text in task.corpus])
    queries = [embedder.embed_query(query) for query in task.queries]
    results: dict[str, dict[str, float]] = {}
    exact: list[list[int]] = []
    for system, way in (ours(vectors, oversample) | peers(vectors, oversample)).items():
        way.search(queries[0])
        started = time.perf_counter()
        found = [way.search(query) for query in queries]
        seconds = time.perf_counter() - started
        exact = exact or found  # float32 comes first
        quality = ndcg(np.array(found), task.relevant)
        kept = [len(set(row) & set(best)) / TOP_K for row, best in zip(found, exact, strict=True)]
        results[system] = {
            "quality": round(quality, 4),
            "share": round(quality / results["float32"]["quality"], 4) if results else 1.0,
            "top_10_kept": round(float(np.mean(kept)), 4),
            "bytes": way.bytes,
            "second_bytes": way.second,
            "qps": round(len(queries) / seconds),
        }
    return results


def main() -> None:
    """Measure the sets asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with retrieval/")
    parser.add_argument("--sets", nargs="+", default=["scifact"], choices=RETRIEVAL)
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER)
    parser.add_argument("--dimensions", type=int, help="cut vectors to this width")
    parser.add_argument("--oversample", type=int, default=4, help="candidates of the first step for each result")
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    embedder = Embedder(options.embedder, dimensions=options.dimensions, truncate=True)
    results = {name: measure(load_set(options.data, name), embedder, options.oversample) for name in options.sets}
    for name, systems in results.items():
        columns = list(systems["float32"])
        print(f"{name:<26}" + "".join(f"{column:>13}" for column in columns))
        for system, row in systems.items():
            print(f"{system:<26}" + "".join(f"{row[column]:>13}" for column in columns))
    if options.to:
        options.to.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
