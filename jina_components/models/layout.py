"""What a model folder holds: the sentence-transformers layout, or a sequence-classification checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jina_components.errors import ModelFilesError


@dataclass(frozen=True, slots=True)
class Module:
    """One step of a sentence-transformers model: its type ("Transformer", "Pooling" …), folder and settings."""

    type: str
    folder: Path
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """A model folder, understood.

    Attributes:
        folder: The model folder.
        modules: Steps in order; empty for a plain checkpoint.
        config: The checkpoint's own `config.json`.
        prompts: Text put before an input, by prompt name.
        default_prompt_name: The prompt used when none is asked for.
    """

    folder: Path
    modules: tuple[Module, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None

    @property
    def is_static(self) -> bool:
        """A token table: no forward pass, so no framework is needed."""
        return any(module.type == "StaticEmbedding" for module in self.modules) or (
            self.config.get("model_type") == "model2vec"
        )

    @property
    def is_cross_encoder(self) -> bool:
        """A sequence-classification checkpoint."""
        architectures = self.config.get("architectures") or []
        return any(name.endswith("ForSequenceClassification") for name in architectures)

    @property
    def transformer(self) -> Module:
        """The transformer step; for a plain checkpoint the folder itself."""
        for module in self.modules:
            if module.type == "Transformer":
                return module
        return Module("Transformer", self.folder, {})


def read_layout(folder: Path) -> Layout:
    """Read a folder's JSON files; weights are not touched.

    Raises:
        ModelFilesError: no model there, or a JSON file is broken.
    """
    modules = tuple(
        Module(
            row["type"].rsplit(".", 1)[-1],
            folder / row.get("path", ""),
            _module_config(folder / row.get("path", ""), row["type"].rsplit(".", 1)[-1]),
        )
        for row in read_json(folder / "modules.json", default=[])
    )
    transformer_folder = next((m.folder for m in modules if m.type == "Transformer"), folder)
    config = read_json(transformer_folder / "config.json", default={})
    if not modules and not config:
        raise ModelFilesError(f"{folder} holds no model: neither modules.json nor config.json is there.")
    settings = read_json(folder / "config_sentence_transformers.json", default={})
    return Layout(folder, modules, config, settings.get("prompts") or {}, settings.get("default_prompt_name"))


def _module_config(folder: Path, kind: str) -> Mapping[str, Any]:
    name = "sentence_bert_config.json" if kind == "Transformer" else "config.json"
    config: Mapping[str, Any] = read_json(folder / name, default={})
    return config


def read_json(path: Path, *, default: Any = None) -> Any:  # noqa: ANN401 (JSON has no type)
    """Content of a JSON file; `default` when there is no such file and one is given.

    Raises:
        ModelFilesError: missing without a default, or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if default is None:
            raise ModelFilesError(f"{path} is missing.") from error
        return default
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelFilesError(f"{path} is not valid JSON: {error}.") from error
