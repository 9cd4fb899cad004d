"""What a process that serves does for its memory."""

from __future__ import annotations

import asyncio
import gc

from jina_components.service import memory


async def test_models_that_come_and_go_are_set_aside_and_let_go(monkeypatch):
    monkeypatch.setattr(memory, "gc", gc)  # which conftest.py keeps from the services of other tests
    monkeypatch.setattr(memory, "_EVERY_SECONDS", 0.001)
    gc.unfreeze()  # what conftest.py has set aside
    before, models = gc.get_freeze_count(), ["a"]
    full = asyncio.Semaphore(0)  # collections
    note = lambda phase, info: full.release() if phase == "start" and info["generation"] == 2 else None  # noqa: E731
    gc.callbacks.append(note)
    task = asyncio.create_task(memory.watch_memory(lambda: tuple(models)))
    try:
        for _ in range(2):  # when it is asked for, and when it is loaded
            await full.acquire()
        await asyncio.sleep(0)
        assert gc.get_freeze_count() > before
        models.clear()
        for _ in range(2):
            await full.acquire()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gc.callbacks.remove(note)
        gc.unfreeze()
        gc.collect()
        gc.freeze()
