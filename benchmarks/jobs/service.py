"""Embeddings over HTTP, beside Infinity and the same model in the process."""

from __future__ import annotations

import argparse

from benchmarks.results import Result, raced
from benchmarks.setting import Setting
from benchmarks.speed import service as runner
from benchmarks.speed.servers import PEER

OURS = "ours auto"
_CLIENTS = 16


def measure(setting: Setting, *, rounds: int, seconds: float, bulk: int) -> dict[str, Result]:
    """Requests of one text a second, and texts of large requests a second."""
    chosen = {
        "data": setting.data, "peers_python": list(setting.pythons), "threads": setting.threads, "rounds": rounds,
        "seconds": seconds, "bulk": bulk, "contenders": [OURS, PEER],
    }  # fmt: skip
    options = argparse.Namespace(**{**vars(runner.parser().parse_args([])), **chosen})
    with runner.scene(options, setting.skipped) as staged:
        short, many = runner.texts_of(staged)
        rates, _ = runner.loads(staged.servers, short, "float", _CLIENTS, options)
        bulk_rates = runner.bulk_rates(staged, many)
    bulk_rates["in the process"] = bulk_rates.pop(runner.in_process(OURS))
    return {"service.requests": raced(rates, OURS), "service.bulk": raced(bulk_rates, OURS)}
