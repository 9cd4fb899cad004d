"""Learning labels from few examples, and from none: ours beside what scikit-learn learns from the same vectors.

    python -m benchmarks.quality.classifier --data DATA [--embedder NAME …] [--clip FOLDER] [--sets NAME …] \
        [--shots 1 5 10 50] [--draws 5] [--to build/classifier] [--cache build/vectors]

Examples are drawn from the training split, that many of each label, several times; accuracy, log-loss and calibration
error are of the test split. All systems see the same vectors of the same draws. It also measures what the order of the
examples does, labels that come late, what an example costs, and how well the best label's probability tells questions
of no label (area under the ROC curve).
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from benchmarks.quality.classifier_report import write
from benchmarks.quality.classifier_sets import SETS, Vectors, clothing, embed
from benchmarks.quality.models import labelled
from benchmarks.quality.systems import default_embedders
from jina_components import Embedder
from jina_components.classifier.calibration import expected_calibration_error, likeliest_temperature
from jina_components.classifier.online import OnlineLearner
from jina_components.classifier.regression import log_softmax
from jina_components.core.vectors import normalize
from jina_components.fine_tuner.recipes.quality.metrics import roc_auc
from jina_components.models.catalog import DEFAULT_EMBEDDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jina_components.types import FloatArray

    Rows = NDArray[np.int64]
    # The probability of each label, in the order of the set's names.
    Probabilities = Callable[[FloatArray], FloatArray]
    System = Callable[[Vectors, Rows], Probabilities]

OURS, UNTOLD, BATCH = "ours", "ours, examples alone", "LogisticRegression (batch)"
ZERO_SHOT = "zero-shot"
_ORDER_SHOTS = (10, 50)
# Unit vectors are small: with C = 1 the batch learner is less right on most sets.
_C = 10


@dataclass(frozen=True)
class Measured:
    """What a system reached, over draws.

    Attributes:
        embedder, set, system: Labels.
        shots: Examples of each label; 0 for none.
        accuracy, log_loss, calibration_error: Mean over the draws.
        spread: Standard deviation of the accuracy over the draws.
        more: Other values, by name.
    """

    embedder: str
    set: str
    system: str
    shots: int
    accuracy: float
    spread: float
    log_loss: float
    calibration_error: float
    more: Mapping[str, float]


def ours(vectors: Vectors, rows: Rows, *, told: bool = True, one_a_call: bool = False) -> Probabilities:
    """The classifier's own learner, told the labels' words or not."""
    learner = OnlineLearner(vectors.train.shape[1])
    labels = [vectors.names[label] for label in vectors.train_labels[rows]]
    size = 1 if one_a_call else max(len(rows), 1)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        learner = learner.with_examples(vectors.train[rows[part]], labels[part])
    if told:
        learner = learner.with_label_vectors(vectors.names, vectors.words)
    columns = [learner.labels.index(name) for name in vectors.names]
    return lambda tests: learner.probabilities(tests)[:, columns]


def batch(vectors: Vectors, rows: Rows) -> Probabilities:
    """Batch logistic regression."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=_C, max_iter=1000).fit(vectors.train[rows], vectors.train_labels[rows])
    return lambda tests: np.asarray(fitted.predict_proba(tests), np.float32)


def centroid(vectors: Vectors, rows: Rows) -> Probabilities:
    """The nearest mean of a label, by cosine, as probabilities at the cosines' scale of all-MiniLM-L6-v2 (20)."""
    labels = vectors.train_labels[rows]
    means = np.stack([vectors.train[rows[labels == label]].mean(axis=0) for label in range(len(vectors.names))])
    directions = 20 * normalize(means.astype(np.float32)).T
    return lambda tests: np.exp(log_softmax(np.asarray(normalize(tests) @ directions, np.float32)))


def partial_fit(loss: str, **options: Any) -> System:  # noqa: ANN401 (scikit-learn's own)
    """One pass of an online learner of scikit-learn's, in the order of the rows."""

    def system(vectors: Vectors, rows: Rows) -> Probabilities:
        from sklearn.linear_model import SGDClassifier

        fitted = SGDClassifier(loss=loss, random_state=0, shuffle=False, **options)
        fitted.partial_fit(vectors.train[rows], vectors.train_labels[rows], classes=np.arange(len(vectors.names)))

        def probabilities(tests: FloatArray) -> FloatArray:
            scores = np.asarray(fitted.decision_function(tests), np.float32)
            both = np.stack([-scores, scores], axis=1) / 2 if scores.ndim == 1 else scores
            return np.exp(log_softmax(np.asarray(both, np.float32)))

        return probabilities

    return system


SYSTEMS: dict[str, System] = {
    OURS: ours,
    UNTOLD: lambda vectors, rows: ours(vectors, rows, told=False),
    BATCH: batch,
    "nearest mean (SetFit-style centroid)": centroid,
    "SGDClassifier.partial_fit, log loss": partial_fit("log_loss"),
    "passive-aggressive partial_fit": partial_fit("hinge", penalty=None, learning_rate="pa1", eta0=1.0),
}


def judge(probabilities: FloatArray, labels: Rows) -> dict[str, float]:
    """Accuracy, log-loss (natural) and calibration error."""
    likely = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)
    return {
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "log_loss": float(-np.log(likely).mean()),
        "calibration_error": expected_calibration_error(probabilities, labels),
    }


def joined(place: tuple[str, str, str, int], judged: Sequence[Mapping[str, float]]) -> Measured:
    """Means over draws; `place` is embedder, set, system and shots."""
    means = {name: float(np.mean([one[name] for one in judged])) for name in judged[0]}
    accuracy, log_loss, error = (means.pop(name) for name in ("accuracy", "log_loss", "calibration_error"))
    spread = float(np.std([one["accuracy"] for one in judged]))
    return Measured(*place, accuracy, spread, log_loss, error, means)


def zero_shot(embedder: str, name: str, vectors: Vectors) -> Measured:
    """Cosine with the labels' own words; `more` tells the temperature of cosines that is the likeliest on the set."""
    rows = np.zeros(0, np.int64)
    tests, labels = vectors.tests(rows)
    cosines = normalize(tests) @ normalize(vectors.words).T
    # The grid of temperatures is made for scores of about this size.
    temperature = likeliest_temperature(cosines * 20, labels, np.ones(len(labels))).temperature / 20
    judged = judge(np.exp(log_softmax(cosines / np.float32(temperature))), labels)
    return joined((embedder, name, ZERO_SHOT, 0), [judged | {"temperature": temperature}])


def curves(embedder: str, name: str, vectors: Vectors, shots: Iterable[int], draws: int) -> Iterator[Measured]:
    """Every system at each number of shots that the set has."""
    for count in shots:
        drawn = [rows for draw in range(draws) if (rows := vectors.draw(count, draw)) is not None]
        for system, learn in SYSTEMS.items() if drawn else ():
            judged = []
            for rows in tqdm(drawn, desc=f"{name}, {count} shots: {system}", leave=False):
                started = time.perf_counter()
                probabilities = learn(vectors, rows)
                tests, labels = vectors.tests(rows)
                found = judge(probabilities(tests), labels) | {"seconds": time.perf_counter() - started}
                if len(vectors.outside):
                    sure = [probabilities(inputs).max(axis=1) for inputs in (tests, vectors.outside)]
                    inside = np.repeat([True, False], [len(part) for part in sure])
                    found["outside_auroc"] = roc_auc(np.concatenate(sure), inside.tolist())
                judged.append(found)
            yield joined((embedder, name, system, count), judged)


ORDERS: dict[str, Callable[[Vectors, Rows], Rows]] = {
    "as drawn": lambda vectors, rows: rows,
    "reversed": lambda vectors, rows: rows[::-1],
    "sorted by label": lambda vectors, rows: rows[np.argsort(vectors.train_labels[rows], kind="stable")],
    "sorted by label, last first": lambda vectors, rows: rows[np.argsort(-vectors.train_labels[rows], kind="stable")],
    "shuffled": lambda vectors, rows: np.random.default_rng(1).permutation(rows),
    "half of the labels later": lambda vectors, rows: rows[
        np.argsort(vectors.train_labels[rows] >= len(vectors.names) / 2, kind="stable")
    ],
}


def orders(embedder: str, name: str, vectors: Vectors, shots: Iterable[int], draws: int) -> Iterator[Measured]:
    """The same examples in other orders, in one call and one example a call; and the online peers'."""
    peers = [system for system in SYSTEMS if system.endswith("partial_fit") or "partial_fit," in system]
    for count in shots:
        drawn = [rows for draw in range(draws) if (rows := vectors.draw(count, draw)) is not None]
        for title, order in ORDERS.items() if drawn else ():
            runs: dict[str, System] = {f"{OURS}: {title}": SYSTEMS[UNTOLD]}
            runs |= {f"{peer}: {title}": SYSTEMS[peer] for peer in peers}
            if title == "sorted by label":
                runs[f"{OURS}: {title}, one a call"] = lambda vectors, rows: ours(
                    vectors, rows, told=False, one_a_call=True
                )
            for system, learn in runs.items():
                judged = []
                for rows in drawn:
                    tests, labels = vectors.tests(rows)
                    judged.append(judge(learn(vectors, order(vectors, rows))(tests), labels))
                yield joined((embedder, name, f"order, {system}", count), judged)


def costs(vectors: Vectors) -> dict[str, float]:
    """Microseconds an example after few and after many, of one label; bytes that the learner then holds."""
    random = np.random.default_rng(0)
    rows = random.choice(len(vectors.train), 4096)
    found: dict[str, float] = {}
    learner = OnlineLearner(vectors.train.shape[1])
    for seen in (256, 1024, 4096):
        part = rows[learner.num_examples : seen]
        started = time.perf_counter()
        learner = learner.with_examples(vectors.train[part], ["label"] * len(part))
        found[f"microseconds an example, up to {seen}"] = (time.perf_counter() - started) / len(part) * 1e6
        found[f"bytes a label, after {seen}"] = sum(array.nbytes for array in learner.arrays().values())
    started = time.perf_counter()
    for row in rows[:50]:
        learner = learner.with_examples(vectors.train[row : row + 1], ["label"])
    found["microseconds an example, one a call, after 4096"] = (time.perf_counter() - started) / 50 * 1e6
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for, print tables, and write them and a drawing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--embedder", nargs="+", help="NAME or LABEL=NAME; default: ours and all-MiniLM-L6-v2")
    parser.add_argument("--clip", help="checkpoint that embeds texts and images, for the photos")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5, 10, 50])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--orders", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--to", type=Path, default=Path("build/classifier"), help="folder of the results")
    parser.add_argument("--cache", type=Path, help="folder that keeps vectors between runs")
    options = parser.parse_args(arguments)
    at_hand = default_embedders(options.data)
    default = {name: at_hand[name] for name in (DEFAULT_EMBEDDER, "all-MiniLM-L6-v2") if name in at_hand}
    asked = default if options.embedder is None else labelled([at_hand.get(one, one) for one in options.embedder])
    jobs = [(label, name, which, SETS[which]) for label, name in asked.items() for which in options.sets]
    if options.clip:
        jobs.append((Path(options.clip).name, options.clip, "clothing", clothing))
    else:
        print("The photos of clothes are left out: name a checkpoint that embeds images with --clip.")
    results: list[Measured] = []
    seen_costs: dict[str, dict[str, float]] = {}
    for label, name, which, load in jobs:
        with Embedder(name, truncate=True, cache=options.cache) as embedder:
            vectors = embed(embedder, load(options.data))
        seen_costs.setdefault(label, costs(vectors))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn's, of one pass that has not converged
            results.append(zero_shot(label, which, vectors))
            results += curves(label, which, vectors, options.shots, options.draws)
            if options.orders:
                few = [count for count in _ORDER_SHOTS if count in options.shots]
                results += orders(label, which, vectors, few, min(options.draws, 3))
        text = write(options.to, [asdict(one) for one in results], seen_costs)
    print(text)
    (options.to / "results.json").write_text(
        json.dumps({"results": [asdict(one) for one in results], "costs": seen_costs}, indent=1), encoding="utf-8"
    )
    print(f"The numbers and the drawing are in {options.to}.")


if __name__ == "__main__":
    main()
