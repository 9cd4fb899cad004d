"""Small models in the stored form with graphs, made of the real MiniLM's layers or of random ones."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from sentence_transformers.base.modules import Dense, Normalize
from sentence_transformers.sentence_transformer.modules import Pooling
from tiny_checkpoints import FOUR_LABELS, edit_json, save_checkpoint, save_pair_model, save_sentence_transformer
from torch import nn

from jina_components.fine_tuner.recipes.graphs.bert import calibration_sequences, write_graphs
from jina_components.models.stored import write_stored

_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


def store(folder: Path) -> Path:
    """Bring the weights of a folder into the stored form, and write its graphs."""
    for path in folder.rglob("model.safetensors"):
        write_stored(load_file(path), path)
    write_graphs(folder, calibration_sequences(folder))
    return folder


def tiny_embedder(folder: Path) -> Path:
    """A random BERT with a Dense step, in float32."""
    steps = Pooling(32, pooling_mode="mean"), Dense(32, 16, activation_function=nn.Identity()), Normalize()
    save_sentence_transformer(folder, *steps, checkpoint=save_checkpoint(folder.with_name(folder.name + "-base")))
    return folder


def tiny_pair_model(folder: Path) -> Path:
    """A random BERT with four labels, in float32."""
    return save_pair_model(folder, FOUR_LABELS)


def cut_minilm(minilm: Path, folder: Path, layers: Sequence[int]) -> Path:
    """The real model with some of its layers, and a Dense step that turns its vectors; in float32."""
    shutil.copytree(minilm, folder)
    tensors = load_file(folder / "model.safetensors")
    save_file(_cut(tensors, layers), folder / "model.safetensors")
    edit_json(folder / "config.json", num_hidden_layers=len(layers))
    rows = json.loads((folder / "modules.json").read_text())
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*rows[:2], dense, *rows[2:]]))
    (folder / "2_Dense").mkdir(exist_ok=True)
    settings = {"in_features": 384, "out_features": 384, "bias": False}
    edit_json(folder / "2_Dense" / "config.json", **settings, activation_function="torch.nn.modules.linear.Identity")
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(384, 384)))
    save_file({"linear.weight": turn.astype(np.float32)}, folder / "2_Dense" / "model.safetensors")
    return folder


def _cut(tensors: dict[str, np.ndarray], layers: Sequence[int]) -> dict[str, np.ndarray]:
    kept = {}
    for name, tensor in tensors.items():
        number = _LAYER.search(name)
        if number is None:
            kept[name] = tensor
        elif int(number[1]) in layers:
            kept[_LAYER.sub(f"encoder.layer.{layers.index(int(number[1]))}.", name)] = tensor
    return kept
