from __future__ import annotations

import json

import pytest

from jina_components.errors import ModelFilesError
from jina_components.models.layout import read_json, read_layout


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
