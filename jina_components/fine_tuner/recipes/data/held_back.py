"""What no recipe trains on: the part of the training sets that quality is measured on.

The sets have no split of their own for it, so one is drawn by hash: the same on every machine and in every run,
whatever else a set holds. Recipes leave out what these functions return, `quality` measures on nothing else of
these sets, and a test holds both to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.sampling import place

SHARE = 0.1
SCIFACT_SHARE = 0.5  # of few claims, enough to measure on


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
    held_back = _linked([(row["premise"], row["hypothesis"]) for row in rows], SHARE)
    return frozenset(row["hypothesis"] for row, out in zip(rows, held_back, strict=True) if out)


def scifact_claims(data: Path) -> frozenset[str]:
    """Ids of the held-back half of the SciFact training claims, which serve retrieval and entailment.

    Claims that cite the same abstract, directly or through others, stay together: many are two forms of one finding.

    Raises:
        ConfigError: the file is missing.
    """
    rows = list(read_jsonl(data / "grounding" / "scifact" / "claims_train.jsonl"))
    held_back = _linked([(row["_id"], *map(str, row["cited_doc_ids"])) for row in rows], SCIFACT_SHARE)
    return frozenset(row["_id"] for row, out in zip(rows, held_back, strict=True) if out)


def _linked(rows: Sequence[Sequence[str]], share: float) -> list[bool]:
    """Whether each row is held back, where rows that have a key in common, directly or through others, go together."""
    keys = {key: at for at, key in enumerate(dict.fromkeys(key for row in rows for key in row))}
    links = np.array([(keys[row[0]], keys[key]) for row in rows for key in row]).T
    graph = coo_array((np.ones(links.shape[1]), links), shape=(len(keys), len(keys)))
    groups = connected_components(graph, directed=False)[1].tolist()
    first = {group: key for key, group in reversed([*zip(keys, groups, strict=True)])}
    return [place(first[groups[keys[row[0]]]]) < share for row in rows]


def is_held_back(key: str) -> bool:
    """Whether the hash of `key` falls into the held-back share."""
    return place(key) < SHARE
