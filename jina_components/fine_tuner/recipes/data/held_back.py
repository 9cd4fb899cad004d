"""What no recipe trains on: the part of the training sets that quality is measured on.

The sets have no split of their own for it, so one is drawn by hash: the same on every machine and in every run,
whatever else a set holds. Recipes leave out what these functions return, `quality` measures on nothing else of
these sets, and a test holds both to it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl

SHARE = 0.1
_FEVER_TEXTS = ("premise", "hypothesis")


def squad_questions(data: Path) -> frozenset[str]:
    """Ids of the held-back questions of SQuAD: all those of a tenth of its articles.

    By article, so that no held-back question's paragraph, nor one near it, has a question that is trained on. The
    paragraphs themselves are part of the corpus that is searched, and may be read as plain text.

    Raises:
        ConfigError: a file of the set is missing.
    """
    folder = data / "retrieval" / "squad"
    held_back = {row["_id"] for row in read_jsonl(folder / "train_paras.jsonl.gz") if is_held_back(row["title"])}
    questions = read_jsonl(folder / "train_questions.jsonl.gz")
    return frozenset(row["_id"] for row in questions if row["para"] in held_back)


def fever_pairs(data: Path) -> frozenset[str]:
    """Claims (`hypothesis`) of the held-back tenth of the FEVER pairs.

    Pairs that share a claim or a premise, directly or through others, stay together: no held-back pair has either of
    its texts in training.

    Raises:
        ConfigError: the file is missing.
    """
    rows = list(read_jsonl(data / "grounding" / "fever_pairs" / "fever_dev_pairs.jsonl.gz"))
    texts = {text: at for at, text in enumerate(dict.fromkeys(row[key] for row in rows for key in _FEVER_TEXTS))}
    links = [[texts[row[key]] for row in rows] for key in _FEVER_TEXTS]
    graph = coo_array((np.ones(len(rows)), links), shape=(len(texts), len(texts)))
    groups = connected_components(graph, directed=False)[1].tolist()
    first = {group: text for text, group in reversed([*zip(texts, groups, strict=True)])}
    return frozenset(row["hypothesis"] for row in rows if is_held_back(first[groups[texts[row["hypothesis"]]]]))


def is_held_back(key: str) -> bool:
    """Whether the hash of `key` falls into the held-back share."""
    return place(key) < SHARE


def place(key: str) -> float:
    """Where the hash of `key` falls, evenly from 0 to 1; sorting by it draws a sample that grows by adding."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) / 2**64
