"""Pairs of a premise and a claim that the small entailment model learns on: a row a source.

FEVER's claims were written and judged by people. The others are made by rules, each of a known outcome: a question of
SQuAD with its answer put in place of the question word (the idea of Demszky et al. 2018), or with another answer of
the like; a sentence with a number, a name or a word turned; a word replaced by one above or beside it in WordNet.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, is_held_back, place
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.data.sources import Source

ENTAILMENT, NEUTRAL, CONTRADICTION, NOT_ENTAILMENT = "entailment", "neutral", "contradiction", "not_entailment"

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_AUXILIARY = r"(?:do|does|did|is|are|was|were|has|have|had|can|could|will|would|should|may|might|must)\b"
_NOUN = rf"(?!{_AUXILIARY})\w+"
# A question by its beginning, and the claim that it makes of the answer {a}.
_CLAIMS = tuple(
    (re.compile(pattern, re.IGNORECASE), claim)
    for pattern, claim in (
        (rf"^(?:who|what|(?:what|which) {_NOUN}) (?!of |{_AUXILIARY})(?P<rest>[^?]+)\?*$", "{a} {rest}"),
        (rf"^(?:who|what|(?:what|which) {_NOUN}) (?P<verb>is|are|was|were) (?P<rest>[^?]+)\?*$", "{rest} {verb} {a}"),
        (rf"^how many (?P<what>\w+) (?!{_AUXILIARY})(?P<rest>[^?]+)\?*$", "{a} {what} {rest}"),
        (r"^how many (?P<what>[\w ]+?) (?:do|does|did) (?P<rest>[^?]+)\?*$", "{rest} {a} {what}"),
        (r"^(?:when|where|in what year|in which year|what year) (?:do|does|did) (?P<rest>[^?]+)\?*$", "{rest} in {a}"),
        (r"^(?:when|where|in what year|in which year|what year) (?P<verb>is|are|was|were) (?P<rest>[^?]+)\?*$",
         "{rest} {verb} in {a}"),
        (rf"^(?:who|what|(?:what|which) {_NOUN}) (?:do|does|did) (?P<rest>[^?]+)\?*$", "{rest} {a}"),
        (r"^(?P<before>[^?]*?)\b(?:what|which|who|whom)\b(?P<rest>[^?]*)\?*$", "{before} {a} {rest}"),
    )
)  # fmt: skip
_OPPOSITES = (
    "increase decrease", "increases decreases", "increased decreased", "more less", "higher lower", "high low",
    "before after", "first last", "largest smallest", "larger smaller", "north south", "east west", "northern southern",
    "eastern western", "always never", "all none", "many few", "most least", "early late", "earlier later", "old young",
    "older younger", "won lost", "positive negative", "male female", "king queen", "father mother",
    "brother sister", "son daughter", "husband wife", "begins ends", "began ended", "born died", "inside outside",
    "above below", "upper lower", "best worst", "better worse", "long short", "longer shorter",
    "public private", "common rare", "strong weak", "success failure", "allowed forbidden", "gain loss",
    "rich poor", "reduce raise", "reduced raised", "reduces raises", "benign malignant", "acute chronic",
    "accepted rejected", "buy sell", "bought sold", "rise fall", "rose fell",
)  # fmt: skip
_OPPOSITE = {a: b for pair in _OPPOSITES for a, b in (pair.split(), pair.split()[::-1])}
_NUMBER = re.compile(r"\b\d[\d,]*(?:\.\d+)?\b")
_NAME = re.compile(r"(?<=[a-z,;] )(?:[A-Z][\w'-]+)(?: [A-Z][\w'-]+)*")
_VERB = re.compile(r"\b(is|are|was|were|can|will|has been|have been)\b")
_ASIDE = re.compile(r"\s*\([^()]*\)")
_SEED = 0  # of what is drawn
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


def claim_of(question: str, answer: str) -> str | None:
    """What a question and its answer say, in the words of both; None for a question of unknown form."""
    for pattern, claim in _CLAIMS:
        if found := pattern.match(question.strip()):
            said = " ".join(claim.format(a=answer, **found.groupdict()).split())
            return f"{said[0].upper()}{said[1:]}."
    return None


def _fever(data: Path) -> Iterator[ClaimPair]:
    held_back = fever_pairs(data)
    for number, row in enumerate(read_jsonl(data / "grounding/fever_pairs/fever_dev_pairs.jsonl.gz")):
        if row["hypothesis"] not in held_back:
            yield ClaimPair(f"fever {number} {row['hypothesis']}", row["premise"], row["hypothesis"], row["label"])


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


def _turned(data: Path) -> Iterator[ClaimPair]:
    """Sentences beside themselves without an aside, or with a number, a name or a word turned."""
    random = np.random.default_rng(_SEED)
    rows = [(row["_id"], row["text"]) for row in read_jsonl(data / "deepsearch/wiki2_passages/passages.jsonl.gz")]
    rows += [(row["id"], row["a"]) for row in read_jsonl(data / "train/medquad/qa.jsonl.gz")]
    rows += [(row["_id"], row["text"]) for row in _squad_paragraphs(data)]
    names = [name for _, text in rows for name in _NAME.findall(text[:400])[:1]]
    for number, text in rows:
        sentences = [s for s in _SENTENCE_END.split(text[:1500]) if 6 <= len(s.split()) <= 50]
        if not sentences:
            continue
        at = int(random.integers(0, len(sentences)))
        premise = " ".join(sentences[max(0, at - 1) : at + 2])
        plain = _shortened(_ASIDE.sub("", sentences[at]), random)
        turns = [(claim, label) for turn, label in _TURNS if (claim := turn(plain, names, random))]
        if turns and random.random() < 0.6:  # which leaves about as many of each
            claim, label = turns[int(random.integers(0, len(turns)))]
            yield ClaimPair(f"turned {number}", premise, claim, label)
        else:
            yield ClaimPair(f"turned {number}", premise, plain, ENTAILMENT)


def _shortened(sentence: str, random: np.random.Generator) -> str:
    """The sentence up to a comma that leaves most of it, or all of it."""
    commas = [found.start() for found in re.finditer(r", ", sentence) if found.start() > len(sentence) * 0.5]
    return f"{sentence[: commas[0]]}." if commas and random.random() < 0.5 else sentence


def _other_number(sentence: str, _: list[str], random: np.random.Generator) -> str | None:
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return None
    one = found[int(random.integers(0, len(found)))]
    whole, point, rest = one[0].partition(".")
    value = int(whole.replace(",", ""))
    shift = int(random.integers(1, max(3, min(20, value // 2 + 2))))
    other = value + (shift if random.random() < 0.5 or value <= shift else -shift)
    written = f"{other:,}" if "," in whole else str(other)
    return f"{sentence[: one.start()]}{written}{point}{rest}{sentence[one.end() :]}"


def _other_name(sentence: str, names: list[str], random: np.random.Generator) -> str | None:
    found = list(_NAME.finditer(sentence))
    if not found:
        return None
    one, other = found[int(random.integers(0, len(found)))], names[int(random.integers(0, len(names)))]
    return None if other in sentence else f"{sentence[: one.start()]}{other}{sentence[one.end() :]}"


def _opposite(sentence: str, _: list[str], random: np.random.Generator) -> str | None:
    words = sentence.split(" ")
    places = [at for at, word in enumerate(words) if word in _OPPOSITE]
    if not places:
        return None
    at = places[int(random.integers(0, len(places)))]
    return " ".join([*words[:at], _OPPOSITE[words[at]], *words[at + 1 :]])


def _negated(sentence: str, _: list[str], random: np.random.Generator) -> str | None:
    found = _VERB.search(sentence)
    if found is None or " not " in sentence or " never " in sentence:
        return None
    word = "never" if random.random() < 0.4 else "not"
    return f"{sentence[: found.end()]} {word}{sentence[found.end() :]}"


# What makes another claim of a sentence, and whether that must be false: another name may be true as well.
_TURNS: tuple[tuple[Callable[[str, list[str], np.random.Generator], str | None], str], ...] = (
    (_other_number, CONTRADICTION),
    (_other_name, NOT_ENTAILMENT),
    (_opposite, CONTRADICTION),
    (_negated, CONTRADICTION),
)


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
    Source("FEVER pairs, without the held-back tenth", "CC BY-SA 3.0", 100_000, _fever, repeats=4),
    Source("COVID-Fact training pairs", "none stated", 100_000, _covid, repeats=2),
    Source("claims made of SQuAD's questions, without the held-back", "CC BY-SA 4.0", 40_000, _answers),
    Source(
        "sentences of 2WikiMultihopQA, MedQuAD and SQuAD, turned",
        "Apache-2.0, CC BY 4.0, CC BY-SA 4.0",
        20_000,
        _turned,
    ),
    Source("examples of Open English WordNet", "CC BY 4.0", 6_000, _wordnet),
    Source("STS benchmark training pairs", "CC BY-SA 4.0", 4_000, _similar),
)
