"""Reranking on a CPU: 1 query × 100 documents, ours and the peers side by side in one run.

    python -m benchmarks.speed.reranking [--data DATA] [--peers-python PEERS/bin/python] [--rounds 5] [--threads 1]
        [--encoder random|trained] [--contenders NAME …] [--to results.json]

The model is a cross-encoder of MiniLM-L6's shape without training, made here; beside it run the rerankers that we
bundle, of which `small-cross-encoder-v1` reads 256 tokens with the query at once, and longer ones in pieces. Sets are
documents of 128 and of 256 tokens each, and of mixed lengths (log-normal, mean 128, up to 478). Columns as in
`embedding`, and against the baseline's logits (sentence-transformers' CrossEncoder in torch at float32):

- tau: Kendall's, over the order of all documents;
- top 10: part of the baseline's first ten that is among the contender's;
- pearson: correlation of the logits.

Speed does not depend on the weights, fidelity does. `--encoder random` draws all of them: matrices normal with a
deviation of 0.05 rather than BERT's 0.02, with which every document scores nearly the same. `--encoder trained` takes
the embedding model's layers, so that activations are those of a trained model, under a random head. In both, the head
is scaled and shifted so that the float32 logits of the benchmark's own documents have mean 0 and deviation 2.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks.speed import runs
from benchmarks.speed.contenders import BASELINE, RERANKING
from benchmarks.speed.texts import RERANKING_SETS, Lengths, TextSource
from benchmarks.speed.workers import Setting, Worker, close_all, measure, start_all

_QUERY = Lengths(12, 0.0, 1)
_CALIBRATION = Lengths(150, 0.8, 300)
_INITIAL_DEVIATION, _LOGIT_DEVIATION = 0.05, 2.0
_TOP = 10


class Lap(NamedTuple):
    """A set that all contenders have scored: its documents, tokens, and each contender's replies by round."""

    documents: int
    tokens: int
    timings: Mapping[str, list[dict[str, float]]]


def main() -> None:
    """Measure and print a table for each set."""
    options = parser().parse_args()
    made = runs.plan(RERANKING, options)
    results: dict[str, dict[str, runs.Row]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, lap, workers in laps(options, made, Path(temporary)):
            logits = {
                contender: np.load(Path(temporary, f"{name} {contender}.npy")).ravel() for contender in lap.timings
            }
            results[name] = _rows(workers, lap.timings, logits)
            runs.show(f"{name}: {lap.documents} documents, {lap.tokens:,} tokens with the query once", results[name])
    runs.finish(options, made, results)


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    made = runs.parser(__doc__)
    made.add_argument("--encoder", choices=("random", "trained"), default="random")
    made.add_argument("--documents", type=int, default=100)
    made.add_argument("--sets", nargs="+", choices=RERANKING_SETS, default=list(RERANKING_SETS))
    return made


def laps(
    options: argparse.Namespace, made: runs.Plan, temporary: Path
) -> Iterator[tuple[str, Lap, Mapping[str, Worker]]]:
    """Set by set, what all contenders of a plan took; logits are in the folder, see `workers.measure`."""
    embedding = runs.model_folder(options, temporary / "embedding")
    source = TextSource(embedding / "tokenizer.json", options.data)
    [query] = source.texts(_QUERY)
    jobs = {
        name: {"query": query, "documents": source.texts(RERANKING_SETS[name])[: options.documents]}
        for name in options.sets
    }
    (temporary / "jobs.json").write_text(json.dumps(jobs), "utf-8")
    pairs = [(query, text) for text in source.texts(_CALIBRATION, seed=1)]
    (temporary / "calibration.json").write_text(json.dumps(pairs), "utf-8")
    sample = [(query, document) for job in jobs.values() for document in job["documents"]]
    folder = _cross_encoder(embedding, temporary / "cross-encoder", sample, options.encoder)
    runs.export(made, RERANKING, folder, "text-classification", temporary / "calibration.json")
    first = {"query": query, "documents": [jobs[options.sets[0]]["documents"][0]]}
    workers = start_all(
        made.pythons, Setting("reranking", folder, temporary / "jobs.json", options.threads, first), made.skipped
    )
    for name, job in jobs.items():
        timings = measure(workers, name, options.rounds, temporary, made.skipped)
        yield name, Lap(len(job["documents"]), source.count([query, *job["documents"]]), timings), workers
    close_all(workers)


def _cross_encoder(embedding: Path, target: Path, pairs: list[tuple[str, str]], encoder: str) -> Path:
    """A checkpoint with one label; the head's scale is set on the pairs."""
    import torch
    from transformers import AutoConfig, AutoTokenizer, BertForSequenceClassification

    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(embedding, num_labels=1, initializer_range=_INITIAL_DEVIATION)
    model = (
        BertForSequenceClassification(config)
        if encoder == "random"
        else BertForSequenceClassification.from_pretrained(embedding, config=config)
    )
    model.eval()
    tokenizer = AutoTokenizer.from_pretrained(embedding)
    with torch.inference_mode():
        encoded = [tokenizer(*pair, return_tensors="pt") for pair in pairs]
        logits = torch.cat([model(**inputs).logits[:, 0] for inputs in encoded])
        head = model.classifier
        head.weight *= _LOGIT_DEVIATION / logits.std()
        head.bias[:] = -(logits - head.bias).mean() * _LOGIT_DEVIATION / logits.std()
    model.save_pretrained(target)
    for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        if (embedding / file).exists():
            shutil.copy(embedding / file, target / file)
    return target


def _rows(
    workers: Mapping[str, Worker], timings: Mapping[str, list[dict[str, float]]], logits: Mapping[str, Any]
) -> dict[str, runs.Row]:
    baseline = median(reply["seconds"] for reply in timings[BASELINE])
    rows: dict[str, runs.Row] = {}
    for name, replies in timings.items():
        seconds = median(reply["seconds"] for reply in replies)
        agreement = (None, None, None) if RERANKING[name].bundled else _agreement(logits[name], logits[BASELINE])
        tau, top, pearson = agreement
        rows[name] = {
            "docs/s": round(len(logits[name]) / seconds, 1),
            "ratio": round(baseline / seconds, 2),
            "cpu/wall": round(median(reply["cpu"] / reply["seconds"] for reply in replies), 2),
            "tau": tau,
            "top 10": top,
            "pearson": pearson,
            "peak MB": round(replies[-1]["peak"] / 1e6),
            "cold s": round(workers[name].cold_seconds, 2),
        }
    return rows


def _agreement(found: Any, expected: Any) -> tuple[float, float, float]:  # noqa: ANN401
    from scipy.stats import kendalltau

    best = [set(np.argsort(-scores, kind="stable")[:_TOP].tolist()) for scores in (found, expected)]
    overlap = len(best[0] & best[1]) / len(best[1])
    pearson = np.corrcoef(found, expected)[0, 1]
    return round(float(kendalltau(found, expected).statistic), 4), round(overlap, 2), round(float(pearson), 5)


if __name__ == "__main__":
    main()
