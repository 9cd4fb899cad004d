from __future__ import annotations

import json

import pytest

from jina_components.errors import ModelFilesError
from jina_components.models.layout import module_paths, read_json, read_layout, weight_files


def write(folder, **files):
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))


def test_a_folder_of_sentence_transformers(tmp_path):
    write(
        tmp_path,
        modules=[
            {"idx": 0, "path": "0_Transformer", "type": "sentence_transformers.models.Transformer"},
            {
                "idx": 1,
                "path": "1_Pooling",
                "type": "sentence_transformers.base.modules.pooling.Pooling",
            },
            {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        **{
            "0_Transformer__config": {"model_type": "bert", "architectures": ["BertModel"]},
            "0_Transformer__sentence_bert_config": {"max_seq_length": 128},
            "1_Pooling__config": {"pooling_mode": "cls"},
            "config_sentence_transformers": {"prompts": {"query": "q: "}, "default_prompt_name": "query"},
        },
    )
    layout = read_layout(tmp_path)
    assert [module.type for module in layout.modules] == ["Transformer", "Pooling", "Normalize"]
    assert [module.folder.name for module in layout.modules] == ["0_Transformer", "1_Pooling", "2_Normalize"]
    assert layout.transformer.config == {"max_seq_length": 128}
    assert layout.modules[1].config == {"pooling_mode": "cls"}
    assert layout.modules[2].config == {}
    assert layout.config["model_type"] == "bert"
    assert layout.default_prompt == "q: "
    assert not layout.is_static
    assert not layout.is_cross_encoder


def test_a_plain_checkpoint(tmp_path):
    write(tmp_path, config={"architectures": ["BertForSequenceClassification"]})
    layout = read_layout(tmp_path)
    assert layout.transformer.folder == tmp_path
    assert layout.is_cross_encoder
    assert layout.default_prompt == ""


def test_a_plain_transformer_has_no_steps(tmp_path):
    write(tmp_path, config={"model_type": "bert", "architectures": ["BertModel"]})
    layout = read_layout(tmp_path)
    assert layout.modules == ()
    assert layout.transformer.folder == tmp_path
    assert not layout.is_cross_encoder


def test_settings_of_a_transformer_under_an_older_name(tmp_path):
    write(
        tmp_path,
        modules=[{"path": "", "type": "sentence_transformers.models.Transformer"}],
        config={"model_type": "roberta"},
        sentence_roberta_config={"max_seq_length": 128},
    )
    assert read_layout(tmp_path).transformer.config == {"max_seq_length": 128}


@pytest.mark.parametrize("row", [{}, {"path": ""}, {"type": 1}, {"type": "a.B", "path": None}, "a.B", None])
def test_a_step_without_type_or_path(tmp_path, row):
    write(tmp_path, modules=[row])
    with pytest.raises(ModelFilesError, match="no type and path"):
        read_layout(tmp_path)


@pytest.mark.parametrize("path", ["..", "a/../..", "/etc", "..\\a", "C:a", "C:/a", "\\\\host\\share\\a"])
def test_a_step_outside_the_folder(tmp_path, path):
    write(tmp_path, modules=[{"path": path, "type": "a.B"}])
    with pytest.raises(ModelFilesError, match="leads out of the model's folder"):
        module_paths(tmp_path)


def test_module_paths(tmp_path):
    assert module_paths(tmp_path) == []
    write(tmp_path, modules=[{"path": "", "type": "a.B"}, {"type": "a.C"}, {"path": "2_Dense", "type": "a.D"}])
    assert module_paths(tmp_path) == ["", "", "2_Dense"]


def test_weights_in_one_file(tmp_path):
    (tmp_path / "model.safetensors").touch()
    write(tmp_path, **{"model.safetensors.index": {"weight_map": {"a": "other.safetensors"}}})
    assert weight_files(tmp_path) == [tmp_path / "model.safetensors"]


def test_weights_in_parts(tmp_path):
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    write(tmp_path, **{"model.safetensors.index": {"weight_map": {"a": parts[1], "b": parts[0], "c": parts[1]}}})
    (tmp_path / parts[0]).touch()
    with pytest.raises(ModelFilesError, match=f"incomplete: .*names {parts[1]}, not there"):
        weight_files(tmp_path)
    (tmp_path / parts[1]).touch()
    assert weight_files(tmp_path) == [tmp_path / part for part in parts]


@pytest.mark.parametrize("shards", [{"a": "../b.safetensors"}, {"a": "/b.safetensors"}, {"a": 1}, {"a": ""}, ["b"]])
def test_parts_outside_the_folder(tmp_path, shards):
    write(tmp_path, **{"model.safetensors.index": {"weight_map": shards}})
    with pytest.raises(ModelFilesError, match="must give a file name of the same folder"):
        weight_files(tmp_path)


def test_weights_that_are_pickled_or_none(tmp_path):
    with pytest.raises(ModelFilesError, match="holds no weights"):
        weight_files(tmp_path)
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(ModelFilesError, match=r"only pickled weights \(pytorch_model.bin\).*save_pretrained"):
        weight_files(tmp_path)


def test_token_tables(tmp_path):
    write(tmp_path, config={"model_type": "model2vec"})
    assert read_layout(tmp_path).is_static
    assert read_layout(tmp_path).is_model2vec
    write(tmp_path, config={}, modules=[{"path": "", "type": "sentence_transformers.models.StaticEmbedding"}])
    assert read_layout(tmp_path).is_static
    assert not read_layout(tmp_path).is_model2vec


def test_prompts_may_be_null(tmp_path):
    write(tmp_path, config={"a": 1}, config_sentence_transformers={"prompts": None, "default_prompt_name": None})
    assert read_layout(tmp_path).default_prompt == ""
    write(tmp_path, config_sentence_transformers={"prompts": {"x": None}, "default_prompt_name": "x"})
    assert read_layout(tmp_path).default_prompt == ""


def test_no_model(tmp_path):
    with pytest.raises(ModelFilesError, match="neither modules.json nor config.json"):
        read_layout(tmp_path)


def test_json_files(tmp_path):
    path = tmp_path / "a.json"
    assert read_json(path, default={}) == {}
    with pytest.raises(ModelFilesError, match="is missing"):
        read_json(path)
    path.write_text("[1, 2]")
    assert read_json(path) == read_json(path, default=[]) == [1, 2]
    with pytest.raises(ModelFilesError, match="holds a list, not a dict"):
        read_json(path, default={})
    for content in (b"{", b"\xff\xfe", b""):
        path.write_bytes(content)
        with pytest.raises(ModelFilesError, match="not readable JSON"):
            read_json(path, default={})
