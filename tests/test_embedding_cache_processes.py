"""What becomes of an embedding cache by damage, full disks, threads, forks and kills."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from test_embedding_cache import KEY, execute, present, put

from jina_components.embedding_cache import FILE, EmbeddingCache
from jina_components.errors import IndexFilesError

# Damage


@pytest.mark.parametrize(
    "damage",
    [
        "vector = zeroblob(32)",
        "vector = zeroblob(28)",
        "vector = 'text'",
        "vector = CAST(x'ff00ff' AS TEXT)",
        "used = 'never'",
        "checksum = zeroblob(8)",
        # Swapped: each whole in itself, but another's.
        "(vector, checksum) = (SELECT other.vector, other.checksum FROM entries AS other WHERE other.rowid = 2)",
    ],
)
def test_a_damaged_entry_is_missing_and_dropped(tmp_path, caplog, damage):
    with EmbeddingCache(tmp_path) as cache:
        put(cache, ["a", "bb"])
        execute(tmp_path, f"UPDATE entries SET {damage} WHERE rowid = 1")
        with caplog.at_level(logging.WARNING):
            assert present(cache, ["a", "bb"]) == ["bb"]
        assert "dropped 1 damaged" in caplog.text
        assert len(cache) == 1
        put(cache, ["a"])
        assert present(cache, ["a", "bb"]) == ["a", "bb"]


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / FILE).write_bytes(b"not a database at all" * 1000)
    with EmbeddingCache(tmp_path) as cache:
        for call in (lambda: put(cache, ["a"]), lambda: cache.get_many(KEY, ["a"]), lambda: len(cache), cache.clear):
            with pytest.raises(IndexFilesError, match=rf"not a database.*damaged: delete {FILE}"):
                call()
    for path in tmp_path.iterdir():
        path.unlink()
    put(cache, ["a"])  # the advice helps
    assert present(cache, ["a"]) == ["a"]
    cache.close()


def test_a_database_with_a_hole(tmp_path):
    texts = [str(number) for number in range(2000)]
    with EmbeddingCache(tmp_path) as cache:
        put(cache, texts)
    data = bytearray((tmp_path / FILE).read_bytes())
    data[16384:] = bytes(len(data) - 16384)
    (tmp_path / FILE).write_bytes(data)
    with EmbeddingCache(tmp_path) as cache, pytest.raises(IndexFilesError, match="damaged: delete"):
        cache.get_many(KEY, texts)


def test_a_database_of_somebody_else(tmp_path):
    execute(tmp_path, "CREATE TABLE entries (digest, vector)")
    with EmbeddingCache(tmp_path) as cache, pytest.raises(IndexFilesError, match="no embedding cache of this release"):
        put(cache, ["a"])


def test_a_cache_of_a_later_release(tmp_path):
    with EmbeddingCache(tmp_path) as cache:
        put(cache, ["a"])
    execute(tmp_path, "PRAGMA user_version = 99")
    with EmbeddingCache(tmp_path) as cache, pytest.raises(IndexFilesError, match="version 99.*another folder"):
        cache.get_many(KEY, ["a"])


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(IndexFilesError, match="choose another folder"):
        EmbeddingCache(tmp_path / "file" / "cache").get_many(KEY, ["a"])


def test_a_writer_that_does_not_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr("jina_components.embedding_cache._BUSY_SECONDS", 0.1)
    with EmbeddingCache(tmp_path) as cache:
        put(cache, ["a"])
        blocker = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(IndexFilesError, match="another process has held it"):
            put(cache, ["b"])
        assert present(cache, ["a"]) == ["a"]  # reading does not wait
        blocker.execute("ROLLBACK")
        blocker.close()
        put(cache, ["b"])
        assert present(cache, ["a", "b"]) == ["a", "b"]


FILLING = """
import resource, sys
from pathlib import Path
from jina_components.embedding_cache import EmbeddingCache
from jina_components.errors import IndexFilesError
from test_embedding_cache import present, put
cache = EmbeddingCache(Path(sys.argv[1]))
put(cache, ["a"])
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
try:
    for start in range(0, 10_000, 500):
        put(cache, [str(n) for n in range(start, start + 500)])
except IndexFilesError as error:
    assert "free space" in str(error), error
else:
    raise AssertionError("no limit was met")
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
assert present(cache, ["a"]) == ["a"]
put(cache, ["b"])
assert present(cache, ["a", "b"]) == ["a", "b"]
"""


def test_a_disk_that_takes_no_more(tmp_path):
    subprocess.run([sys.executable, "-c", FILLING, str(tmp_path)], cwd=Path(__file__).parent, check=True, timeout=60)


# Threads and processes


def test_many_threads(tmp_path):
    texts = [str(number) for number in range(60)]
    failures = []
    with EmbeddingCache(tmp_path, max_bytes=10_000_000) as cache:

        def work(seed: int) -> None:
            try:
                for _ in range(5):
                    shuffled = np.random.default_rng(seed).permutation(texts).tolist()
                    present(cache, shuffled)
                    put(cache, shuffled[:30])
                    if seed == 0:
                        cache.close()
            except BaseException as error:  # noqa: BLE001 (the main thread looks at it)
                failures.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        put(cache, texts)
        assert present(cache, texts) == texts


def work_in_a_process(folder: Path, seed: int, max_bytes: int | None) -> None:
    with EmbeddingCache(folder, max_bytes=max_bytes) as cache:
        for round_ in range(15):
            texts = np.random.default_rng([seed, round_]).permutation([str(n) for n in range(200)]).tolist()
            present(cache, texts)
            put(cache, texts[:50])


@pytest.mark.slow
@pytest.mark.parametrize("max_bytes", [None, 100_000])
def test_many_processes_write_the_same_keys(tmp_path, max_bytes):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work_in_a_process, args=(tmp_path, seed, max_bytes)) for seed in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    with EmbeddingCache(tmp_path) as cache:
        found = present(cache, [str(number) for number in range(200)])
        assert len(found) == len(cache) > 0
        assert max_bytes or len(found) == 200


ENDLESS = """
import sys
from pathlib import Path
from jina_components.embedding_cache import EmbeddingCache
from test_embedding_cache import put
cache = EmbeddingCache(Path(sys.argv[1]), max_bytes=300_000)
number = 0
while True:
    put(cache, [str(n % 20_000) for n in range(number, number + 300)])
    number += 300
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_it_whole(tmp_path):
    texts = [str(number) for number in range(20_000)] + ["a"]
    for round_ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.013 * round_)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with EmbeddingCache(tmp_path, max_bytes=300_000) as cache:
            assert present(cache, texts)
            assert len(cache) == len(present(cache, texts))
            put(cache, ["a"])
            assert present(cache, ["a"]) == ["a"]
        connection = sqlite3.connect(tmp_path / FILE)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


# In a process of its own: pytest's has threads, which must not be forked.
FORKING = """
import os, sys, threading
from pathlib import Path
from jina_components.embedding_cache import EmbeddingCache
from test_embedding_cache import present, put
cache, other = EmbeddingCache(Path(sys.argv[1])), EmbeddingCache(Path(sys.argv[1]) / "other")
put(cache, ["parent"])
children = []
for number in range(8):
    child = os.fork()
    if child == 0:
        assert present(cache, ["parent"]) == ["parent"]
        for text in range(20):
            put(cache, [f"{number} {text}"])
            put(other, ["same"])
        if number % 2:
            cache.close()
        del cache, other
        os._exit(0)
    children.append(child)
    put(cache, [f"parent {number}"])
    if number == 4:
        cache.close()
for child in children:
    assert os.waitpid(child, 0)[1] == 0
wanted = ["parent", *(f"parent {n}" for n in range(8)), *(f"{n} {t}" for n in range(8) for t in range(20))]
assert present(cache, wanted) == wanted
assert len(cache) == len(wanted)
assert present(other, ["same"]) == ["same"]
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork on this system")
def test_forked_children_open_their_own_connection(tmp_path):
    subprocess.run([sys.executable, "-c", FORKING, str(tmp_path)], cwd=Path(__file__).parent, check=True, timeout=60)
    connection = sqlite3.connect(tmp_path / FILE)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
