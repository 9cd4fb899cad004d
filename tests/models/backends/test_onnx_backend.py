"""Graphs against torch, and the cache that they are kept in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sentence_transformers.base.modules import Dense, Normalize
from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling
from tiny_checkpoints import VOCABULARY, save_checkpoint, save_sentence_transformer

from jina_components.errors import BackendError, ConfigError, MissingDependencyError, ModelFilesError
from jina_components.models.backends import onnx, onnx_export
from jina_components.models.backends.onnx import cache_folder, load_onnx_cross_encoder, load_onnx_embedding
from jina_components.models.backends.torch import TorchCrossEncoderBackend, TorchEmbeddingBackend
from jina_components.models.calibration import TEXTS as VARIED
from jina_components.models.layout import Module, read_layout
from jina_components.models.sequences import TokenSequence
from jina_components.models.tokenize import TextTokenizer, load_tokenizer

# Loads a folder in a fresh process, and says what came of it.
SCRIPT = """
import json, logging, sys
from pathlib import Path
import numpy as np
from jina_components.models.backends.onnx import load_onnx_embedding
from jina_components.models.layout import read_layout
from jina_components.models.sequences import TokenSequence
logging.basicConfig(level=logging.INFO)
backend = load_onnx_embedding(read_layout(Path(sys.argv[1])), precision=sys.argv[2])
row = backend.run([TokenSequence(np.array([2, 7, 3], np.int32))])[0]
frameworks = [name for name in ("torch", "transformers", "onnx") if name in sys.modules]
print(json.dumps([row[:3].tolist(), frameworks]))
"""


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield cache_folder()


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A tiny model whose graph is in the cache."""
    base = tmp_path_factory.mktemp("bert")
    save_sentence_transformer(base / "model", Pooling(32, pooling_mode="mean"), checkpoint=one_layer(base / "c"))
    layout = read_layout(base / "model")
    load_onnx_embedding(layout)
    return layout


@pytest.fixture(scope="module")
def minilm(minilm_folder):
    layout = read_layout(minilm_folder)
    tokenizer = TextTokenizer(load_tokenizer(minilm_folder / "tokenizer.json"), context=256)
    load_onnx_embedding(layout)
    return layout, tokenizer.texts(VARIED, truncate=True)


def one_layer(folder, **settings):
    """A checkpoint where its depth says nothing: a second layer takes a second more to trace."""
    return save_checkpoint(folder, num_hidden_layers=1, **settings)


def sequences(*lengths, types=False):
    random = np.random.default_rng(0)
    return [
        TokenSequence(
            random.integers(5, VOCABULARY, length).astype(np.int32),
            (np.arange(length) > length // 2).astype(np.int32) if types else None,
        )
        for length in lengths
    ]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def with_pooling(folder, mode):
    layout = read_layout(folder)
    return replace(layout, modules=(layout.transformer, Module("Pooling", folder, {"pooling_mode": mode})))


def assert_as_torch(layout):
    backend = load_onnx_embedding(layout)
    batch = sequences(1, 9, 9, 3, 48, 2)
    rows = backend.run(batch)
    wanted = TorchEmbeddingBackend(layout, device="cpu", precision="float32").run(batch)
    assert rows.dtype == np.float32
    assert rows.shape == (6, backend.width)
    np.testing.assert_allclose(rows, wanted, atol=1e-4 * np.abs(wanted).max())
    np.testing.assert_allclose(np.concatenate([backend.run([one]) for one in batch]), rows, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mpnet", "distilbert", "modernbert", "nomic-bert", "gte", "qwen3"])
def test_families(tmp_path, family):
    # Only in ModernBERT are layers unlike each other.
    depth = {"modernbert": {}, "distilbert": {"n_layers": 1}}.get(family, {"num_hidden_layers": 1})
    folder = save_checkpoint(tmp_path, family, **depth)
    assert_as_torch(with_pooling(folder, "lasttoken" if family == "qwen3" else "mean"))


@pytest.mark.slow
def test_steps(tmp_path):
    modes = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
    steps = [Pooling(32, pooling_mode=modes), Dense(192, 16), LayerNorm(16), Normalize()]
    save_sentence_transformer(tmp_path / "model", *steps, checkpoint=one_layer(tmp_path / "base"))
    layout = read_layout(tmp_path / "model")
    assert_as_torch(layout)
    assert not np.allclose(np.linalg.norm(load_onnx_embedding(layout).run(sequences(4)), axis=1), 1)


@pytest.mark.slow
def test_cross_encoder(tmp_path):
    layout = read_layout(save_checkpoint(tmp_path, head="ForSequenceClassification", num_labels=1))
    batch = sequences(5, 30, 30, 8, types=True)
    wanted = TorchCrossEncoderBackend(layout, device="cpu", precision="float32").run(batch)
    rows = load_onnx_cross_encoder(layout).run(batch)
    assert rows.shape == (4, 1)
    np.testing.assert_allclose(rows, wanted, atol=1e-4)
    without = load_onnx_cross_encoder(layout).run([TokenSequence(one.ids) for one in batch])
    assert np.abs(rows - without).min() > 1e-3


@pytest.mark.slow
def test_several_labels(tmp_path):
    layout = read_layout(one_layer(tmp_path, head="ForSequenceClassification", num_labels=4))
    batch = sequences(5, 30, 8, types=True)
    wanted = TorchCrossEncoderBackend(layout, device="cpu", precision="float32").run(batch)
    backend = load_onnx_cross_encoder(layout)
    assert backend.width == 4
    np.testing.assert_allclose(backend.run(batch), wanted, atol=1e-4)


@pytest.mark.slow
def test_real_model(minilm):
    layout, batch = minilm
    wanted = TorchEmbeddingBackend(layout, device="cpu", precision="float32").run(batch)
    backend = load_onnx_embedding(layout)
    assert (backend.precision, backend.width) == ("float32", 384)
    np.testing.assert_allclose(backend.run(batch), wanted, atol=1e-5)


@pytest.mark.slow
def test_a_number_that_is_called_a_scale(tmp_path):
    """It does not make the weights those of the stored form."""
    folder = one_layer(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, "logit_scale": np.array(2.5, np.float32)}, folder / "model.safetensors", {"format": "pt"})
    assert_as_torch(with_pooling(folder, "mean"))


def test_int8_is_near_float32_and_does_not_depend_on_its_batch(minilm):
    layout, batch = minilm
    backend = load_onnx_embedding(layout, precision="int8")
    assert backend.precision == "int8"
    wanted, rows = unit(load_onnx_embedding(layout).run(batch)), unit(backend.run(batch))
    cosines = (wanted * rows).sum(1)
    assert cosines.mean() > 0.99
    assert cosines.min() > 0.975
    np.testing.assert_array_equal(np.concatenate([unit(backend.run([one])) for one in batch]), rows)


def run_processes(folder, *precisions):
    """Load in several fresh processes at once: row, frameworks imported and log of each."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, folder, precision], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for precision in precisions
    ]
    results = []
    for process in started:
        output, log = process.communicate(timeout=120)
        assert process.returncode == 0, log
        results.append((*json.loads(output), log))
    return results


def test_a_cached_graph_needs_no_framework_and_reports_to_nobody(bert):
    ((row, frameworks, _),) = run_processes(bert.folder, "float32")
    assert frameworks == []
    wanted = load_onnx_embedding(bert).run([TokenSequence(np.array([2, 7, 3], np.int32))])
    np.testing.assert_allclose(row, wanted[0, :3], atol=1e-6)
    assert list(cache_folder().parents[1].iterdir()) == [cache_folder().parent]


@pytest.mark.slow
def test_processes_at_once_make_a_graph_once(tmp_path):
    save_sentence_transformer(tmp_path / "model", Pooling(32, pooling_mode="cls"), checkpoint=one_layer(tmp_path / "c"))
    (one, _, one_log), (other, _, other_log) = run_processes(tmp_path / "model", "float32", "float32")
    assert one == other
    assert (one_log + other_log).count("making an ONNX graph") == 1


def graph_folder(layout):
    return cache_folder() / onnx._key(layout, "embedding") / "float32"


@pytest.mark.slow
def test_a_truncated_graph_and_what_a_killed_process_left_are_replaced(bert, caplog):
    folder = graph_folder(bert)
    wanted = load_onnx_embedding(bert).run(sequences(7))
    os.truncate(folder / "model.onnx.data", 100)
    draft = folder.with_suffix(".draft")
    draft.mkdir()
    (draft / "half").touch()
    np.testing.assert_array_equal(load_onnx_embedding(bert).run(sequences(7)), wanted)
    assert "damaged" in caplog.text
    assert sorted(path.name for path in folder.parent.iterdir()) == ["float32", "float32.lock"]
    assert sorted(path.name for path in folder.iterdir()) == ["complete.json", "model.onnx", "model.onnx.data"]


def test_a_broken_graph_of_the_same_size_is_named(bert):
    graph = graph_folder(bert) / "model.onnx"
    content = graph.read_bytes()
    graph.write_bytes(b"\xff" * len(content))
    try:
        with pytest.raises(BackendError, match=r"model\.onnx cannot be run.*delete"):
            load_onnx_embedding(bert)
    finally:
        graph.write_bytes(content)


def test_key_follows_weights_and_settings(tmp_path):
    save_checkpoint(tmp_path)
    layout = with_pooling(tmp_path, "mean")
    first = onnx._key(layout, "embedding")
    assert onnx._key(with_pooling(tmp_path, "mean"), "embedding") == first
    others = {onnx._key(with_pooling(tmp_path, "cls"), "embedding"), onnx._key(layout, "cross-encoder")}
    weights = tmp_path / "model.safetensors"
    stat, content = weights.stat(), bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    others.add(onnx._key(layout, "embedding"))
    assert len(others - {first}) == 3


def test_key_takes_the_digest_that_the_hub_cache_names_weights_by(tmp_path):
    snapshot = save_checkpoint(tmp_path / "snapshot")
    key = onnx._key(with_pooling(snapshot, "mean"), "embedding")
    digest = onnx.sha256(snapshot / "model.safetensors")
    (snapshot / "model.safetensors").rename(tmp_path / digest)
    (snapshot / "model.safetensors").symlink_to(f"../{digest}")
    assert onnx._key(with_pooling(snapshot, "mean"), "embedding") == key


def test_a_graph_that_differs_from_torch_is_refused(bert, tmp_path):
    other = with_pooling(one_layer(tmp_path, initializer_range=0.1), "mean")
    graph = graph_folder(bert) / "model.onnx"
    onnx_export._compare(bert, onnx_export._Sentence(bert), graph)
    with pytest.raises(BackendError, match="differs from torch"):
        onnx_export._compare(other, onnx_export._Sentence(other), graph)


@pytest.mark.parametrize("missing", ["torch", "transformers", "onnxscript"])
def test_without_what_makes_a_graph(monkeypatch, tmp_path, missing):
    layout = with_pooling(save_checkpoint(tmp_path, hidden_size=16), "mean")
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "jina_components.models.backends.onnx_export")
    monkeypatch.delattr("jina_components.models.backends.onnx_export")
    with pytest.raises(MissingDependencyError, match=r"jina-components\[torch,onnx\]"):
        load_onnx_embedding(layout)


def test_without_onnxruntime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "jina_components.models.backends.onnx")
    with pytest.raises(MissingDependencyError, match="pip install onnxruntime"):
        __import__("jina_components.models.backends.onnx")


def test_other_devices_and_precisions_are_refused(bert):
    with pytest.raises(ConfigError, match="cuda.*backend='torch'"):
        load_onnx_embedding(bert, device="cuda")
    for precision in ("bfloat16", "float16"):
        with pytest.raises(ConfigError, match=f"{precision}.*int8"):
            load_onnx_embedding(bert, precision=precision)


def test_no_pooling(tmp_path):
    with pytest.raises(ModelFilesError, match="no Pooling step"):
        load_onnx_embedding(read_layout(save_checkpoint(tmp_path)))


def test_cache_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ModelFilesError, match="XDG_CACHE_HOME"):
        load_onnx_embedding(with_pooling(save_checkpoint(tmp_path / "model"), "mean"))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory hold on Linux only")
def test_out_of_memory(bert, holds_in_forked_child):
    backend = load_onnx_embedding(bert)
    batch = sequences(60) * 40_000

    def fails():
        import resource

        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 300_000_000, resource.RLIM_INFINITY))
        with pytest.raises(MemoryError):
            backend.run(batch)
        return backend.run(batch[:1]).shape == (1, 32)

    assert holds_in_forked_child(fails)


def test_forked_child(bert, holds_in_forked_child):
    backend = load_onnx_embedding(bert)
    wanted = backend.run(sequences(40, 40))
    assert holds_in_forked_child(lambda: bool(np.allclose(backend.run(sequences(40, 40)), wanted)))
