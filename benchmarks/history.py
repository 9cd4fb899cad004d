"""One JSON file a run, in `benchmarks/history`: what was measured, when, on what machine, with which versions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.results import Peer, Result
from jina_components.core.durable import write_file

HISTORY = Path(__file__).parent / "history"
Mode = Literal["quick", "full"]
_DIGITS = 5


@dataclass
class Run:
    """A run, finished or not.

    Attributes:
        started: Date and time in UTC, ISO 8601.
        mode: How much was measured.
        seed: Of samples and intervals.
        code: Our version and commit.
        machine: What numbers depend on.
        data: Digest of the data sets; empty without.
        finished: Whether nothing was left to measure.
        results: By row.
        seconds: That each job took, by job.
        versions: Of packages.
        left_out: Jobs that were not run and peers that did not run, and why.
    """

    started: str
    mode: Mode
    seed: int
    code: Mapping[str, str | bool]
    machine: Mapping[str, str | int]
    data: str = ""
    finished: bool = False
    results: dict[str, Result] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """That of its file: when, and how much."""
        return f"{self.started.replace(':', '')}-{self.mode}"

    def continues(self, other: Run) -> bool:
        """Whether it would measure the same code on the same machine and data as another, which was interrupted."""
        same = ("mode", "seed", "code", "machine", "data")
        return not other.finished and all(getattr(self, name) == getattr(other, name) for name in same)


def save(run: Run, folder: Path = HISTORY) -> Path:
    """Writes the file of a run, whole, in place of what it held before."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run.name}.json"
    content = json.dumps(_rounded(asdict(run)), indent=1, ensure_ascii=False)
    write_file(path, lambda file: file.write(f"{content}\n".encode()))
    return path


def load(path: Path) -> Run:
    """What `save` wrote."""
    content = json.loads(path.read_text("utf-8"))
    content["results"] = {name: _result(found) for name, found in content["results"].items()}
    return Run(**content)


def load_all(folder: Path = HISTORY) -> list[Run]:
    """All runs, the oldest first."""
    return [load(path) for path in sorted(folder.glob("*.json"))]


def newest(runs: Sequence[Run], row: str, mode: Mode | None = None) -> tuple[Run, Result] | None:
    """The newest result of a row: of a full run, else of a quick one."""
    for wanted in (mode,) if mode else ("full", "quick"):
        found = [run for run in runs if run.mode == wanted and row in run.results]
        if found:
            return found[-1], found[-1].results[row]
    return None


def _result(content: Mapping[str, Any]) -> Result:
    return Result(**{**content, "peers": {name: Peer(**peer) for name, peer in content["peers"].items()}})


def _rounded(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return value
