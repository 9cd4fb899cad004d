"""Models of one kind: each once, loaded when it is asked for, given back when nobody does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from opentelemetry import trace

from jina_components.embedder import Embedder
from jina_components.errors import MissingDependencyError, ModelFilesError, UnknownNameError
from jina_components.models.catalog import BY_NAME
from jina_components.models.spec import ModelKind, ModelSpec
from jina_components.reranker import Reranker
from jina_components.service.names import plain_name
from jina_components.service.settings import ServiceSettings
from jina_components.types import shorten

logger = logging.getLogger(__name__)

Model = TypeVar("Model", Embedder, Reranker)

_RERANKS: tuple[ModelKind, ...] = ("cross-encoder", "late-interaction", "listwise", "blend")


@dataclass(slots=True)
class _Held(Generic[Model]):
    """A model in memory, or ready to be."""

    model: Model
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)


class Models(Generic[Model]):
    """Models of one kind by the name that clients know them by. Thread-safe.

    Args:
        settings: Those of the service.
        make: Makes one, by catalog name, folder or hub id; loads nothing yet.
        does: Whether a model of the catalog is of this kind.

    Attributes:
        fitted: Of the name of a model that was fitted for whoever asks, what it was fitted from, and its folder; None
            for other names.
    """

    def __init__(
        self, settings: ServiceSettings, make: Callable[[str], Model], does: Callable[[ModelSpec], bool]
    ) -> None:
        self._settings = settings
        self._make: Callable[[str], Model] = make
        self._does = does
        self.fitted: Callable[[str], tuple[str, str] | None] = lambda name: None
        self._held: dict[str, _Held[Model]] = {}
        self._lock = threading.Lock()

    @property
    def known(self) -> list[str]:
        """Names of this kind, whether served or not: first what the operator named, then what is surely here."""
        specs = [spec for spec in BY_NAME.values() if self._does(spec)]
        known = self._fitting(self._settings.aliases)
        known += [spec.name for spec in specs if spec.bundled]
        known += self._fitting(self._settings.stand_ins)
        known += [spec.name for spec in specs]
        return list(dict.fromkeys(known))

    @property
    def names(self) -> list[str]:
        """What clients may ask for, in the same order."""
        return [name for name in self.known if not self._settings.only or name in self._settings.only]

    @property
    def held(self) -> list[str]:
        """Names of models in memory, or about to be; of folders and hub ids, their aliases."""
        aliases = {target: name for name, target in self._settings.aliases.items()}
        with self._lock:
            return [name if name in BY_NAME else aliases.get(name, "fine-tuned") for name in self._held]

    def spec(self, name: str) -> ModelSpec | None:
        """The catalog's row of what answers to a name; None for a folder or hub id that it does not know."""
        return BY_NAME.get(self.target(name))

    def target(self, name: str) -> str:
        """What answers to a name.

        Raises:
            UnknownNameError: nothing does.
        """
        plain = plain_name(name)
        fitted = self.fitted(plain)
        if fitted is not None and self._may_be(fitted[0]):
            return fitted[1]
        if self._settings.only and plain not in self._settings.only:
            raise UnknownNameError(f"Model {shorten(name)!r} is not served here; {self._served()}")
        target = self._settings.aliases.get(plain) or self._settings.stand_ins.get(plain)
        if target is not None and self._may_be(target):
            return target
        spec = BY_NAME.get(plain)
        if spec is None or not self._does(spec):
            raise UnknownNameError(f"Model {shorten(name)!r} is not known here for this; {self._served()}")
        return spec.name

    @contextmanager
    def use(self, name: str) -> Iterator[Model]:
        """The model of this name, which stays in memory at least for the length of the block.

        Raises:
            UnknownNameError: there is none, or what the block does with it shows that it cannot be loaded.
        """
        target = self.target(name)
        with self._lock:
            held = self._held.get(target)
            if held is None:
                held = self._held[target] = _Held(self._make(target))
            held.users += 1
        span = trace.get_tracer(__name__).start_span("model", attributes={"jina.model": target})
        try:
            yield held.model
        except (ModelFilesError, MissingDependencyError) as error:  # whose words are about this machine
            logger.warning("Model %s cannot be loaded: %s", target, error)
            raise UnknownNameError(
                f"Model {shorten(name)!r} cannot be loaded here; the log of the service says why, and its option "
                f"--alias lets another model answer in its place. {self._served()}"
            ) from error
        finally:
            span.end()
            with self._lock:
                held.users -= 1
                held.used_at = time.monotonic()

    def offload(self, idle_seconds: float) -> list[str]:
        """Close what nobody used for so long; the next use loads it again."""
        before = time.monotonic() - idle_seconds
        with self._lock:
            names = [name for name, held in self._held.items() if not held.users and held.used_at <= before]
            idle = [self._held.pop(name) for name in names]
        for held in idle:
            held.model.close()  # those who kept it may still call it: it loads again
        return names

    def close(self) -> None:
        """Close all."""
        with self._lock:
            held, self._held = [*self._held.values()], {}
        for each in held:
            each.model.close()

    def _may_be(self, target: str) -> bool:
        """Whether what an alias leads to is of this kind, as far as the catalog knows it."""
        spec = BY_NAME.get(target)
        return spec is None or self._does(spec)

    def _fitting(self, given: Mapping[str, str]) -> list[str]:
        return [name for name, target in given.items() if self._may_be(target)]

    def _served(self) -> str:
        names = self.names
        if not names:
            return "the service has none for this."
        return f"GET /v1/models lists those that are, such as {', '.join(names[:3])}."


def embeds(spec: ModelSpec) -> bool:
    """Whether a model gives vectors."""
    return spec.kind == "embedding" or (spec.kind == "late-interaction" and bool(spec.token_dimensions))


def reranks(spec: ModelSpec) -> bool:
    """Whether a model scores documents."""
    return spec.kind in _RERANKS
