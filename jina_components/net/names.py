"""Looking up host names."""

from __future__ import annotations

import asyncio
import os
import socket
from concurrent.futures import ThreadPoolExecutor

# Of their own: a name server that does not answer holds a thread for many seconds, and the few threads that an event
# loop brings also unpack, parse and keep what has been fetched.
_THREADS = 64

# By process, since threads do not survive a fork; without a lock, which a child could inherit locked.
_pools: dict[int, ThreadPoolExecutor] = {}


async def addresses_of(host: str, port: int) -> list[str]:
    """Addresses of `host` for a TCP connection to `port`, in the system's order of preference.

    Raises:
        OSError: the name does not resolve.
        UnicodeError: it is no name at all.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads(), _look_up, host, port)


def _threads() -> ThreadPoolExecutor:
    pid = os.getpid()
    if pid not in _pools:
        _pools.setdefault(pid, ThreadPoolExecutor(_THREADS, thread_name_prefix="jina-components-names"))
    return _pools[pid]


def _look_up(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
