"""More than can be done at once: refused at little cost, while memory stays as it is."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from served_process import Process, serving

MIB = 1024 * 1024
CLIENTS = 48


def peak(process: Process) -> int:
    """The most memory that a process ever took, in bytes."""
    status = Path(f"/proc/{process.running.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def offer(url: str) -> bytes:
    """The head of what is answered to a large body that never ends."""
    with socket.create_connection((httpx.URL(url).host, httpx.URL(url).port), timeout=60) as connection:
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: here\r\nContent-Length: {4 * MIB}\r\n\r\n"
        connection.sendall(head.encode() + bytes(4 * MIB - 1))
        return connection.recv(65536)


def test_memory_is_bounded_whatever_clients_send(tmp_path: Path) -> None:
    limits = ("--max-in-flight-bytes", str(8 * MIB), "--body-timeout", "3")
    with serving(tmp_path, "--no-warm-up", *limits) as process, ThreadPoolExecutor(CLIENTS) as pool:
        assert httpx.get(f"{process.url}/live").status_code == 200
        before = peak(process)
        answers = [*pool.map(offer, [process.url] * CLIENTS)]
        after = peak(process)
        assert httpx.get(f"{process.url}/ready").status_code == 200
        metrics = httpx.get(f"{process.url}/metrics").text
    statuses = [int(answer.split()[1]) for answer in answers]
    assert set(statuses) == {408, 503}  # waited for in vain, or refused
    assert all(b"retry-after: 1\r\n" in answer for answer in answers if answer.split()[1] == b"503")
    assert after - before < 48 * MIB  # of 192 that were offered
    samples = [sample for family in text_string_to_metric_families(metrics) for sample in family.samples]
    refused = {each.labels["code"]: each.value for each in samples if each.name == "jina_failed_total"}
    assert refused == {"SERVICE_UNAVAILABLE": statuses.count(503), "REQUEST_TIMEOUT": statuses.count(408)}
