"""Embeddings through HTTP: `jina-components serve` beside Infinity, with the same weights on the same core.

    python -m benchmarks.speed.service [--data DATA] [--peers-python PEERS/bin/python] [--seconds 5] [--rounds 3]
        [--soak 50000] [--to results.json]

Servers run on one core, and the load comes from the other; each round measures all, one after the other, while the
others stand still. Requests of one short text (12 tokens, 4 to 20) come from 1, 16 and 64 connections, in answer to
which vectors come as numbers (`float`) or as `base64`. Columns:

- req/s: the median round;
- ratio: of that, to Infinity;
- p50 ms, p99 ms: of all rounds;
- p99 ratio: Infinity's to ours, so that above 1 ours is faster;
- to 1: req/s to those of one connection.

Then bulk: 2,048 texts of 70 tokens in the mean, as base64, 256 a request over 4 connections, beside the same texts in
one call in the process; `to process` is the ratio of texts a second. And with `--soak`, requests from 64 connections:
resident megabytes at ten moments.

The floor of a text of 12 tokens is what the model needs for it: 21.3 MFLOP a token, 0.26 GFLOP, or 2.3 ms at the 110
GFLOP/s that a core of the machine of the README reaches in float32; the rest is HTTP, JSON and the tokenizer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.speed import runs
from benchmarks.speed.load import send
from benchmarks.speed.servers import PEER, Server, start_all
from benchmarks.speed.texts import EMBEDDING_SETS, TextSource
from benchmarks.speed.workers import Setting, Worker

_CLIENTS = (1, 16, 64)
_ENCODINGS = ("float", "base64")
_AT_ONCE, _BULK_CLIENTS = 256, 4
# By server, how the same model runs in the process; of `contenders.CONCURRENCY`.
_IN_PROCESS = {"ours auto": "ours auto", "ours float32": "ours float32"}
_SAMPLES = 10


@dataclass(frozen=True)
class Scene:
    """Servers that run on one core, the texts they are asked for, and what runs beside them.

    Attributes:
        servers: By name.
        folder: The model.
        temporary: Folder for files.
        options: Of the command line.
        core: The servers'; the load comes from another.
    """

    servers: Mapping[str, Server]
    folder: Path
    temporary: Path
    options: argparse.Namespace
    core: int


def main() -> None:
    """Measure and print tables."""
    options = parser().parse_args()
    made = runs.Plan()
    with scene(options, made.skipped) as staged:
        short, bulk = texts_of(staged)
        results: dict[str, Any] = {"one text": _one_text(staged.servers, short, options)}
        results["bulk"] = _bulk(staged, bulk)
        if options.soak:
            results["soak"] = _soak(staged.servers, short, options.soak)
    runs.finish(options, made, results)


def parser() -> argparse.ArgumentParser:
    """Of the command line."""
    made = runs.parser(__doc__, rounds=3)
    made.add_argument("--seconds", type=float, default=5.0, help="that each measurement of a round takes")
    made.add_argument("--soak", type=int, default=0, help="requests to send to ours, watching its memory")
    made.add_argument("--bulk", type=int, default=2048, help="texts of the bulk")
    return made


@contextmanager
def scene(options: argparse.Namespace, skipped: dict[str, str]) -> Iterator[Scene]:
    """Servers that answer alike, for as long as they are needed; who does not start is skipped."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("Two cores are needed: one for the servers, one for the load.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = runs.model_folder(options, Path(temporary) / "model")
        servers = start_all(options, folder, Path(temporary), skipped, {cores[0]})
        os.sched_setaffinity(0, {cores[1]})
        try:
            staged = Scene(servers, folder, Path(temporary), options, cores[0])
            _check_alike(servers, texts_of(staged)[0][:64])
            yield staged
        finally:
            os.sched_setaffinity(0, set(cores))
            for server in servers.values():
                server.close()


def texts_of(staged: Scene) -> tuple[list[str], list[str]]:
    """Short ones, of which each is a request, and those of the bulk."""
    source = TextSource(staged.folder / "tokenizer.json", staged.options.data)
    short = source.texts(replace(EMBEDDING_SETS["short"], count=1024))
    return short, source.texts(replace(EMBEDDING_SETS["mixed"], count=staged.options.bulk))


def loads(
    servers: Mapping[str, Server], texts: list[str], encoding: str, clients: int, options: argparse.Namespace
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Requests a second by server and round, and the latencies of all rounds."""
    requests = {name: [server.request([text], encoding) for text in texts] for name, server in servers.items()}
    rates: dict[str, list[float]] = {name: [] for name in servers}
    latencies: dict[str, list[float]] = {name: [] for name in servers}
    for turn in range(options.rounds + 1):  # the first warms up
        for name, server in servers.items():
            with server.awake():
                seconds = options.seconds if turn else 1.0
                load = send(server.port, requests[name], clients=clients, seconds=seconds)
            if turn:
                rates[name].append(len(load.latencies) / load.seconds)
                latencies[name] += load.latencies
    return rates, latencies


def _one_text(servers: Mapping[str, Server], texts: list[str], options: argparse.Namespace) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    alone: dict[tuple[str, str], float] = {}
    for encoding in _ENCODINGS:
        for clients in _CLIENTS:
            rates, latencies = loads(servers, texts, encoding, clients, options)
            rows = {name: _row(rates[name], latencies[name]) for name in servers}
            for name, row in rows.items():
                alone.setdefault((name, encoding), row["req/s"])
                row["to 1"] = row["req/s"] / alone[name, encoding]
                if PEER in rows:
                    row["ratio"] = row["req/s"] / rows[PEER]["req/s"]
                    row["p99 ratio"] = rows[PEER]["p99 ms"] / row["p99 ms"]
            title = f"{clients} clients, one short text a request, {encoding}"
            tables[title] = rows
            runs.show(title, {name: {key: round(value, 2) for key, value in row.items()} for name, row in rows.items()})
    return tables


def _row(rates: list[float], latencies: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(np.array(latencies) * 1000, [50, 99])
    return {"req/s": median(rates), "p50 ms": float(p50), "p99 ms": float(p99)}


def bulk_rates(staged: Scene, texts: list[str]) -> dict[str, list[float]]:
    """Texts a second by round, of each server and of the same model in the process."""
    (staged.temporary / "jobs.json").write_text(json.dumps({"bulk": texts}), "utf-8")
    setting = Setting("concurrency", staged.folder, staged.temporary / "jobs.json", staged.options.threads)
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {staged.core})  # which children inherit
    workers = {
        name: Worker(way, sys.executable, setting) for name, way in _IN_PROCESS.items() if name in staged.servers
    }
    os.sched_setaffinity(0, mine)
    batches = [texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE)]
    rates: dict[str, list[float]] = {name: [] for name in [*staged.servers, *map(in_process, workers)]}
    for turn in range(staged.options.rounds + 1):
        for name, server in staged.servers.items():
            requests = [server.request(batch, "base64") for batch in batches]
            with server.awake():
                load = send(server.port, requests, clients=_BULK_CLIENTS, total=len(requests))
            if turn:
                rates[name].append(len(texts) / load.seconds)
            if name in workers:
                seconds = workers[name].ask("time", job="bulk")["seconds"]
                if turn:
                    rates[in_process(name)].append(len(texts) / seconds)
    for worker in workers.values():
        worker.close()
    return rates


def in_process(name: str) -> str:
    """What a server's model is called where there is no server."""
    return f"{name}, in process"


def _bulk(staged: Scene, texts: list[str]) -> dict[str, Any]:
    rates = bulk_rates(staged, texts)
    rows: dict[str, runs.Row] = {}
    for name, found in rates.items():
        inside = rates.get(in_process(name))
        ratios = [outside / one for outside, one in zip(found, inside, strict=True)] if inside else None
        rows[name] = {
            "texts/s": round(median(found), 1),
            "to process": round(median(ratios), 3) if ratios else None,
            "ratio": round(median(found) / median(rates[PEER]), 2) if PEER in rates else None,
        }
    runs.show(f"{len(texts)} texts of 70 tokens, {_AT_ONCE} a request, base64", rows)
    return rows


def _soak(servers: Mapping[str, Server], texts: list[str], total: int) -> dict[str, Any]:
    found = {}
    for name, server in servers.items():
        if name == PEER:
            continue
        requests = [server.request([text], "base64") for text in texts]
        resident = []
        with server.awake():
            send(server.port, requests, clients=64, total=1000)
            for _ in range(_SAMPLES):
                send(server.port, requests, clients=64, total=total // _SAMPLES)
                resident.append(round(server.resident / 1e6, 1))
        found[name] = resident
        print(f"\n{name}, {total} requests, resident MB: {resident}", flush=True)
    return found


def _check_alike(servers: Mapping[str, Server], texts: list[str]) -> None:
    """All give the same vectors, within what bfloat16 costs."""
    vectors = {}
    for name, server in servers.items():
        for encoding in _ENCODINGS:
            with server.awake():
                answer = json.loads(send(server.port, [server.request(texts, encoding)], clients=1, total=1).last)
            vectors[name, encoding] = np.array([_vector(item["embedding"]) for item in answer["data"]])
    first = next(iter(vectors.values()))
    for (name, encoding), found in vectors.items():
        cosine = float((found * first).sum(1).min())
        if not (found.shape == first.shape and cosine > 0.995):
            sys.exit(f"{name} answers other vectors as {encoding}: cosine {cosine:.4f}.")


def _vector(embedding: list[float] | str) -> np.ndarray[Any, Any]:
    found = np.frombuffer(b64decode(embedding), "<f4") if isinstance(embedding, str) else np.array(embedding)
    return found / np.linalg.norm(found)


if __name__ == "__main__":
    main()
