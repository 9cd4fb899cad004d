"""What providers behind an HTTP API share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from jina_components.core.background import run_sync
from jina_components.core.component import Component
from jina_components.errors import WebError
from jina_components.net import ApiClient
from jina_components.search_options import TimeRange
from jina_components.web_search.provider import Capabilities, Rate

GOOGLE_TIME_RANGES: dict[TimeRange, str] = {
    "": "", "hour": "qdr:h", "day": "qdr:d", "week": "qdr:w", "month": "qdr:m", "year": "qdr:y",
}  # fmt: skip
"""What Google, and APIs that pass it on, call time ranges in `tbs`."""

_MAX_BYTES = 20_000_000
# Others wrote what is found: to a terminal, some of these are commands.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class ApiProvider(Component):
    """A provider behind an HTTP API. The URL guard does not apply: the caller chose the address.

    Args:
        base_url: Where the API begins.
        api_key: The key, shown in no repr and no error.
        auth_header: The header that carries it.
        timeout: Seconds for a call.
        rate: How often to call, where that differs from the provider's usual.
    """

    name: ClassVar[str]
    can: ClassVar[Capabilities]

    def __init__(
        self, base_url: str, *, api_key: str | None, auth_header: str, timeout: float, rate: Rate | None
    ) -> None:
        self.capabilities = replace(self.can, rate=rate or self.can.rate)
        self._api = ApiClient(
            base_url, api_key=api_key, auth_header=auth_header, timeout=timeout, retries=1, max_bytes=_MAX_BYTES
        )

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        run_sync(self._api.aclose())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._api.base_url!r})"


class KeyedProvider(ApiProvider):
    """A provider whose API asks for a key.

    Args:
        api_key: The key; None for a server that takes calls without.
        base_url: Where the API begins, if it is not the provider's own.
        timeout: Seconds for a call.
        rate: How often to call, where that differs from the provider's usual.

    Raises:
        ConfigError: the key, the URL or a limit makes no sense.
    """

    home: ClassVar[str]
    auth_header: ClassVar[str] = "authorization"

    def __init__(
        self, api_key: str | None, *, base_url: str | None = None, timeout: float = 15.0, rate: Rate | None = None
    ) -> None:
        address = self.home if base_url is None else base_url
        super().__init__(address, api_key=api_key, auth_header=self.auth_header, timeout=timeout, rate=rate)


def given(**values: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON has no type)
    """Those of the values that are not empty."""
    return {name: value for name, value in values.items() if value not in ("", None, [], ())}


def rows(body: Mapping[str, Any], *path: str) -> list[Mapping[str, Any]]:
    """The list of objects under `path`; empty when it is missing, as it is when nothing was found.

    Raises:
        WebError: something else is there.
    """
    found: Any = body
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else found
    if found is None:
        return []
    if not isinstance(found, list):
        raise WebError(f"The answer has no list in {'.'.join(path)!r}: is base_url that of this provider?")
    return [row for row in found if isinstance(row, Mapping)]


def text(row: Mapping[str, Any], *path: str) -> str:
    """The string under `path` on one line, without control characters; or an empty one."""
    found = _at(row, path)
    return _CONTROLS.sub(" ", found).strip() if isinstance(found, str) else ""


def number(row: Mapping[str, Any], *path: str) -> int | None:
    """The whole number under `path`, written as a number or a string, or None."""
    found = _at(row, path)
    if isinstance(found, str) and found.isdecimal() and len(found) < 10:
        return int(found)
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 1e9 else None


def links(row: Mapping[str, Any], name: str) -> tuple[tuple[str, str], ...]:
    """(title, URL) of the links that a hit has under `name`."""
    found = row.get(name)
    listed = [link for link in found if isinstance(link, Mapping)] if isinstance(found, list) else []
    return tuple((text(link, "title"), text(link, "link") or text(link, "url")) for link in listed)


def _at(row: Mapping[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401 (JSON has no type)
    found: Any = row
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
