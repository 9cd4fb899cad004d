"""Embedding and reranking models: speed beside sentence-transformers and other ways to run them, and likeness."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality import systems
from benchmarks.results import Result, paired, raced
from benchmarks.setting import Setting
from benchmarks.speed import embedding as embedding_runner
from benchmarks.speed import reranking as reranking_runner
from benchmarks.speed import runs
from benchmarks.speed import startup as startup_runner
from benchmarks.speed.contenders import BASELINE, EMBEDDING, RERANKING, STARTUP
from jina_components import Embedder
from jina_components.fine_tuner.recipes.quality.labelled_sets import load_stsb
from jina_components.fine_tuner.recipes.quality.metrics import spearman
from jina_components.models.catalog import DEFAULT_EMBEDDER, DEFAULT_RERANKER

_OURS, _FIRST = "ours bfloat16", "ours, bundled"
_QUICK = (_OURS, DEFAULT_EMBEDDER, DEFAULT_RERANKER, "sentence-transformers bf16")
# What the rows of a set are called, beside those of its own.
_MIXED = "mixed"
_DEFAULTS = {"embedder": DEFAULT_EMBEDDER, "reranker": DEFAULT_RERANKER}


def startup(setting: Setting, *, rounds: int) -> dict[str, Result]:
    """From the start of a process to the first vector, as starts a second."""
    options = _options(runs.parser(""), setting, rounds=rounds, contenders=[_FIRST])
    made = runs.plan(STARTUP, options)
    wall, _ = startup_runner.starts(options, made)
    setting.skipped.update(made.skipped)
    rates = {name: [1 / seconds for seconds in found] for name, found in wall.items()}
    return {"embedder.startup": raced(rates, _FIRST)}


def embedding(setting: Setting, *, rounds: int, sets: Sequence[str], scale: float, every: bool) -> dict[str, Result]:
    """Tokens a second of all-MiniLM-L6-v2, and of our default."""
    size = {"rounds": rounds, "sets": list(sets), "scale": scale}
    found = _laps(setting, embedding_runner, EMBEDDING, size, every=every)
    return _rows(found, "embedder", of=lambda lap: lap.tokens)


def reranking(setting: Setting, *, rounds: int, sets: Sequence[str], documents: int, every: bool) -> dict[str, Result]:
    """Documents a second of a cross-encoder of MiniLM-L6's shape, and of our default."""
    size = {"rounds": rounds, "sets": list(sets), "documents": documents}
    found = _laps(setting, reranking_runner, RERANKING, size, every=every)
    return _rows(found, "reranker", of=lambda lap: lap.documents)


def similarity(setting: Setting) -> dict[str, Result]:
    """Spearman's correlation of cosines with people's judgement."""
    task = load_stsb(setting.sets)
    scores = {}
    for name, model in systems.default_embedders(setting.sets).items():
        encode = systems.encoder(Embedder(model, truncate=True, cache=setting.cache / "vectors"), "text-matching")
        cosines = (encode(task.first) * encode(task.second)).sum(axis=1)
        scores[name] = np.stack([cosines, task.judged], axis=1)
    variants = [name for name in scores if name.startswith("static-minilm")]
    found = paired(
        {"stsb": scores},
        DEFAULT_EMBEDDER,
        statistic=lambda rows: spearman(*rows.T),
        variants=variants,
        seed=setting.seed,
    )
    return {"embedder.similarity": found}


def _laps(
    setting: Setting, runner: Any, contenders: Mapping[str, Any], size: Mapping[str, Any], *, every: bool  # noqa: ANN401
) -> dict[str, Any]:  # fmt: skip
    options = _options(runner.parser(), setting, contenders=None if every else list(_QUICK), **size)
    made = runs.plan(contenders, options)
    with tempfile.TemporaryDirectory() as temporary:
        found = {name: lap for name, lap, _ in runner.laps(options, made, Path(temporary))}
    setting.skipped.update(made.skipped)
    return found


def _rows(found: Mapping[str, Any], component: str, of: Callable[[Any], int]) -> dict[str, Result]:
    """A row for each set with the same weights, and one with our default beside the baseline.

    By seconds of CPU time, which others that work on the machine do not change much.
    """
    results = {}
    for name, lap in found.items():
        rates = {
            system: [of(lap) / reply["cpu"] for reply in replies]
            for system, replies in lap.timings.items()
            if system == _OURS or not _is_ours(system)
        }
        results[f"{component}.{name}"] = raced(rates, _OURS)
        if name == _MIXED:
            ours = _DEFAULTS[component]
            pair = {system: [of(lap) / reply["cpu"] for reply in lap.timings[system]] for system in (ours, BASELINE)}
            results[f"{component}.default"] = raced(pair, ours)
    return results


def _is_ours(system: str) -> bool:
    contender = (EMBEDDING | RERANKING)[system]
    return contender.bundled or "jina_components" in contender.needs


def _options(parser: argparse.ArgumentParser, setting: Setting, **chosen: Any) -> argparse.Namespace:  # noqa: ANN401
    """A runner's options: its own, with what is chosen."""
    shared = {"data": setting.data, "peers_python": list(setting.pythons), "threads": setting.threads}
    return argparse.Namespace(**{**vars(parser.parse_args([])), **shared, **chosen})
