"""Triplets out of documents: passages cut, questions asked of them, negatives mined, splits kept apart."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from jina_components.core.inputs import as_list
from jina_components.core.overlap import terms
from jina_components.errors import ConfigError, InputError
from jina_components.fine_tuner.chat_questions import ask_chat
from jina_components.fine_tuner.copies import copies
from jina_components.fine_tuner.mining import Mined, Miner, MiningSettings, Reason
from jina_components.fine_tuner.passages import Cutter, Piece, has_terms
from jina_components.fine_tuner.questions import Question
from jina_components.fine_tuner.rule_questions import ask_rules
from jina_components.fine_tuner.sampling import place
from jina_components.fine_tuner.slices import in_slices
from jina_components.fine_tuner.triplets import SPLITS, Passage, Split, Triplet, Triplets, check_shares, split_of
from jina_components.protocols import ChatModel, SupportsEmbed, SupportsRerank
from jina_components.types import Document

# Of a passage that a chat model is asked about; of what is left of one without a question's words, twice as many.
_FEWEST_TERMS = 4
_VERBATIM = "sentence"  # the kind of question that is a sentence of its passage as it stands


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisSettings:
    """How triplets are made; the defaults are for tuning a small embedder on a CPU.

    Attributes:
        max_tokens: Of a passage; no more than the model to be tuned takes.
        questions: Of a passage, at most.
        most: Questions in all, at most; a sample of them where there are more.
        masked: Share of the training questions taken from the words of their passage whose passage is then without
            these words (the inverse cloze task, Lee et al. 2019): what is left must do. At 0, whole sentences of a
            passage are its questions only where no others are found: they teach nothing then.
        dev: Share of the documents that the best checkpoint is chosen by; those are not learned from.
        test: Share of the documents that nothing is chosen by.
        mining: Of negatives.
        concurrency: Passages that a chat model is asked about at a time.

    Raises:
        ConfigError: a number is out of range.
    """

    max_tokens: int = 256
    questions: int = 6
    most: int = 30_000
    masked: float = 0.0
    dev: float = 0.05
    test: float = 0.1
    mining: MiningSettings = field(default_factory=MiningSettings)
    concurrency: int = 8

    def __post_init__(self) -> None:
        if min(self.max_tokens, self.questions, self.most, self.concurrency) < 1:
            raise ConfigError("max_tokens, questions, most and concurrency must be positive.")
        if not 0 <= self.masked <= 1:
            raise ConfigError("masked must be from 0 to 1.")
        check_shares(dev=self.dev, test=self.test)


class _Asked(NamedTuple):
    """A question and the position of its passage."""

    question: Question
    at: int


async def synthesize(
    documents: Sequence[str | Document],
    *,
    embedder: SupportsEmbed,
    reranker: SupportsRerank | None = None,
    chat: ChatModel | None = None,
    settings: SynthesisSettings = SynthesisSettings(),
    seed: int = 0,
    work: Path | None = None,
    show_progress: bool = False,
) -> Triplets:
    """Questions about documents, with the passages that answer them and passages that only look as if.

    The same arguments give the same triplets, but for what a chat model makes up. What runs out of the event loop runs
    slice by slice: cancelling waits for one.

    Args:
        documents: What is to be found; metadata `title`, `heading` and `language` are made use of.
        embedder: Finds hard negatives: best the model that is to be tuned.
        reranker: Tells false negatives; None goes by the embedder's cosines, which are worse at it.
        chat: Writes the questions; None derives them from the text by rules.
        settings: How many, how large …
        seed: Which wordings, and which questions where there are too many.
        work: Folder that keeps a chat model's answers, so that an interrupted run does not pay twice.
        show_progress: Draw bars on stderr.

    Raises:
        InputError: no document has text, or no question came of them; or `documents` is one text.
        ChatError: the chat model failed on every passage.
        BackendError: a model failed.
    """
    given = {each.id: each for each in map(_as_document, as_list(documents, what="documents")) if each.text.strip()}
    if not given:
        raise InputError("There is no text in the documents: pass some that have.")
    cut = await asyncio.to_thread(_cut, list(given.values()), settings)
    about: dict[str, Any] = {
        "documents": len(given),
        "copies": sum(name != first for name, first in cut.homes.items()),
        "passages": len(cut.pieces),
        "seed": seed,
        "settings": asdict(settings),
        "questions_by": "rules" if chat is None else repr(chat),
        "negatives_by": [repr(embedder), repr(reranker)],
    }
    warnings = list(cut.warnings)
    if chat is None:
        asked = [_Asked(*one) for one in await ask_rules(cut.pieces, seed=seed, show_progress=show_progress)]
    else:
        written = await ask_chat(
            chat,
            [piece for piece in cut.pieces if has_terms(piece.passage.text, _FEWEST_TERMS)],
            count=settings.questions,
            concurrency=settings.concurrency,
            work=work,
            show_progress=show_progress,
        )
        places = {piece.passage.id: at for at, piece in enumerate(cut.pieces)}
        asked = [_Asked(Question(text, "chat"), places[name]) for name, texts in written.questions for text in texts]
        about["usage"] = asdict(written.usage)
        warnings += written.warnings
    dropped: Counter[str] = Counter()
    asked = _sampled(_unambiguous(asked, cut, dropped), settings, seed, dropped)
    mined = await _mine(asked, cut, embedder, reranker, settings.mining, show=show_progress)
    triplets = _Triplets(cut, settings, seed)
    for one, found in zip(asked, mined, strict=True):
        if isinstance(found, Mined):
            triplets.add(one, found)
        else:
            dropped[found] += 1
    return triplets.made({**about, "dropped": dict(dropped), "warnings": warnings})


class _Cut(NamedTuple):
    """Documents as passages.

    Attributes:
        pieces: The passages, document by document.
        homes: For the id of each document that of the first one that it is a near-copy of, or its own.
        copies: For each passage the position of the first that it is a near-copy of, or its own.
        splits: For each passage that of its document.
        warnings: What could not be done as it should be.
    """

    pieces: list[Piece]
    homes: dict[str, str]
    copies: list[int]
    splits: list[Split]
    warnings: list[str]


def _as_document(item: str | Document) -> Document:
    return item if isinstance(item, Document) else Document(item)


def _cut(documents: Sequence[Document], settings: SynthesisSettings) -> _Cut:
    cutter = Cutter(settings.max_tokens)
    pieces = [piece for document in documents for piece in cutter.pieces(document)]
    firsts = copies([document.text for document in documents])
    homes = {document.id: documents[first].id for document, first in zip(documents, firsts, strict=True)}
    splits = [split_of(homes[piece.passage.document], dev=settings.dev, test=settings.test) for piece in pieces]
    return _Cut(pieces, homes, copies([piece.passage.text for piece in pieces]), splits, cutter.warnings)


def _unambiguous(asked: Sequence[_Asked], cut: _Cut, dropped: Counter[str]) -> list[_Asked]:
    """Each question once: of the first passage where copies or one document have it, of none where others have."""
    askers: dict[tuple[str, ...], list[_Asked]] = defaultdict(list)
    for one in asked:
        askers[tuple(sorted(terms(one.question.text)))].append(one)
    kept: list[_Asked] = []
    for words, group in askers.items():
        homes = {cut.homes[cut.pieces[one.at].passage.document] for one in group}
        same = {cut.copies[one.at] for one in group}
        if words and (len(homes) == 1 or len(same) == 1):
            kept.append(group[0])
            dropped["repeated"] += len(group) - 1
        else:
            dropped["fits many"] += len(group)
    return sorted(kept, key=lambda one: one.at)


def _sampled(asked: Sequence[_Asked], settings: SynthesisSettings, seed: int, dropped: Counter[str]) -> list[_Asked]:
    """At most so many of a passage, of as many kinds as can be, and so many in all."""

    def drawn(one: _Asked) -> float:
        return place(f"{seed}:{one.question.text}")

    kept: list[_Asked] = []
    for _, group in groupby(asked, key=lambda one: one.at):
        every = list(group)
        asking = every if settings.masked else [one for one in every if one.question.kind != _VERBATIM]
        dropped["verbatim"] += len(every) - len(asking) if asking else 0
        ordered = sorted(asking or every, key=drawn)
        seen: Counter[str] = Counter()
        turns: list[tuple[int, int]] = []
        for position, one in enumerate(ordered):
            turns.append((seen[one.question.kind], position))
            seen[one.question.kind] += 1
        kept += [ordered[position] for _, position in sorted(turns)[: settings.questions]]
    kept = sorted(kept, key=drawn)[: settings.most]
    dropped["too many"] += len(asked) - len(kept) - dropped["verbatim"]
    return sorted(kept, key=lambda one: (one.at, one.question.text))


async def _mine(
    asked: Sequence[_Asked],
    cut: _Cut,
    embedder: SupportsEmbed,
    reranker: SupportsRerank | None,
    settings: MiningSettings,
    *,
    show: bool,
) -> list[Mined | Reason]:
    passages = [piece.passage for piece in cut.pieces]
    homes = [cut.homes[passage.document] for passage in passages]
    miner = Miner(passages, homes, cut.copies, cut.splits, embedder=embedder, reranker=reranker, settings=settings)
    await in_slices(lambda places: miner.add(places.start, places.stop), len(passages), "Embedding", show=show)
    mined: list[Mined | Reason] = []

    def mine(places: range) -> None:
        part = asked[places.start : places.stop]
        mined.extend(miner.mine([one.question.text for one in part], [one.at for one in part]))

    await in_slices(mine, len(asked), "Mining", show=show)
    return mined


class _Triplets:
    """Gathers triplets into splits."""

    def __init__(self, cut: _Cut, settings: SynthesisSettings, seed: int) -> None:
        self._cut, self._settings, self._seed = cut, settings, seed
        self._passages = {piece.passage.id: piece.passage for piece in cut.pieces}
        self._splits: dict[str, list[Triplet]] = {split: [] for split in SPLITS}

    def add(self, one: _Asked, mined: Mined) -> None:
        passage = self._cut.pieces[one.at].passage
        split = self._cut.splits[one.at]
        positive = self._masked(passage, one.question) if split == "train" else passage.id
        negatives = tuple(self._cut.pieces[at].passage.id for at in mined.negatives)
        self._splits[split].append(
            Triplet(
                query=one.question.text,
                positive=positive,
                negatives=negatives,
                scores=mined.scores,
                kind=one.question.kind,
                language=passage.language,
            )
        )

    def _masked(self, passage: Passage, question: Question) -> str:
        """The passage, or, of as many questions as settings say, one without the question's words."""
        if question.span is None or place(f"{self._seed}:masked:{question.text}") >= self._settings.masked:
            return passage.id
        start, end = question.span
        rest = f"{passage.text[:start].rstrip()} {passage.text[end:].lstrip(' .。')}".strip()
        if not has_terms(rest, 2 * _FEWEST_TERMS):
            return passage.id
        name = f"{passage.id}-{start}-{end}"
        self._passages[name] = replace(passage, id=name, text=rest)
        return name

    def made(self, about: dict[str, Any]) -> Triplets:
        kinds = Counter(triplet.kind for triplets in self._splits.values() for triplet in triplets)
        if not self._splits["train"]:
            lost = ", ".join(f"{reason} {count}" for reason, count in about["dropped"].items())
            raise InputError(
                f"The documents gave no question to train with ({lost or 'none was found'}): pass more text."
            )
        return Triplets(passages=self._passages, about={**about, "kinds": dict(kinds)}, **self._splits)
