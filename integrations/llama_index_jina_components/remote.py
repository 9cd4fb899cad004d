"""Whether something runs here or on a server, as fields that our LlamaIndex classes share."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from llama_index.core.bridge.pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    SecretStr,
    model_serializer,
)
from llama_index.core.schema import BaseComponent
from pydantic import SerializationInfo, SerializerFunctionWrapHandler

from jina_components.core.component import Component
from jina_components.errors import ConfigError, InputError
from jina_components.remote import JINA, Remote, is_of_jina
from jina_components.types import shorten

_KEYS = ("JINAAI_API_KEY", "JINA_API_KEY")


def find_remote(
    api_key: str | SecretStr | None = None,
    base_url: str | None = None,
    *,
    timeout: float = 60.0,
    max_retries: int = 2,
) -> Remote | None:
    """The server that a key, here or in `JINAAI_API_KEY` or `JINA_API_KEY` of the environment, or an address tells of.

    Args:
        api_key: Key of the server.
        base_url: The root of a server of `jina-components serve`; None with a key for Jina's hosts.
        timeout: Seconds for a request.
        max_retries: Further attempts of a request that failed for a reason that may pass.

    Returns:
        The server, or None for here.

    Raises:
        ConfigError: a setting makes no sense.

    Example:
        >>> find_remote(base_url="http://localhost:8000").endpoint("search").base_url
        'http://localhost:8000/s'
    """
    given = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    key = given or next(filter(None, map(os.environ.get, _KEYS)), None)
    if key is None and base_url is None:
        return None
    return Remote(base_url or JINA, api_key=key, timeout=timeout, retries=max_retries)


Written = PlainSerializer(lambda _: None)
"""For the field of a component that may be given: `reader: Annotated[SupportsRead | None, Written] = None`."""


class ComponentFields(BaseComponent):
    """The field, named by `part`, of a component of ours that may be given, and what else it takes to have one.

    It comes first among the bases of a class. The class annotates the field with `Written`, and says in `_make` how the
    component is made where none is given; it has it as `_component`. A field of `made_of` does not change after that,
    and together with a component it raises ConfigError. None means the default of any field.

    `to_dict` writes a component that was given as its settings, which `from_dict` reads. Of one that cannot be written
    down, since it holds a key or documents in memory or is none of ours, it writes a name, and the component is given
    again: `from_dict(data, embedder=embedder)`. Pickles keep everything.

    Example:
        >>> class Shout(ComponentFields):
        ...     part: ClassVar[str] = "reader"
        ...     reader: Annotated[SupportsRead | None, Written] = None
        ...
        ...     def _make(self) -> Reader:
        ...         return Reader()
    """

    # Inputs are not shown in errors: one of them is the key.
    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=()
    )

    part: ClassVar[str]
    made_of: ClassVar[tuple[str, ...]] = ()
    """Fields of which the component is made."""
    _component: Any = PrivateAttr(default=None)
    # Tells one that cannot be written down from others of its class, for LlamaIndex's caches of what came of it.
    _name: str = PrivateAttr(default_factory=lambda: uuid.uuid4().hex)

    def __init__(self, **settings: Any) -> None:
        settings = {name: value for name, value in settings.items() if value is not None}
        if self.part in settings:
            settings[self.part] = self._read(settings[self.part])
        super().__init__(**settings)
        given = getattr(self, self.part)
        if given is not None:
            self._refuse_both()
        self._component = self._make() if given is None else given

    def _make(self) -> Any:
        """The component, where none was given."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what a component that was made here holds; the next call opens it again. One given is left."""
        if getattr(self, self.part) is None and isinstance(self._component, Component):
            self._component.close()

    @model_serializer(mode="wrap")
    def custom_model_dump(
        self,
        handler: SerializerFunctionWrapHandler,
        info: SerializationInfo,  # noqa: ARG002 (as the base has it)
    ) -> dict[str, Any]:
        """The settings, without keys."""
        data: dict[str, Any] = handler(self)
        if self.part in data:
            data[self.part] = self._written()
        return {**data, "class_name": self.class_name()}

    def _written(self) -> Any:
        component = getattr(self, self.part)
        if component is None:
            return None
        if isinstance(component, Component):
            with suppress(ConfigError, InputError):  # it holds a key, what is in memory alone, or a part none of ours
                return component.to_dict()
        return f"{type(component).__name__} {self._name}"

    @classmethod
    def _read(cls, given: object) -> object:
        if isinstance(given, Mapping):
            return Component.from_dict(given)
        if isinstance(given, str):
            raise ConfigError(
                f"{cls.part} of {cls.__name__} must be a component, got {shorten(repr(given))}. One that could not be "
                f"written down is given again: from_dict(data, {cls.part}=...)."
            )
        return given

    def _refuse_both(self) -> None:
        both = [name for name in self.made_of if getattr(self, name) != self._default(name, vars(self))]
        if both:
            raise ConfigError(
                f"{type(self).__name__} takes either {self.part} or settings of one; got {', '.join(both)} too."
            )

    @classmethod
    def _default(cls, name: str, fields: dict[str, Any]) -> Any:
        return cls.model_fields[name].get_default(call_default_factory=True, validated_data=fields)

    def __getstate__(self) -> dict[str, Any]:
        # LlamaIndex drops what does not pickle, from the object itself: from a copy then, and never the component.
        bare = self.model_copy(update={self.part: None})
        bare._component = None  # noqa: SLF001 (a copy of its own)
        state: dict[str, Any] = super(ComponentFields, bare).__getstate__()
        state["__dict__"][self.part] = getattr(self, self.part)
        state["__pydantic_private__"]["_component"] = self._component
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # LlamaIndex would call the constructor, which looks at the environment here.
        fields = state["__dict__"]
        dropped = {name: self._default(name, fields) for name in type(self).model_fields if name not in fields}
        BaseModel.__setstate__(self, {**state, "__dict__": fields | dropped})


class RemoteFields(ComponentFields):
    """Where a class that is given no component of ours finds one.

    With a key, in `api_key` or the environment, or a `base_url`, it is asked for on a server; without either it is made
    here, of the same name.

    Attributes:
        api_key: Key of the server; by default `JINAAI_API_KEY` or `JINA_API_KEY` of the environment. `to_dict` leaves
            it out, and `from_dict` looks for it there again.
        base_url: The root of a server of `jina-components serve`, such as `http://localhost:8000`; by default, where
            there is a key, Jina's hosts.
        timeout: Seconds for a request.
        max_retries: Further attempts of a request that failed for a reason that may pass.

    Raises:
        ConfigError: a component and settings of one are given, or one makes no sense.
    """

    by_environment: ClassVar[bool] = True
    """Whether a key in the environment alone makes it ask a server; not where that would send away texts that no
    predecessor sent."""

    api_key: SecretStr | None = Field(
        default=None, exclude=True, repr=False, frozen=True, description="Key of the server."
    )
    base_url: str | None = Field(default=None, frozen=True, description="Root of the server; None for here.")
    timeout: float = Field(default=60.0, frozen=True, description="Seconds for a request.")
    max_retries: int = Field(default=2, frozen=True, description="Further attempts of a request.")

    def __init__(self, **settings: Any) -> None:
        if settings.get(self.part) is None:
            places = {name: settings[name] for name in RemoteFields.model_fields if settings.get(name) is not None}
            is_asked = self.by_environment or {"api_key", "base_url"} & places.keys()
            if is_asked and (remote := find_remote(**places)) is not None:
                # Written down, so that what has lost its key is refused by the server and not run here instead.
                settings |= {"api_key": remote.api_key, "base_url": remote.base_url}
        super().__init__(**settings)

    @property
    def remote(self) -> Remote | None:
        """The server, or None for here."""
        if self.base_url is None:
            return None
        key = self.api_key.get_secret_value() if self.api_key else None
        return Remote(self.base_url, api_key=key, timeout=self.timeout, retries=self.max_retries)

    def _refuse_both(self) -> None:
        super()._refuse_both()
        both = [name for name in RemoteFields.model_fields if getattr(self, name) != self._default(name, vars(self))]
        if both:
            raise ConfigError(f"{type(self).__name__} takes either {self.part} or a server; got {', '.join(both)} too.")


def named(part: str, *, remote: str, here: str) -> Callable[[dict[str, Any]], str]:
    """The default of a field for a model's name: that of the component given, or another on Jina's hosts than here."""

    def name(fields: dict[str, Any]) -> str:
        if (given := fields.get(part)) is not None:
            return str(getattr(given, "name", type(given).__name__))
        return remote if is_of_jina(fields["base_url"]) else here

    return name
