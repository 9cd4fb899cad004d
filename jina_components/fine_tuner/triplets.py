"""What an embedder is tuned with: questions, the passages that answer them, and passages that only look as if."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from jina_components.core.durable import write_folder
from jina_components.errors import ConfigError, InputError
from jina_components.fine_tuner.copies import copies
from jina_components.fine_tuner.sampling import place
from jina_components.types import shorten

Split: TypeAlias = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")

_PASSAGES, _ABOUT = "passages.jsonl", "about.json"

R = TypeVar("R", "Passage", "Triplet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document, as it is embedded.

    Attributes:
        id: Its name, unique within its `Triplets`.
        text: The text.
        document: Id of the document that it is of. Splits never divide a document.
        language: Two or three letters (ISO 639), empty where unknown.
    """

    id: str
    text: str
    document: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplet:
    """A question with a passage that answers it, and some that do not.

    Attributes:
        query: The question, or words that somebody would search with.
        positive: Id of the passage that answers.
        negatives: Ids of passages that do not, the hardest first.
        scores: The cross-encoder's probability for the positive, then for each negative; empty where none was asked.
        kind: How the question was derived: "title", "definition", "chat" …
        language: Of the question.
    """

    query: str
    positive: str
    negatives: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    kind: str = ""
    language: str = ""


class Texts(NamedTuple):
    """A triplet with texts in place of ids."""

    query: str
    positive: str
    negatives: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Triplets:
    """Questions about passages, divided by document into what is learned from, chosen by and measured with.

    Attributes:
        passages: By id.
        train: What the weights are fitted to.
        dev: What the best checkpoint is chosen by.
        test: What nothing is chosen by.
        about: How they were made: source, settings, seed, counts; JSON values.

    Raises:
        InputError: a triplet names a passage that is not there, has as many scores as it should not have, or has its
            positive among its negatives; or two splits share a document.
    """

    passages: Mapping[str, Passage]
    train: Sequence[Triplet]
    dev: Sequence[Triplet] = ()
    test: Sequence[Triplet] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        homes: dict[str, Split] = {}
        for split in SPLITS:
            for number, triplet in enumerate(getattr(self, split)):
                self._check(triplet, f"Triplet {number} of {split} ({shorten(triplet.query)!r})")
                document = self.passages[triplet.positive].document
                if homes.setdefault(document, split) != split:
                    raise InputError(
                        f"Document {shorten(document)!r} answers questions of {homes[document]} and {split}."
                    )

    def _check(self, triplet: Triplet, name: str) -> None:
        unknown = {triplet.positive, *triplet.negatives} - self.passages.keys()
        if unknown:
            raise InputError(f"{name} names passages that are not there: {shorten(', '.join(sorted(unknown)))}.")
        if triplet.positive in triplet.negatives:
            raise InputError(f"{name} has its positive among its negatives.")
        if triplet.scores and len(triplet.scores) != 1 + len(triplet.negatives):
            raise InputError(f"{name} has {len(triplet.scores)} scores for {1 + len(triplet.negatives)} passages.")

    def __repr__(self) -> str:
        counts = ", ".join(f"{split} {len(getattr(self, split)):,}" for split in SPLITS)
        return f"Triplets({counts}; {len(self.passages):,} passages)"

    def texts(self, split: Split) -> Iterator[Texts]:
        """The triplets of a split with their passages' texts."""
        for each in getattr(self, split):
            negatives = tuple(self.passages[name].text for name in each.negatives)
            yield Texts(each.query, self.passages[each.positive].text, negatives, each.scores)

    def save(self, folder: str | Path) -> None:
        """Write `passages.jsonl`, `train.jsonl`, `dev.jsonl`, `test.jsonl` and `about.json` into a new folder.

        Raises:
            OSError: there is something already, or the disk failed.
        """

        def write(to: Path) -> None:
            _write(to / _PASSAGES, self.passages.values())
            for split in SPLITS:
                _write(to / f"{split}.jsonl", getattr(self, split))
            (to / _ABOUT).write_text(
                json.dumps(dict(self.about), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
            )

        write_folder(Path(folder), write)

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]], *, dev: float = 0.05, test: float = 0.1) -> Triplets:
        """Questions that you have, each with a text that answers it: from a search log, a FAQ, tickets and solutions.

        A text that answers several is one passage. There are no negatives: an embedder needs none to tell the answer
        from, a cross-encoder does.

        Args:
            pairs: Of a question and the text.
            dev: Share of the texts whose questions are `dev`, near-copies together.
            test: Likewise.

        Raises:
            ConfigError: the shares leave nothing to train with.
            InputError: there is no pair, or one has a blank side; `.index` is its place.
        """
        check_shares(dev=dev, test=test)
        asked = list(pairs)
        for row, pair in enumerate(asked):
            if not all(side.strip() for side in pair):
                raise InputError(f"Pair {row} ({shorten(str(pair))}) lacks a question or a text.", row)
        if not asked:
            raise InputError("There are no pairs: give a question and a text that answers it.")
        texts = list(dict.fromkeys(text for _, text in asked))
        ids = {text: str(number) for number, text in enumerate(texts)}
        splits = [split_of(texts[first], dev=dev, test=test) for first in copies(texts)]
        rows: dict[Split, list[Triplet]] = {split: [] for split in SPLITS}
        for query, text in dict.fromkeys(asked):
            rows[splits[int(ids[text])]].append(Triplet(query=query, positive=ids[text]))
        passages = {name: Passage(id=name, text=text, document=name) for text, name in ids.items()}
        return cls(passages=passages, about={"pairs": len(asked)}, **rows)

    @classmethod
    def load(cls, folder: str | Path) -> Triplets:
        """What `save` has written; also what was written by hand: splits and `about.json` may be missing.

        Raises:
            ConfigError: there is no such folder, or a line of it is not what it should be; the message names it.
            InputError: the lines do not fit each other.
        """
        home = Path(folder)
        if not (home / _PASSAGES).is_file():
            raise ConfigError(f"{home} holds no triplets: it has no {_PASSAGES}.")
        passages = {each.id: each for each in _read(home / _PASSAGES, Passage)}
        splits = {split: tuple(_read(home / f"{split}.jsonl", Triplet)) for split in SPLITS}
        about = home / _ABOUT
        made = json.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
        return cls(passages=passages, about=made, **splits)


def check_shares(*, dev: float, test: float) -> None:
    """Refuse shares of documents that leave nothing to train with."""
    if not (min(dev, test) >= 0 and dev + test < 1):
        raise ConfigError(f"dev={dev}, test={test}: shares must be from 0 on, and below 1 together.")


def split_of(document: str, *, dev: float, test: float) -> Split:
    """Where a document belongs, by the hash of its id: the same in every run, whatever other documents there are."""
    at = place(document)
    return "test" if at < test else "dev" if at < test + dev else "train"


def _write(path: Path, records: Iterable[Passage | Triplet]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for record in records:
            given = {name: value for name, value in asdict(record).items() if value not in ("", ())}
            lines.write(json.dumps(given, ensure_ascii=False) + "\n")


def _read(path: Path, kind: type[R]) -> Iterator[R]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                given = json.loads(line).items()
                values: dict[str, Any] = {key: tuple(each) if isinstance(each, list) else each for key, each in given}
                yield kind(**values)
            except (TypeError, ValueError, AttributeError) as error:
                known = ", ".join(each.name for each in fields(kind))
                told = f"{path}, line {number} is no {kind.__name__} (JSON with {known}): {error}"
                raise ConfigError(told) from error
