from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_checkpoints import random_sequences, run_transformers, save_checkpoint, save_tokenizer, skip_what_cannot_run
from tiny_colberts import save_bert_colbert, save_pylate, tokenizer_of

from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.backends.torch_tokens import TorchTokenBackend
from jina_components.models.layout import read_layout
from jina_components.models.sequences import TokenSequence

LENGTHS = [3, 17, 3, 1, 40, 9]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("tokens")
    colbert = save_bert_colbert(root / "colbert")
    return {"colbert": colbert, "pylate": save_pylate(root / "pylate", colbert)}


@pytest.fixture(params=["colbert", "pylate"])
def folder(folders, request):
    return folders[request.param]


def backend(folder, precision="float32", **settings):
    return TorchTokenBackend(read_layout(folder), device="cpu", precision=precision, **settings)


def wanting(sequence, places):
    places = np.array(places, np.int32)
    return TokenSequence(sequence.ids, spans=np.stack([places, places + 1], 1))


def random_wants(sequences, seed=0):
    random = np.random.default_rng(seed)
    return [wanting(s, np.flatnonzero(random.random(len(s)) < 0.6)) for s in sequences]


def test_vectors_are_those_of_transformers(folders, folder):
    sequences = random_wants(random_sequences(LENGTHS))
    head = load_file(folders["colbert"] / "model.safetensors")["linear.weight"].astype(np.float64)
    hidden = run_transformers(folders["pylate"], sequences)
    wanted = [rows[s.spans[:, 0]] @ head.T for rows, s in zip(hidden, sequences, strict=True)]
    model = backend(folder)
    assert model.width == 16
    np.testing.assert_allclose(model.run(sequences), np.concatenate(wanted), atol=1e-4)


def test_neighbours_and_order_change_nothing(folder):
    sequences = random_wants(random_sequences(LENGTHS), seed=1)
    model = backend(folder)
    alone = [model.run([sequence]) for sequence in sequences if sequence.num_rows]
    np.testing.assert_allclose(model.run(sequences), np.concatenate(alone), atol=1e-5)
    np.testing.assert_allclose(model.run(sequences[::-1]), np.concatenate(alone[::-1]), atol=1e-5)


def test_what_is_not_wanted_changes_nothing(folder):
    [sequence] = random_sequences([12])
    model = backend(folder)
    whole = model.run([wanting(sequence, range(12))])
    np.testing.assert_allclose(model.run([wanting(sequence, [3, 7, 11])]), whole[[3, 7, 11]], atol=1e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_lower_precisions_are_near(folder, precision):
    skip_what_cannot_run("torch", precision)
    sequences = [wanting(s, range(len(s))) for s in random_sequences(LENGTHS)]
    wanted = backend(folder).run(sequences)
    got = backend(folder, precision, calibration=sequences).run(sequences)
    cosines = (wanted * got).sum(1) / np.linalg.norm(wanted, axis=1) / np.linalg.norm(got, axis=1)
    assert cosines.min() > 0.98


def test_a_model_that_transformers_runs(tmp_path, folders):
    """PyLate's layout around an architecture that is not written out here."""
    source = save_checkpoint(tmp_path / "base", "modernbert")
    save_tokenizer(source, tokenizer_of("jina-colbert-v2"))
    plain = load_file(source / "model.safetensors")
    head = np.random.default_rng(1).standard_normal((16, 32)).astype(np.float32)
    save_file(plain | {"linear.weight": head}, source / "model.safetensors", metadata={"format": "pt"})
    folder = save_pylate(tmp_path / "pylate", source)
    config = json.loads((source / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config))
    sequences = random_wants(random_sequences(LENGTHS))
    wanted = [
        rows[s.spans[:, 0]] @ head.T for rows, s in zip(run_transformers(folder, sequences), sequences, strict=True)
    ]
    model = backend(folder)
    assert model.padded
    np.testing.assert_allclose(model.run(sequences), np.concatenate(wanted), atol=1e-4)


def change_head(folder, **tensors):
    path = folder / "1_Dense" / "model.safetensors"
    save_file(load_file(path) | tensors, path)


def test_a_dense_step_that_is_something_else(tmp_path, folders):
    folder = save_pylate(tmp_path / "model", folders["colbert"])
    change_head(folder, **{"linear.other": np.zeros(2, np.float32)})
    with pytest.raises(ModelFilesError, match="where one weight and bias are expected"):
        backend(folder)
    change_head(save_pylate(tmp_path / "wide", folders["colbert"]), **{"linear.weight": np.zeros((4, 5), np.float32)})
    with pytest.raises(ModelFilesError, match="the layer after its tokens does not run"):
        backend(tmp_path / "wide")


def test_steps_that_are_not_known(tmp_path, folders):
    folder = save_pylate(tmp_path / "model", folders["colbert"])
    rows = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([*rows, {"path": "", "type": "x.MultiVectorMask"}]))
    with pytest.raises(ModelFilesError, match=r"steps \['MultiVectorMask'\]"):
        backend(folder)


def test_a_head_of_a_wrong_shape(tmp_path):
    folder = save_bert_colbert(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {"linear.weight": np.zeros(32, np.float32)}, folder / "model.safetensors")
    with pytest.raises(ModelFilesError, match=r"linear\.weight has the shape \(32,\)"):
        backend(folder)


def test_settings_that_cannot_run(folder):
    with pytest.raises(ConfigError, match="is no device"):
        TorchTokenBackend(read_layout(folder), device="tpu-9")
    sequence = TokenSequence(np.ones(3, np.int32))
    assert backend(folder).run([sequence]).shape == (1, 16)
