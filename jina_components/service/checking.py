"""What of a service's settings can be found wrong before it serves."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError, ModelFilesError, UnknownNameError
from jina_components.models.catalog import DEFAULT_EMBEDDER, DEFAULT_RERANKER, LISTED_BY
from jina_components.models.files import check_name, find_spec
from jina_components.models.spec import ModelSpec
from jina_components.service.components import Components
from jina_components.service.models import embeds, reranks
from jina_components.service.wire.deepsearch import CHAT_MODEL, MODELS


def check(components: Components) -> None:
    """Look whether the folder can be written and the models can be there; makes the folder, asks no hub.

    Raises:
        ConfigError: a setting cannot be served by; names it.
        UnknownNameError: a model to be loaded at the start is none that is served.
    """
    how = components.settings
    _check_folder(how.data)
    for name, target in how.aliases.items():
        _check_model(f"aliases {name}={target}", target, lambda spec: embeds(spec) or reranks(spec), DEFAULT_EMBEDDER)
    _check_model("embedder", how.embedder, lambda spec: spec.kind == "embedding", DEFAULT_EMBEDDER)
    _check_model("reranker", how.reranker, reranks, DEFAULT_RERANKER)
    known = dict.fromkeys((*components.embedders.known, *components.rerankers.known))
    for name in how.only:
        if name in (*MODELS, CHAT_MODEL):
            raise ConfigError(
                f"ServiceSettings.only: {name!r} is always served; name models of embeddings and reranking alone."
            )
        try:
            resolve_name(known, name, what="model", listed_by=LISTED_BY)
        except UnknownNameError as error:
            raise ConfigError(f"ServiceSettings.only: {error}") from error
    components.check_warm_up()


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise ConfigError(
            f"ServiceSettings.data: {folder} is no folder that can be written: {error.strerror or error}."
        ) from error


def _check_model(setting: str, name: str, fits: Callable[[ModelSpec], bool], default: str) -> None:
    try:
        check_name(name)
    except (UnknownNameError, ModelFilesError) as error:
        raise ConfigError(f"ServiceSettings.{setting}: {error}") from error
    spec = find_spec(name)
    if spec is not None and not fits(spec):
        raise ConfigError(f"ServiceSettings.{setting}: {name!r} is {spec.kind}, which does not fit; {default!r} does.")
