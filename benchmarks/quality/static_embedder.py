"""Quality of static embedders, against BM25, against the two mixed, and against a transformer.

    python benchmarks/quality/static_embedder.py --data DATA \
        --model jina_components/models/bundled/static-minilm-v1 --model PEER --to results.json

A model is a folder with `tokenizer.json` and `model.safetensors` (`embeddings`, optional token `weights`).
A `--transformer` is any sentence-transformers model; it runs on the sets of `--transformer-sets` alone,
because a large corpus takes it hours on a CPU.

nDCG@10 uses the judged grade as its gain, as trec_eval does. The mix is weighted reciprocal rank fusion
(Cormack et al. 2009) with k = 60 over the first 100 of either ranking.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.stats import spearmanr
from tokenizers import Tokenizer
from tqdm.auto import tqdm

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
Ranking = NDArray[np.int64]  # [queries, depth], positions in the corpus, best first

MIXES = {"1:1": (1.0, 1.0), "1:2": (1.0, 2.0), "1:4": (1.0, 4.0)}
DEPTH = 100
RETRIEVAL = ("scifact", "squad", "cosqa", "cranfield", "npl")


@dataclass(frozen=True)
class RetrievalSet:
    """Texts of a corpus and of queries; `relevant[i]` maps corpus positions to grades for query i."""

    corpus: list[str]
    queries: list[str]
    relevant: list[dict[int, float]]


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def load_set(data: Path, name: str) -> RetrievalSet:
    return load_squad(data) if name == "squad" else load_judged(data / "retrieval" / name)


def load_judged(folder: Path) -> RetrievalSet:
    """A set in BEIR's layout; queries without a relevant document are left out."""
    docs = list(read_jsonl(folder / "corpus.jsonl.gz"))
    position = {doc["_id"]: i for i, doc in enumerate(docs)}
    judged: dict[str, dict[int, float]] = defaultdict(dict)
    with next(folder.glob("qrels*.tsv")).open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if row["corpus-id"] in position and float(row["score"]) > 0:
                judged[row["query-id"]][position[row["corpus-id"]]] = float(row["score"])
    queries = [q for q in read_jsonl(next(folder.glob("queries*.jsonl"))) if q["_id"] in judged]
    corpus = [f"{doc.get('title', '')} {doc['text']}".strip() for doc in docs]
    return RetrievalSet(corpus, [q["text"] for q in queries], [judged[q["_id"]] for q in queries])


def load_squad(data: Path, sample: int = 2000, seed: int = 0) -> RetrievalSet:
    folder = data / "retrieval" / "squad"
    docs = list(read_jsonl(folder / "train_paras.jsonl.gz"))
    position = {doc["_id"]: i for i, doc in enumerate(docs)}
    questions = list(read_jsonl(folder / "train_questions.jsonl.gz"))
    chosen = np.random.default_rng(seed).choice(len(questions), sample, replace=False)
    picked = [questions[i] for i in sorted(chosen)]
    return RetrievalSet([d["text"] for d in docs], [q["text"] for q in picked], [{position[q["para"]]: 1.0} for q in picked])


def static_encoder(folder: Path) -> Encode:
    """Mean of the rows of a text's tokens, normalised; written apart from the library on purpose."""
    tensors = load_file(folder / "model.safetensors")
    table = tensors["embeddings"].astype(np.float32)
    if "weights" in tensors:
        table *= tensors["weights"].astype(np.float32)[:, None]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    unknown = tokenizer.token_to_id("[UNK]")

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), table.shape[1]), np.float32)
        for i, encoding in enumerate(tokenizer.encode_batch(list(texts), add_special_tokens=False)):
            ids = [token for token in encoding.ids if token != unknown]
            vectors[i] = table[ids].sum(axis=0)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    return encode


def transformer_encoder(name: str) -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(name, device="cpu")

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.asarray(model.encode(list(texts), normalize_embeddings=True, show_progress_bar=True), np.float32)

    return encode


def rank_dense(encode: Encode, task: RetrievalSet) -> Ranking:
    scores = encode(task.queries) @ encode(task.corpus).T
    top = np.argpartition(-scores, DEPTH, axis=1)[:, :DEPTH]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def rank_bm25(task: RetrievalSet) -> Ranking:
    """BM25 with k1 = 0.9, b = 0.4 (Pyserini's values), English stop words, no stemming."""
    index = bm25s.BM25(k1=0.9, b=0.4)
    index.index(bm25s.tokenize(task.corpus, stopwords="en", show_progress=False), show_progress=False)
    queries = bm25s.tokenize(task.queries, stopwords="en", show_progress=False, return_ids=False)
    return np.asarray(index.retrieve(queries, k=DEPTH, show_progress=False).documents, np.int64)


def fuse(rankings: Sequence[Ranking], weights: Sequence[float], k: int = 60) -> Ranking:
    fused = []
    for rows in zip(*rankings, strict=True):
        scores: dict[int, float] = defaultdict(float)
        for row, weight in zip(rows, weights, strict=True):
            for rank, document in enumerate(row.tolist(), 1):
                scores[document] += weight / (k + rank)
        fused.append(sorted(scores, key=lambda document: -scores[document])[:DEPTH])
    return np.asarray(fused, np.int64)


def ndcg_at_10(ranking: Ranking, relevant: Sequence[dict[int, float]]) -> float:
    discount = 1 / np.log2(np.arange(2, 12))
    values = []
    for row, grades in zip(ranking[:, :10].tolist(), relevant, strict=True):
        ideal = sorted(grades.values(), reverse=True)[:10]
        gained = np.dot([grades.get(document, 0.0) for document in row], discount)
        values.append(gained / np.dot(ideal, discount[: len(ideal)]))
    return float(np.mean(values))


def mrr_at_10(ranking: Ranking, relevant: Sequence[dict[int, float]]) -> float:
    hits = ([document in grades for document in row] for row, grades in zip(ranking[:, :10].tolist(), relevant, strict=True))
    return float(np.mean([1 / (hit.index(True) + 1) if True in hit else 0.0 for hit in hits]))


def score(name: str, ranking: Ranking, task: RetrievalSet) -> float:
    return (mrr_at_10 if name == "cosqa" else ndcg_at_10)(ranking, task.relevant)


def stsb_spearman(encode: Encode, data: Path) -> float:
    pairs = list(read_jsonl(data / "sts" / "stsb_multi" / "en_dev.jsonl.gz"))
    first, second = encode([p["a"] for p in pairs]), encode([p["b"] for p in pairs])
    return float(spearmanr((first * second).sum(axis=1), [p["score"] for p in pairs]).statistic)


def measure(data: Path, encoders: dict[str, Encode], sets: dict[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Results by system and set. A system is a model, "bm25", or "bm25 + <model> <dense>:<lexical weight>"."""
    results: dict[str, dict[str, float]] = defaultdict(dict)
    for name in tqdm(sorted({name for names in sets.values() for name in names if name in RETRIEVAL}), desc="sets"):
        task = load_set(data, name)
        lexical = rank_bm25(task)
        results["bm25"][name] = score(name, lexical, task)
        for model in (model for model in encoders if name in sets[model]):
            dense = rank_dense(encoders[model], task)
            results[model][name] = score(name, dense, task)
            for label, weights in MIXES.items():
                results[f"bm25 + {model} {label}"][name] = score(name, fuse([dense, lexical], weights), task)
    for model, encode in encoders.items():
        if "stsb" in sets[model]:
            results[model]["stsb"] = stsb_spearman(encode, data)
    return dict(results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with retrieval/ and sts/")
    parser.add_argument("--model", type=Path, action="append", default=[], help="folder of a static model; repeatable")
    parser.add_argument("--transformer", help="sentence-transformers model to compare with")
    parser.add_argument("--transformer-sets", nargs="+", default=["cranfield", "stsb"])
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    args = parser.parse_args()
    encoders = {folder.name: static_encoder(folder) for folder in args.model}
    sets: dict[str, Sequence[str]] = dict.fromkeys(encoders, (*RETRIEVAL, "stsb"))
    if args.transformer:
        encoders[Path(args.transformer).name] = transformer_encoder(args.transformer)
        sets[Path(args.transformer).name] = args.transformer_sets
    results = measure(args.data, encoders, sets)
    if args.to:
        args.to.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    columns = (*RETRIEVAL, "stsb")
    print(f"{'':44}" + "".join(f"{name:>10}" for name in columns))
    for system, values in results.items():
        print(f"{system:44}" + "".join(f"{values[c]:10.3f}" if c in values else f"{'':>10}" for c in columns))


if __name__ == "__main__":
    main()
