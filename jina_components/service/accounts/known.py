"""The keys that were asked for lately, so that a request need not wait for the database."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from jina_components.service.accounts.gathering import Gathering
from jina_components.service.accounts.keys import Key, Keys, digest_of

# Of the seconds that an answer is good, the part after which it is asked for anew, and for which that waits for others.
_OLD, _PAUSE = 0.5, 0.25


@dataclass(slots=True)
class _Found:
    """What a digest was found to be of, when, before which change of keys, and whether it is being asked for anew."""

    digest: bytes
    key: Key | None
    at: float
    generation: object
    is_asked: bool = False


class KnownKeys:
    """Finds keys by their secrets, in memory where they were asked for a moment ago.

    Keys in use are asked for anew before their answers are too old, many in one query, so that requests do not wait.

    Right and wrong secrets go the same way: each is hashed, and looked up by its digest, many in one query. Wrong ones
    are remembered in a room of their own, so that a flood of them neither fills the memory nor crowds the right ones
    out.

    Args:
        keys: Where they are.
        seconds: How long an answer is good: so late a key is seen that another process revoked. What this process
            changes, through any `Keys` of the same `Database`, is seen at once.
        most: Answers remembered, of right secrets and of wrong ones each.
        clock: Seconds, never going back.
    """

    def __init__(
        self, keys: Keys, *, seconds: float = 2.0, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys = keys
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._right: dict[bytes, _Found] = {}
        self._wrong: dict[bytes, _Found] = {}
        self._by_id: dict[str, _Found] = {}
        self._asked: Gathering[bytes, _Found] = Gathering(self._look_up, name="keys", pause=_PAUSE * seconds)

    async def find(self, secret: str) -> Key | None:
        """The key that a secret is of, also if it was revoked; None where there is none.

        Raises:
            Problem: 503, the database fails.
        """
        digest = digest_of(secret)
        found = self._right.get(digest) or self._wrong.get(digest)
        if found is None or not self._is_good(found) or not hmac.compare_digest(found.digest, digest):
            found = await self._asked.add(digest)
            self._remember(found)
        elif not found.is_asked and found.key is not None and self._clock() - found.at > _OLD * self._seconds:
            found.is_asked = True
            self._asked.add(digest, is_urgent=False).add_done_callback(self._renew)
        return found.key

    def spent(self, key_id: str, tokens: int) -> None:
        """Let the balance that is remembered of a key follow what it was charged just now."""
        found = self._by_id.get(key_id)
        if found is not None and found.key is not None:
            found.key = replace(found.key, balance=found.key.balance - tokens)

    async def close(self) -> None:
        """Forget all, and end the thread that looks up."""
        await asyncio.to_thread(self._asked.close)
        for each in (self._right, self._wrong, self._by_id):
            each.clear()

    def _is_good(self, found: _Found) -> bool:
        return found.generation is self._keys.database.generation and self._clock() - found.at < self._seconds

    def _renew(self, asked: asyncio.Future[_Found]) -> None:
        """Remember what was asked for anew; where that failed, the next request asks, and is told."""
        if asked.exception() is None:
            self._remember(asked.result())

    def _look_up(self, digests: Sequence[bytes]) -> list[_Found]:
        generation, now = self._keys.database.generation, self._clock()  # both before, lest a change is missed
        return [
            _Found(digest, key, now, generation)
            for digest, key in zip(digests, self._keys.find_all(digests), strict=True)
        ]

    def _remember(self, found: _Found) -> None:
        self._right.pop(found.digest, None)
        self._wrong.pop(found.digest, None)
        room = self._wrong if found.key is None else self._right
        room[found.digest] = found
        if found.key is not None:
            self._by_id[found.key.id] = found
        if len(room) > self._most:
            oldest = room.pop(next(iter(room)))
            if oldest.key is not None:
                self._by_id.pop(oldest.key.id, None)
