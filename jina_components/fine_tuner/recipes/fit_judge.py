"""Recipe: what the features of a passage weigh when the Grounder judges a claim by it, by logistic regression.

    python -m jina_components.fine_tuner.recipes.fit_judge --data DATA

Two models: whether a passage settles a claim at all, and, of those that do, whether the claim is true. They are fitted
on claims of people and on claims made of questions, beside passages that were found for them (`judged_passages`); none
of what is held back, nor of FoolMeTwice and WiCE, which the Grounder is measured on. Each source counts as much as any
other, and in it each outcome as much as the other, so that a probability is one at even odds. The entailment model has
been trained on FEVER's and SciFact's claims, whose direction SciFact's small number then tells too surely: only whether
a passage settles a claim is fitted on SciFact. What is printed goes into `grounder/weights.py`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from jina_components.entailment import EntailmentScorer
from jina_components.fine_tuner.recipes.data.judged_passages import JudgedPassage, collect_judged
from jina_components.grounder.features import NAMES, examine, read_claim, readings
from jina_components.protocols import SupportsEntailment

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

# What tells how sure the model is, or how much of the claim is spoken of, tells nothing of which way; and the reverse.
DECISIVE = ("bold", "open", "covered", "sentence_covered")
TRUE = ("whole", "confirmed", "contradicted", "denial", "opposite")
DECISIVE_SOURCES, TRUE_SOURCES = ("fever", "squad", "scifact"), ("fever", "covidfact")
_STRENGTH = 0.1  # inverse of the regularisation
_AT_ONCE = 100  # passages


class Sample(NamedTuple):
    """Features of some passages, and what is asked of them.

    Attributes:
        features: Shape [passages, len(NAMES)].
        yes: The answers, shape [passages].
    """

    features: NDArray[np.float64]
    yes: NDArray[np.bool_]


def featured(rows: Sequence[JudgedPassage], scorer: SupportsEntailment) -> NDArray[np.float64]:
    """Features of passages, shape [passages, len(NAMES)]."""
    found = []
    for start in tqdm(range(0, len(rows), _AT_ONCE), desc="Scoring"):
        claims = [read_claim(row.text) for row in rows[start : start + _AT_ONCE]]
        read = [readings(claim, row.passage) for claim, row in zip(claims, rows[start : start + _AT_ONCE], strict=True)]
        pairs = [(one.premise, one.hypothesis) for part in read for one in part]
        scored = iter(scorer.score(pairs, truncate=True))
        found += [examine(c, part, [next(scored) for _ in part]).vector for c, part in zip(claims, read, strict=True)]
    return np.array(found)


def fit(samples: Sequence[Sample], names: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Bias and weights of the named features; each sample counts the same, and in it either answer."""
    from sklearn.linear_model import LogisticRegression

    columns = [NAMES.index(name) for name in names]
    features = np.vstack([sample.features[:, columns] for sample in samples])
    yes = np.concatenate([sample.yes for sample in samples])
    shares = np.concatenate([_shares(sample.yes) for sample in samples])
    mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    model = LogisticRegression(C=_STRENGTH, max_iter=1000)
    model.fit((features - mean) / deviation, yes, sample_weight=shares * len(yes) / shares.sum())
    weights = model.coef_[0] / deviation
    return float(model.intercept_[0] - weights @ mean), dict(zip(names, weights.tolist(), strict=True))


def _shares(yes: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(yes, 0.5 / max(yes.sum(), 1), 0.5 / max((~yes).sum(), 1))


def fit_all(
    rows: dict[str, list[JudgedPassage]], scorer: SupportsEntailment
) -> dict[str, tuple[float, dict[str, float]]]:
    """Bias and weights of both models."""
    vectors = {name: featured(some, scorer) for name, some in rows.items()}
    verdicts = {name: np.array([row.verdict for row in some]) for name, some in rows.items()}
    settled = {name: found != "not enough evidence" for name, found in verdicts.items()}
    decisive = [Sample(vectors[name], settled[name]) for name in DECISIVE_SOURCES]
    true = [Sample(vectors[n][settled[n]], verdicts[n][settled[n]] == "supported") for n in TRUE_SOURCES]
    return {"DECISIVE": fit(decisive, DECISIVE), "TRUE": fit(true, TRUE)}


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    options = parser.parse_args(arguments)
    for name, (bias, weights) in fit_all(collect_judged(options.data), EntailmentScorer()).items():
        log.info("%s = Logistic(%.3f, %s)", name, bias, {key: round(weight, 3) for key, weight in weights.items()})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
