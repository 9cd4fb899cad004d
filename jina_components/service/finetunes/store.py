"""Fine-tuning jobs on disk, a folder each: what was asked for, what was sent, what happened, and the model.

A change is a file put in the place of another, so that a killed process leaves a job as it was before or after.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock

from jina_components.core.durable import is_unfinished, remove, write_file, write_folder
from jina_components.service.errors import Problem, problem
from jina_components.service.finetunes.jobs import PREFIX, UNFINISHED, FineTune

_ID = re.compile(r"ft_[0-9a-f]{16}")
_JOB, _DOCUMENTS, _EVENTS, _LOG, _RUN, _REMOVED = (
    "job.json", "documents.jsonl", "events.jsonl", "log.txt", "run", ".removed",
)  # fmt: skip
# Of the folder that the command writes, what is of no use once the model is there.
_SPENT = ("triplets", "work")
_UNTOLD = ("before", "after")  # of an event: models by where they are on this machine
_TAIL = 256 << 10  # bytes of events that are told


class FineTuneStore:
    """Keeps jobs. Threads and processes of one machine may share them.

    Args:
        folder: Where; made when it is needed.
        most_waiting: Jobs of all owners that have not ended.
        most_waiting_of_owner: Those of one.
        most_of_owner: Jobs of one owner, those that have ended included: each keeps a model.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most_waiting: int = 100,
        most_waiting_of_owner: int = 4,
        most_of_owner: int = 20,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._most_waiting, self._most_waiting_of_owner, self._most_of_owner = (
            most_waiting, most_waiting_of_owner, most_of_owner,
        )  # fmt: skip
        self._clock = clock
        self._lock = threading.Lock()

    def open(self) -> None:
        """Make the folder, and remove what a kill left half written."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            for path in self._folder.iterdir():
                if is_unfinished(path.name) or path.name.endswith(_REMOVED):
                    remove(path)

    def working(self) -> FileLock:
        """To hold while a job is worked on: one at a time on this machine."""
        return FileLock(self._folder / "working.lock", timeout=0, thread_local=False)

    def add(self, job: FineTune, documents: Iterable[Mapping[str, Any]]) -> FineTune:
        """Keep a job: seen from then on, and on the disk, when this returns.

        Raises:
            Problem: 429, the owner has too many; 503, too many wait.
        """

        def write(to: Path) -> None:
            _write(to, made)
            with (to / _DOCUMENTS).open("wb") as lines:
                for document in documents:
                    lines.write(orjson.dumps(document) + b"\n")

        with self._alone():
            self._check_room(job.owner)
            made = replace(job, id=f"ft_{uuid.uuid4().hex[:16]}", created_at=self._clock())
            write_folder(self._folder / made.id, write)
        return made

    def get(self, id: str, owner: str) -> FineTune:
        """A job of an owner.

        Raises:
            Problem: 404, there is none, or it is another's.
        """
        found = self._read(id)
        if found is None or found.owner != owner:
            raise problem(404, "There is no fine-tuning job of this id, or it is another's.")
        return found

    def newest(self, owner: str, limit: int) -> list[FineTune]:
        """An owner's jobs, the newest first."""
        return sorted(self._of(owner), key=lambda job: -job.created_at)[:limit]

    def next(self) -> FineTune | None:
        """The job to work on: one that was begun before, or the oldest that waits."""
        waiting = [job for job in self._all() if job.status in UNFINISHED]
        return min(waiting, key=lambda job: (job.status != "running", job.created_at), default=None)

    def change(self, id: str, **values: Any) -> FineTune | None:  # noqa: ANN401 (those of a job)
        """Change a job that has not ended; None where it has, or is not there any more."""
        with self._alone():
            job = self._read(id)
            if job is None or job.status not in UNFINISHED:
                return None
            if values.get("status", job.status) not in UNFINISHED:
                values["finished_at"] = self._clock()
            changed = replace(job, **values)
            _write(self._folder / id, changed)
            if changed.finished_at is not None:
                remove(self._folder / id / _DOCUMENTS)
                for name in _SPENT:
                    remove(self._folder / id / _RUN / name)
            return changed

    def cancel(self, id: str, owner: str) -> FineTune:
        """Stop a job; one that has ended is left as it is.

        Raises:
            Problem: 404, as `get`.
        """
        job = self.get(id, owner)
        return self.change(job.id, status="cancelled") or self.get(id, owner)

    def remove(self, id: str, owner: str) -> None:
        """Remove a job that has ended, and its model.

        Raises:
            Problem: 404, as `get`; 409, it has not ended.
        """
        with self._alone():
            job = self.get(id, owner)
            if job.status in UNFINISHED:
                raise problem(409, f"The job is {job.status}: cancel it first.")
            gone = self._folder / f"{id}{_REMOVED}"
            (self._folder / id).rename(gone)  # at once, however much there is
        remove(gone)

    def model(self, name: str, owner: str) -> tuple[str, Path] | None:
        """What an owner's fitted model was fitted from, and its folder; None for another's and what is none."""
        job = self._read(f"ft_{name.rpartition(':')[2]}") if name.startswith(PREFIX) else None
        if job is None or job.owner != owner or job.name != name or job.status != "succeeded":
            return None
        return job.base, self.run_folder(job) / "model"

    def run_folder(self, job: FineTune) -> Path:
        """Where the command writes."""
        return self._folder / job.id / _RUN

    def documents(self, job: FineTune) -> Path:
        """What was sent, as JSON Lines."""
        return self._folder / job.id / _DOCUMENTS

    def outputs(self, job: FineTune) -> tuple[Path, Path]:
        """Where the command's standard output, which is events, and standard error go."""
        return self._folder / job.id / _EVENTS, self._folder / job.id / _LOG

    def events(self, job: FineTune) -> list[dict[str, Any]]:
        """The last events of a job, the oldest first."""
        path = self.outputs(job)[0]
        if not path.is_file():
            return []
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _TAIL, 0))
            lines = file.read().split(b"\n")
        return [event for line in lines if (event := _parsed(line)) is not None]

    def _check_room(self, owner: str) -> None:
        own = self._of(owner)
        waiting = [job for job in own if job.status in UNFINISHED]
        if len(waiting) >= self._most_waiting_of_owner:
            raise _too_many(f"You have {len(waiting)} fine-tuning jobs that have not ended: wait, or cancel one.")
        if len(own) >= self._most_of_owner:
            raise _too_many(f"You have {len(own)} fine-tuning jobs with their models: delete one.")
        if sum(job.status in UNFINISHED for job in self._all()) >= self._most_waiting:
            raise problem(503, "There are too many fine-tuning jobs here already: send it later.")

    def _of(self, owner: str) -> list[FineTune]:
        return [job for job in self._all() if job.owner == owner]

    def _all(self) -> Iterator[FineTune]:
        for path in self._folder.glob("ft_*"):
            if (job := self._read(path.name)) is not None:
                yield job

    def _read(self, id: str) -> FineTune | None:
        if not _ID.fullmatch(id):
            return None
        try:
            return FineTune(**orjson.loads((self._folder / id / _JOB).read_bytes()))
        except FileNotFoundError:
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads and processes from changing jobs."""
        with self._lock, FileLock(self._folder / "changing.lock"):
            yield


def _write(folder: Path, job: FineTune) -> None:
    content = orjson.dumps(asdict(job))
    write_file(folder / _JOB, lambda file: file.write(content))


def _parsed(line: bytes) -> dict[str, Any] | None:
    """An event; None of a line that is cut off, or was never whole."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict):
        return None
    return {name: value for name, value in found.items() if name not in _UNTOLD}


def _too_many(told: str) -> Problem:
    return Problem(429, "RATE_REQUEST_LIMIT_EXCEEDED", told, headers={"Retry-After": "60"})
