"""Quality of embedders, rerankers and entailment models: ours, the peers', and any checkpoint.

    python -m benchmarks.quality.models --data DATA [--to FOLDER] [--cache FOLDER] [--tasks retrieval …] \
        [--sets squad …] [--embedders NAME …] [--rerankers NAME …] [--entailment NAME …] [--queries 100]

A name is one of the catalog's, a folder or a hub id; LABEL=NAME says what it is called in the table. Without names
the bundled models are measured, beside all-MiniLM-L6-v2 and potion where they are there; `--rerankers` without a name
measures none. Results are added to FOLDER (results.json, results.md, results.svg) after each set, so that a later run
of one more model leaves the others as they are; `--cache` keeps vectors between runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from benchmarks.quality import systems
from benchmarks.quality.report import Result, summary, write
from jina_components import Embedder, EntailmentScorer, Reranker
from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.quality import measures
from jina_components.fine_tuner.recipes.quality.labelled_sets import (
    CLASSIFICATION,
    ENTAILMENT,
    load_classification,
    load_entailment,
    load_stsb,
)
from jina_components.fine_tuner.recipes.quality.metrics import ndcg
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, load_set


@dataclass(frozen=True)
class Run:
    """What is measured.

    Attributes:
        data: Folder of the sets.
        sets: Names of those wanted.
        embedders: By label; a model is loaded when first used.
        rerankers: Likewise.
        scorers: Likewise.
        queries: That are reranked, of each set; None for all.
    """

    data: Path
    sets: Sequence[str]
    embedders: dict[str, Embedder]
    rerankers: dict[str, Reranker]
    scorers: dict[str, EntailmentScorer]
    queries: int | None


def retrieval(run: Run, *, search: bool, rerank: bool) -> Iterator[list[Result]]:
    """Retrieval and reranking, set by set, so that a corpus is embedded once."""
    for name in tqdm([name for name in RETRIEVAL if name in run.sets], desc="retrieval sets"):
        task = load_set(run.data, name)
        vectors = {label: systems.vectors_of(embedder, task) for label, embedder in run.embedders.items()}
        if search:
            yield [
                Result("retrieval", name, system, len(task.queries), measures.retrieval(ranking, task.relevant))
                for system, ranking in systems.rankings(task, vectors)
            ]
        if rerank:
            rows = task.sampled_rows(run.queries)
            few = task.choose(rows)
            cut = {label: systems.Vectors(own.queries[rows], own.corpus) for label, own in vectors.items()}
            yield [
                Result(kind, name, system, len(rows), {"ndcg@10": ndcg(order, few.relevant)})
                for kind, system, order in systems.reranked(few, cut, run.rerankers)
            ]


def similarity(run: Run) -> Iterator[list[Result]]:
    """STS benchmark, English dev."""
    task = load_stsb(run.data)
    for label, embedder in run.embedders.items():
        values = measures.similarity(systems.encoder(embedder, "text-matching"), task)
        yield [Result("similarity", "stsb", label, len(task.judged), values)]


def classification(run: Run) -> Iterator[list[Result]]:
    """Zero-shot and 10-shot accuracy."""
    for name in tqdm([name for name in CLASSIFICATION if name in run.sets], desc="classification sets"):
        task = load_classification(run.data, name)
        for label, embedder in run.embedders.items():
            values = measures.classification(systems.encoder(embedder, "classification"), task)
            yield [Result("classification", name, label, len(task.test), values)]


def entailment(run: Run) -> Iterator[list[Result]]:
    """Balanced accuracy, macro-F1 and ROC AUC of each entailment model."""
    for label, scorer in run.scorers.items():
        entails = systems.entailing(scorer)
        for name in tqdm([name for name in ENTAILMENT if name in run.sets], desc=label):
            task = load_entailment(run.data, name)
            values = measures.entailment(entails, task)
            yield [Result("entailment", name, label, len(task.pairs), values)]


TASKS: dict[str, Callable[[Run], Iterator[list[Result]]]] = {
    "similarity": similarity,
    "classification": classification,
    "entailment": entailment,
}
RANKING_TASKS = ("retrieval", "reranking")


def measure(run: Run, tasks: Sequence[str]) -> Iterator[list[Result]]:
    """Results as they come."""
    for name in TASKS:
        if name in tasks:
            yield from TASKS[name](run)
    if set(tasks) & set(RANKING_TASKS):
        yield from retrieval(run, search="retrieval" in tasks, rerank="reranking" in tasks)


def labelled(names: Sequence[str]) -> dict[str, str]:
    """LABEL=NAME apart; a bare name is labelled by its last part.

    Raises:
        ConfigError: two have the same label.
    """
    parts = (name.partition("=") for name in names)
    found = {label if sign else Path(label).name: name if sign else label for label, sign, name in parts}
    if len(found) < len(names):
        raise ConfigError(f"Two of {', '.join(names)} have the same label: write LABEL=NAME.")
    return found


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known_tasks, known_sets = (*RANKING_TASKS, *TASKS), (*RETRIEVAL, *CLASSIFICATION, *ENTAILMENT)
    made.add_argument("--data", type=Path, required=True, help="folder of the sets")
    made.add_argument("--to", type=Path, default=Path("build/quality"), help="folder of the results")
    made.add_argument("--cache", type=Path, help="folder that keeps vectors between runs")
    made.add_argument("--tasks", nargs="+", default=known_tasks, choices=known_tasks)
    made.add_argument("--sets", nargs="+", default=known_sets, choices=known_sets)
    made.add_argument("--embedders", nargs="*", help="the first one's hybrid ranking is reranked")
    made.add_argument("--rerankers", nargs="*")
    made.add_argument("--entailment", nargs="*")
    made.add_argument("--queries", type=int, default=100, help="reranked of each set, drawn by hash; 0: all")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for and print the averages."""
    options = parser().parse_args(arguments)
    given = (options.embedders, options.rerankers, options.entailment)
    defaults = (systems.default_embedders(options.data), systems.default_rerankers(), systems.default_entailment())
    embedders, rerankers, scorers = (
        default if names is None else labelled(names) for names, default in zip(given, defaults, strict=True)
    )
    run = Run(
        data=options.data,
        sets=options.sets,
        embedders={label: Embedder(name, truncate=True, cache=options.cache) for label, name in embedders.items()},
        rerankers={label: Reranker(name) for label, name in rerankers.items()},
        scorers={label: EntailmentScorer(name) for label, name in scorers.items()},
        queries=options.queries or None,
    )
    kept = write(options.to, [])
    for results in measure(run, options.tasks):
        kept = write(options.to, results)
    for title, column in summary(kept).items():
        print(f"\n{title}")
        for system, value in column.items():
            print(f"  {value:.4f}  {system}")
    print(f"\nThe tables and the chart are in {options.to}.")


if __name__ == "__main__":
    main()
