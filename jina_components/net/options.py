"""How one URL is fetched, where it is to differ from the fetcher's own settings; and what a fetcher is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from jina_components.errors import ConfigError
from jina_components.net.exchange import Fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions:
    """How one URL is fetched.

    Attributes:
        timeout: Seconds for the whole fetch, or None for the fetcher's.
        max_bytes: Limit of the body, or None for the fetcher's.
        proxy: Proxy to go through, as `http(s)://[user:password@]host[:port]`; empty for none. The fetcher's guard
            must allow its address, and still resolves and checks the host of every hop; but it is the proxy that
            connects, by a name it resolves itself, so the guard cannot promise where it arrives.
        cache_tolerance: Age in seconds up to which a cached response is served, or None for the cache's. With 0 none
            is, not even an old one in place of a failure.
        store: Whether the response may be kept in the cache.
        accept_errors: Whether a page of an error status is returned; else it is an `HTTPStatusError`.
        robots: Name of a bot as which to obey robots.txt on every hop; empty to ignore it.

    Raises:
        ConfigError: a limit is not positive, or the proxy is of another form.
    """

    timeout: float | None = None
    max_bytes: int | None = None
    proxy: str = field(default="", repr=False)  # may hold a password
    cache_tolerance: float | None = None
    store: bool = True
    accept_errors: bool = False
    robots: str = ""

    def __post_init__(self) -> None:
        for name in ("timeout", "max_bytes"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ConfigError(f"{name} must be positive, got {value}.")
        if self.cache_tolerance is not None and self.cache_tolerance < 0:
            raise ConfigError(f"cache_tolerance must not be negative, got {self.cache_tolerance}.")
        if self.proxy and not _is_proxy(self.proxy):
            raise ConfigError("proxy must have the form http(s)://[user:password@]host[:port].")


class SupportsFetch(Protocol):
    """What fetches: a `Fetcher`, or a stand-in that replays what was recorded."""

    async def fetch(
        self, url: str, *, headers: Mapping[str, str] | None = None, options: FetchOptions = ...
    ) -> Fetched:
        """The response behind `url`; see `Fetcher.fetch`."""
        ...


def _is_proxy(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError):
        return False
    return url.scheme in ("http", "https") and bool(url.raw_host) and url.raw_path == b"/" and not url.fragment
