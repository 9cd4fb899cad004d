"""What no recipe trains on: the part of the training sets that quality is measured on.

The sets have no split of their own for it, so one is drawn by hash: the same on every machine and in every run,
whatever else a set holds. Recipes leave out what these functions return, `quality` measures on nothing else of
these sets, and a test holds both to it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from jina_components.fine_tuner.recipes.jsonl import read_jsonl

SHARE = 0.1


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
    """Claims (`hypothesis`) of the held-back tenth of the FEVER pairs, so that the pairs of a claim stay together.

    Evidence is not set apart: a held-back claim's premise may stand in training beside another claim.

    Raises:
        ConfigError: the file is missing.
    """
    rows = read_jsonl(data / "grounding" / "fever_pairs" / "fever_dev_pairs.jsonl.gz")
    return frozenset(row["hypothesis"] for row in rows if is_held_back(row["hypothesis"]))


def is_held_back(key: str) -> bool:
    """Whether the hash of `key` falls into the held-back share."""
    return place(key) < SHARE


def place(key: str) -> float:
    """Where the hash of `key` falls, evenly from 0 to 1; sorting by it draws a sample that grows by adding."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) / 2**64
