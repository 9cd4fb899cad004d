"""Questions that no passage answers alone, and how answers to them are measured."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jina_components import Document
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl

SETS = {"hotpotqa": "hotpot_100", "musique": "musique_train100"}
DISTRACTORS = "wiki2_passages"

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class MultiHopQuestion:
    """A question.

    Attributes:
        text: The question.
        answers: The answer, in several ways to write it.
        supporting: Ids of the passages that answer it together.
    """

    text: str
    answers: tuple[str, ...]
    supporting: frozenset[str]


def load_questions(data: Path, name: str) -> list[MultiHopQuestion]:
    """The questions of a set, in their order."""
    rows = read_jsonl(data / "deepsearch" / SETS[name] / "questions.jsonl.gz")
    return [
        MultiHopQuestion(row["question"], (row["answer"], *row.get("aliases", ())), frozenset(row["supporting"]))
        for row in rows
    ]


def load_passages(data: Path, folder: str) -> list[Document]:
    """The passages of a folder, each under its title as a heading."""
    rows = read_jsonl(data / "deepsearch" / folder / "passages.jsonl.gz")
    return [Document(f"# {row['title']}\n\n{row['text']}", row["_id"], {"title": row["title"]}) for row in rows]


def recall(found: Sequence[str], supporting: frozenset[str], depth: int = 5) -> float:
    """Share of the supporting passages among the first `depth` found."""
    return len(supporting.intersection(found[:depth])) / len(supporting)


def tokens_of(text: str) -> list[str]:
    """Words as SQuAD's metric counts them: lower case, without punctuation and articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def token_f1(text: str, answers: Sequence[str]) -> float:
    """F1 of a text's words against those of the answer that it is most like."""
    return max(_f1(tokens_of(text), tokens_of(answer)) for answer in answers)


def holds(text: str, answers: Sequence[str]) -> bool:
    """Whether a text has the words of an answer, one after the other."""
    words = f" {' '.join(tokens_of(text))} "
    return any(f" {' '.join(tokens_of(answer))} " in words for answer in answers)


def _f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    common = (Counter(found) & Counter(wanted)).total()
    return 2 * common / (len(found) + len(wanted)) if common else 0.0
