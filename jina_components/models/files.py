"""Where a model's files are: bundled with the package, a local folder, or a pinned snapshot of the hub.

Snapshots lie in the hub client's own cache, in the layout it documents
(https://huggingface.co/docs/huggingface_hub/guides/manage-cache), so that other tools find them and they find theirs.
Weights are fetched here, not by the client: since its version 2 it throws a partial file away when a process ends.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from uuid import uuid4

from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, ModelFilesError
from jina_components.models.backends.onnx_graphs import FILES
from jina_components.models.catalog import BY_NAME, LISTED_BY, MODELS
from jina_components.models.layout import GRAPHS, module_paths, no_safetensors, read_json, weight_files
from jina_components.models.spec import ModelSpec

if TYPE_CHECKING:
    from huggingface_hub.hf_api import BlobLfsInfo

logger = logging.getLogger(__name__)

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Of the root and of the folders that modules.json names; the same weights in other forms are left behind, but the
# graphs that graphs.json declares, which hold none of them.
_NEEDED = re.compile(
    r".+\.json|vocab\.txt|merges\.txt|.+\.model|chat_template\.jinja|artifact\.metadata"
    r"|model(-\d+-of-\d+)?\.safetensors"
)
# LoRA adapters as PEFT saves them: one for all tasks, or a folder each.
_ADAPTER = re.compile(r"adapters/([\w-]+/)?adapter_(config\.json|model\.safetensors)")
_WEIGHTS = re.compile(r"(.*/)?model(-\d+-of-\d+)?\.safetensors")
# Ours within a model's folder of the cache: partial files, what was verified, which files a commit needs.
# A change of what is needed changes the number, for a commit complete by the old rule may lack a file by the new.
_OWN = "jina-components-3"

# Why the hub gave nothing, by the error's class or the first of its bases that is named: the hub client's, and those
# of the HTTP client that it is built on, which differs between its versions.
_REASONS = {
    "GatedRepoError": "is gated: accept its terms on its page of the hub and log in with `hf auth login`",
    "RepositoryNotFoundError": "is not on the hub, or is private: check the name, or log in with `hf auth login`",
    "RevisionNotFoundError": "has no such revision on the hub",
    "HFValidationError": "cannot be a name on the hub: {detail}",
    "HfHubHTTPError": "cannot be had, the hub answered with status {status}",
    "TransportError": "cannot be had, the hub cannot be reached ({detail})",
    "RequestException": "cannot be had, the hub cannot be reached ({detail})",
    "Exception": "cannot be had from the hub: {detail}",
}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A folder on disk, and the catalog row when the model has one.

    Attributes:
        name: As the caller gave it.
        folder: Where the files are.
        spec: The catalog row: that of the name, or of the folder's own name; or None.
        revision: Commit of a hub snapshot; empty for bundled models and folders.
    """

    name: str
    folder: Path
    spec: ModelSpec | None
    revision: str = ""


def bundled_path(folder: str) -> Path:
    """The folder of weights that ships with the package under this name."""
    return Path(__file__).parent / "bundled" / folder


def find_files(name: str, *, revision: str | None = None, offline: bool = False) -> ModelFiles:
    """Files of a model given by catalog name, local folder or hub id (`owner/name`).

    Of a hub model only JSON, tokenizer files, safetensors, their adapters and declared graphs for them are fetched. An
    interrupted download goes on where it stopped, weights are compared with the SHA-256 that the hub names, and a
    commit that is complete in the cache is used without asking the hub. A licence that excludes commercial use is
    logged as a warning, once for each model of the catalog.

    Args:
        name: A folder that exists wins over a hub id of the same spelling. A folder that is itself called as a hub
            model of the catalog is taken to hold that model.
        revision: Commit, tag or branch for a hub id outside the catalog (`main` by default), or to override the
            pinned one. What a tag or branch stands for is logged.
        offline: Use only what the hub cache holds already (the environment variable
            `HF_HUB_OFFLINE=1` does the same for every model).

    Raises:
        UnknownNameError: neither in the catalog, nor a folder, nor of a hub id's form.
        ModelFilesError: the files cannot be had, are incomplete, broken, or hold no safetensors; says which.
        ConfigError: a revision of what is not on the hub.
    """
    files = _found(name, revision=revision, offline=offline)
    if files.spec is not None and files.spec.non_commercial:
        _warn_of_licence(files.spec.name)
    return files


def on_disk(spec: ModelSpec) -> int:
    """Bytes of a catalog model's files on this machine; 0 unless all are there. No weights are read.

    Of a hub model the cached snapshot of its pinned revision counts, of a blend the models that it is made of.
    """
    if spec.bundled:
        folders = {BY_NAME[part].folder for part in spec.parts} or {spec.folder}
        paths = [path for folder in folders for path in bundled_path(folder).rglob("*") if path.is_file()]
    else:
        try:
            folder, names = _cached(spec.hub_id, spec.revision, _store(spec.hub_id))
            _check_shards(folder, names)
        except ModelFilesError:
            return 0
        paths = [folder / name for name in names]
    return sum(path.stat().st_size for path in paths)


def find_spec(name: str) -> ModelSpec | None:
    """The catalog row of a name, or of a local folder that is itself called as a hub model of the catalog, or None."""
    spec = BY_NAME.get(name)
    if spec is None and (folder := _local(name)).is_dir():
        called = BY_NAME.get(folder.absolute().name)
        spec = called if called is not None and called.hub_id else None
    return spec


def check_name(name: str) -> None:
    """Whether a model can have this name, without asking the hub for it.

    Raises:
        UnknownNameError: neither in the catalog, nor a folder, nor of a hub id's form.
        ModelFilesError: only a folder can be called so, and there is none.
    """
    spec, folder = find_spec(name), _local(name)
    if (spec is not None and not spec.hub_id) or folder.is_dir():
        return
    if folder.is_file() or name.startswith((".", "/", "~")):
        raise ModelFilesError(f"Model {name!r} is not a folder on this machine.")
    if spec is None and not _HUB_ID.fullmatch(name):
        what = "model (give a catalog name, a folder or a hub id 'owner/name')"
        resolve_name({each.name: each for each in MODELS}, name, what=what, listed_by=LISTED_BY)


def _local(name: str) -> Path:
    return Path(os.path.expanduser(name))  # noqa: PTH111 (Path.expanduser raises for an unknown user)


def _found(name: str, *, revision: str | None, offline: bool) -> ModelFiles:
    spec = find_spec(name)
    if spec is None or spec.hub_id:
        folder = _local(name)
        if folder.is_dir():
            _refuse_revision(name, revision)
            if spec is not None and name not in BY_NAME:
                logger.info("%s: taken for %s of the catalog, by the folder's name", folder, spec.name)
            return ModelFiles(name, folder, spec)
    check_name(name)
    if spec is not None and spec.folder:
        _refuse_revision(name, revision)
        return ModelFiles(name, bundled_path(spec.folder), spec)
    hub_id, pinned = (spec.hub_id, spec.revision) if spec is not None else (name, "main")
    folder = _snapshot(hub_id, revision or pinned, offline=offline)
    return ModelFiles(name, folder, spec, folder.name)


@cache
def _warn_of_licence(name: str) -> None:
    spec = BY_NAME[name]
    logger.warning(
        "%s: the licence of its weights, %s, excludes commercial use; for a commercial licence ask its publisher, "
        "https://huggingface.co/%s",
        name, spec.license, spec.hub_id,
    )  # fmt: skip


def _refuse_revision(name: str, revision: str | None) -> None:
    if revision is not None:
        raise ConfigError(f"revision={revision!r} is for models of the hub; {name!r} is on this machine.")


def _snapshot(hub_id: str, revision: str, *, offline: bool) -> Path:
    """The folder of a commit's files: complete, and its weights verified."""
    from huggingface_hub import constants

    store = _store(hub_id)
    folder = store / "snapshots" / revision
    names = _recorded(store, revision)
    if offline or constants.HF_HUB_OFFLINE:
        folder, names = _cached(hub_id, revision, store)
    elif not names or _missing(folder, names):
        folder, names = _download(hub_id, revision, store)
    for name in names:
        if name.endswith((".safetensors", ".onnx")):
            _verify(folder / name, store)
    _check_shards(folder, names)
    if not _COMMIT.fullmatch(revision):
        logger.info("%s: %s is commit %s; pass revision=%r to pin it", hub_id, revision, folder.name, folder.name)
    return folder


def _store(hub_id: str) -> Path:
    """A model's folder of the cache."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{hub_id.replace('/', '--')}"


def _check_shards(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if name.endswith("model.safetensors.index.json"):
            weight_files((folder / name).parent)


def _needed(names: Iterable[str], modules: Iterable[str]) -> list[str]:
    folders = {PurePosixPath(), *(PurePosixPath(path) for path in modules)}
    names = set(names)
    graphs = names.intersection(FILES.values()) if GRAPHS in names else set()
    paths = (PurePosixPath(name) for name in names)
    needed = {str(path) for path in paths if path.parent in folders and _NEEDED.fullmatch(path.name)}
    return sorted(needed | graphs | set(filter(_ADAPTER.fullmatch, names)))


def _missing(folder: Path, names: Iterable[str]) -> list[str]:
    return [name for name in names if not (folder / name).is_file()]


def _recorded(store: Path, commit: str) -> list[str]:
    """What a commit needs, noted after its download; empty for one that another tool downloaded."""
    names: list[str] = read_json(store / _OWN / f"{commit}.json", default=[])
    return names


def _cached(hub_id: str, revision: str, store: Path) -> tuple[Path, list[str]]:
    """The folder of a revision in the cache and its files, without asking the hub."""
    reference = store / "refs" / revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else revision
    folder = store / "snapshots" / commit
    present = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    names = _recorded(store, commit) or _needed(present, module_paths(folder))
    missing = _missing(folder, names) if folder.is_dir() else ["every file"]
    if not missing and not any(map(_WEIGHTS.fullmatch, names)):
        missing = ["its *.safetensors"]
    if missing:
        raise ModelFilesError(
            f"Model {hub_id!r} (revision {revision}) is not complete in the local cache {store.parent}: "
            f"{', '.join(missing)} missing, and offline nothing is downloaded. Load it once with the network "
            "(offline=False, HF_HUB_OFFLINE unset), or pass a local folder."
        )
    return folder, names


def _download(hub_id: str, revision: str, store: Path) -> tuple[Path, list[str]]:
    """Fetch what the cache lacks; the folder and its files."""
    try:
        folder, names = _fetch_all(hub_id, revision, store)
    except ModelFilesError:
        raise
    except Exception as error:  # the hub client's errors and those of its HTTP client share no other base
        raise ModelFilesError(
            f"Model {hub_id!r} (revision {revision}) {_reason(error)}. Or pass a local folder"
            f"{', or offline=True to use what the cache holds' if store.is_dir() else ''}."
        ) from error
    if missing := _missing(folder, names):
        raise ModelFilesError(
            f"Model {hub_id!r}: {revision} moved to commit {folder.name} during the download, which lacks "
            f"{', '.join(missing)}. Call again."
        )
    _write_whole(store / _OWN / f"{folder.name}.json", json.dumps(names))
    return folder, names


def _fetch_all(hub_id: str, revision: str, store: Path) -> tuple[Path, list[str]]:
    from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download

    info = HfApi().model_info(hub_id, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    listing = {file.rfilename: file for file in info.siblings or ()}
    modules: list[str] = []
    if "modules.json" in listing:
        modules = module_paths(Path(hf_hub_download(hub_id, "modules.json", revision=info.sha)).parent)
    names = _needed(listing, modules)
    if not any(map(_WEIGHTS.fullmatch, names)):
        raise no_safetensors(f"Model {hub_id!r} (revision {revision})", listing)
    for name in names:
        if (blob := listing[name].lfs) is not None:
            _fetch(hub_id, str(info.sha), name, blob, store)
    # What is in the cache by now is only linked; this fetches the rest, and notes what the revision stands for.
    return Path(snapshot_download(hub_id, revision=revision, allow_patterns=names)), names


def _reason(error: Exception) -> str:
    # The client hides what went wrong behind its wish to find the file in the cache.
    hidden = type(error).__name__ == "LocalEntryNotFoundError" and isinstance(error.__cause__, Exception)
    origin = error.__cause__ if hidden else error
    template = next(_REASONS[base.__name__] for base in type(origin).__mro__ if base.__name__ in _REASONS)
    status = getattr(getattr(origin, "response", None), "status_code", None)
    detail = str(origin).strip().partition("\n")[0].rstrip(".")
    return template.format(status=status, detail=f"{type(origin).__name__}: {detail}")


def _fetch(hub_id: str, commit: str, name: str, blob: BlobLfsInfo, store: Path) -> None:
    """Put a large file among the cache's blobs; goes on with what an earlier process left of it."""
    from filelock import FileLock
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented, not in __all__

    final, part = store / "blobs" / blob.sha256, store / _OWN / f"{blob.sha256}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(part.with_suffix(".lock")):
        if final.exists():
            return
        with part.open("ab") as file:
            if file.tell() > blob.size:  # nothing that this file could go on with
                file.truncate(0)
                file.seek(0)
            url = hf_hub_url(hub_id, name, revision=commit)
            http_get(
                url, file, resume_size=file.tell(), headers=build_hf_headers(), expected_size=blob.size,
                displayed_filename=name,
            )  # fmt: skip
        _check_digest(part, blob.sha256, store, name)
        part.replace(final)


def _verify(path: Path, store: Path) -> None:
    """Compare weights with their hash, by which the cache names a large file; a small one is named otherwise."""
    if path.is_symlink() and _SHA256.fullmatch(path.readlink().name):
        blob = path.parent / path.readlink()
        _check_digest(blob, blob.name, store, path.name)


def _check_digest(path: Path, sha256: str, store: Path, name: str) -> None:
    """Compare a file's SHA-256, once for each size and time of change; a file that differs is deleted."""
    stat = path.stat()
    stamp, seen = f"{stat.st_size} {stat.st_mtime_ns}", store / _OWN / f"{sha256}.verified"
    if seen.is_file() and seen.read_text(encoding="utf-8") == stamp:
        return
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        path.unlink()
        raise ModelFilesError(
            f"{name} of {store.name} is broken: its SHA-256 is {digest}, the hub names {sha256}. "
            "It was deleted; load the model again to download it anew."
        )
    try:
        _write_whole(seen, stamp)
    except OSError as error:  # a cache that is only read; the next load compares again
        logger.debug("cannot note that %s is verified: %s", path, error)


def _write_whole(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{uuid4().hex}.tmp")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
