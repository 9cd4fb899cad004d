"""Charges of requests, written down many at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from jina_components.service.accounts.entries import Entry, post
from jina_components.service.accounts.gathering import Gathering
from jina_components.service.database import Database
from jina_components.service.errors import Problem

_FIRST_PAUSE = 0.05
# Seconds that a charge waits for others that may come, and that these are waited for after their request came.
_PAUSE = 0.01
_SOON = 0.25


class Charges:
    """Writes entries of many requests in one transaction (group commit), which costs one sync of the disk for all.

    An entry waits a moment for others while some are expected; with none it is written at once.

    A transaction whose end was not heard of is sent again; its entries count once, by their references. An entry whose
    waiter is gone is written all the same. After an error it is most likely not written; it can be, if the database was
    lost between its commit and its answer, and did not come back in time.

    Args:
        database: Where to.
        patience: Seconds for which a database that fails is tried again.
        clock: Seconds since 1970.
    """

    def __init__(self, database: Database, *, patience: float = 5.0, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._patience = patience
        self._clock = clock
        self._gathered: Gathering[tuple[Entry, float], None] = Gathering(self._write, name="charges", pause=_PAUSE)
        self._expected: dict[object, float] = {}

    async def open(self) -> None:
        """Make the database ready.

        Raises:
            ConfigError: it cannot be used.
            MissingDependencyError: there is no driver for it.
        """
        await asyncio.to_thread(self._database.open)

    async def close(self) -> None:
        """Write what waits."""
        await asyncio.to_thread(self._gathered.close)

    def expect(self, request: object) -> None:
        """Others may wait a moment for the entry of a request, unless it takes longer than most."""
        self._expected[request] = time.monotonic()

    def forget(self, request: object) -> None:
        """The entry of a request comes now, or never."""
        self._expected.pop(request, None)

    async def add(self, entry: Entry) -> None:
        """Write an entry; it is on the disk at the return.

        Raises:
            Problem: 503, the database fails for longer than the patience.
        """
        now = time.monotonic()
        while self._expected and self._expected[first := next(iter(self._expected))] < now - _SOON:
            del self._expected[first]
        await self._gathered.add((entry, now + self._patience), is_urgent=not self._expected)

    def _write(self, group: Sequence[tuple[Entry, float]]) -> list[Exception | None]:
        try:
            self._post([entry for entry, _ in group], until=min(until for _, until in group))
        except Problem as problem:
            return [problem for _ in group]
        except Exception as error:  # noqa: BLE001 (raised where the entry came from)
            if len(group) == 1:
                return [error]
            # One that cannot be written does not keep the others back.
            return [result for each in group for result in self._write([each])]
        return [None for _ in group]

    def _post(self, entries: Sequence[Entry], until: float) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                with self._database.transaction() as db:
                    post(db, entries, self._clock())
            except Problem:
                if time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause *= 2
            else:
                return
