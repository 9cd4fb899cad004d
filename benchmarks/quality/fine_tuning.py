"""Tuning to a domain without labels: an embedder before and after, on questions that people asked.

    python -m benchmarks.quality.fine_tuning --data DATA [--sets medquad …] [--base small-embedding-v1] [--work FOLDER]

The documents of a set go into `FineTuner` without their questions: it derives questions by rules, fits the base to
them and is then measured with the real ones, nDCG@10 over the whole set. MedQuAD's answers (Ben Abacha &
Demner-Fushman 2019; 1,000 of its questions, drawn by a fixed order), CoSQA's functions (Huang et al. 2021, dev
questions), Cranfield's abstracts (Cleverdon 1967). Both models are run by torch (token tables by numpy), so that
nothing but the tuning differs. All settings are the defaults, but that no document is kept aside for a test: the real
questions are the test.

MedQuAD's texts, questions among them, were in what `small-embedding-v1` is distilled with, as texts without pairs. The
reranker that filters negatives is that model with token vectors, and has seen no pairs of the three sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jina_components import Document, Embedder, FineTuner, JudgedQuestions, SynthesisSettings, Triplets
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.quality.retrieval_sets import load_set
from jina_components.fine_tuner.sampling import place
from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.models.files import find_files
from jina_components.models.layout import read_layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

SETS = ("medquad", "cosqa", "cranfield")
MEDQUAD_QUESTIONS = 1000


def load_domain(data: Path, name: str) -> JudgedQuestions:
    """Documents and the questions that people asked about them."""
    if name != "medquad":
        return load_set(data, name)
    corpus: dict[str, int] = {}
    answers: dict[str, dict[int, float]] = {}
    for row in read_jsonl(data / "train" / "medquad" / "qa.jsonl.gz"):
        if row["a"].strip():
            answers.setdefault(row["q"], {})[corpus.setdefault(row["a"], len(corpus))] = 1.0
    asked = sorted(answers, key=place)[:MEDQUAD_QUESTIONS]
    return JudgedQuestions(list(corpus), asked, [answers[question] for question in asked])


def measured(
    data: Path, work: Path, seed: int, *, sets: Collection[str] = SETS, base: str = DEFAULT_EMBEDDER
) -> Mapping[str, Mapping[str, NDArray[Any]]]:
    """By set, of the "tuned" and the "untuned" model, nDCG@10 of each question; goes on where it was interrupted.

    Args:
        data: Folder of the public sets.
        work: Folder for triplets and tuned models.
        seed: Of the tuning.
        sets: Of `SETS`.
        base: To tune.
    """
    tuner = FineTuner(base, seed=seed)
    found: dict[str, Mapping[str, NDArray[Any]]] = {}
    for name in sets:
        questions, folder = load_domain(data, name), work / f"{base.replace('/', '--')}-{name}-{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "triplets").is_dir():
            documents = [Document(text, id=str(row)) for row, text in enumerate(questions.corpus)]
            made = tuner.synthesize(documents, settings=SynthesisSettings(test=0.0), show_progress=True)
            made.save(folder / "triplets")
        tuned = tuner.fit(Triplets.load(folder / "triplets"), folder / "tuned", show_progress=True)
        print(f"{name}: {tuned}", flush=True)
        with _plain(base) as before, _plain(str(tuned.path)) as after:
            comparison = tuner.evaluate(before, after, questions, show_progress=True)
        print(f"{name}, {len(questions.corpus):,} documents\n{comparison}", flush=True)
        found[name] = {
            "tuned": np.array([each.after for each in comparison.questions]),
            "untuned": np.array([each.before for each in comparison.questions]),
        }
    return found


def _plain(model: str) -> Embedder:
    table = read_layout(find_files(model).folder).is_static
    return Embedder(model, backend="static" if table else "torch", truncate=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--base", default=DEFAULT_EMBEDDER)
    parser.add_argument("--work", type=Path, default=Path("build/fine_tuning"))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    measured(given.data, given.work, given.seed, sets=given.sets, base=given.base)


if __name__ == "__main__":
    main()
