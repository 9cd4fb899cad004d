"""How good a static embedder is: retrieval and similarity on public sets, in numpy alone.

Written apart from the library's own embedder, so that the two check each other.
"""

from __future__ import annotations

import csv
import gzip
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from jina_components.core.vectors import normalize
from jina_components.errors import ConfigError

if TYPE_CHECKING:
    from jina_components.types import FloatArray

    Encode: TypeAlias = Callable[[Sequence[str]], FloatArray]

log = logging.getLogger(__name__)

Positions: TypeAlias = NDArray[np.int64]

RETRIEVAL = ("scifact", "squad", "cosqa", "cranfield", "npl")
SPLITS = {"scifact": "_train", "cosqa": "_dev"}  # in the names of the files of queries and judgements
SIMILARITY = "stsb"
DEPTH = 100


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """A corpus, queries, and for each query the relevant positions in the corpus with their grades."""

    corpus: list[str]
    queries: list[str]
    relevant: list[Mapping[int, float]]


def evaluate(encode: Encode, data: Path) -> dict[str, float]:
    """Result by set: MRR@10 on cosqa, Spearman on stsb, else nDCG@10."""
    results = {}
    for name in RETRIEVAL:
        task = load_set(data, name)
        results[name] = score(name, rank(encode, task), task)
    results[SIMILARITY] = similarity(encode, data)
    log.info("measured: %s", results)
    return results


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON Lines file, gzipped or plain.

    Raises:
        ConfigError: there is no such file.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is missing: --data must be a folder laid out as the recipe's sources say.")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def load_set(data: Path, name: str) -> RetrievalSet:
    """A retrieval set by name; queries without a relevant document are left out."""
    if name == "squad":
        return _squad(data / "retrieval" / name)
    return _judged(data / "retrieval" / name, SPLITS.get(name, ""))


def _judged(folder: Path, split: str) -> RetrievalSet:
    """A set in BEIR's layout."""
    documents = list(read_jsonl(folder / "corpus.jsonl.gz"))
    position = {document["_id"]: i for i, document in enumerate(documents)}
    grades: dict[str, dict[int, float]] = defaultdict(dict)
    with (folder / f"qrels{split}.tsv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            grades[row["query-id"]][position[row["corpus-id"]]] = float(row["score"])
    queries = [query for query in read_jsonl(folder / f"queries{split}.jsonl") if query["_id"] in grades]
    corpus = [f"{document.get('title', '')} {document['text']}".strip() for document in documents]
    return RetrievalSet(corpus, [q["text"] for q in queries], [grades[q["_id"]] for q in queries])


def _squad(folder: Path, sample: int = 2000) -> RetrievalSet:
    """SQuAD's training paragraphs and a fixed sample of their questions."""
    documents = list(read_jsonl(folder / "train_paras.jsonl.gz"))
    position = {document["_id"]: i for i, document in enumerate(documents)}
    questions = list(read_jsonl(folder / "train_questions.jsonl.gz"))
    chosen = np.random.default_rng(0).choice(len(questions), sample, replace=False)
    picked = [questions[i] for i in sorted(chosen)]
    corpus = [document["text"] for document in documents]
    return RetrievalSet(corpus, [q["text"] for q in picked], [{position[q["para"]]: 1.0} for q in picked])


def static_encoder(folder: Path) -> Encode:
    """Encoder of a folder: `tokenizer.json` and `model.safetensors` (`embeddings`, optional `weights`)."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tensors = load_file(folder / "model.safetensors")
    table = tensors["embeddings"].astype(np.float32)
    if "weights" in tensors:
        table *= tensors["weights"].astype(np.float32)[:, None]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    unknown = tokenizer.token_to_id("[UNK]")

    def encode(texts: Sequence[str]) -> FloatArray:
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        vectors = [table[[i for i in encoding.ids if i != unknown]].sum(axis=0) for encoding in encodings]
        return normalize(np.asarray(vectors, np.float32).reshape(len(texts), -1))

    return encode


def rank(encode: Encode, task: RetrievalSet) -> Positions:
    """The corpus positions nearest to each query by cosine, best first; shape [queries, at most 100]."""
    scores = encode(task.queries) @ encode(task.corpus).T
    depth = min(DEPTH, scores.shape[1])
    top = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)


def score(name: str, ranking: Positions, task: RetrievalSet) -> float:
    """The measure the set is known by."""
    return (mrr_at_10 if name == "cosqa" else ndcg_at_10)(ranking, task.relevant)


def ndcg_at_10(ranking: Positions, relevant: Sequence[Mapping[int, float]]) -> float:
    """nDCG@10 with the judged grade as gain, as trec_eval computes it (Järvelin & Kekäläinen 2002)."""
    discount = 1 / np.log2(np.arange(2, 12))
    values = []
    for row, grades in zip(ranking[:, :10].tolist(), relevant, strict=True):
        ideal = sorted(grades.values(), reverse=True)[:10]
        gained = np.array([grades.get(document, 0.0) for document in row]) @ discount[: len(row)]
        values.append(gained / (np.array(ideal) @ discount[: len(ideal)]))
    return float(np.mean(values))


def mrr_at_10(ranking: Positions, relevant: Sequence[Mapping[int, float]]) -> float:
    """Mean of 1 / rank of the first relevant document, 0 when it is not among the first 10."""
    rows = zip(ranking[:, :10].tolist(), relevant, strict=True)
    hits = ([document in grades for document in row] for row, grades in rows)
    return float(np.mean([1 / (hit.index(True) + 1) if True in hit else 0.0 for hit in hits]))


def similarity(encode: Encode, data: Path) -> float:
    """Spearman correlation of cosine with people's judgement on STS benchmark, English dev."""
    from scipy.stats import spearmanr

    pairs = list(read_jsonl(data / "sts" / "stsb_multi" / "en_dev.jsonl.gz"))
    cosines = (encode([pair["a"] for pair in pairs]) * encode([pair["b"] for pair in pairs])).sum(axis=1)
    return float(spearmanr(cosines, [pair["score"] for pair in pairs]).statistic)
