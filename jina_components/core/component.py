"""What all components share."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from types import TracebackType
from typing import Any, Self, cast

from jina_components.errors import ConfigError
from jina_components.types import shorten
from jina_components.types.codec import decode, encode

_PACKAGE = __name__.partition(".")[0]
_SECRET = re.compile(r"(.*[_-])?(api[_-]?key|token|password|secret|authorization|cookies?)", re.IGNORECASE)
_URL_WITH_PASSWORD = re.compile(r"\w+://[^/\s@]*:[^/\s@]+@|\bpassword\s*=", re.IGNORECASE)


class Component:
    """Pickles as its constructor arguments, and closes at the end of a `with` block.

    Only settings travel to another process: weights, files and connections are opened again there.
    """

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401 (whatever the constructor takes)
        """Remember the arguments before the constructor turns them into something else."""
        self = super().__new__(cls)
        self._arguments = (args, kwargs)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _construct, (type(self), *self._arguments)

    def to_dict(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values, in the form of Haystack's components.

        Raises:
            ConfigError: an argument is a secret, which is never written down, or no value or component of ours;
                the message names it.
            InputError: it holds in memory what would be lost, and does not pickle either.
        """
        return written(self, type(self).__name__)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The component, or one of a subclass, that `to_dict` has written. Takes none but those of this package.

        Raises:
            ConfigError: these are no settings of one.
        """
        made = _read(data, cls.__name__)
        if not isinstance(made, cls):
            raise ConfigError(f"These are settings of a {type(made).__name__}, not of a {cls.__name__}.")
        return made

    def close(self) -> None:
        """Give memory and connections back; the next call opens them again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _construct(cls: type[Component], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Component:
    return cls(*args, **kwargs)


def written(value: Any, where: str) -> Any:  # noqa: ANN401 (JSON values of whatever a constructor takes)
    """A setting as JSON values; `where` names it in errors.

    Raises:
        ConfigError: it is or holds a secret, or no value or component of ours.
        InputError: a component holds in memory what would be lost.
    """
    if value and _SECRET.fullmatch(where.rpartition(".")[2]):
        raise ConfigError(f"{where} is a secret, which is not written down: give it when the settings are read.")
    if isinstance(value, str) and _URL_WITH_PASSWORD.search(value):
        raise ConfigError(f"{where} holds a password, which is not written down: give it when the settings are read.")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [written(item, f"{where}[{position}]") for position, item in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: written(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, Component):
        _, (cls, args, kwargs) = value.__reduce__()  # which refuses what the arguments alone do not make again
        given = inspect.signature(cls).bind(*args, **kwargs).arguments
        settings = {name: written(item, f"{where}.{name}") for name, item in given.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        settings = _encoded(value, where)
    else:
        settings = None
    if settings is None or not type(value).__module__.startswith(f"{_PACKAGE}."):
        raise ConfigError(
            f"{where} is {shorten(repr(value))}, which is no value or component that can be written down."
        )
    return {"type": f"{type(value).__module__}.{type(value).__qualname__}", "init_parameters": settings}


def _encoded(value: Any, where: str) -> Any:  # noqa: ANN401 (a dataclass)
    try:
        settings = encode(value)
    except TypeError as error:
        raise ConfigError(f"{where} cannot be written down: {error}") from error
    return written(settings, where)  # which finds the secrets in it


def _read(value: Any, where: str) -> Any:  # noqa: ANN401 (JSON, and whatever it describes)
    if isinstance(value, list):
        return [_read(item, f"{where}[{position}]") for position, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    if set(value) != {"type", "init_parameters"}:
        return {key: _read(item, f"{where}.{key}") for key, item in value.items()}
    cls = _class(value["type"], where)
    settings = value["init_parameters"]
    try:
        if not issubclass(cls, Component):
            if unknown := settings.keys() - {each.name for each in fields(cast("Any", cls))}:
                raise ConfigError(f"{where} has no {', '.join(sorted(unknown))}.")
            return decode(settings, cls)
        return cls(**{key: _read(item, f"{where}.{key}") for key, item in settings.items()})
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{where} is no {cls.__name__} that can be made: {error}") from error


def _class(path: object, where: str) -> type:
    """A component or dataclass of ours: what comes from outside must not choose any other code to call."""
    module, _, name = str(path).rpartition(".")
    found: Any = None
    if module.startswith(f"{_PACKAGE}.") and "__main__" not in module:  # which is the command, and would run
        try:
            found = getattr(import_module(module), name, None)
        except ImportError:
            found = None
    is_ours = isinstance(found, type) and found.__module__ == module
    if not (is_ours and (issubclass(found, Component) or is_dataclass(found))):
        raise ConfigError(f"{where} is of the type {path!r}, which is no component or settings of {_PACKAGE}.")
    return cast("type", found)
