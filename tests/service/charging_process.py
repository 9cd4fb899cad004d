"""Processes that keep books under load until they are killed, each forked from one that has imported everything.

`python charging_process.py`: for each line of the input, `URL ROUND`, a process is forked. Told are its id, what it
tries and what it has been assured of, and that it is gone. It works on the keys of the owner "load".
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys

from sqlalchemy import create_engine

from jina_components.service.accounts.charges import Charges
from jina_components.service.accounts.entries import Entry
from jina_components.service.accounts.keys import Keys
from jina_components.service.accounts.known import KnownKeys
from jina_components.service.database import Database

CHARGERS, MOVERS = 24, 3


def charge(reference: str, key_id: str, tokens: int) -> Entry:
    return Entry(
        reference=reference, key_id=key_id, kind="charge", tokens=-tokens, product="embeddings", model="m", requests=1
    )


def tell(*words: object) -> None:
    # At once and in one piece, as it is short.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def work(url: str, round_: str) -> None:
    database = Database(url)
    keys = Keys(database)
    charges, known = Charges(database), KnownKeys(keys)
    await charges.open()
    ids = sorted(key.id for key in await asyncio.to_thread(keys.list, owner="load"))
    ids = ids or [keys.create(name="first", owner="load")[0].id for _ in range(3)]

    async def charging(number: int) -> None:
        for turn in itertools.count():
            tried = (f"charge-{round_}-{number}-{turn}", ids[(number + turn) % len(ids)], 1 + turn % 7)
            tell("try", "charge", *tried)
            await charges.add(charge(*tried))
            tell("done", "charge", tried[0])

    async def moving(number: int) -> None:
        for turn in itertools.count():
            a, b = ids[(number + turn) % len(ids)], ids[(number + 2 * turn + 1) % len(ids)]
            if a != b:
                tried = (f"transfer-{round_}-{number}-{turn}", a, b, 1 + turn % 5)
                tell("try", "transfer", *tried)
                await asyncio.to_thread(keys.transfer, *tried[1:], reference=tried[0])
                tell("done", "transfer", tried[0])

    async def making() -> None:
        for turn in itertools.count():
            made, secret = await asyncio.to_thread(keys.create, name=f"made {round_} {turn}", owner="made", grant=turn)
            assert await known.find(secret) == made
            tell("done", "key", made.id, secret, turn)
            if turn % 2:
                await asyncio.to_thread(keys.revoke, made.id)
                tell("done", "revoked", made.id)

    await asyncio.gather(making(), *map(charging, range(CHARGERS)), *map(moving, range(MOVERS)))


def main() -> None:
    with contextlib.suppress(ModuleNotFoundError):
        create_engine("postgresql+psycopg://")  # which imports the driver, and connects to nothing
    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                asyncio.run(work(*line.split()))
            finally:
                os._exit(1)
        tell("pid", child)
        os.waitpid(child, 0)
        tell("ended")


if __name__ == "__main__":
    main()
