"""Whether a model is better than another: measured on the same questions, and called so only where it is sure."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np

from jina_components.core.durable import write_file
from jina_components.core.names import resolve_name
from jina_components.embedder import Embedder
from jina_components.errors import ConfigError, InputError
from jina_components.fine_tuner.bootstrap import Estimate, estimates
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.metrics import METRICS, NONE
from jina_components.fine_tuner.rankings import rank_by_embedder, rank_by_reranker
from jina_components.fine_tuner.triplets import Triplets
from jina_components.models.files import find_files, find_spec
from jina_components.models.layout import read_layout
from jina_components.protocols import SupportsEmbed, SupportsRerank
from jina_components.reranker import Reranker

if TYPE_CHECKING:
    from jina_components.fine_tuner.metrics import Positions

Model: TypeAlias = str | os.PathLike[str] | SupportsEmbed | SupportsRerank
Verdict: TypeAlias = Literal["better", "no proof", "worse"]

DECISIVE = "ndcg@10"
"""The metric that decides; chosen before anything is measured."""
LABELS: Mapping[str, str] = {
    "ndcg@10": "nDCG@10", "mrr@10": "MRR@10", "recall@10": "recall@10", "recall@100": "recall@100",
}  # fmt: skip
FEWEST = 20
"""Groups whose nDCG@10 has changed that a proof takes: with fewer, the interval leaves 0 out by chance too often."""
_SHOWN_HITS = 3


class Hit(NamedTuple):
    """A passage that a model found, and its grade: 0 where it does not answer."""

    text: str
    grade: float


@dataclass(frozen=True, slots=True)
class Change:
    """A metric of both models, and its difference by question; 1 is best."""

    before: Estimate
    after: Estimate
    difference: Estimate


@dataclass(frozen=True, slots=True)
class QuestionChange:
    """What became of a question.

    Attributes:
        query: The question.
        before, after: nDCG@10 of each model.
        hits_before, hits_after: The first passages that each finds.
    """

    query: str
    before: float
    after: float
    hits_before: tuple[Hit, ...]
    hits_after: tuple[Hit, ...]

    @property
    def difference(self) -> float:
        """What was gained; below 0 what was lost."""
        return self.after - self.before


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison:
    """Two models measured on the same questions.

    Attributes:
        before, after: Their names.
        changes: By metric: "ndcg@10", which decides, "mrr@10", "recall@10", "recall@100".
        questions: What became of each, in their order.
        groups: Questions that the same documents answer are a group; whole groups are drawn for the intervals.
        changed: Groups of which the mean nDCG@10 is another now.
        resamples, seed: Of the draws.
        elsewhere: The same models on other questions: what the change costs there; None where there were none.
    """

    before: str
    after: str
    changes: Mapping[str, Change] = field(hash=False)
    questions: tuple[QuestionChange, ...]
    groups: int
    changed: int
    resamples: int
    seed: int
    elsewhere: Comparison | None = None

    @property
    def verdict(self) -> Verdict:
        """Better or worse only where the whole interval of nDCG@10's difference is on one side of 0."""
        difference = self.changes[DECISIVE].difference
        if self.changed < FEWEST:
            return "no proof"
        return "better" if difference.low > 0 else "worse" if difference.high < 0 else "no proof"

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        if self.changed < FEWEST:
            return f"Results changed in {self.changed} groups of questions; a proof takes {FEWEST}."
        side = {"better": "is above 0", "worse": "is below 0", "no proof": "holds 0"}[self.verdict]
        return f"The 95 % interval of the difference in {LABELS[DECISIVE]} {side}."

    def __repr__(self) -> str:
        change = self.changes[DECISIVE]
        return (
            f"Comparison({self.verdict}: {LABELS[DECISIVE]} {change.before.value:.3f} to {change.after.value:.3f}, "
            f"{ranged(change.difference)} points, {len(self.questions):,} questions)"
        )

    def __str__(self) -> str:
        """A table for people, in points: of 100."""
        width = max(map(len, LABELS.values()))
        rows = [f"{'':{width}}  before   after  difference [95 % interval]"]
        for name, change in self.changes.items():
            before, after = 100 * change.before.value, 100 * change.after.value
            rows.append(f"{LABELS[name]:{width}}  {before:6.1f}  {after:6.1f}  {ranged(change.difference)}")
        told = f"{self.verdict}: {self.reason}"
        lines = [f"{self.before} → {self.after}", self.about, *rows, told]
        if self.elsewhere is not None:
            lines += ["", "Elsewhere:", str(self.elsewhere)]
        return "\n".join(lines)

    @property
    def about(self) -> str:
        """What was measured on."""
        return f"{len(self.questions):,} questions, in {self.groups:,} groups by the documents that answer them"

    def as_json(self) -> dict[str, Any]:
        """The numbers and the verdict as JSON values, without the questions."""
        return {
            "before": self.before,
            "after": self.after,
            "verdict": self.verdict,
            "reason": self.reason,
            "questions": len(self.questions),
            "groups": self.groups,
            "changed": self.changed,
            "resamples": self.resamples,
            "seed": self.seed,
            "metrics": {name: asdict(change) for name, change in self.changes.items()},
            "elsewhere": None if self.elsewhere is None else self.elsewhere.as_json(),
        }

    def _repr_html_(self) -> str:
        from jina_components.fine_tuner.report import comparison_html

        return comparison_html(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the drawn report (`.html`, by itself), the drawing alone (`.svg`) or the numbers (`.json`).

        Raises:
            UnknownNameError: another suffix.
            OSError: the disk failed.
        """
        to = Path(path)
        written = resolve_name(_FORMS, to.suffix.lower(), what="form of a report")(self).encode("utf-8", "replace")
        write_file(to, lambda file: file.write(written))


def evaluate(
    before: Model,
    after: Model,
    questions: JudgedQuestions | Triplets,
    *,
    elsewhere: JudgedQuestions | None = None,
    trained_on: Triplets | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    show_progress: bool = False,
) -> Comparison:
    """Measure two models on the same questions.

    Embedders search the whole corpus, rerankers order BM25's best 100.

    Args:
        before: A name, a folder, an embedder or a reranker.
        after: Another of that kind.
        questions: Questions and their answers; of triplets the test questions, asked of all passages.
        elsewhere: Other questions, such as general ones: what the change costs there.
        trained_on: What either model was tuned with; None where `questions` are the triplets.
        resamples: Draws for the intervals.
        seed: Of the draws.
        show_progress: Draw bars on stderr.

    Raises:
        InputError: there are no questions; a model was trained with some of them; or one that a model refuses.
        ConfigError: an embedder is compared with a reranker; or fewer than 100 resamples.
        UnknownNameError, ModelFilesError, MissingDependencyError: a model cannot be loaded.
        BackendError: a model failed.
    """
    if isinstance(questions, Triplets):
        trained_on = questions if trained_on is None else trained_on
        questions = JudgedQuestions.of(questions)
    sets = [questions] if elsewhere is None else [questions, elsewhere]
    for each in sets:
        if not each.queries:
            raise InputError(f"{each!r} has nothing to measure with: give questions whose answers are known.")
        if trained_on is not None:
            each.check_unseen(trained_on)
    rankings: list[list[Positions]] = []
    names: list[str] = []
    kinds: set[bool] = set()
    for model in (before, after):
        with _opened(model) as opened:
            names.append(_name(model))
            kinds.add(isinstance(opened, SupportsEmbed))
            if len(kinds) > 1:
                raise ConfigError(f"{names[0]} and {names[1]} are an embedder and a reranker: compare two of a kind.")
            rankings.append([_rank(opened, each, show_progress=show_progress) for each in sets])
    made = [
        _compared(each, names, rows, resamples=resamples, seed=seed)
        for each, *rows in zip(sets, *rankings, strict=True)
    ]
    return made[0] if elsewhere is None else replace(made[0], elsewhere=made[1])


@contextmanager
def _opened(model: Model) -> Iterator[SupportsEmbed | SupportsRerank]:
    if isinstance(model, str | os.PathLike):
        name = os.fspath(model)
        with Reranker(name) if reranks(name) else Embedder(name, truncate=True) as opened:
            yield opened
    elif isinstance(model, SupportsEmbed | SupportsRerank):
        yield model
    else:
        raise ConfigError(f"{model!r} is no model: give a name, a folder, or what embeds or reranks.")


def reranks(name: str) -> bool:
    """Whether a model of the catalog, a folder or a hub id is no embedder."""
    spec = find_spec(name)
    return read_layout(find_files(name).folder).is_cross_encoder if spec is None else spec.kind != "embedding"


def _name(model: Model) -> str:
    return os.fspath(model) if isinstance(model, str | os.PathLike) else str(getattr(model, "name", repr(model)))


def _rank(model: SupportsEmbed | SupportsRerank, questions: JudgedQuestions, *, show_progress: bool) -> Positions:
    if isinstance(model, SupportsEmbed):
        return rank_by_embedder(model, questions, show_progress=show_progress)
    return rank_by_reranker(model, questions, show_progress=show_progress)


def _compared(
    questions: JudgedQuestions, names: Sequence[str], rankings: Sequence[Positions], *, resamples: int, seed: int
) -> Comparison:
    before, after = (
        np.stack([metric(ranking, questions.relevant) for metric in METRICS.values()], axis=1) for ranking in rankings
    )
    columns = np.concatenate([before, after, after - before], axis=1)
    found = estimates(columns, questions.clusters, resamples=resamples, seed=seed)
    number = len(METRICS)
    decisive = list(METRICS).index(DECISIVE)
    gained = np.bincount(questions.clusters, (after - before)[:, decisive])
    return Comparison(
        before=names[0],
        after=names[1],
        changes={name: Change(*found[at::number]) for at, name in enumerate(METRICS)},
        questions=tuple(
            QuestionChange(query, float(before[row, decisive]), float(after[row, decisive]), *hits)
            for row, query in enumerate(questions.queries)
            for hits in [[_hits(questions, row, ranking) for ranking in rankings]]
        ),
        groups=len(gained),
        changed=int((np.abs(gained) > 1e-12).sum()),
        resamples=resamples,
        seed=seed,
    )


def _hits(questions: JudgedQuestions, row: int, ranking: Positions) -> tuple[Hit, ...]:
    first = ranking[row, :_SHOWN_HITS]
    return tuple(
        Hit(questions.corpus[at], questions.relevant[row].get(at, 0.0)) for at in first[first != NONE].tolist()
    )


def ranged(estimate: Estimate) -> str:
    """A difference in points, with its interval."""
    return f"{100 * estimate.value:+.1f} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"


def _svg(comparison: Comparison) -> str:
    from jina_components.fine_tuner.report import comparison_svg

    return comparison_svg(comparison)


def _page(comparison: Comparison) -> str:
    from jina_components.fine_tuner.report import comparison_page

    return comparison_page(comparison)


_FORMS: Mapping[str, Callable[[Comparison], str]] = {
    ".html": _page,
    ".svg": _svg,
    ".json": lambda comparison: json.dumps(comparison.as_json(), indent=2, ensure_ascii=False) + "\n",
}
