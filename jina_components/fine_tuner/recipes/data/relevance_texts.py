"""Queries and passages that the small reranker learns relevance on: a row a source."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, is_held_back
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.data.sources import Source
from jina_components.fine_tuner.recipes.data.texts import SENTENCE_END, documented_functions
from jina_components.fine_tuner.sampling import place

# Words of a passage; a quarter of the documents is cut into longer ones.
_WORDS, _MORE_WORDS, _MORE = 100, 200, 0.25
_PARTS = 2  # passages of a long answer or function


@dataclass(slots=True)
class Corpus:
    """Passages, and queries that some of them answer.

    Attributes:
        passages: Texts.
        documents: Which document each is a part of.
        queries: By id: the text, and the positions of passages that answer it; the first is learned from.
    """

    passages: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    queries: dict[str, tuple[str, Sequence[int]]] = field(default_factory=dict)

    def add(self, document: str, text: str, *, most: int | None = None) -> range:
        """The positions of a document's passages, `most` at most."""
        words = text.split()
        size = _MORE_WORDS if place(document) < _MORE else _WORDS
        parts = [" ".join(words[start : start + size]) for start in range(0, len(words), size)][:most]
        if len(parts) > 1 and len(parts[-1].split()) < size // 4:  # too little to stand alone
            parts[-2:] = [f"{parts[-2]} {parts[-1]}"]
        first = len(self.passages)
        self.passages += parts
        self.documents += [document] * len(parts)
        return range(first, len(self.passages))


def _squad(data: Path) -> Corpus:
    folder, corpus = data / "retrieval/squad", Corpus()
    # What is measured with is no negative either, which a passage without a question of its own would always be.
    rows = [row for row in read_jsonl(folder / "train_paras.jsonl.gz") if not is_held_back(row["title"])]
    parts = {row["_id"]: corpus.add(row["_id"], row["text"]) for row in rows}
    for row in read_jsonl(folder / "train_questions.jsonl.gz"):
        # The passage that holds the answer; one that a cut goes through is in none.
        found = [at for at in parts.get(row["para"], ()) if row["answers"][0] in corpus.passages[at]]
        if found:
            corpus.queries[row["_id"]] = (row["text"], found)
    return corpus


def _medquad(data: Path) -> Corpus:
    corpus = Corpus()
    for row in read_jsonl(data / "train/medquad/qa.jsonl.gz"):
        if parts := corpus.add(row["id"], row["a"], most=_PARTS):
            corpus.queries[row["id"]] = (row["q"], parts)
    return corpus


def _fever(data: Path) -> Corpus:
    """Claims and their evidence, whether it supports or refutes them."""
    held_back, corpus = fever_pairs(data), Corpus()
    at: dict[str, range] = {}
    for row in read_jsonl(data / "grounding/fever_pairs/fever_dev_pairs.jsonl.gz"):
        claim, premise = row["hypothesis"], row["premise"]
        if claim not in held_back and premise.strip():
            parts = at[premise] if premise in at else at.setdefault(premise, corpus.add(premise, premise))
            corpus.queries[claim] = (claim, (*corpus.queries.get(claim, (claim, ()))[1], *parts))
    return corpus


def _scifact_titles(data: Path) -> Corpus:
    corpus = Corpus()
    for row in read_jsonl(data / "retrieval/scifact/corpus.jsonl.gz"):
        if parts := corpus.add(row["_id"], row["text"]):
            taken = parts[int(place(f"part {row['_id']}") * len(parts))]
            corpus.queries[row["_id"]] = (row["title"], [taken, *parts])
    return corpus


def _wordnet(data: Path) -> Corpus:
    """An example of a word's use, or the word itself, and its definition."""
    corpus = Corpus()
    for row in read_jsonl(data / "train/oewn/synsets.jsonl.gz"):
        parts = corpus.add(row["id"], f"{', '.join(row['members'])}: {'; '.join(row['def'])}")
        if row["ex"] and place(f"query {row['id']}") < 0.5:
            corpus.queries[row["id"]] = (row["ex"][0], parts)
        elif len(row["members"]) > 1:
            corpus.queries[row["id"]] = (f"what does {row['members'][0]} mean", parts)
    return corpus


def _sentences(data: Path) -> Corpus:
    """A sentence of a passage, and the passage without it (the inverse cloze task, Lee et al. 2019)."""
    corpus = Corpus()
    for row in read_jsonl(data / "deepsearch/wiki2_passages/passages.jsonl.gz"):
        sentences = SENTENCE_END.split(row["text"])
        taken = int(place(row["_id"]) * len(sentences))
        rest = " ".join(s for i, s in enumerate(sentences) if i != taken)
        if len(sentences) > 1:
            corpus.queries[row["_id"]] = (sentences[taken], corpus.add(row["_id"], f"{row['title']} {rest}"))
    return corpus


def _python(_: Path) -> Corpus:
    """The first line of a function's documentation, and its code; they differ by the interpreter's release."""
    corpus = Corpus()
    for function in documented_functions():
        body = function.tree.body[1:]
        if not body:
            continue
        function.tree.body = body
        if parts := corpus.add(function.name, ast.unparse(function.tree), most=_PARTS):
            corpus.queries[function.name] = (function.documentation.partition("\n\n")[0].replace("\n", " "), parts)
    return corpus


SOURCES: tuple[Source[Corpus], ...] = (
    Source("SQuAD 1.1 training questions, without the held-back", "CC BY-SA 4.0", 10_000, _squad),
    Source("MedQuAD", "CC BY 4.0", 3_000, _medquad),
    Source("FEVER claims, without the held-back", "CC BY-SA 3.0", 3_000, _fever),
    Source("SciFact titles and abstracts", "ODC-By", 3_000, _scifact_titles),
    Source("Open English WordNet", "CC BY 4.0", 2_000, _wordnet),
    Source("2WikiMultihopQA passages and sentences of them", "Apache-2.0", 3_000, _sentences),
    Source("functions of the Python standard library", "PSF-2.0", 3_000, _python),
)
