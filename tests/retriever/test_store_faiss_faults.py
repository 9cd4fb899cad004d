"""Failures, kills and power cuts in the midst of a change: the store is as before or after it."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from store_samples import ALL, filled, ids, numbered, unit_vectors, with_checkpoint

from jina_components.errors import IndexFilesError
from jina_components.retriever.stores.faiss.store import FaissStore

HERE = Path(__file__).parent


@pytest.fixture
def directory(tmp_path):
    return with_checkpoint(tmp_path / "index")


@pytest.mark.parametrize("name", ["put", "compact", "save_to"])
def test_a_full_disk_loses_nothing(directory, tmp_path, name):
    """A real failing write: files of this process may not grow beyond a little for a while."""
    with FaissStore(directory) as store:
        store.count()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
        try:
            with pytest.raises(IndexFilesError, match="full.*whole"):
                do(store, name, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert ids(store) == ALL
        assert not store.verify().problems
        do(store, name, tmp_path)
        assert len(ids(store)) == len(ALL) + 5 * (name == "put")
        assert not store.verify().problems


def do(store, name, tmp_path):
    if name == "put":
        store.put(numbered(5, 100), unit_vectors(5, seed=8))
    elif name == "compact":
        store.compact()
    else:
        store.save_to(tmp_path / "copy")


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "I/O error"), KeyboardInterrupt()])
@pytest.mark.parametrize("name", ["put", "compact", "save_to"])
def test_a_failure_at_any_sync_leaves_a_whole_index(directory, tmp_path, monkeypatch, failure, name):
    real, last = os.fsync, 0
    with FaissStore(directory) as store, filled(tmp_path / "copy", 5) as copy:
        while True:
            left = last

            def fsync(descriptor):
                nonlocal left
                if not left:
                    raise failure
                left -= 1
                real(descriptor)

            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", fsync)
                try:
                    do(store, name, tmp_path)
                except (IndexFilesError, KeyboardInterrupt):
                    failed = True
                else:
                    failed = False
            assert len(ids(store)) == len(ALL) + 5 * (name == "put" and not failed)
            assert ids(copy) in ([f"d{n}" for n in range(5)], ALL)
            assert not store.verify().problems
            assert not copy.verify().problems
            if not failed:
                break
            last += 1
        assert last >= (1 if name == "put" else 5)
        assert ids(copy) == (ALL if name == "save_to" else [f"d{n}" for n in range(5)])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs to know which file is synced")
def test_a_power_cut_at_any_sync_loses_nothing(directory, tmp_path, monkeypatch):
    """What was not synced is dropped; SQLite sees to its own file and log."""
    real, cuts = os.fsync, []
    synced = {path: path.stat().st_size for path in directory.rglob("*") if path.is_file()}

    def cut(label):
        target = tmp_path / f"cut-{len(cuts)}"
        cuts.append((target, label))
        for path in directory.rglob("*"):
            copy = target / path.relative_to(directory)
            if path.is_dir():
                copy.mkdir(parents=True)
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes()
            copy.write_bytes(content if path.name.startswith("documents") else content[: synced.get(path, 0)])

    def fsync(descriptor):
        cut("under way")
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        real(descriptor)
        if path.is_file():
            synced[path] = path.stat().st_size
            for link in directory.rglob(path.name):
                if link.is_file() and link.samefile(path):
                    synced[link] = synced[path]

    def replace(self, target, real=Path.replace):
        for path in [self, *self.rglob("*")]:
            synced[Path(target) / path.relative_to(self)] = synced.pop(path, 0)
        return real(self, target)

    with monkeypatch.context() as patch, FaissStore(directory) as store:
        patch.setattr(os, "fsync", fsync)
        patch.setattr(Path, "replace", replace)
        before = set(ALL)
        after = before | {f"d{n}" for n in range(100, 105)}
        do(store, "put", tmp_path)
        cut("after")
        store.delete(["d0"])
        cut("deleted")
        store.compact()
        cut("deleted")
    assert len(cuts) > 10
    expected = {"under way": [before, after, after - {"d0"}], "after": [after], "deleted": [after - {"d0"}]}
    for target, label in cuts:
        with FaissStore(target, must_exist=True) as store:
            assert set(ids(store)) in expected[label], label
            assert not store.verify().problems


def test_a_kill_at_any_step_of_a_copy_leaves_the_one_or_the_other(tmp_path):
    script = """
import os, sys
from pathlib import Path
from store_samples import filled, ids
from jina_components.retriever.stores.faiss.store import FaissStore

target, fresh = Path(sys.argv[1]), sys.argv[2] == "fresh"
if not fresh:
    filled(target, 5).close()

def dying(function, last, steps=[0]):
    def call(*arguments, **options):
        steps[0] += 1
        if steps[0] == last:
            os._exit(9)
        return function(*arguments, **options)
    return call

for last in range(1, 200, 2):
    child = os.fork()
    if child == 0:
        source = filled(None, 8)
        os.fsync, Path.replace, Path.unlink = (dying(real, last) for real in (os.fsync, Path.replace, Path.unlink))
        source.save_to(target)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if fresh and not (target / "manifest.json").exists():
        print(last, code, 0, flush=True)
        continue
    with FaissStore(target, must_exist=True) as store:
        assert not store.verify().problems
        print(last, code, len(ids(store)), flush=True)
    if code == 0:
        break
"""
    for kind, before in (("fresh", 0), ("old", 5)):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / kind), kind],
            capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "PYTHONPATH": paths()},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
        assert len(lines) > 5
        assert {code for _, code, _ in lines[:-1]} == {9}
        assert lines[-1][1:] == (0, 8)
        sizes = [size for _, _, size in lines]
        assert set(sizes) == {before, 8}
        assert sizes == sorted(sizes)


def paths():
    return os.pathsep.join([str(HERE), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])
