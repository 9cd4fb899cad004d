"""Answers of servers, read field by field: what is out of form is a WebError that names it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from jina_components.errors import WebError
from jina_components.types import shorten


class Fields:
    """An object of an answer.

    Args:
        given: It, as JSON values.
        url: Where it came from, for errors.
        place: What of the answer it is, for errors.

    Raises:
        WebError: it is no object.
    """

    def __init__(self, given: object, url: str, place: str = "the answer") -> None:
        self.url = url
        self._place = place
        if not isinstance(given, Mapping):
            raise self._wrong("an object", given)
        self._given: Mapping[str, Any] = given

    @classmethod
    def parse(cls, text: str, url: str) -> Fields:
        """Those of JSON, such as the data of an event.

        Raises:
            WebError: it is no JSON, or no object.
        """
        try:
            return cls(json.loads(text), url)
        except (ValueError, RecursionError) as error:
            raise WebError(f"{url} sent what is no JSON: {shorten(text, 200)!r}.", url) from error

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) is not None

    def value(self, name: str) -> Any:  # noqa: ANN401 (JSON values)
        """Any value; None where there is none."""
        return self._given.get(name)

    def text(self, name: str) -> str:
        """A text; empty where there is none."""
        return str(self._of(name, str, "a text", ""))

    def flag(self, name: str) -> bool:
        """Yes or no; no where there is nothing."""
        return bool(self._of(name, bool, "true or false", False))

    def number(self, name: str) -> float:
        """A number, which must be there."""
        value = self._of(name, (int, float), "a number", None)
        if value is None or isinstance(value, bool) or not math.isfinite(value):
            raise self.wrong(name, "a number")
        return float(value)

    def count(self, name: str) -> int:
        """A whole number of 0 or more; 0 where there is none."""
        value = self._of(name, (int, float), "a number", 0)
        if isinstance(value, bool) or not math.isfinite(value) or value < 0:
            raise self.wrong(name, "a number of 0 or more")
        return int(value)

    def items(self, name: str) -> list[Any]:
        """A list; empty where there is none."""
        return list(self._of(name, list, "a list", []))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty where there is none."""
        found = self.items(name)
        for index, each in enumerate(found):
            if not isinstance(each, str):
                raise self._wrong("a text", each, f"{name}[{index}]")
        return tuple(found)

    def rows(self, name: str) -> list[Fields]:
        """A list of objects; empty where there is none."""
        return [Fields(each, self.url, self._named(f"{name}[{index}]")) for index, each in enumerate(self.items(name))]

    def fields(self, name: str) -> Fields:
        """An object; empty where there is none."""
        return Fields(self._of(name, Mapping, "an object", {}), self.url, self._named(name))

    def mapping(self) -> Mapping[str, Any]:
        """All of it."""
        return self._given

    def wrong(self, name: str, wanted: str) -> WebError:
        """The error of a field that is out of form."""
        return self._wrong(wanted, self._given.get(name), name)

    def _of(self, name: str, kind: type | tuple[type, ...], wanted: str, default: Any) -> Any:  # noqa: ANN401
        value = self._given.get(name)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise self.wrong(name, wanted)
        return value

    def _named(self, name: str) -> str:
        return name if self._place == "the answer" else f"{self._place}.{name}"

    def _wrong(self, wanted: str, value: object, name: str = "") -> WebError:
        place = self._named(name) if name else self._place
        return WebError(
            f"{self.url} answered out of form: {place} must be {wanted}, got {shorten(repr(value))}; check base_url.",
            self.url,
        )
