"""Quality of static embedders, against BM25, against the two mixed, and against a transformer.

    python benchmarks/quality/static_embedder.py --data DATA \
        --model jina_components/models/bundled/static-minilm-v1 --model PEER --to results.json

A model is a folder with `tokenizer.json` and `model.safetensors`. The mix is weighted reciprocal rank fusion
(Cormack et al. 2009), k = 60, over the first 100 of either ranking. `--transformer` is any
sentence-transformers model; on a CPU it takes long on large corpora, hence `--transformer-sets`.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import bm25s  # type: ignore[import-untyped]
import numpy as np
from tqdm.auto import tqdm

from jina_components.fine_tuner.recipes.static_quality import (
    DEPTH,
    RETRIEVAL,
    SIMILARITY,
    Positions,
    RetrievalSet,
    load_set,
    rank,
    score,
    similarity,
    static_encoder,
)

if TYPE_CHECKING:
    from jina_components.fine_tuner.recipes.static_quality import Encode
    from jina_components.types import FloatArray

MIXES = {"1:1": (1, 1), "1:2": (1, 2), "1:4": (1, 4)}  # dense:lexical


def transformer_encoder(name: str) -> Encode:
    """A sentence-transformers model on the CPU."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(name, device="cpu")

    def encode(texts: Sequence[str]) -> FloatArray:
        vectors = model.encode(list(texts), normalize_embeddings=True, show_progress_bar=True)
        return np.asarray(vectors, np.float32)

    return encode


def rank_bm25(task: RetrievalSet) -> Positions:
    """BM25 with k1 = 0.9, b = 0.4 (Pyserini's values), English stop words, no stemming."""
    index = bm25s.BM25(k1=0.9, b=0.4)
    index.index(bm25s.tokenize(task.corpus, stopwords="en", show_progress=False), show_progress=False)
    queries = bm25s.tokenize(task.queries, stopwords="en", show_progress=False, return_ids=False)
    return np.asarray(index.retrieve(queries, k=DEPTH, show_progress=False).documents, np.int64)


def fuse(rankings: Sequence[Positions], weights: Sequence[float], k: int = 60) -> Positions:
    """Weighted reciprocal rank fusion."""
    fused = []
    for rows in zip(*rankings, strict=True):
        scores: dict[int, float] = defaultdict(float)
        for row, weight in zip(rows, weights, strict=True):
            for place, document in enumerate(row.tolist(), 1):
                scores[document] += weight / (k + place)
        fused.append(sorted(scores, key=lambda document: -scores[document])[:DEPTH])
    return np.asarray(fused, np.int64)


def measure(data: Path, encoders: dict[str, Encode], sets: dict[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Results by system and set. A system is "bm25", a model, or "bm25 + <model> <dense>:<lexical>"."""
    results: dict[str, dict[str, float]] = defaultdict(dict)
    for name in tqdm(RETRIEVAL, desc="sets"):
        task = load_set(data, name)
        lexical = rank_bm25(task)
        results["bm25"][name] = score(name, lexical, task)
        for model in (model for model in encoders if name in sets[model]):
            dense = rank(encoders[model], task)
            results[model][name] = score(name, dense, task)
            for label, weights in MIXES.items():
                results[f"bm25 + {model} {label}"][name] = score(name, fuse([dense, lexical], weights), task)
    for model in (model for model in encoders if SIMILARITY in sets[model]):
        results[model][SIMILARITY] = similarity(encoders[model], data)
    return dict(results)


def show(results: dict[str, dict[str, float]]) -> None:
    """Prints a row a system."""
    columns = (*RETRIEVAL, SIMILARITY)
    print(f"{'':44}" + "".join(f"{name:>10}" for name in columns))
    for system, values in results.items():
        cells = (f"{values[name]:10.3f}" if name in values else " " * 10 for name in columns)
        print(f"{system:44}" + "".join(cells))


def main() -> None:
    """The command line."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--data", type=Path, required=True, help="folder with retrieval/ and sts/")
    parser.add_argument("--model", type=Path, action="append", default=[], help="static model; repeatable")
    parser.add_argument("--transformer", help="sentence-transformers model to compare with")
    parser.add_argument("--transformer-sets", nargs="+", default=["cranfield", SIMILARITY])
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args()
    encoders = {folder.name: static_encoder(folder) for folder in options.model}
    sets: dict[str, Sequence[str]] = dict.fromkeys(encoders, (*RETRIEVAL, SIMILARITY))
    if options.transformer:
        name = Path(options.transformer).name
        encoders[name], sets[name] = transformer_encoder(options.transformer), options.transformer_sets
    results = measure(options.data, encoders, sets)
    if options.to:
        options.to.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    show(results)


if __name__ == "__main__":
    main()
