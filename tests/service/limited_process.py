"""A process that asks to be let in, as a server does, through keys in a database and limits in Redis.

`python limited_process.py DATABASE LIMITS`: each line of the input is an order in JSON, and is answered by one.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from starlette.requests import HTTPConnection

from jina_components.service.accounts.access import KeyAccess
from jina_components.service.calls import Call, Permit
from jina_components.service.database import Database
from jina_components.service.errors import Problem
from jina_components.service.limits import in_redis, rates, storage
from jina_components.service.limits.tiers import Rate, Tier
from jina_components.service.settings import ServiceSettings

TIERS = {
    "requests": Tier({"embeddings": Rate(requests=1000)}),
    "tokens": Tier({"embeddings": Rate(tokens=200_000)}),
    "slots": Tier({"embeddings": Rate(concurrent=10)}),
}
MINUTE = 60
# So that tests need not wait as long as requests do.
in_redis._SILENCE, storage._BEAT, rates._REFUSED = 2.0, 0.3, 0.2


def connection(size: int) -> HTTPConnection:
    headers = [(b"content-length", str(size).encode())]
    return HTTPConnection(
        {"type": "http", "method": "POST", "headers": headers, "client": ("127.0.0.1", 1), "state": {}}
    )


class Asker:
    """Asks with one key after another."""

    def __init__(self, database: str, limits: str) -> None:
        self._minute, self._since = 0, time.monotonic()
        self._database = Database(database)
        settings = ServiceSettings(data=Path(), limits_url=limits, tiers=TIERS, needs_keys=True)
        self.access = KeyAccess(self._database, settings, clock=self._clock)
        self._held: list[Permit] = []

    def _clock(self) -> float:
        """Real seconds from the beginning of a minute that orders choose, so that none ends in between."""
        return self._minute * MINUTE + time.monotonic() - self._since

    async def spend(
        self, secret: str, *, minute: int, clients: int, size: int, tokens: int, patience: float, most: int
    ) -> dict[str, Any]:
        """Ask with so many clients for requests of a size, until none is let in for a while, or so many were."""
        self._minute, self._since = minute, time.monotonic()
        admitted, refused = 0, []

        async def client() -> None:
            nonlocal admitted
            last = time.monotonic()
            while admitted < most and time.monotonic() < last + patience:
                try:
                    permit = await self.access.admit(secret, "embeddings", connection(size))
                except Problem as problem:
                    refused.append(problem.code)
                    await asyncio.sleep(0.1)
                    continue
                admitted += 1
                last = time.monotonic()
                await asyncio.sleep(0)
                if tokens:
                    await permit.settle(Call(product="embeddings", tokens=tokens, items=1))
                await permit.release()

        await asyncio.gather(*(client() for _ in range(clients)))
        return {"admitted": admitted, "refused": sorted(set(refused))}

    async def hold(self, secret: str, *, most: int) -> dict[str, Any]:
        """Ask for so many requests, and let none of those end that are let in."""
        before = len(self._held)
        for _ in range(most):
            try:
                self._held.append(await self.access.admit(secret, "embeddings", connection(0)))
            except Problem as problem:
                if problem.code != "RATE_CONCURRENCY_LIMIT_EXCEEDED":
                    raise
        return {"admitted": len(self._held) - before}

    async def end(self, *, most: int) -> dict[str, Any]:
        """Let so many of them end."""
        for _ in range(most):
            await self._held.pop().release()
        return {}


def tell(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def main() -> None:
    asker = Asker(*sys.argv[1:])
    await asker.access.open()
    tell("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        tell(await getattr(asker, order.pop("do"))(**order))
    await asker.access.close()


if __name__ == "__main__":
    asyncio.run(main())
