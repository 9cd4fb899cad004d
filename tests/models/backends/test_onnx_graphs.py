"""Graphs that a folder ships: against torch on the same weights, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx as onnx_package
import pytest
from safetensors.numpy import load_file, save_file
from stored_models import cut_minilm, store, tiny_embedder, tiny_pair_model
from tiny_checkpoints import edit_json, random_sequences

from jina_components import Embedder
from jina_components.errors import BackendError, ConfigError, ModelFilesError
from jina_components.fine_tuner.recipes.graphs.bert import calibration_sequences
from jina_components.models.backends import onnx
from jina_components.models.backends.onnx import OnnxBackend, load_onnx_cross_encoder, load_onnx_embedding
from jina_components.models.backends.onnx_graphs import find_graph
from jina_components.models.backends.torch import TorchCrossEncoderBackend, TorchEmbeddingBackend
from jina_components.models.fingerprint import fingerprint
from jina_components.models.layout import read_layout
from jina_components.models.loading import LoadOptions
from jina_components.models.loading.checkpoints import choose_backend
from jina_components.models.stored import read_stored, write_stored

LENGTHS = (1, 9, 9, 3, 48, 2, 1, 13)
# Embeds a text in a fresh process, and says what that took.
SCRIPT = """
import json, sys, time
from jina_components import Embedder
vector = Embedder(sys.argv[1]).embed_query("a text")
frameworks = [name for name in ("torch", "transformers", "onnx") if name in sys.modules]
print(json.dumps([vector[:3].tolist(), frameworks, time.process_time()]))
"""


@pytest.fixture(autouse=True)
def no_cache(monkeypatch, tmp_path):
    """Whatever would be kept is kept nowhere."""
    (tmp_path / "no-folder").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-folder"))


@pytest.fixture(scope="module")
def embedder(tmp_path_factory):
    return store(tiny_embedder(tmp_path_factory.mktemp("stored") / "embedder"))


@pytest.fixture(scope="module")
def pair_model(tmp_path_factory):
    return store(tiny_pair_model(tmp_path_factory.mktemp("stored") / "pairs"))


@pytest.fixture(scope="module")
def three_layers(tmp_path_factory, minilm_folder):
    """The real model cut to three layers: as it is, and in the stored form."""
    base = tmp_path_factory.mktemp("minilm")
    plain = cut_minilm(minilm_folder, base / "plain", [0, 2, 5])
    return plain, store(shutil.copytree(plain, base / "stored"))


@pytest.fixture
def copy(embedder, tmp_path):
    return shutil.copytree(embedder, tmp_path / "copy")


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def cosines(first, second):
    return (unit(first) * unit(second)).sum(1)


def assert_alone_as_together(backend, batch):
    together = backend.run(batch)
    alone = np.concatenate([backend.run([one]) for one in batch])
    np.testing.assert_allclose(unit(alone), unit(together), atol=1e-5)
    np.testing.assert_allclose(unit(backend.run(batch[::-1])), unit(together)[::-1], atol=1e-5)


def test_float32_is_as_torch(embedder):
    layout, batch = read_layout(embedder), random_sequences(LENGTHS)
    backend = load_onnx_embedding(layout, precision="float32")
    wanted = TorchEmbeddingBackend(layout, device="cpu", precision="float32").run(batch)
    rows = backend.run(batch)
    assert (rows.dtype, rows.shape, backend.width, backend.precision) == (np.float32, (8, 16), 16, "float32")
    np.testing.assert_allclose(rows, wanted, atol=1e-5 * np.abs(wanted).max())
    assert_alone_as_together(backend, batch)


def test_int8_is_near_float32(embedder):
    layout, batch = read_layout(embedder), random_sequences(LENGTHS)
    backend = load_onnx_embedding(layout)
    assert backend.precision == "int8"
    near = cosines(backend.run(batch), load_onnx_embedding(layout, precision="float32").run(batch))
    assert near.mean() > 0.99
    assert_alone_as_together(backend, batch)


@pytest.mark.parametrize("types", [1, 2])
def test_pairs_have_a_logit_for_each_label(pair_model, types):
    layout, batch = read_layout(pair_model), random_sequences(LENGTHS, types=types)
    for sequence in batch:
        sequence.ids[0] = 2  # [CLS], whose state alone goes through the last layer, and was seen in calibration
    wanted = TorchCrossEncoderBackend(layout, device="cpu", precision="float32").run(batch)
    exact = load_onnx_cross_encoder(layout, precision="float32")
    np.testing.assert_allclose(exact.run(batch), wanted, atol=1e-5 * np.abs(wanted).max())
    rounded = load_onnx_cross_encoder(layout)
    assert (rounded.precision, rounded.width) == ("int8", 4)
    assert np.abs(rounded.run(batch) - wanted).mean() < 0.1 * wanted.std()
    for backend in (exact, rounded):
        assert_alone_as_together(backend, batch)


@pytest.mark.slow
def test_real_layers(three_layers):
    plain, stored = map(read_layout, three_layers)
    words = (stored.folder / "README.md").read_text().split()
    texts = [" ".join(words[start : start + length]) for start in range(40) for length in (1, 3, 8, 20, 60)]
    batch = [one for one in calibration_sequences(stored.folder, texts[:150]) if len(one)]
    wanted = TorchEmbeddingBackend(stored, device="cpu", precision="float32").run(batch)
    exact, rounded = (load_onnx_embedding(stored, precision=precision).run(batch) for precision in ("float32", "int8"))
    np.testing.assert_allclose(exact, wanted, atol=1e-5)
    assert cosines(rounded, exact).mean() > 0.999
    assert cosines(rounded, exact).min() > 0.995
    before = TorchEmbeddingBackend(plain, device="cpu", precision="float32").run(batch)
    assert cosines(exact, before).mean() > 0.995
    assert_alone_as_together(load_onnx_embedding(stored), batch)


def test_cold_start_imports_no_framework(embedder):
    done = subprocess.run([sys.executable, "-c", SCRIPT, embedder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    vector, frameworks, seconds = json.loads(done.stdout)
    assert frameworks == []
    assert seconds < 1.5  # of the CPU, interpreter and all
    np.testing.assert_allclose(vector, Embedder(embedder).embed_query("a text")[:3], atol=1e-6)


def test_weights_and_graphs_may_be_links(copy, tmp_path):
    """As in the cache of the hub."""
    (tmp_path / "blobs").mkdir()
    for number, path in enumerate(sorted(path for path in copy.rglob("*") if path.is_file())):
        blob = path.rename(tmp_path / "blobs" / str(number))
        path.symlink_to(os.path.relpath(blob, path.parent))
    assert load_onnx_embedding(read_layout(copy)).run(random_sequences([5])).shape == (1, 16)


def test_other_weights(copy):
    path = copy / "model.safetensors"
    write_stored({name: tensor for name, tensor in read_stored(path).items() if "pooler" not in name}, path)
    with pytest.raises(ModelFilesError, match=r"written for other weights.*model\.safetensors"):
        load_onnx_embedding(read_layout(copy))


def test_weights_of_the_same_layout(copy):
    """The constants of int8 were set for other numbers."""
    path = copy / "model.safetensors"
    tensors = load_file(path)
    tensors["embeddings.LayerNorm.weight"] *= 2
    size = path.stat().st_size
    save_file(tensors, path)
    assert path.stat().st_size == size
    with pytest.raises(ModelFilesError, match=r"other weights than the content of .*model\.safetensors"):
        load_onnx_embedding(read_layout(copy))


def test_weights_cut_off(copy):
    path = copy / "model.safetensors"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(ModelFilesError, match="written for other weights"):
        load_onnx_embedding(read_layout(copy))


def test_graphs_of_another_kind(embedder, pair_model):
    with pytest.raises(ModelFilesError, match=r"'kind': 'embedding'.*'cross-encoder' are needed"):
        load_onnx_cross_encoder(read_layout(embedder))
    with pytest.raises(ModelFilesError, match="'embedding' are needed"):
        load_onnx_embedding(read_layout(pair_model))


def test_graphs_of_a_later_revision(copy):
    edit_json(copy / "graphs.json", revision=99)
    with pytest.raises(ModelFilesError, match=r"99.*backend='torch'"):
        load_onnx_embedding(read_layout(copy))


def test_a_graph_that_is_missing(copy):
    (copy / "model_int8.onnx").unlink()
    with pytest.raises(ModelFilesError, match=r"model_int8\.onnx is missing"):
        load_onnx_embedding(read_layout(copy))


@pytest.mark.parametrize("content", [b"\xff" * 100, b"\x3a\x7f", b"\x3b"])
def test_a_graph_that_is_broken(copy, content):
    (copy / "model_int8.onnx").write_bytes(content)
    with pytest.raises(ModelFilesError, match=r"model_int8\.onnx is no ONNX graph.*Fetch the model again"):
        load_onnx_embedding(read_layout(copy))


def test_a_graph_that_cannot_be_run(copy):
    (copy / "model_int8.onnx").write_bytes(b"")
    with pytest.raises(BackendError, match=r"model_int8\.onnx cannot be run.*Fetch the model again"):
        load_onnx_embedding(read_layout(copy))


@pytest.mark.parametrize("place", ["../outside", "/etc/passwd", "tokenizer.json"])
def test_a_graph_that_reads_other_files(copy, place):
    model = onnx_package.load(copy / "model_int8.onnx", load_external_data=False)
    entry = next(entry for entry in model.graph.initializer[-1].external_data if entry.key == "location")
    entry.value = place
    (copy / "model_int8.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFilesError, match=f"constants from '{place}', which is no weights file"):
        load_onnx_embedding(read_layout(copy))


def test_the_fingerprint_is_of_the_graphs_too(copy):
    digests = [fingerprint(copy)]
    for name in ("model_int8.onnx", "graphs.json"):
        (copy / name).write_bytes(b"changed")
        digests.append(fingerprint(copy))
    assert len(set(digests)) == 3


def test_stored_weights_without_graphs(copy):
    (copy / "graphs.json").unlink()
    layout = read_layout(copy)
    with pytest.raises(ModelFilesError, match=r"no graphs.*backend='torch'"):
        load_onnx_embedding(layout)
    assert Embedder(copy).embed_query("hello").shape == (16,)


def test_stored_weights_that_lack_a_tensor(copy):
    path = copy / "model.safetensors"
    tensors = load_file(path)
    del tensors["encoder.layer.0.output.dense.weight_scale"]
    save_file(tensors, path)
    with pytest.raises(ModelFilesError, match=r"layer\.0\.output\.dense\.weight is int8 without scales"):
        Embedder(copy, backend="torch").embed_query("hello")


def test_other_devices_and_precisions_are_refused(embedder):
    for option in ({"device": "cuda"}, {"precision": "bfloat16"}):
        with pytest.raises(ConfigError, match="backend='torch'"):
            load_onnx_embedding(read_layout(embedder), **option)


MATRIX = [("auto", "auto", True), ("cpu", "auto", True), ("auto", "float32", True), ("cpu", "int8", True)]
MATRIX += [("cuda", "auto", False), ("mps", "int8", False), ("auto", "bfloat16", False), ("cpu", "float16", False)]


@pytest.mark.parametrize(("device", "precision", "graphs"), MATRIX)
def test_auto_takes_graphs_where_they_run(embedder, static_folder, device, precision, graphs):
    options = LoadOptions(device=device, precision=precision)
    assert choose_backend(read_layout(embedder), options) == ("onnx" if graphs else "torch")
    assert choose_backend(read_layout(embedder), replace(options, backend="onnx")) == "onnx"
    assert choose_backend(read_layout(embedder), replace(options, backend="torch")) == "torch"
    assert choose_backend(read_layout(static_folder), options) == "static"


def test_auto_takes_the_graphs(embedder, caplog):
    with caplog.at_level("INFO"):
        vector = Embedder(embedder).embed_query("hello")
    assert "backend=onnx (asked: auto)" in caplog.text
    assert "precision=int8 (auto)" in caplog.text
    np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-5)


def test_products_are_the_same_where_saturating_instructions_are_avoided(embedder, monkeypatch):
    layout, batch = read_layout(embedder), random_sequences(LENGTHS)
    rows = load_onnx_embedding(layout).run(batch)
    monkeypatch.setattr(onnx, "_saturates", lambda: True)
    np.testing.assert_allclose(load_onnx_embedding(layout).run(batch), rows, atol=1e-6)


def test_the_product_that_is_tried():
    graph = onnx_package.load_from_string(onnx._PRODUCT).graph
    assert [node.op_type for node in graph.node] == ["MatMulInteger"]
    types = [value.type.tensor_type.elem_type for value in graph.input]
    assert types == [onnx_package.TensorProto.UINT8, onnx_package.TensorProto.INT8]
    assert isinstance(onnx._saturates(), bool)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory hold on Linux only")
def test_out_of_memory(embedder, holds_in_forked_child):
    backend = OnnxBackend(embedder / "model_int8.onnx", precision="int8")
    batch = random_sequences([60]) * 40_000

    def fails():
        import resource

        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 300_000_000, resource.RLIM_INFINITY))
        with pytest.raises(MemoryError):
            backend.run(batch)
        return backend.run(batch[:1]).shape == (1, 16)

    assert holds_in_forked_child(fails)


def test_batches_of_several_workers_come_back_in_order(embedder):
    graph = find_graph(read_layout(embedder), "embedding", "int8")
    lengths = [*LENGTHS * 8, *[60] * 40]
    batch = random_sequences(lengths)
    one, three = OnnxBackend(graph, precision="int8"), OnnxBackend(graph, precision="int8", workers=3)
    np.testing.assert_allclose(three.run(batch), one.run(batch), atol=1e-6)
    assert three.token_budget > one.token_budget


def test_workers_in_a_forked_child(embedder, holds_in_forked_child):
    backend = OnnxBackend(find_graph(read_layout(embedder), "embedding", "int8"), precision="int8", workers=2)
    batch = random_sequences(LENGTHS)
    wanted = backend.run(batch)
    assert holds_in_forked_child(lambda: bool(np.allclose(backend.run(batch), wanted)))


@pytest.mark.parametrize(("asked", "workers"), [("1", 1), ("100000", None), ("", None), ("0", 1), ("2,2", None)])
def test_as_many_workers_as_cores_unless_told_fewer(monkeypatch, asked, workers):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert onnx._cores() == (workers or len(os.sched_getaffinity(0)))
