"""Folders of models, as the recipes read and write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from jina_components.errors import ConfigError, ModelFilesError


def teacher_folder(teacher: str) -> Path:
    """The teacher's folder, fetched from the Hugging Face hub when `teacher` is not a folder.

    Raises:
        ModelFilesError: it cannot be fetched, or lacks a file.
        ConfigError: it pools otherwise than by mean.
    """
    folder = Path(teacher)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        try:
            folder = Path(snapshot_download(teacher, allow_patterns=["*.json", "*.md", "model.safetensors"]))
        except (OSError, ValueError) as error:
            message = f"Teacher {teacher!r} is no folder and cannot be fetched from the hub: {error}"
            raise ModelFilesError(message) from error
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise ModelFilesError(f"Teacher {folder} has no {name}.")
    pooling = folder / "1_Pooling" / "config.json"
    if pooling.is_file() and not read_json(pooling).get("pooling_mode_mean_tokens"):
        raise ConfigError(f"Teacher {folder} does not pool by mean; a mean of token rows cannot follow it.")
    return folder


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def write_json(path: Path, value: object) -> None:
    """Write a file of JSON that people read too."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def save_tokenizer(folder: Path, to: Path, *, context: int) -> None:
    """Write the tokenizer of a folder, and the longest input; padding and cutting are left to who runs the model."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(to / "tokenizer.json"), pretty=False)
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": context}
    write_json(to / "tokenizer_config.json", config)
