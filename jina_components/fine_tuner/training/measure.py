"""How well a model in training finds the answers of questions kept aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from jina_components.core.vectors import normalize
from jina_components.fine_tuner import metrics
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.rankings import padded, rank_by_cosine
from jina_components.fine_tuner.sampling import place
from jina_components.fine_tuner.settings import FitSettings
from jina_components.fine_tuner.training.examples import Side
from jina_components.fine_tuner.triplets import Split, Triplets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.fine_tuner.training.bases import Base, Model

Measure: TypeAlias = Callable[[], Mapping[str, float]]
DECISIVE = "ndcg@10"

_BATCH = 64


def outputs(model: Model, base: Base, side: Side, *, half: bool) -> NDArray[np.float32]:
    """What the model gives for inputs: vectors as they come, or scores before any activation; [inputs, width]."""
    with _at_rest(model), torch.autocast(model.device.type, torch.bfloat16, enabled=half):
        given: Any = list(side.inputs)
        found: Any
        if base.kind == "reranker":
            found = model.predict(
                given, batch_size=_BATCH, activation_fn=torch.nn.Identity(), show_progress_bar=False,
                convert_to_numpy=False, convert_to_tensor=True,
            )  # fmt: skip
        else:
            found = model.encode(
                given, batch_size=_BATCH, prompt=side.prompt, show_progress_bar=False,
                convert_to_numpy=False, convert_to_tensor=True,
            )  # fmt: skip
    return found.float().reshape(len(given), -1).cpu().numpy()


def measure_of(
    model: Model, base: Base, triplets: Triplets, split: Split, settings: FitSettings, *, half: bool
) -> Measure | None:
    """What measures the model with the questions of a split; None where it has none.

    An embedder searches the questions' own passages and a sample of the others; a reranker ranks each question's own.
    """
    if not getattr(triplets, split):
        return None
    if base.kind == "reranker":
        return _reranking(model, base, triplets, split, settings, half=half)
    questions = JudgedQuestions.of(triplets, split).sample(settings.dev_questions)
    ids = list(triplets.passages)
    wanted = {at for grades in questions.relevant for at in grades}
    kept = sorted({*wanted, *sorted(range(len(ids)), key=lambda at: place(ids[at]))[: settings.dev_passages]})
    places = {at: number for number, at in enumerate(kept)}
    passages = Side([questions.corpus[at] for at in kept], base.prompt("passage"))
    queries = Side(questions.queries, base.prompt("query"))
    relevant = [{places[at]: grade for at, grade in grades.items()} for grades in questions.relevant]

    def measure() -> Mapping[str, float]:
        asked, corpus = (normalize(outputs(model, base, side, half=half)) for side in (queries, passages))
        return _told(rank_by_cosine(asked, corpus, depth=10), relevant)

    return measure


def _reranking(
    model: Model, base: Base, triplets: Triplets, split: Split, settings: FitSettings, *, half: bool
) -> Measure | None:
    rows = sorted((each for each in triplets.texts(split) if each.negatives), key=lambda each: place(each.query))
    rows = rows[: settings.dev_questions]
    if not rows:
        return None
    pairs = Side([(each.query, text) for each in rows for text in (each.positive, *each.negatives)])
    ends = np.cumsum([1 + len(each.negatives) for each in rows])[:-1]

    def measure() -> Mapping[str, float]:
        scores = np.split(outputs(model, base, pairs, half=half)[:, base.column], ends)
        # The answer is the first: among equal scores it comes last, so that a model that tells nothing gains nothing.
        orders = [(len(row) - 1 - np.argsort(-row[::-1], kind="stable")).tolist() for row in scores]
        return _told(padded(orders, 10), [{0: 1.0}] * len(rows))

    return measure


def _told(ranking: NDArray[np.int64], relevant: Sequence[Mapping[int, float]]) -> Mapping[str, float]:
    found = {DECISIVE: metrics.ndcg(ranking, relevant, 10), "mrr@10": metrics.mrr(ranking, relevant, 10)}
    return {name: float(values.mean()) for name, values in found.items()}


@contextmanager
def _at_rest(model: Model) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
