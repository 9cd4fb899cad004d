"""Where a model's files are: bundled with the package, a local folder, or a pinned snapshot of the hub."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from jina_components.core.names import resolve_name
from jina_components.errors import ModelFilesError
from jina_components.models.catalog import BY_NAME
from jina_components.models.spec import ModelSpec

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_ALLOWED_FILES = ("*.json", "*.safetensors", "*.txt", "*.model")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A folder on disk, and the catalog row when the model has one."""

    name: str
    folder: Path
    spec: ModelSpec | None


def bundled_path(folder: str) -> Path:
    """The folder of weights that ships with the package under this name."""
    return Path(__file__).parent / "bundled" / folder


def find_files(name: str, *, revision: str | None = None, offline: bool = False) -> ModelFiles:
    """Files of a model given by catalog name, local folder or hub id (`owner/name`).

    Args:
        name: A folder that exists wins over a hub id of the same spelling.
        revision: Commit, tag or branch for a hub id outside the catalog, or to override the pinned one.
        offline: Use only what the hub cache holds already (the environment variable
            `HF_HUB_OFFLINE=1` does the same for every model).

    Raises:
        UnknownNameError: neither in the catalog, nor a folder, nor of a hub id's form.
        ModelFilesError: the files cannot be had.
    """
    spec = BY_NAME.get(name)
    if spec is None or spec.hub_id:
        folder = Path(os.path.expanduser(name))  # noqa: PTH111 (Path.expanduser raises for an unknown user)
        if folder.is_dir():
            return ModelFiles(name, folder, spec)
        if folder.is_file() or name.startswith((".", "/", "~")):
            raise ModelFilesError(f"Model {name!r} is not a folder on this machine.")
    if spec is not None and spec.folder:
        return ModelFiles(name, bundled_path(spec.folder), spec)
    if spec is not None:
        return ModelFiles(name, _snapshot(spec.hub_id, revision or spec.revision, offline=offline), spec)
    if _HUB_ID.fullmatch(name):
        return ModelFiles(name, _snapshot(name, revision, offline=offline), None)
    resolve_name(BY_NAME, name, what="model (give a catalog name, a folder or a hub id 'owner/name')")
    raise AssertionError("unreachable: resolve_name raises for names outside the table")


def _snapshot(hub_id: str, revision: str | None, *, offline: bool) -> Path:
    """The snapshot's folder, downloaded when the cache lacks it (resumed and verified by the hub client)."""
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            hub_id, revision=revision, allow_patterns=list(_ALLOWED_FILES), local_files_only=offline
        )
    except Exception as error:  # the hub client's errors and those of its HTTP client share no other base
        raise ModelFilesError(
            f"Model {hub_id!r} (revision {revision or 'main'}) is neither in the local cache nor to be had "
            f"from the hub: {type(error).__name__}. Check the name and the network, or pass a local folder."
        ) from error
    return Path(folder)
