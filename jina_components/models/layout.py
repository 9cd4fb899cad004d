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
    """A step of a sentence-transformers model: its type ("Transformer", "Pooling" …), folder and settings."""

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
        return self.is_model2vec or any(module.type == "StaticEmbedding" for module in self.modules)

    @property
    def is_model2vec(self) -> bool:
        """A token table as Model2Vec writes it."""
        return self.config.get("model_type") == "model2vec"

    @property
    def is_cross_encoder(self) -> bool:
        """A sequence-classification checkpoint, and nothing after it."""
        architectures = self.config.get("architectures") or []
        return any(name.endswith("ForSequenceClassification") for name in architectures) and all(
            module.type == "Transformer" for module in self.modules
        )

    @property
    def default_prompt(self) -> str:
        """The prompt used when none is asked for, or empty."""
        return self.prompts.get(self.default_prompt_name or "") or ""

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
    modules = tuple(_read_module(folder, row) for row in read_json(folder / "modules.json", default=[]))
    transformer_folder = next((m.folder for m in modules if m.type == "Transformer"), folder)
    config = read_json(transformer_folder / "config.json", default={})
    if not modules and not config:
        raise ModelFilesError(f"{folder} holds no model: neither modules.json nor config.json is there.")
    settings = read_json(folder / "config_sentence_transformers.json", default={})
    prompts, default_name = settings.get("prompts") or {}, settings.get("default_prompt_name")
    if default_name is not None and default_name not in prompts:
        raise ModelFilesError(f"{folder} names {default_name!r} as its default prompt, but has only {sorted(prompts)}.")
    return Layout(folder, modules, config, prompts, default_name)


def _read_module(folder: Path, row: Mapping[str, Any]) -> Module:
    try:
        kind, path = row["type"].rsplit(".", 1)[-1], folder / row.get("path", "")
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelFilesError(f"{folder / 'modules.json'} names no type and path in {row!r}.") from error
    name = "sentence_bert_config.json" if kind == "Transformer" else "config.json"
    return Module(kind, path, read_json(path / name, default={}))


def read_json(path: Path, *, default: Any = None) -> Any:  # noqa: ANN401 (JSON has no type)
    """Content of a JSON file; `default`, if given, stands for a missing file and sets the type.

    Raises:
        ModelFilesError: missing without a default, not JSON, or of another type than the default.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if default is None:
            raise ModelFilesError(f"{path} is missing.") from error
        return default
    except (OSError, ValueError) as error:
        raise ModelFilesError(f"{path} is not readable JSON: {error}.") from error
    if default is not None and not isinstance(content, type(default)):
        raise ModelFilesError(f"{path} holds a {type(content).__name__}, not a {type(default).__name__}.")
    return content
