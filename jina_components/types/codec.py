"""Results as JSON values, and back by their types: how a trace keeps what everything outside of a search answered."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from jina_components import errors
from jina_components.errors import JinaComponentsError
from jina_components.types.texts import shorten

_ERRORS: dict[str, type[JinaComponentsError]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, JinaComponentsError)
}


def encode(value: object) -> Any:  # noqa: ANN401 (JSON)
    """A value as JSON values, which `decode` turns into an equal one.

    Takes JSON values, tuples, bytes, arrays, our errors (their class and arguments; of a class of somebody else's, the
    nearest of ours) and dataclasses of all these, whose fields that have their default are left out, and those that
    are not meant for it (metadata `on_record` False).

    Raises:
        TypeError: it holds something else.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | Integral):  # the first of which is told faster
        return int(value)
    if isinstance(value, float | Real):
        number = float(value)
        return number if math.isfinite(number) else str(number)
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if is_dataclass(value):
        kept = (each for each in fields(value) if each.init and each.metadata.get("on_record", True))
        given = ((each, getattr(value, each.name)) for each in kept)
        return {each.name: encode(held) for each, held in given if not _is_default(each, held)}
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: encode(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, JinaComponentsError):
        return _encode_error(value)
    if hasattr(value, "tolist"):  # of numpy: an array, or a number that Python has no class for
        return encode(value.tolist())
    raise TypeError(f"{type(value).__name__} cannot be kept on record: {shorten(repr(value))}.")


def decode(value: Any, kind: Any) -> Any:  # noqa: ANN401 (JSON; a type expression; what it says)
    """The value of a type from what `encode` made of it.

    Args:
        value: JSON values.
        kind: The type: `Any`, a dataclass, an error class, bytes or a JSON type, or such as `list[Page | None]`.
            Of a dataclass, what is none of its fields is left out, as of an object of a subclass.

    Raises:
        ValueError: the value is of another type.
        TypeError: the type is none of these.
    """
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin is not None:
        return _decoder(origin, kind)(value, get_args(kind))
    if kind is float and isinstance(value, int | float | str) and not isinstance(value, bool):
        return float(value)
    if kind is bytes and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    if kind in (str, bool, list, dict, NoneType) or (kind is int and not isinstance(value, bool)):
        return _expect(value, kind, kind)
    if isinstance(kind, type) and issubclass(kind, JinaComponentsError):
        return _decode_error(value, kind)
    if is_dataclass(kind):
        return _decode_dataclass(value, kind)
    if kind in (int, float, bytes):
        raise _mismatch(value, kind)
    raise TypeError(f"{kind!r} is no type that a trace can hold.")


def _is_default(each: Field[Any], held: object) -> bool:
    if each.default is not MISSING:
        return type(held) is type(each.default) and held == each.default
    return each.default_factory is not MISSING and held == each.default_factory()


def _encode_error(error: JinaComponentsError) -> list[Any]:
    ours = next(cls for cls in type(error).__mro__ if _ERRORS.get(cls.__name__) is cls)
    arguments: list[Any] = [each if isinstance(each, str | int | float | None) else str(each) for each in error.args]
    if type(error) is not ours:  # whose arguments may be others
        try:
            ours(*arguments)
        except TypeError:
            arguments = [str(error)]
    return [ours.__name__, *map(encode, arguments)]


def _decode_error(value: object, kind: type[JinaComponentsError]) -> JinaComponentsError:
    name, *arguments = _expect(value, list, kind) or [""]
    cls = _ERRORS.get(str(name))
    if cls is None or not issubclass(cls, kind) or not arguments or not isinstance(arguments[0], str):
        raise _mismatch(value, kind)
    try:
        return cls(*arguments)
    except TypeError as error:
        raise _mismatch(value, kind) from error


def _decode_dataclass(value: object, kind: Any) -> object:  # noqa: ANN401 (a dataclass)
    held = _expect(value, dict, kind)
    given = {name: decode(held[name], hint) for name, hint in _hints(kind).items() if name in held}
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"What is on record is no {kind.__name__}: {error}.") from error


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind) if each.init}


def _decode_list(value: object, of: tuple[Any, ...]) -> list[Any]:
    items = _expect(value, list, list)
    if of[0] is float and all(type(item) is float for item in items):  # matrices are large
        return list(items)
    return [decode(item, of[0]) for item in items]


def _decode_tuple(value: object, of: tuple[Any, ...]) -> tuple[Any, ...]:
    items = _expect(value, list, tuple)
    kinds = [of[0]] * len(items) if of[-1] is Ellipsis else of
    if len(kinds) != len(items):
        raise _mismatch(value, tuple)
    return tuple(decode(item, kind) for item, kind in zip(items, kinds, strict=True))


def _decode_mapping(value: object, of: tuple[Any, ...]) -> dict[str, Any]:
    return {name: decode(item, of[1]) for name, item in _expect(value, dict, dict).items()}


def _decode_union(value: object, of: tuple[Any, ...]) -> Any:  # noqa: ANN401 (any of the types)
    for kind in of:
        try:
            return decode(value, kind)
        except ValueError:  # the next may fit
            continue
    raise _mismatch(value, " | ".join(getattr(kind, "__name__", str(kind)) for kind in of))


def _decode_literal(value: object, of: tuple[Any, ...]) -> object:
    if value not in of:
        raise _mismatch(value, of)
    return value


_DECODERS: dict[Any, Callable[[Any, tuple[Any, ...]], Any]] = {
    list: _decode_list, Sequence: _decode_list, tuple: _decode_tuple, dict: _decode_mapping, Mapping: _decode_mapping,
    Union: _decode_union, UnionType: _decode_union, Literal: _decode_literal,
}  # fmt: skip


def _decoder(origin: object, kind: object) -> Callable[[Any, tuple[Any, ...]], Any]:
    if origin not in _DECODERS:
        raise TypeError(f"{kind!r} is no type that a trace can hold.")
    return _DECODERS[origin]


def _expect(value: Any, form: type, kind: object) -> Any:  # noqa: ANN401 (JSON)
    if not isinstance(value, form):
        raise _mismatch(value, kind)
    return value


def _mismatch(value: object, kind: object) -> ValueError:
    return ValueError(f"{getattr(kind, '__name__', kind)} is meant, and this is on record: {shorten(repr(value))}.")
