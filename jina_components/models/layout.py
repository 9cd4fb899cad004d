"""What a model folder holds: the sentence-transformers layout, or a sequence-classification checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from jina_components.errors import ModelFilesError

GRAPHS = "graphs.json"
"""Declares the ONNX graphs of a folder that ships them for its own weights."""
ADAPTERS = "adapters"
"""Folder of a model's LoRA adapters, each in a folder of its own."""
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


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
        modules: Steps in order; empty for a plain checkpoint (only config.json), for which the caller decides what
            follows the transformer.
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
    def ships_graphs(self) -> bool:
        """Whether it comes with ONNX graphs for its weights, so that it runs without a framework."""
        return (self.folder / GRAPHS).is_file()

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
    modules = tuple(_read_module(folder, row) for row in _module_rows(folder))
    transformer_folder = next((m.folder for m in modules if m.type == "Transformer"), folder)
    config = read_json(transformer_folder / "config.json", default={})
    if not modules and not config:
        raise ModelFilesError(f"{folder} holds no model: neither modules.json nor config.json is there.")
    settings = read_json(folder / "config_sentence_transformers.json", default={})
    prompts, default_name = settings.get("prompts") or {}, settings.get("default_prompt_name")
    if default_name is not None and default_name not in prompts:
        raise ModelFilesError(f"{folder} names {default_name!r} as its default prompt, but has only {sorted(prompts)}.")
    return Layout(folder, modules, config, prompts, default_name)


def module_paths(folder: Path) -> list[str]:
    """The folders that modules.json names, relative to the model's; empty when there is no such file.

    Raises:
        ModelFilesError: the file is broken, or a path leads out of the model's folder.
    """
    return [row["path"] for row in _module_rows(folder)]


def adapter_names(folder: Path) -> tuple[str, ...]:
    """Names of the adapters beside a model, sorted.

    Raises:
        ModelFilesError: there is one for all tasks, which only jina-embeddings-v4 is known to have.
    """
    if (folder / ADAPTERS / "adapter_config.json").is_file():
        raise ModelFilesError(f"{folder / ADAPTERS} holds an adapter itself: save each as {ADAPTERS}/<task>/.")
    return tuple(sorted(path.parent.name for path in (folder / ADAPTERS).glob("*/adapter_config.json")))


def weight_files(folder: Path) -> list[Path]:
    """The safetensors of a transformer, Dense or table folder: one file, or the shards that its index names.

    Raises:
        ModelFilesError: none there (pickled weights are never loaded), or a shard is missing; says which.
    """
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    index = folder / "model.safetensors.index.json"
    shards = read_json(index, default={}).get("weight_map")
    if not shards:
        raise no_safetensors(str(folder), (path.name for path in folder.glob("*")))
    if not isinstance(shards, dict) or not all(_is_file_name(name) for name in shards.values()):
        raise ModelFilesError(f"{index}: weight_map must give a file name of the same folder for each tensor.")
    files = [folder / name for name in sorted(set(shards.values()))]
    if missing := [file.name for file in files if not file.is_file()]:
        raise ModelFilesError(f"{folder} is incomplete: {index.name} names {', '.join(missing)}, not there.")
    return files


def no_safetensors(where: str, names: Iterable[str]) -> ModelFilesError:
    """The error for a model whose files `names` are without weights that can be loaded."""
    pickles = sorted(name for name in names if name.endswith(_PICKLES))
    if not pickles:
        return ModelFilesError(f"{where} holds no weights: neither model.safetensors nor an index of its parts.")
    return ModelFilesError(
        f"{where} holds only pickled weights ({', '.join(pickles)}), which are never loaded: opening them can run "
        "code. Convert them where you trust them, with transformers' AutoModel.from_pretrained(…).save_pretrained"
        "(folder, safe_serialization=True) or the hub's space safetensors/convert, then pass that folder or revision."
    )


def _is_file_name(name: object) -> bool:
    return isinstance(name, str) and name != "" and PureWindowsPath(name).name == name


def _module_rows(folder: Path) -> list[dict[str, str]]:
    """Type and path of each row of modules.json."""
    rows = read_json(folder / "modules.json", default=[])
    return [_checked_row(folder / "modules.json", row) for row in rows]


def _checked_row(file: Path, row: object) -> dict[str, str]:
    kind, path = (row.get("type"), row.get("path", "")) if isinstance(row, dict) else (None, None)
    if not isinstance(kind, str) or not isinstance(path, str):
        raise ModelFilesError(f"{file} names no type and path in {row!r}.")
    strict = PureWindowsPath(path)  # which knows the separators and drives of every system
    if strict.drive or strict.root or ".." in strict.parts:
        raise ModelFilesError(f"{file} names the path {path!r}, which leads out of the model's folder.")
    return {"type": kind, "path": path}


def _read_module(folder: Path, row: Mapping[str, str]) -> Module:
    kind, path = row["type"].rsplit(".", 1)[-1], folder / row["path"]
    settings = path / "config.json"
    if kind == "Transformer":  # named for the architecture once (sentence_roberta_config.json …), for BERT today
        settings = min(path.glob("sentence_*_config.json"), default=path / "sentence_bert_config.json")
    return Module(kind, path, read_json(settings, default={}))


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
