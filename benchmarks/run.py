"""A run: job by job, each kept as soon as it is done."""

from __future__ import annotations

import importlib
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.history import HISTORY, Mode, Run, load_all, save
from benchmarks.results import Result
from benchmarks.setting import Setting, code, digest, machine
from benchmarks.table import JOBS, ROWS, Job
from jina_components.errors import JinaComponentsError

_OUR_PACKAGES = ("numpy", "onnxruntime", "faiss-cpu")


def measure(
    setting: Setting, mode: Mode, only: Sequence[str] | None = None, folder: Path = HISTORY
) -> tuple[Run, Path]:
    """Measure what is asked for, or what an interrupted run of the same has left.

    A job that fails is told and left out, and the others go on: what they measured is worth as much without it.

    Args:
        setting: The run's.
        mode: How much.
        only: Components and jobs; default all.
        folder: Of the history.

    Returns:
        The run, and its file.
    """
    wanted = [name for name in JOBS if not only or {name, *_components(name)} & set(only)]
    run = _begun(setting, mode, wanted, folder)
    save(run, folder)
    for name in wanted:
        if name in run.seconds:
            print(f"{name}: measured before the interruption", flush=True)
            continue
        run.left_out.pop(name, None)
        reason = _why_not(JOBS[name], setting, mode)
        if reason:
            run.left_out[name] = reason
        else:
            _do(name, setting, run)
        save(run, folder)
    run.finished = True
    return run, save(run, folder)


def _components(job: str) -> Iterator[str]:
    return (row.component for row in ROWS if row.job == job)


def _begun(setting: Setting, mode: Mode, wanted: Collection[str], folder: Path) -> Run:
    folders = {one for name in wanted for one in JOBS[name].data}
    started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    run = Run(started, mode, setting.seed, code(), machine(setting.threads), digest(setting.data, folders))
    before = [other for other in load_all(folder) if run.continues(other)]
    return before[-1] if before else run


def _why_not(job: Job, setting: Setting, mode: Mode) -> str:
    """Why a job is not run; empty where it is."""
    if mode == "quick" and job.quick is None:
        return "only in a full run"
    if not job.data:
        return ""
    if setting.data is None:
        return f"without --data (it reads {', '.join(job.data)})"
    missing = [folder for folder in job.data if not (setting.data / folder).is_dir()]
    return f"the data folder has no {', '.join(missing)}" if missing else ""


def _do(name: str, setting: Setting, run: Run) -> None:
    job = JOBS[name]
    size = (job.quick if run.mode == "quick" else job.full) or {}
    module, _, function = job.module.partition(".")
    started = time.perf_counter()
    setting.skipped.clear()
    try:
        found: dict[str, Result] = getattr(importlib.import_module(f"benchmarks.jobs.{module}"), function)(
            setting, **size
        )
    except (JinaComponentsError, ImportError, OSError, RuntimeError, ValueError, SystemExit) as error:
        run.left_out[name] = _without_paths(f"{type(error).__name__}: {error}", setting)
        print(f"{name}: left out, {error!r}", flush=True)
        return
    run.results.update(found)
    run.seconds[name] = round(time.perf_counter() - started, 1)
    run.versions.update(setting.versions((*_OUR_PACKAGES, *job.packages)))
    run.left_out.update({peer: _without_paths(why, setting) for peer, why in setting.skipped.items()})
    for row, result in found.items():
        gaps = ", ".join(f"{peer} {one.value:.4g} ({one.gap:+.3g})" for peer, one in result.peers.items())
        print(f"{row}: {result.ours:.4g}; {gaps}", flush=True)
    print(f"{name}: {run.seconds[name]} s", flush=True)


def _without_paths(text: str, setting: Setting) -> str:
    """A message without the folders of this machine, cut to a line."""
    for path in (setting.data, setting.cache, Path.cwd(), Path.home()):
        text = text.replace(str(path), "…") if path else text
    return " ".join(text.split())[:200]
