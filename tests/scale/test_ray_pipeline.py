"""A Ray cluster of this machine, with two CPUs and a GPU that is only counted."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from scale_samples import DyingEmbedder, LoggingReader, held, write_documents

from jina_components.errors import BackendError, ConfigError, IndexFilesError, MissingDependencyError, ModelFilesError
from jina_components.protocols import Store
from jina_components.scale import index_sources
from jina_components.testing import FakeEmbedder
from jina_components.testing.memory_store import MemoryStore

ray = pytest.importorskip("ray")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray's own, of its own settings
]


@pytest.fixture(scope="session")
def environment():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns of what will change
        patch.setenv("RAY_worker_niceness", "0")  # else a busy machine hardly lets the workers start
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where the workers find scale_samples
        patch.delenv("RAY_ADDRESS", raising=False)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield


@pytest.fixture(scope="session")
def cluster(environment):
    folder = tempfile.mkdtemp(prefix="ray-")  # short: names of sockets in it have at most 107 bytes
    ray.init(
        num_cpus=2, num_gpus=1, object_store_memory=100_000_000, include_dashboard=False, log_to_driver=False,
        logging_level="error", _node_ip_address="127.0.0.1", _temp_dir=folder,
    )  # fmt: skip
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def docs(tmp_path):
    write_documents(tmp_path / "docs", count=12)
    return tmp_path / "docs"


def index(docs, store=None, **how):
    store = MemoryStore() if store is None else store
    report = index_sources([docs], store, **{"embedder": FakeEmbedder(), "batch_size": 2, "ray_address": "auto"} | how)
    return store, report


def test_no_cluster_to_join(environment, docs):
    with pytest.raises(BackendError, match="No Ray cluster at 'auto'.*ray start --head"):
        index(docs)
    assert not ray.is_initialized()


def test_no_pipeline_runs_through_the_client(environment, docs):
    with pytest.raises(ConfigError, match="ray job submit"):
        index(docs, ray_address="ray://127.0.0.1:10001")


def test_without_ray(docs, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"jina-components\[ray\]"):
        index(docs)


def test_actors_give_what_this_process_gives(cluster, docs, bundled_embedder):
    plain, _ = index(docs, embedder=bundled_embedder, ray_address=None)
    store, report = index(docs, embedder=bundled_embedder, workers=2)
    ours, theirs = held(plain, width=256), held(store, width=256)
    assert ours.keys() == theirs.keys()
    for name, (text, source, vector) in ours.items():
        assert theirs[name][:2] == (text, source)
        np.testing.assert_allclose(theirs[name][2], vector, atol=1e-6)
    assert (report.sources, report.failures) == (12, ())
    assert report.tokens > report.chunks
    assert ray.is_initialized()  # a connection that was there stays


def test_gpus_embed_what_tasks_on_cpus_read_and_an_actor_that_is_killed_is_replaced(cluster, docs, tmp_path):
    plain, _ = index(docs, ray_address=None)
    dying = DyingEmbedder("text 1 of 8", tmp_path / "mark")
    store, report = index(docs, gpus_per_worker=0.5, workers=3, embedder=dying)  # there is room for two
    assert (tmp_path / "mark").exists()
    assert report.failures == ()
    assert held(plain) == held(store)


def test_more_gpus_than_this_machine_has(cluster, docs):
    with pytest.raises(ConfigError, match="no room for a worker with gpus_per_worker=2"):
        index(docs, ray_address="local", gpus_per_worker=2)


def test_a_source_that_kills_every_actor_fails_alone(cluster, tmp_path):
    write_documents(tmp_path / "docs", count=3)
    _, report = index(tmp_path / "docs", workers=1, embedder=DyingEmbedder("text 1 of 2"), batch_size=1)
    [failure] = report.failures
    assert Path(failure.source).name == "002.md"
    assert report.sources == 2


class LazyEmbedder(DyingEmbedder):
    """Has a model in this process alone."""

    def embed_documents(self, texts):
        if not self.mark.exists() or len(texts) == 1:  # the probe
            return FakeEmbedder().embed_documents(texts)
        raise ModelFilesError("No such model here.")


def test_what_is_wrong_on_every_worker_ends_the_run(cluster, docs, tmp_path):
    (tmp_path / "mark").touch()
    with pytest.raises(ModelFilesError, match="No such model here"):
        index(docs, embedder=LazyEmbedder("", tmp_path / "mark"))


class FullStore:
    """A store that takes one put, and then fails."""

    def __init__(self, store: Store) -> None:
        self._store, self._is_full = store, False

    def put(self, documents, vectors, token_vectors=None):
        if self._is_full:
            raise IndexFilesError("There is no room.")
        self._is_full = True
        self._store.put(documents, vectors, token_vectors)

    def __getattr__(self, name):
        return getattr(self._store, name)


def test_a_run_that_ended_goes_on(cluster, docs, tmp_path):
    plain, _ = index(docs, ray_address=None)
    store, reader = MemoryStore(), LoggingReader(tmp_path / "log")
    how = {"reader": reader, "checkpoint": tmp_path / "checkpoint", "commit_size": 1}
    with pytest.raises(IndexFilesError, match="no room"):
        index(docs, FullStore(store), **how)
    reader.taken()
    _, report = index(docs, store, **how)
    assert report.complete >= 2
    assert len(reader.taken()) == report.sources == 12 - report.complete
    assert held(store) == held(plain)
