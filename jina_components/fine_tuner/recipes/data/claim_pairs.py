"""Pairs of a premise and a claim that the small entailment model learns on: a row a source.

The claims of FEVER and SciFact were written and judged by people, those of COVID-Fact by people and a model. The others
are made by rule (`claim_rules`), which tells their outcome, if not always rightly: a question of SQuAD with its answer
put in place of the question word (the idea of Demszky et al. 2018), or with another answer of the like; a sentence, or
a claim of people, with a number, a name or a word turned; a word replaced by one above or beside it in WordNet.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jina_components.fine_tuner.recipes.data.claim_rules import (
    CONTRADICTION,
    ENTAILMENT,
    NEUTRAL,
    NOT_ENTAILMENT,
    claim_of,
    names_in,
    turned,
)
from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, is_held_back, scifact_claims
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.data.scifact import judged_claims, uncited_abstracts
from jina_components.fine_tuner.recipes.data.sources import Source
from jina_components.fine_tuner.sampling import place

# Stricter than `texts.SENTENCE_END`: what follows is quoted, so that "St. Paul" should stay in one piece.
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_ASIDE = re.compile(r"\s*\([^()]*\)")
_SEED = 0  # of what is drawn
_TURNED = 0.6  # share of the sentences that are turned, if they can be; leaves about as many of each outcome
_ALIKE, _UNLIKE = 4.4, 1.5  # on the scale of the STS benchmark, 0 to 5


@dataclass(frozen=True, slots=True)
class ClaimPair:
    """A premise, a claim, and whether the one entails the other.

    Attributes:
        id: Where it comes from.
        premise: What is taken for true.
        claim: What is asked about.
        label: `entailment`, `neutral`, `contradiction`, or `not_entailment` for one of the two.
    """

    id: str
    premise: str
    claim: str
    label: str


def collect_pairs(data: Path, sources: Sequence[Source[Iterable[ClaimPair]]]) -> list[ClaimPair]:
    """The pairs of all sources.

    Raises:
        ConfigError: a file of a source is missing.
    """
    pairs: list[ClaimPair] = []
    for source in sources:
        found = sorted(source.read(data), key=lambda pair: place(pair.id))
        pairs += found[: source.limit] * source.repeats
    return pairs


def _fever(data: Path) -> Iterator[ClaimPair]:
    """What is not entailed in this set is what FEVER calls refuted."""
    held_back = fever_pairs(data)
    for number, row in enumerate(read_jsonl(data / "grounding/fever_pairs/fever_dev_pairs.jsonl.gz")):
        if row["hypothesis"] not in held_back:
            label = ENTAILMENT if row["label"] == ENTAILMENT else CONTRADICTION
            yield ClaimPair(f"fever {number} {row['hypothesis']}", row["premise"], row["hypothesis"], label)


def _scifact(data: Path) -> Iterator[ClaimPair]:
    held_back = scifact_claims(data)
    for claim in judged_claims(data):
        if claim.id not in held_back:
            label = ENTAILMENT if claim.supported else CONTRADICTION
            yield ClaimPair(f"scifact {claim.id}", claim.premise, claim.text, label)


def _turned_claims(read: Callable[[Path], Iterable[ClaimPair]]) -> Callable[[Path], Iterator[ClaimPair]]:
    """The pairs of people, each with its claim turned."""

    def turn(data: Path) -> Iterator[ClaimPair]:
        random = np.random.default_rng(_SEED)
        pairs, held_back = list(read(data)), fever_pairs(data)
        names = [name for pair in pairs for name in names_in(pair.claim)]
        for pair in pairs:
            made = turned(pair.claim, pair.label, names, random)
            # FEVER's own claims are turned from one another, too; SciFact's of one finding are held back together.
            if made and made[0] not in held_back:
                yield ClaimPair(f"turned {pair.id}", pair.premise, *made)

    return turn


def _answers(data: Path) -> Iterator[ClaimPair]:
    """Claims of SQuAD's questions: the answer, another of its kind, or the wrong paragraph."""
    random = np.random.default_rng(_SEED)
    folder = data / "retrieval/squad"
    paragraphs = {row["_id"]: row for row in _squad_paragraphs(data)}
    questions = [row for row in read_jsonl(folder / "train_questions.jsonl.gz") if row["para"] in paragraphs]
    of_article: dict[str, list[str]] = defaultdict(list)
    alike: dict[tuple[str, object], list[str]] = defaultdict(list)
    for row in paragraphs.values():
        of_article[row["title"]].append(row["_id"])
    for row in questions:
        alike[paragraphs[row["para"]]["title"], _kind(row["answers"][0])].append(row["answers"][0])
    for row in questions:
        answer, home = row["answers"][0], paragraphs[row["para"]]
        premise = _around(home["text"], answer, row["text"], random)
        draw = random.random()
        if draw < 0.2:
            other = paragraphs[str(random.choice(of_article[home["title"]]))]
            if other is home or answer in other["text"]:
                continue
            premise, said, label = _opening(other["text"], random), answer, NEUTRAL
        elif draw < 0.6:
            said, label = answer, ENTAILMENT
        else:
            said, label = str(random.choice(alike[home["title"], _kind(answer)])), CONTRADICTION
            if said.lower() in answer.lower() or answer.lower() in said.lower():
                continue
        if premise and (claim := claim_of(row["text"], said)):
            yield ClaimPair(f"squad {row['_id']}", premise, claim, label)


def _kind(answer: str) -> tuple[bool, bool, int]:
    """What answers that could stand for each other have in common."""
    return any(map(str.isdigit, answer)), answer[:1].isupper(), min(3, len(answer.split()))


def _around(text: str, answer: str, question: str, random: np.random.Generator) -> str | None:
    """Of the sentences that hold the answer, that with the most words of the question; at times with its neighbours."""
    sentences, asked = _SENTENCE_END.split(text), set(question.lower().split())
    holding = [at for at, sentence in enumerate(sentences) if answer in sentence]
    if not holding:
        return None
    at = max(holding, key=lambda at: len(asked & set(sentences[at].lower().split())))
    reach = int(random.integers(0, 2))
    return " ".join(sentences[max(0, at - reach) : at + reach + 1])


def _squad_paragraphs(data: Path) -> Iterator[dict[str, Any]]:
    """Those of articles that are not held back."""
    rows = read_jsonl(data / "retrieval/squad/train_paras.jsonl.gz")
    return (row for row in rows if not is_held_back(row["title"]))


def _opening(text: str, random: np.random.Generator) -> str:
    return " ".join(_SENTENCE_END.split(text)[: int(random.integers(1, 4))])


def _turned_sentences(data: Path) -> Iterator[ClaimPair]:
    """Sentences beside themselves without an aside, or turned."""
    random = np.random.default_rng(_SEED)
    rows = [(row["_id"], row["text"]) for row in read_jsonl(data / "deepsearch/wiki2_passages/passages.jsonl.gz")]
    rows += [(row["id"], row["a"]) for row in read_jsonl(data / "train/medquad/qa.jsonl.gz")]
    rows += [(row["_id"], row["text"]) for row in _squad_paragraphs(data)]
    rows += [(row["_id"], row["text"]) for row in uncited_abstracts(data)]
    names = [name for _, text in rows for name in names_in(text[:400])[:1]]
    for number, text in rows:
        sentences = [s for s in _SENTENCE_END.split(text[:1500]) if 6 <= len(s.split()) <= 50]
        if not sentences:
            continue
        at = int(random.integers(0, len(sentences)))
        premise = " ".join(sentences[max(0, at - 1) : at + 2])
        claim, label = _shortened(_ASIDE.sub("", sentences[at]), random), ENTAILMENT
        if random.random() < _TURNED:
            claim, label = turned(claim, label, names, random) or (claim, label)
        yield ClaimPair(f"turned {number}", premise, claim, label)


def _shortened(sentence: str, random: np.random.Generator) -> str:
    """The sentence up to a comma that leaves most of it, or all of it."""
    commas = [found.start() for found in re.finditer(r", ", sentence) if found.start() > len(sentence) * 0.5]
    return f"{sentence[: commas[0]]}." if commas and random.random() < 0.5 else sentence


def _wordnet(data: Path) -> Iterator[ClaimPair]:
    """An example of a word, and the same with a synonym or what it is a kind of, or with another of its kind."""
    random = np.random.default_rng(_SEED)
    synsets = {row["id"]: row for row in read_jsonl(data / "train/oewn/synsets.jsonl.gz")}
    below: dict[str, list[str]] = defaultdict(list)
    for row in synsets.values():
        for above in row["hyper"]:
            below[above].append(row["id"])
    for row in synsets.values():
        for example in row["ex"][:1]:
            word = next((m for m in row["members"] if re.search(rf"\b{re.escape(m)}\b", example)), None)
            above = next((synsets[i] for i in row["hyper"] if i in synsets), None)
            if word is None or len(example.split()) < 4:
                continue
            beside = [i for i in below[above["id"]] if i != row["id"]] if above else []
            same = [m for m in row["members"] if m != word]
            choices = [(m, ENTAILMENT) for m in same[:1]]
            choices += [(above["members"][0], ENTAILMENT)] if above else []
            if beside:
                other = synsets[beside[int(random.integers(0, len(beside)))]]["members"][0]
                choices += [(other, NOT_ENTAILMENT)] * len(choices)
            if choices:
                other, label = choices[int(random.integers(0, len(choices)))]
                yield ClaimPair(f"oewn {row['id']}", example, re.sub(rf"\b{re.escape(word)}\b", other, example), label)


def _covid(data: Path) -> Iterator[ClaimPair]:
    for number, row in enumerate(read_jsonl(data / "grounding/covidfact/rte_train.jsonl.gz")):
        yield ClaimPair(f"covidfact {number}", row["premise"], row["hypothesis"], row["label"])


def _similar(data: Path) -> Iterator[ClaimPair]:
    for number, row in enumerate(read_jsonl(data / "sts/stsb_multi/en_train.jsonl.gz")):
        if row["score"] >= _ALIKE:
            yield ClaimPair(f"stsb {number}", row["a"], row["b"], ENTAILMENT)
        elif row["score"] <= _UNLIKE:
            yield ClaimPair(f"stsb {number}", row["a"], row["b"], NOT_ENTAILMENT)


SOURCES: tuple[Source[Iterable[ClaimPair]], ...] = (
    Source("FEVER pairs, without the held-back tenth", "CC BY-SA 3.0", 100_000, _fever, repeats=3),
    Source("the same with the claim turned", "CC BY-SA 3.0", 100_000, _turned_claims(_fever)),
    Source("SciFact training claims, without the held-back half", "CC BY 4.0", 100_000, _scifact, repeats=10),
    Source("the same with the claim turned", "CC BY 4.0", 100_000, _turned_claims(_scifact), repeats=5),
    Source("COVID-Fact training pairs", "none stated", 100_000, _covid, repeats=2),
    Source("claims made of SQuAD's questions, without the held-back", "CC BY-SA 4.0", 40_000, _answers),
    Source(
        "sentences of 2WikiMultihopQA, MedQuAD, SQuAD and SciFact abstracts, turned",
        "Apache-2.0, CC BY 4.0, CC BY-SA 4.0, ODC-By",
        24_000,
        _turned_sentences,
    ),
    Source("examples of Open English WordNet", "CC BY 4.0", 6_000, _wordnet),
    Source("STS benchmark training pairs", "CC BY-SA 4.0", 4_000, _similar),
)
