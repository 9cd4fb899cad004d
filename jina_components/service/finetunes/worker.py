"""The worker: runs `jina-components finetune run` in a process beside the service, one job at a time.

The command goes on where it was stopped, so that a job survives the end of the service and a kill of either process.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from filelock import FileLock, Timeout

from jina_components.service.database import Database
from jina_components.service.errors import Problem, for_clients
from jina_components.service.finetunes.jobs import FineTune
from jina_components.service.finetunes.paying import charge, refusal
from jina_components.service.finetunes.store import FineTuneStore
from jina_components.service.hiding import without_keys
from jina_components.service.logs import REQUEST_ID
from jina_components.service.metrics import Metrics
from jina_components.service.settings import ServiceSettings
from jina_components.service.stepping import keep_stepping

logger = logging.getLogger(__name__)

_POLL_SECONDS = 1.0
_STOP_SECONDS = 30.0  # more than the command takes to put its work down
_MOST_ATTEMPTS = 3
"""Times that the process of a job is killed, as by a lack of memory, before the job is given up."""
_DONE = (0, 1, 3)
"""Exit codes of the command that ended: better, not better, better without some of the sources."""
_INTERRUPTED = 130
_COMMAND = (sys.executable, "-m", "jina_components.cli.supervised", "finetune", "run")
_PREFIX = "jina-components: "
RUN_LOCK = "run.lock"
"""What the command holds in its folder while it works."""
_FAULT = "The service could not do this. Its log has it under this request_id."


class FineTuneWorker:
    """Works on the jobs of a store, beside services that share its folder: one job at a time in all.

    Args:
        store: Of the jobs.
        database: Where they are charged.
        settings: Of the service.
        metrics: Where jobs are counted that are done.
        command: What is run, without its options.
    """

    def __init__(
        self,
        store: FineTuneStore,
        database: Database,
        settings: ServiceSettings,
        metrics: Metrics,
        *,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        self._store, self._database, self._settings, self._metrics = store, database, settings, metrics
        self._command = command
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look for work now rather than a little later."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled; a job at hand is interrupted then, and goes on at the next start."""
        await keep_stepping(self._step, self._woken, what="the worker of fine-tuning", poll=_POLL_SECONDS)

    async def _step(self) -> bool:
        """One job; whether there was one."""
        if await asyncio.to_thread(self._store.next) is None:
            return False
        lock = self._store.working()
        try:
            lock.acquire()
        except Timeout:  # another service is at work
            return False
        try:
            job = await asyncio.to_thread(self._store.next)
            if job is not None:
                await self._work(job)
            return job is not None
        finally:
            lock.release()

    async def _work(self, job: FineTune) -> None:
        REQUEST_ID.set(job.request_id)
        if told := await asyncio.to_thread(refusal, self._database, job):
            await self._change(job, status="failed", error=told)
            return
        if await self._change(job, status="running") is None:  # it was cancelled in between
            return
        logger.info("Fine-tuning job %s begins.", job.id)
        code = await self._ran(job)
        if code is None:
            return
        logger.info("Fine-tuning job %s ended with exit code %d.", job.id, code)
        if code in _DONE:
            await asyncio.to_thread(self._finish, job)
        elif code < 0 or code == _INTERRUPTED:
            await self._try_again(job, code)
        else:
            await self._change(job, status="failed", error=await asyncio.to_thread(self._reason, job))

    async def _ran(self, job: FineTune) -> int | None:
        """The exit code of the job's command; None where the job was cancelled meanwhile."""
        await asyncio.to_thread(self._await_former, job)
        events, log = self._store.outputs(job)
        with events.open("ab") as out, log.open("ab") as err:
            process = await asyncio.create_subprocess_exec(
                *self._command, *self._options(job), stdin=asyncio.subprocess.PIPE, stdout=out, stderr=err
            )
        ended = asyncio.create_task(process.wait())
        try:
            while not ended.done():
                await asyncio.wait([ended], timeout=_POLL_SECONDS)
                if not ended.done() and await asyncio.to_thread(self._is_over, job):
                    return None
            return await ended
        finally:
            if not ended.done():
                await _stopped(process)

    def _await_former(self, job: FineTune) -> None:
        """Of a service that was killed the command may still be putting its work down."""
        lock = self._store.run_folder(job) / RUN_LOCK
        if lock.exists():
            FileLock(lock, timeout=2 * _STOP_SECONDS).acquire().lock.release()

    def _options(self, job: FineTune) -> list[str]:
        given: dict[str, Any] = {
            "--to": self._store.run_folder(job), "--base": job.base, "--seed": job.seed, "--epochs": job.epochs,
            "--max-steps": job.max_steps,
        }  # fmt: skip
        device = self._settings.device
        chosen = [f"{name}={value}" for name, value in {**given, "--device": device}.items() if value is not None]
        networks = [f"--allow-network={network}" for network in self._settings.allow_networks]
        return [*chosen, *networks, "--json", "--quiet", "--", job.url or str(self._store.documents(job))]

    def _is_over(self, job: FineTune) -> bool:
        try:
            return self._store.get(job.id, job.owner).status != "running"
        except Problem:
            return True

    def _finish(self, job: FineTune) -> None:
        told = {event["stage"]: event for event in self._store.events(job) if isinstance(event.get("stage"), str)}
        result = orjson.loads((self._store.run_folder(job) / "report.json").read_bytes())
        kept = {name: result[name] for name in ("verdict", "reason", "questions", "groups", "metrics")}
        tokens = _tokens(told.get("synthesize", {}))
        done = self._store.change(job.id, tokens=tokens)
        if done is not None:
            charge(self._database, done, time.time())  # before it is done: a kill in between charges no second time
            self._store.change(job.id, status="succeeded", result=kept)
            self._metrics.add("finetune", job.model, 1, tokens)

    async def _try_again(self, job: FineTune, code: int) -> None:
        attempts = job.attempts + 1
        logger.error("The process of fine-tuning job %s was killed (%d), for the %d. time.", job.id, code, attempts)
        if attempts >= _MOST_ATTEMPTS:
            told = f"Its process was killed {attempts} times, as by a lack of memory: send less, or a smaller model."
            await self._change(job, status="failed", error=told, attempts=attempts)
        else:
            await self._change(job, attempts=attempts)

    def _reason(self, job: FineTune) -> str:
        """What the command said last, in words for clients: nothing about this machine."""
        lines = self._store.outputs(job)[1].read_text(encoding="utf-8", errors="replace").splitlines()
        told = next((line.removeprefix(_PREFIX) for line in reversed(lines) if line.startswith(_PREFIX)), "")
        logger.error("Fine-tuning job %s failed: %s", job.id, told or "; ".join(lines[-3:]))
        folder = str(self._store.run_folder(job).parent)
        return without_keys(for_clients(told.replace(f"{folder}/", ""))) or _FAULT

    async def _change(self, job: FineTune, **values: Any) -> FineTune | None:  # noqa: ANN401 (those of a job)
        return await asyncio.to_thread(self._store.change, job.id, **values)


async def _stopped(process: asyncio.subprocess.Process) -> None:
    """End a command: it puts its work down when its standard input ends."""
    assert process.stdin is not None  # noqa: S101 (so it was started)
    process.stdin.close()
    try:
        await asyncio.wait_for(asyncio.shield(process.wait()), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _tokens(event: Mapping[str, Any]) -> int:
    found = event.get("tokens", 0)
    return found if isinstance(found, int) else 0
