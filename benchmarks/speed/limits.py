"""What keys, limits and the ledger cost: `jina-components serve`, open and with keys, under the same load on one core.

    python -m benchmarks.speed.limits [--postgresql postgresql://USER:PASSWORD@HOST:PORT/NAME] [--clients 16]
        [--seconds 5] [--rounds 7] [--models static-minilm-v1 small-embedding-v1] [--to results.json]

Servers run on one core; the load, Redis (a `redis-server` of its own) and whoever else come from the others. In each
round all are measured one after the other, while the others stand still. Requests are of one short text (12 tokens, 4
to 20), in two loads: all with one key of large limits, or in turn with 400 keys of small ones. A server is open, for
which a key is a name, or has keys and limits without a ledger, or all three. Each is warmed up for a while before it is
measured, for while it stood still its leases and what it knew of keys have run out. Columns:

- req/s: the median round;
- ratio: of that, in each round, to the open server's; the median;
- ms CPU: of the server, a request; the median;
- more: of that, to the open server's, in each round; the median.

The static model needs so little for a text (0.1 ms) that nearly all is HTTP and JSON: what is added shows at its
largest.
"""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed import runs
from benchmarks.speed.load import send
from benchmarks.speed.servers import MODEL, Contender, Server
from benchmarks.speed.texts import EMBEDDING_SETS, TextSource
from jina_components.service.accounts.keys import MAX_TOKENS, Keys
from jina_components.service.database import Database

_OPEN = "open"
_MANY = 400
_WARM_SECONDS = 1.5
_TIERS = """
[tiers.large.embeddings]
requests = 10_000_000
tokens = 1_000_000_000
concurrent = 500
[tiers.small.embeddings]
requests = 1_000
tokens = 1_000_000
concurrent = 8
"""
_SERVE = "import sys; from jina_components.cli import main; sys.exit(main())"
_WITHOUT_LEDGER = f"""
from jina_components.service.accounts.access import ChargedPermit, FreePermit
ChargedPermit.settle = FreePermit.settle
{_SERVE}
"""


@dataclass(frozen=True)
class Setup:
    """A way to serve: where keys are, whether in PostgreSQL, and limits, whether in Redis; whether charges are kept."""

    in_postgresql: bool = False
    in_redis: bool = False
    has_ledger: bool = False


SETUPS: dict[str, Setup | None] = {
    _OPEN: None,
    "limits in memory": Setup(),
    "limits in Redis": Setup(in_redis=True),
    "memory and ledger in SQLite": Setup(has_ledger=True),
    "Redis and ledger in SQLite": Setup(in_redis=True, has_ledger=True),
    "Redis and ledger in PostgreSQL": Setup(in_postgresql=True, in_redis=True, has_ledger=True),
}


def main() -> None:
    """Measure and print tables."""
    parser = runs.parser(__doc__, rounds=7)
    parser.add_argument("--seconds", type=float, default=5.0, help="that each measurement of a round takes")
    parser.add_argument("--clients", type=int, default=16, help="connections")
    parser.add_argument("--models", nargs="+", default=["static-minilm-v1", "small-embedding-v1"])
    parser.add_argument("--postgresql", metavar="URL", help="an empty database; without it PostgreSQL is left out")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("Two cores are needed: one for the servers, one for the load.")
    made, results = runs.Plan(), dict[str, Any]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = TextSource(runs.model_folder(options, folder / "model") / "tokenizer.json", options.data)
        texts = source.texts(replace(EMBEDDING_SETS["short"], count=1024))
        os.sched_setaffinity(0, set(cores[1:]))
        (folder / "tiers.toml").write_text(_TIERS, "utf-8")
        limits = _redis(folder, made)
        for model in options.models:
            results |= _measured(model, texts, limits, folder, made, options, cores[0])
    runs.finish(options, made, results)


def _measured(
    model: str,
    texts: list[str],
    limits: str | None,
    folder: Path,
    made: runs.Plan,
    options: argparse.Namespace,
    core: int,
) -> dict[str, Any]:
    servers: dict[str, Server] = {}
    secrets: dict[str, list[str]] = {}
    for name, setup in SETUPS.items():
        if options.contenders and name not in (_OPEN, *options.contenders):
            continue
        if setup is not None and setup.in_postgresql and not options.postgresql:
            made.skipped[name] = "no --postgresql"
        elif setup is not None and setup.in_redis and limits is None:
            made.skipped[name] = made.skipped["Redis"]
        else:
            data = folder / model / name
            database = options.postgresql if setup and setup.in_postgresql else f"sqlite:///{data}.sqlite3"
            data.parent.mkdir(exist_ok=True)
            secrets[name] = _made_keys(database) if setup else [f"jina_{number:060}" for number in range(_MANY + 1)]
            command = _Command(model, setup, database, limits or "", folder / "tiers.toml")
            print(f"starting {name}", flush=True)
            contender = Contender(command, key=secrets[name][0])
            servers[name] = Server(contender, sys.executable, folder, data, threads=options.threads, cores={core})
    results = {}
    loads = {"one key of large limits": slice(0, 1), f"{_MANY} keys of small limits": slice(1, None)}
    for load, chosen in loads.items():
        requests = {
            name: [
                server.request([text], "base64", key=key)
                for text, key in zip(texts, cycle(secrets[name][chosen]), strict=False)
            ]
            for name, server in servers.items()
        }
        title = f"{model}, {load}, {options.clients} clients"
        results[title] = _table(title, servers, requests, options)
    for server in servers.values():
        server.close()
    return results


def _table(
    title: str, servers: Mapping[str, Server], requests: Mapping[str, list[bytes]], options: argparse.Namespace
) -> dict[str, runs.Row]:
    rates: dict[str, list[float]] = {name: [] for name in servers}
    costs: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(options.rounds):
        for name, server in servers.items():
            with server.awake():
                send(server.port, requests[name], clients=options.clients, seconds=_WARM_SECONDS)
                before = server.cpu
                load = send(server.port, requests[name], clients=options.clients, seconds=options.seconds)
                cost = server.cpu - before
            rates[name].append(len(load.latencies) / load.seconds)
            costs[name].append(cost / len(load.latencies) * 1000)
    rows: dict[str, runs.Row] = {
        name: {
            "req/s": round(median(rates[name]), 1),
            "ratio": round(median(map(_quotient, rates[name], rates[_OPEN])), 3),
            "ms CPU": round(median(costs[name]), 3),
            "more": round(median(map(_quotient, costs[name], costs[_OPEN])), 3),
        }
        for name in servers
    }
    runs.show(title, rows)
    return rows


def _quotient(one: float, other: float) -> float:
    return one / other


def _made_keys(url: str) -> list[str]:
    """One of large limits, and those of small ones."""
    database = Database(url)
    keys = Keys(database)
    made = [keys.create(name="large", tier="large", grant=MAX_TOKENS)[1]]
    made += [keys.create(name="small", tier="small", grant=MAX_TOKENS)[1] for _ in range(_MANY)]
    database.close()
    return made


@dataclass(frozen=True)
class _Command:
    model: str
    setup: Setup | None
    database: str
    limits: str
    tiers: Path

    def __call__(self, python: str, folder: Path, port: int, data: Path) -> list[str]:  # noqa: ARG002
        options = [
            "serve", "--port", str(port), "--data", str(data), "--alias", f"{MODEL}={self.model}", "--warm-up", MODEL,
            "--idle-seconds", "86400", "--no-playground", "--no-mcp", "--max-in-flight-per-client", "1000000",
        ]  # fmt: skip
        if self.setup is None:
            return [python, "-c", _SERVE, *options]
        options += ["--keys", "--database", self.database, "--tiers", str(self.tiers)]
        if self.setup.in_redis:
            options += ["--limits", self.limits]
        return [python, "-c", _SERVE if self.setup.has_ledger else _WITHOUT_LEDGER, *options]


def _redis(folder: Path, made: runs.Plan) -> str | None:
    """The URL of a server of its own."""
    program = shutil.which("redis-server")
    if program is None:
        made.skipped["Redis"] = "no redis-server on the PATH"
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    atexit.register(process.kill)
    while socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.05)
    return f"redis://127.0.0.1:{port}"


if __name__ == "__main__":
    main()
