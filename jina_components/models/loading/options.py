"""How to load a model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from jina_components.core.names import resolve_name
from jina_components.errors import ConfigError
from jina_components.models.endpoint import Endpoint

if TYPE_CHECKING:
    from jina_components.net import Fetcher

BACKENDS = {name: name for name in ("static", "torch", "onnx")}
PRECISIONS = {name: name for name in ("auto", "float32", "bfloat16", "float16", "int8")}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How to load a model; the same for every component that has one.

    Attributes:
        backend: `auto`, `static`, `torch`, `onnx` or `http`. `auto` takes `http` when there is an endpoint, `static`
            for a token table, `onnx` for a folder that ships graphs, where they run on the device and in the precision
            asked for (`auto` or `cpu`; `auto`, `float32` or `int8`), else `torch`.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`. `auto` takes the CPU for a token table and in onnx; in torch
            CUDA, then MPS, then the CPU.
        endpoint: The server that runs the model.
        revision: Commit, tag or branch on the hub, to override the pinned one.
        offline: Never ask the hub; what is not in its cache is an error.
        precision: `auto`, `float32`, `bfloat16`, `float16` or `int8`. `auto` takes int8 for a graph that a folder
            ships; in torch float16 on a GPU (bfloat16 for Qwen and EuroBERT), bfloat16 on a CPU with instructions for
            it (AVX512-BF16, AMX), else float32.
        token_budget: Tokens (padding included) a forward pass may hold; None for the backend's own.
        fetcher: Fetches images; None for one of the usual guard.
    """

    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    endpoint: Endpoint | None = None
    revision: str | None = None
    offline: bool = False
    token_budget: int | None = None
    fetcher: Fetcher | None = None

    def __post_init__(self) -> None:
        if self.backend not in ("auto", "http"):
            resolve_name(BACKENDS, self.backend, what="backend")
        if (self.backend == "http") != (self.endpoint is not None) and self.backend != "auto":
            raise ConfigError("backend='http' and endpoint=Endpoint(…) belong together.")
        if self.endpoint is not None:
            self.refuse("an endpoint", "device", "precision", "revision", "offline", "token_budget", "fetcher")
        resolve_name(PRECISIONS, self.precision, what="precision")
        if self.token_budget is not None and self.token_budget < 1:
            raise ConfigError(f"token_budget must be positive, got {self.token_budget}.")

    def refuse(self, what: str, *names: str) -> None:
        """Refuse settings that would change nothing.

        Raises:
            ConfigError: one of `names` is not its default; `what` says for what kind of model.
        """
        defaults = {field.name: field.default for field in fields(self)}
        if given := [name for name in names if getattr(self, name) != defaults[name]]:
            raise ConfigError(f"{' and '.join(given)} cannot be set for {what}: leave it out.")
