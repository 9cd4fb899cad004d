"""Quality of verdicts: the Grounder beside simpler ways to judge the same evidence.

    python -m benchmarks.quality.grounder --data DATA [--to FOLDER] [--cache FOLDER] [--sets scifact …] [--claims 200]

Balanced accuracy with 95% intervals (1,000 bootstrap samples of the claims) of verdicts in three ways (SciFact, whose
evidence is retrieved from 5,183 abstracts) or in two (supported or not: probability over one half, or over the
threshold that was chosen on training claims); the area under the ROC curve for "supported" (`Measured` says by which
number); how well the Grounder's factuality is calibrated (expected calibration error over ten bins, and Brier score);
claims a CPU-second. Every quote is looked up in its source: one that does not stand there, word for word, ends the run.
Scores are kept in `--cache`.

No system has seen the claims, but for COVID-Fact's, which are all in the entailment model's training; the Grounder's
weights and the baselines are fitted on other claims (`fit_judge`).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.quality.calibration import Calibration, calibration, page
from benchmarks.quality.grounder_sets import SETS, ClaimSet, JudgedClaim
from benchmarks.quality.grounder_systems import (
    RETRIEVED,
    Answer,
    BagOfWords,
    CachedScorer,
    EntailmentAlone,
    GrounderSystem,
    Majority,
    Similarity,
    System,
    evidence_of,
)
from benchmarks.quality.systems import default_embedders
from jina_components import Document, Embedder, EntailmentScorer, Retriever
from jina_components.fine_tuner.recipes.data.judged_passages import JudgedPassage, collect_judged
from jina_components.fine_tuner.recipes.quality.metrics import balanced_accuracy, macro_f1, roc_auc
from jina_components.grounder import Grounder
from jina_components.models.catalog import DEFAULT_EMBEDDER

_DRAWS = 1000
OURS = "Grounder"
_MINILM = "all-MiniLM-L6-v2"
_TRAINED_ON, _SPARSE = 4200, 7  # passages for the bag of words; and one in seven of them for a threshold


class Measured(NamedTuple):
    """What a system reached on a set.

    Attributes:
        balanced_accuracy: Of verdicts.
        low, high: Its 95% interval.
        macro_f1: Of verdicts.
        roc_auc: Of "supported" against the rest: by the factuality, where all else is refuted; by how sure a system is
            of the support, where claims may be left open too.
    """

    balanced_accuracy: float
    low: float
    high: float
    macro_f1: float
    roc_auc: float


def measure(answers: Sequence[Answer], claims: ClaimSet) -> Measured:
    """Hold answers against what people found."""
    said, wanted = verdicts(answers, claims)
    random = np.random.default_rng(0)
    drawn = [_balanced(said, wanted, random.integers(0, len(said), len(said))) for _ in range(_DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    true = np.array([claim.verdict == "supported" for claim in claims.claims])
    is_open = any(claim.verdict == "not enough evidence" for claim in claims.claims)
    auc = roc_auc([_sureness(answer) if is_open else answer.factuality for answer in answers], true)
    return Measured(balanced_accuracy(said, wanted), float(low), float(high), macro_f1(said, wanted), auc)


def verdicts(answers: Sequence[Answer], claims: ClaimSet) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """What was said of each claim, and what people found: in three ways, or whether it is supported."""
    wanted = np.array([claim.verdict for claim in claims.claims])
    if claims.three_way:
        return np.array([answer.verdict for answer in answers]), wanted
    return np.array([_is_supported(answer) for answer in answers]), wanted == "supported"


def _sureness(answer: Answer) -> float:
    return answer.factuality if answer.support is None else answer.support


def _is_supported(answer: Answer) -> bool:
    """In two ways there is no third: what leans to true is taken for it, where factuality is a probability."""
    return answer.verdict == "supported" if answer.leans is None else answer.leans


def _balanced(said: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], rows: np.ndarray[Any, Any]) -> float:
    """Balanced accuracy of some rows; much faster than scikit-learn's, for it is computed a thousand times."""
    right, classes = said[rows] == wanted[rows], wanted[rows]
    return float(np.mean([right[classes == name].mean() for name in np.unique(classes)]))


class Runner:
    """Runs systems over sets; what is slow to make is made once.

    Args:
        data: Folder of the sets.
        cache: Folder that keeps scores and vectors; None keeps nothing.
    """

    def __init__(self, data: Path, cache: Path | None) -> None:
        self._data = data
        self._cache = cache
        self.scorer = CachedScorer(EntailmentScorer(), cache and cache / "entailment.json")
        self._embedders = {
            name: Embedder(found, truncate=True, cache=cache and cache / "vectors")
            for name, found in default_embedders(data).items()
            if name in (DEFAULT_EMBEDDER, _MINILM)
        }
        self._trained: dict[str, System] = {}

    def systems(self, claims: ClaimSet, retriever: Retriever | None) -> dict[str, System]:
        """By name; ours first."""
        grounder = Grounder(retriever, entailment=self.scorer, max_pages=RETRIEVED)
        if not self._trained:
            rows = self._training()
            self._trained = {
                f"similarity, {name}": Similarity(one, rows[::_SPARSE]) for name, one in self._embedders.items()
            }
            self._trained["bag of words"] = BagOfWords(rows)
        return {
            OURS: GrounderSystem(grounder, claims.corpus),
            "entailment model alone": EntailmentAlone(self.scorer),
            **self._trained,
            "majority": Majority(claims),
        }

    def _training(self) -> list[JudgedPassage]:
        """Evenly of all sources and verdicts."""
        found = collect_judged(self._data)
        rows = [row for one in found.values() for row in one]
        rng = np.random.default_rng(0)
        by_verdict: dict[str, list[JudgedPassage]] = {}
        for number in rng.permutation(len(rows)).tolist():
            by_verdict.setdefault(rows[number].verdict, []).append(rows[number])
        drawn = [some[: _TRAINED_ON // len(by_verdict)] for some in by_verdict.values()]
        return [row for some in drawn for row in some]

    def retriever(self, claims: ClaimSet) -> Retriever | None:
        """Over the set's corpus, if it has one."""
        if not claims.corpus:
            return None
        retriever = Retriever(self._embedders[DEFAULT_EMBEDDER])
        retriever.add(list(claims.corpus))
        return retriever


def answer(systems: Mapping[str, System], claims: ClaimSet, retriever: Retriever | None) -> dict[str, list[Answer]]:
    """What each system says of each claim, by the same evidence."""
    answers: dict[str, list[Answer]] = {name: [] for name in systems}
    for claim in claims.claims:
        evidence = evidence_of(claim, retriever)
        for name, system in systems.items():
            answers[name].append(system(claim, evidence))
    return answers


def claims_a_second(claims: Sequence[tuple[JudgedClaim, Sequence[Document]]], system: System | None = None) -> float:
    """Of the Grounder, or another, for evidence that is there, a second of CPU time; the Grounder caches nothing."""
    system = system or GrounderSystem(Grounder(entailment=EntailmentScorer()))
    system(*claims[0])  # loads the model
    timed = claims[1:] or claims
    started = time.process_time()
    for claim, evidence in timed:
        system(claim, evidence)
    return len(timed) / (time.process_time() - started)


def table(rows: Mapping[str, Mapping[str, Measured]], of: Callable[[Measured], str]) -> str:
    """A Markdown table: a row a system, a column a set."""
    sets = list(rows)
    systems = list(next(iter(rows.values())))
    lines = [["", *sets], ["---", *(["---:"] * len(sets))]]
    lines += [[system, *(of(rows[name][system]) for name in sets)] for system in systems]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the sets asked for, print the tables and draw the calibration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with grounding/ and retrieval/")
    parser.add_argument("--to", type=Path, default=Path("build/grounder"), help="folder for results and report")
    parser.add_argument("--cache", type=Path, help="folder that keeps scores and vectors between runs")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--claims", type=int, help="that many of each set, drawn by hash; default all")
    parser.add_argument("--timed", type=int, default=20, help="claims of each set to time the Grounder on")
    options = parser.parse_args(arguments)
    runner = Runner(options.data, options.cache)
    measured: dict[str, dict[str, Measured]] = {}
    calibrations: dict[str, Calibration] = {}
    quotes, speed = 0, {}
    for name in options.sets:
        claims = SETS[name](options.data).sample(options.claims)
        with ExitStack() as stack:
            retriever = runner.retriever(claims)
            if retriever is not None:
                stack.enter_context(retriever)
            stack.callback(runner.scorer.save)
            answers = answer(runner.systems(claims, retriever), claims, retriever)
            timed = [(claim, evidence_of(claim, retriever)) for claim in claims.claims[: options.timed]]
        measured[name] = {system: measure(found, claims) for system, found in answers.items()}
        quotes += sum(len(one.references) for one in answers[OURS])
        true = [claim.verdict == "supported" for claim in claims.claims]
        calibrations[name] = calibration([one.factuality for one in answers[OURS]], true)
        speed[name] = claims_a_second(timed) if timed else 0.0
        print(
            name, len(claims.claims), *(f"{k} {v.balanced_accuracy:.3f}" for k, v in measured[name].items()), flush=True
        )
    write(options.to, measured, calibrations, quotes, speed)


def write(
    to: Path,
    measured: Mapping[str, Mapping[str, Measured]],
    calibrations: Mapping[str, Calibration],
    quotes: int,
    speed: Mapping[str, float],
) -> None:
    """Print the tables, and write results.json and report.html."""
    parts = {
        "Balanced accuracy": table(measured, lambda one: f"{one.balanced_accuracy:.3f} ({one.low:.3f}–{one.high:.3f})"),
        "Macro-F1": table(measured, lambda one: f"{one.macro_f1:.3f}"),
        'ROC AUC of "supported"': table(measured, lambda one: f"{one.roc_auc:.3f}"),
    }
    for title, part in parts.items():
        print(f"\n{title}\n\n{part}")
    print(f"{quotes} quotes, all verbatim in their sources")
    for name, one in calibrations.items():
        print(f"{name}: ECE {one.error:.3f}, Brier {one.brier:.3f}, {speed[name]:.1f} claims a CPU-second")
    to.mkdir(parents=True, exist_ok=True)
    found = {
        "measured": {name: {system: one._asdict() for system, one in row.items()} for name, row in measured.items()},
        "calibration": {name: {"ece": one.error, "brier": one.brier} for name, one in calibrations.items()},
        "quotes": quotes,
        "claims_a_cpu_second": speed,
    }
    (to / "results.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    (to / "report.html").write_text(page(parts, calibrations), encoding="utf-8")


if __name__ == "__main__":
    main()
