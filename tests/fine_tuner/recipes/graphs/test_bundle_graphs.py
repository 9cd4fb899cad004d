"""The recipe of graphs: what it writes, and the models it is not for. What graphs give: tests/models/backends."""

from __future__ import annotations

import onnx
import pytest
from safetensors.numpy import load_file
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling
from stored_models import tiny_embedder, tiny_pair_model
from tiny_checkpoints import save_checkpoint, save_sentence_transformer
from torch import nn

from jina_components import Reranker
from jina_components.errors import ConfigError, ModelFilesError
from jina_components.fine_tuner.recipes.graphs.bert import calibration_sequences, main, write_graphs
from jina_components.models.stored import write_stored


def test_main(tmp_path, capsys):
    folder = tiny_pair_model(tmp_path / "pairs")
    write_stored(load_file(folder / "model.safetensors"), folder / "model.safetensors")
    before = {path.name for path in folder.iterdir()}
    main([str(folder)])
    assert {path.name for path in folder.iterdir()} - before == {"model.onnx", "model_int8.onnx", "graphs.json"}
    assert "model_int8.onnx" in capsys.readouterr().out
    assert len(Reranker(folder).rerank("hello", ["a fox", "the capital"])) == 2


def test_graphs_hold_no_weights(tmp_path):
    folder = tiny_embedder(tmp_path / "embedder")
    for path in folder.rglob("model.safetensors"):
        write_stored(load_file(path), path)
    write_graphs(folder, calibration_sequences(folder))
    for name in ("model.onnx", "model_int8.onnx"):
        graph = onnx.load(folder / name, load_external_data=False).graph
        places = {row.value for tensor in graph.initializer for row in tensor.external_data if row.key == "location"}
        assert places == {"model.safetensors", "2_Dense/model.safetensors"}
        assert max(len(tensor.raw_data) for tensor in graph.initializer) <= 64
        onnx.checker.check_model(str(folder / name), full_check=False)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([Pooling(32, pooling_mode="cls")], "not the mean"),
        ([Pooling(32, pooling_mode="mean", include_prompt=False)], "not the mean"),
        ([Pooling(32, pooling_mode="mean"), Dense(32, 16, activation_function=nn.Tanh())], "for Dense"),
        ([Pooling(32, pooling_mode="mean"), LayerNorm(32)], "for LayerNorm"),
    ],
)
def test_other_steps_are_refused(tmp_path, steps, message):
    save_sentence_transformer(tmp_path / "model", *steps, checkpoint=save_checkpoint(tmp_path / "base"))
    for path in (tmp_path / "model").rglob("model.safetensors"):
        write_stored(load_file(path), path)
    with pytest.raises(ConfigError, match=message):
        write_graphs(tmp_path / "model", calibration_sequences(tmp_path / "model"))


def test_other_architectures_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no BERT"):
        write_graphs(save_checkpoint(tmp_path, "distilbert"), [])


def test_plain_weights_are_refused(tmp_path):
    with pytest.raises(ModelFilesError, match="stored form"):
        write_graphs(tiny_pair_model(tmp_path), [])
