"""Recipe: the weights of a blend of rerankers, by logistic regression on groups that none of them was trained on.

    python -m jina_components.fine_tuner.recipes.fit_blend --groups WORK/groups.jsonl --blend small-reranker-v1

A pair is an answer or a hard negative; each source of groups counts as much as any other. What is printed goes into the
catalog: the weights of the parts' raw scores, and the offset that makes the sigmoid of their sum the probability that a
passage answers rather than that it only looks like it.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.data.relevance_groups import Group, kept_apart, read_groups
from jina_components.models.blend import Blend
from jina_components.models.catalog import BY_NAME, DEFAULT_RERANKER
from jina_components.models.loading import LoadOptions, load_scorer
from jina_components.models.scoring import Limits

if TYPE_CHECKING:
    from jina_components.types import FloatArray

log = logging.getLogger(__name__)


class Fitted(NamedTuple):
    """Weights of the parts in their order, the offset, and how often the answer is ranked first of its group."""

    weights: list[float]
    offset: float
    first: float


def fit(groups: Sequence[Group], scores: FloatArray) -> Fitted:
    """Fit a blend.

    Args:
        groups: The first passage of each answers.
        scores: Raw scores of the parts, shape [groups, passages, parts].
    """
    from sklearn.linear_model import LogisticRegression

    answers = np.zeros(scores.shape[:2], bool)
    answers[:, 0] = True
    of_source = Counter(group.source for group in groups)
    shares = np.repeat([1 / of_source[group.source] for group in groups], scores.shape[1])
    features = scores.reshape(-1, scores.shape[2])
    scale = features.std(axis=0)
    model = LogisticRegression(C=100).fit(features / scale, answers.ravel(), sample_weight=shares / shares.mean())
    weights = model.coef_[0] / scale
    first = (scores @ weights).argmax(axis=1) == 0
    return Fitted([round(float(w), 2) for w in weights], round(float(model.intercept_[0]), 2), float(first.mean()))


def part_scores(blend: Blend, groups: Sequence[Group]) -> FloatArray:
    """Raw scores of a blend's parts, shape [groups, passages, parts]."""
    rows = []
    for group in tqdm(groups, desc="score", unit="group"):
        pending = [scorer.submit(group.query, group.passages, truncate=False) for scorer in blend.scorers]
        rows.append(np.stack([part.finish(part.future.result()).raw for part in pending], axis=1))
    return np.asarray(rows, np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--groups", type=Path, required=True, help="groups.jsonl of train_cross_encoder's --work")
    parser.add_argument("--blend", default=DEFAULT_RERANKER, help="name in the catalog; default: %(default)s")
    options = parser.parse_args(arguments)
    blend = load_scorer(options.blend, LoadOptions(), Limits())
    if not isinstance(blend, Blend):
        raise ConfigError(f"{options.blend!r} is no blend.")
    groups = [group for group in read_groups(options.groups) if kept_apart(group)]
    fitted = fit(groups, part_scores(blend, groups))
    parts = dict(zip(BY_NAME[options.blend].parts, fitted.weights, strict=True))
    log.info("%d groups: parts=%s, offset=%s; the answer is first in %.3f", len(groups), parts, *fitted[1:])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    main()
