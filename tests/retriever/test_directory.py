"""Saving and opening: whole after whatever happens."""

import errno
import json
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from retriever_samples import DOCUMENTS

from jina_components import Retriever
from jina_components.errors import IndexFilesError, IndexMismatchError, JinaComponentsError
from jina_components.testing import FakeEmbedder


def test_save_and_open(retriever, tmp_path):
    retriever.delete(["rain"])
    retriever.save(tmp_path / "index")
    opened = Retriever.open(tmp_path / "index", FakeEmbedder())
    assert list(opened.documents()) == list(retriever.documents())
    for mode in ("hybrid", "dense", "lexical"):
        assert opened.retrieve("capital of France", mode=mode) == retriever.retrieve("capital of France", mode=mode)
    opened.add(["Madrid is the capital of Spain."])
    opened.save(tmp_path / "index")
    assert len(Retriever.open(tmp_path / "index", FakeEmbedder())) == 3
    assert len(list((tmp_path / "index").glob("generation-*"))) == 1


def test_an_empty_index_can_be_saved(tmp_path):
    Retriever(FakeEmbedder()).save(tmp_path / "index")
    opened = Retriever.open(tmp_path / "index", FakeEmbedder())
    opened.add(DOCUMENTS)
    assert len(opened) == 3


def test_another_embedder_is_refused(retriever, tmp_path):
    retriever.save(tmp_path / "index")
    with pytest.raises(IndexMismatchError, match="32 dimensions.*another vector space"):
        Retriever.open(tmp_path / "index", FakeEmbedder(dimensions=16))

    class Retrained(FakeEmbedder):
        """Same name, same width, other vectors."""

        def embed_documents(self, texts):
            return np.roll(super().embed_documents(texts), 1, axis=1)

    with pytest.raises(IndexMismatchError):
        Retriever.open(tmp_path / "index", Retrained())


def test_a_folder_of_something_else_is_neither_opened_nor_overwritten(retriever, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(IndexFilesError, match="not empty"):
        retriever.save(tmp_path)
    with pytest.raises(IndexFilesError, match="no index"):
        Retriever.open(tmp_path, FakeEmbedder())
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def damage_manifest(folder):
    (folder / "manifest.json").write_text("{")


def damage_version(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "version": 99}))


def damage_generation(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    elsewhere = f"../{folder.name}/{manifest['generation']}"
    (folder / "manifest.json").write_text(json.dumps({**manifest, "generation": elsewhere}))


def damage_embedder(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "embedder": {"probe": "x"}}))


def damage_size(folder):
    next(folder.glob("*/vectors.npy")).write_bytes(b"short")


def damage_content(folder):
    path = next(folder.glob("*/documents.jsonl"))
    path.write_bytes(b"x" * path.stat().st_size)


def damage_bit(folder):
    path = next(folder.glob("*/vectors.npy"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def damage_missing(folder):
    next(folder.glob("*/postings_terms.npy")).unlink()


@pytest.mark.parametrize(
    "damage",
    [
        damage_manifest,
        damage_version,
        damage_generation,
        damage_embedder,
        damage_size,
        damage_content,
        damage_bit,
        damage_missing,
    ],
)
def test_a_damaged_index_is_named(retriever, tmp_path, damage):
    retriever.save(tmp_path / "index")
    damage(tmp_path / "index")
    with pytest.raises(IndexFilesError, match="index"):
        Retriever.open(tmp_path / "index", FakeEmbedder())


def test_a_full_disk_loses_nothing(retriever, tmp_path):
    """A real failing write: files of this process may not grow beyond a few hundred bytes for a while."""
    import resource

    retriever.save(tmp_path / "index")
    retriever.add(["One more."])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
    try:
        with pytest.raises(IndexFilesError, match="disk is full.*whole"):
            retriever.save(tmp_path / "index")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(Retriever.open(tmp_path / "index", FakeEmbedder())) == 3
    assert len(list((tmp_path / "index").glob("generation-*"))) == 1
    retriever.save(tmp_path / "index")
    assert len(Retriever.open(tmp_path / "index", FakeEmbedder())) == 4


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "I/O error"), KeyboardInterrupt()])
def test_a_failure_at_any_sync_leaves_a_whole_index(retriever, tmp_path, monkeypatch, failure):
    retriever.save(tmp_path / "index")
    retriever.add(["One more."])
    real, passed = os.fsync, []
    for last in range(30):
        passed.clear()

        def fsync(descriptor, last=last):
            passed.append(descriptor)
            if len(passed) > last:
                raise failure
            real(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            try:
                retriever.save(tmp_path / "index")
            except (IndexFilesError, KeyboardInterrupt):
                retriever = Retriever.open(tmp_path / "index", FakeEmbedder())
                retriever.add(["One more."])
            else:
                break
    assert last > 5
    assert len(Retriever.open(tmp_path / "index", FakeEmbedder())) == 4


def test_a_save_by_another_process_is_not_lost(retriever, tmp_path):
    retriever.save(tmp_path / "index")
    first, second = (Retriever.open(tmp_path / "index", FakeEmbedder()) for _ in range(2))
    first.add(["From the first."])
    first.save(tmp_path / "index")
    first.save(tmp_path / "index")
    second.add(["From the second."])
    with pytest.raises(IndexFilesError, match="has saved since"):
        second.save(tmp_path / "index")
    second.save(tmp_path / "other")
    assert len(Retriever.open(tmp_path / "index", FakeEmbedder())) == 4


def test_a_users_folder_of_a_like_name_is_left_alone(retriever, tmp_path):
    (tmp_path / "generation-photos").mkdir()
    with pytest.raises(IndexFilesError, match="not empty"):
        retriever.save(tmp_path)
    assert (tmp_path / "generation-photos").is_dir()


def test_a_kill_at_any_moment_of_a_save_loses_nothing(tmp_path):
    """A child is killed at each sync and rename of a save in turn; after each, the index opens and is whole."""
    script = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from jina_components import Retriever
        from jina_components.testing import FakeEmbedder

        target = sys.argv[1]
        retriever = Retriever(FakeEmbedder())
        retriever.add(["first", "second"])
        retriever.save(target)
        steps = [0]

        def dying(function, last):
            def call(*args, **kwargs):
                steps[0] += 1
                if steps[0] == last:
                    os._exit(9)
                return function(*args, **kwargs)
            return call

        for last in range(1, 100):
            child = os.fork()
            if child == 0:
                retriever = Retriever.open(target, FakeEmbedder())
                retriever.add(["third"])
                os.fsync, Path.replace = dying(os.fsync, last), dying(Path.replace, last)
                retriever.save(target)
                os._exit(0)
            _, status = os.waitpid(child, 0)
            size = len(Retriever.open(target, FakeEmbedder()))
            print(last, os.waitstatus_to_exitcode(status), size, flush=True)
            if os.waitstatus_to_exitcode(status) == 0:
                break
        """
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "index")],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    lines = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(lines) > 6
    assert {code for _, code, _ in lines[:-1]} == {9}
    assert lines[-1][1:] == (0, 3)
    sizes = [size for _, _, size in lines]
    assert set(sizes) == {2, 3}
    assert sizes == sorted(sizes)
    assert len(list((tmp_path / "index").glob("generation-*"))) == 1


def test_a_reader_beside_a_writer_always_sees_a_whole_index(tmp_path):
    retriever = Retriever(FakeEmbedder())
    retriever.add(["zero"])
    retriever.save(tmp_path / "index")
    done = threading.Event()
    failures: list[JinaComponentsError] = []

    def read():
        while not done.is_set():
            try:
                assert len(Retriever.open(tmp_path / "index", FakeEmbedder())) >= 1
            except JinaComponentsError as error:
                failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(15):
        retriever.add([f"text {number}"])
        retriever.save(tmp_path / "index")
    done.set()
    thread.join()
    assert not failures
