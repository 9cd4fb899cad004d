"""What our Haystack components share: a component of ours, given or made, and settings that can be written down."""

from __future__ import annotations

import asyncio
import inspect
from enum import Enum
from typing import Any, ClassVar, Self

from haystack import default_from_dict, default_to_dict
from haystack.utils import Secret, deserialize_callable, serialize_callable

from haystack_jina_components.document_store import JinaDocumentStore
from jina_components.core.component import Component, written
from jina_components.errors import ConfigError
from jina_components.remote import JINA, Remote, is_of_jina

JINA_API_KEY = Secret.from_env_var("JINA_API_KEY", strict=False)
"""The default of `api_key` where there was a predecessor; elsewhere the environment alone sends no text away."""

_ELSEWHERE = ("api_key", "base_url", "model", "timeout", "max_retries", "max_chunk_length")
_CALLBACK = "streaming_callback"


class JinaComponent:
    """Keeps each argument of its constructor as an attribute of that name, which is what `to_dict` writes down.

    Where a class is given no component of ours, one is asked for on a server if there is a key, in `api_key` or in the
    variable of the environment that it names, or a `base_url`; without either it is made here, of the same name.
    """

    part: ClassVar[str] = ""
    """The argument that takes a component of ours."""

    _component: Any = None

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values, without keys: a `Secret` that names a variable of the environment writes that.

        Raises:
            ConfigError: an argument is no value or component that can be written down, or holds a secret.
            InputError: a component of ours is in memory, and would lose what it holds.
            ValueError: `api_key` holds the key itself.
        """
        kind = type(self)
        names = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
        return default_to_dict(
            self, **{name: _written(getattr(self, name), f"{kind.__name__}.{name}") for name in names}
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The component that `to_dict` has written."""
        settings = {name: _read(value) for name, value in data.get("init_parameters", {}).items()}
        if isinstance(settings.get(_CALLBACK), str):
            settings[_CALLBACK] = deserialize_callable(settings[_CALLBACK])
        return default_from_dict(cls, {**data, "init_parameters": settings})

    def warm_up(self) -> None:
        """Load the model, where there is one to load; Haystack's pipelines call this before they run."""
        load = getattr(self._component, "load", None)
        if load is not None:
            load()

    def close(self) -> None:
        """Give back what a component that was made here holds; the next call opens it again. One given is left."""
        if self._is_own:
            self._component.close()

    async def close_async(self) -> None:
        """`close` for event loops; also closes the connections of the running one."""
        if self._is_own:
            await asynchronously(self._component, "close")

    @property
    def _is_own(self) -> bool:
        """Whether the component was made here."""
        return isinstance(self._component, Component) and getattr(self, self.part) is None

    def _get_telemetry_data(self) -> dict[str, Any]:
        """What Haystack sends of it, where its telemetry is on: the kind of component, and none of its settings."""
        return {"component": type(self._component).__name__}

    def _remote(self) -> Remote | None:
        """The server to ask; None for here, or where a component is given.

        Raises:
            ConfigError: a component is given, and settings of a server or a name of a model too; or a bare key.
        """
        parameters = inspect.signature(type(self).__init__).parameters
        settings = {name: getattr(self, name) for name in _ELSEWHERE if name in parameters}
        if getattr(self, self.part) is not None:
            both = [name for name, value in settings.items() if value != parameters[name].default]
            if both:
                raise ConfigError(f"{type(self).__name__} takes either {self.part} or {', '.join(both)}, got both.")
            return None
        secret, base_url = settings["api_key"], settings["base_url"]
        if not isinstance(secret, Secret | None):
            raise ConfigError(
                "api_key must be a Secret of haystack.utils: Secret.from_token(…) or Secret.from_env_var(…)."
            )
        key = secret.resolve_value() if secret is not None else None
        if not key and base_url is None:
            return None
        return Remote(
            base_url or JINA, api_key=key or None, timeout=settings["timeout"], retries=settings["max_retries"]
        )


def named(server: Remote | None, *, remote: str, here: str) -> str:
    """The name of a model where none is given: another on Jina's hosts than elsewhere."""
    return remote if server is not None and is_of_jina(server.base_url) else here


async def asynchronously(component: object, verb: str, *args: Any, **kwargs: Any) -> Any:
    """Call the async twin of a component's method; where it has none, the method in a thread."""
    twin = getattr(component, f"a{verb}", None)
    if twin is not None:
        return await twin(*args, **kwargs)
    return await asyncio.to_thread(getattr(component, verb), *args, **kwargs)


def _written(value: Any, where: str) -> Any:
    if isinstance(value, Secret | JinaDocumentStore):
        return value.to_dict()
    if isinstance(value, Enum):
        return value.value
    if inspect.isfunction(value):  # a callback
        return serialize_callable(value)
    if where.endswith(".labels"):  # of which one may be called "password"
        return value
    return written(value, where)


def _read(value: Any) -> Any:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("env_var", "token"):
        return Secret.from_dict(value)
    if isinstance(kind, str) and kind.startswith("jina_components."):
        return Component.from_dict(value)  # which makes none but components of ours
    if kind == f"{JinaDocumentStore.__module__}.{JinaDocumentStore.__name__}":
        return JinaDocumentStore.from_dict(value)
    return value
