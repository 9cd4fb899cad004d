"""Recipe: what makes the sigmoid of a blend's sum a probability, by logistic regression on groups kept apart.

    python -m jina_components.fine_tuner.recipes.calibrate_blend --groups WORK/groups.jsonl [--blend small-reranker-v1]

The proportion of the parts stays what it is in the catalog: it is chosen by what ranks best, and the groups cannot tell
that, since their negatives were found by the likes of one part. What is printed goes into the catalog: weights of that
proportion and an offset, with which the score is the probability that a passage answers rather than that it only looks
like it, at even odds (Platt 1999). Each source of groups counts as much as any other. No cross-encoder was trained on
these groups; the bundled embedders have read their texts, without labels.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
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


class Calibration(NamedTuple):
    """What a sum is multiplied by and what is added to it, and how often the answer is first of its group."""

    scale: float
    offset: float
    first: float


def calibrate(groups: Sequence[Group], sums: FloatArray) -> Calibration:
    """Fit a scale and an offset.

    Args:
        groups: The first passage of each answers.
        sums: Of the parts' scores, without the offset, shape [groups, passages].
    """
    from sklearn.linear_model import LogisticRegression

    answers = np.zeros(sums.shape, bool)
    answers[:, 0] = True
    of_source = Counter(group.source for group in groups)
    shares = np.repeat([1 / of_source[group.source] for group in groups], sums.shape[1])
    deviation = float(sums.std())
    model = LogisticRegression(C=100, class_weight="balanced").fit(
        sums.reshape(-1, 1) / deviation, answers.ravel(), sample_weight=shares / shares.mean()
    )
    first = (sums.argmax(axis=1) == 0).mean()
    return Calibration(float(model.coef_[0, 0]) / deviation, float(model.intercept_[0]), float(first))


def sums_of(blend: Blend, groups: Sequence[Group]) -> FloatArray:
    """The blend's sums, shape [groups, passages]."""
    rows = []
    for group in tqdm(groups, desc="score", unit="group"):
        pending = blend.submit(group.query, group.passages, truncate=False)
        rows.append(pending.finish(pending.future.result()).raw)
    return np.asarray(rows, np.float64)


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
    found = calibrate(groups, sums_of(replace(blend, offset=0.0), groups))
    parts = {part: round(weight * found.scale, 2) for part, weight in BY_NAME[options.blend].parts.items()}
    log.info(
        "%d groups: parts=%s, offset=%.2f; the answer is first in %.3f", len(groups), parts, found.offset, found.first
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    main()
