import asyncio
import multiprocessing
import socket
import threading

import pytest

from jina_components.net import names


async def test_addresses_come_in_the_systems_order(monkeypatch):
    found = [(None, None, 0, "", (address, 80)) for address in ("::1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert await names.addresses_of("a.test", 80) == ["::1", "127.0.0.1"]


async def test_names_that_do_not_resolve():
    with pytest.raises((OSError, UnicodeError)):
        await names.addresses_of("a" * 64, 80)
    assert await names.addresses_of("127.1", 80) == ["127.0.0.1"]


async def test_a_name_server_that_does_not_answer_holds_up_no_other_work(monkeypatch):
    silent = threading.Event()
    monkeypatch.setattr(names, "_look_up", lambda host, _: [host] if host == "good" else [silent.wait(20)])
    waiting = [asyncio.create_task(names.addresses_of("silent", 80)) for _ in range(40)]
    try:
        await asyncio.to_thread(int)
        assert await names.addresses_of("good", 80) == ["good"]
        assert not any(task.done() for task in waiting)
    finally:
        silent.set()
        await asyncio.gather(*waiting)


def _resolve_in_child():
    assert asyncio.run(names.addresses_of("127.0.0.1", 80)) == ["127.0.0.1"]


async def test_a_forked_child_has_threads_of_its_own():
    await names.addresses_of("127.0.0.1", 80)
    child = multiprocessing.get_context("fork").Process(target=_in_thread)
    child.start()
    await asyncio.to_thread(child.join, 20)
    assert child.exitcode == 0


def test_a_child_forked_while_a_name_is_looked_up_waits_for_no_lock(holds_in_forked_child):
    begun, over = threading.Event(), threading.Event()

    async def look_up():
        begun.set()
        while not over.is_set():
            await names.addresses_of("127.0.0.1", 80)

    thread = threading.Thread(target=asyncio.run, args=(look_up(),))
    thread.start()
    begun.wait()
    try:
        assert all(holds_in_forked_child(lambda: _resolve_in_child() is None) for _ in range(10))
    finally:
        over.set()
        thread.join()


def _in_thread():
    thread = threading.Thread(target=_resolve_in_child)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
