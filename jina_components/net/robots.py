"""What the robots.txt of a site lets a bot fetch (RFC 9309)."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jina_components.errors import BlockedURLError, RobotsDeniedError, WebError
from jina_components.net.exchange import Fetched

if TYPE_CHECKING:
    from protego import Protego

Fetch = Callable[[str], Awaitable[Fetched]]
Key = tuple[str, str, str]

_MAX_BYTES = 512_000  # section 2.5: parsers take at least 500 kibibytes
_KEPT_SECONDS = 3600.0  # section 2.4: no more than 24 hours
_UNREACHABLE_SECONDS = 60.0
_KEPT_CHARS = 4_000_000
_ENTRY_CHARS = 500  # what an entry costs however short the text
_AGENT_LINE = re.compile(r"\s*user[\s-]*+agent(?:\s*:|\s)\s*([^\s#]*)", re.IGNORECASE)
_PRODUCT = re.compile(r"[a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a robots.txt says to one bot.

    Attributes:
        parsed: The text; None if it could not be had, and nothing may be fetched.
        reason: Why it could not be had.
        blocked: Set if the guard refused the site itself.
        expires: Time of the monotonic clock.
        cost: Characters it counts for.
    """

    parsed: Protego | None
    expires: float
    cost: int
    reason: str = ""
    blocked: str = ""


class RobotsTexts:
    """The robots.txt of many sites, each fetched once and kept for an hour.

    A site without one (any 4xx but 429) allows everything; one whose robots.txt cannot be had (429, 5xx, no
    connection, a body over the limit) forbids everything, for a minute. Of a long one the first 500 kB count.

    Parsed by Protego (https://github.com/scrapy/protego). It gets no names of other bots to remember: a file of many
    names and many rules would cost it their product.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, _Rules] = OrderedDict()
        self._cost = 0
        self._underway: dict[tuple[asyncio.AbstractEventLoop, Key], asyncio.Task[_Rules]] = {}

    def __reduce__(self) -> tuple[type[RobotsTexts], tuple[()]]:
        return RobotsTexts, ()

    async def check(self, url: str, agent: str, *, via: str, fetch: Fetch) -> float:
        """Seconds that the site asks `agent` to leave between requests, 0 for none.

        Args:
            url: What is to be fetched.
            agent: Name of the bot; a version after it does not matter.
            via: What else decides which robots.txt is seen, such as a proxy.
            fetch: Gives the response behind a URL, also of an error status.

        Raises:
            RobotsDeniedError: the bot may not fetch `url`.
            BlockedURLError: the guard refuses the site.
        """
        token = product_token(agent) or "*"
        parts = urlsplit(url)
        key = f"{parts.scheme}://{parts.netloc}", token, via
        rules = self._get(key) or await self._fetched(key, fetch)
        if rules.blocked:
            raise BlockedURLError(rules.blocked, url)
        if rules.parsed is None:
            raise RobotsDeniedError(f"{url} may not be fetched: {rules.reason} Try again later.", url)
        if not rules.parsed.can_fetch(url, token):
            raise RobotsDeniedError(f"{url} may not be fetched by {agent!r}: {key[0]}/robots.txt forbids it.", url)
        return rules.parsed.crawl_delay(token) or 0.0

    async def _fetched(self, key: Key, fetch: Fetch) -> _Rules:
        """The rules, fetched once for all who ask at the same time on this event loop."""
        place = asyncio.get_running_loop(), key
        task = self._underway.get(place)
        if task is None:
            task = self._underway[place] = asyncio.create_task(self._fetch(key, fetch))
            task.add_done_callback(lambda _: self._underway.pop(place, None))
        return await asyncio.shield(task)

    async def _fetch(self, key: Key, fetch: Fetch) -> _Rules:
        site, token, _ = key
        rules = await _rules(f"{site}/robots.txt", token, fetch)
        with self._lock:
            self._drop(key)
            self._kept[key] = rules
            self._cost += rules.cost
            while self._cost > _KEPT_CHARS:
                self._drop(next(iter(self._kept)))
        return rules

    def _get(self, key: Key) -> _Rules | None:
        with self._lock:
            rules = self._kept.get(key)
            if rules is None or rules.expires <= time.monotonic():
                return None
            self._kept.move_to_end(key)
            return rules

    def _drop(self, key: Key) -> None:
        dropped = self._kept.pop(key, None)
        self._cost -= dropped.cost if dropped else 0


def product_token(agent: str) -> str:
    """The name that a bot goes by in robots.txt, in lower case; empty if there is none.

    Letters, `_` and `-` (section 2.2.1), and digits, which the RFC leaves out and some bots have.
    """
    found = _PRODUCT.match(agent.strip().lower())
    return found[0] if found else ""


async def _rules(robots_url: str, token: str, fetch: Fetch) -> _Rules:
    from protego import Protego

    try:
        answer = await fetch(robots_url)
    except BlockedURLError as error:
        return _unreachable(blocked=error.message)
    except WebError as error:
        return _unreachable(f"its robots.txt cannot be had ({error.message}).")
    status = answer.status_code
    if status == 429 or status >= 500:
        return _unreachable(f"its robots.txt answers with status {status}.")
    text = answer.content[:_MAX_BYTES].decode("utf-8", "replace") if 200 <= status < 300 else ""
    narrowed = _narrowed(text, token)
    parsed = await asyncio.to_thread(Protego.parse, narrowed)
    return _Rules(parsed, time.monotonic() + _KEPT_SECONDS, _ENTRY_CHARS + len(narrowed))


def _unreachable(reason: str = "", *, blocked: str = "") -> _Rules:
    return _Rules(None, time.monotonic() + _UNREACHABLE_SECONDS, _ENTRY_CHARS, reason, blocked)


def _narrowed(text: str, token: str) -> str:
    """The text with `token` and `*` as they are and `@`, which no bot is called, in the place of all other names."""
    lines = []
    for line in text.removeprefix("\ufeff").splitlines():
        if found := _AGENT_LINE.match(line):
            name = "*" if found[1] == "*" else product_token(found[1])
            lines.append(f"User-agent: {name if name in (token, '*') else '@'}")
        else:
            lines.append(line)
    return "\n".join(lines)
