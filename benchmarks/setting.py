"""What all jobs of a run share: the data, the interpreters of peers, the seed; and what is recorded of the machine."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jina_components

ROOT = Path(__file__).parent.parent
_PROBE = """
import importlib.metadata, importlib.util, json, sys
def has(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False
held = {found.metadata["Name"].lower().replace("_", "-"): found.version for found in importlib.metadata.distributions()}
print(json.dumps([[name for name in json.loads(sys.argv[1]) if has(name)], held]))
"""


@dataclass(frozen=True)
class Setting:
    """A run's.

    Attributes:
        data: Folder of the public sets, or None.
        pythons: Interpreters that peers may run with, beside this one.
        cache: Folder for vectors and texts that are made on the way.
        threads: That each contender of a speed row may compute with.
        seed: Of samples and intervals.
        skipped: Peers that did not run, and why; jobs add to it.
    """

    data: Path | None
    pythons: Sequence[str] = ()
    cache: Path = ROOT / "build" / "bench"
    threads: int = 1
    seed: int = 0
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def sets(self) -> Path:
        """The folder of the public sets, of a job that needs some."""
        assert self.data is not None, "a job that needs data is not started without"
        return self.data

    def python_with(self, *modules: str) -> str | None:
        """The first interpreter that has these modules, this one before the peers'."""
        found = (python for python in (sys.executable, *self.pythons) if _has(python, *modules))
        return next(found, None)

    def present(self, needs: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """The interpreter of each system that one has what it needs for; the others are noted as skipped."""
        found = {}
        for name, modules in needs.items():
            python = self.python_with(*modules)
            if python is None:
                self.skipped[name] = f"not installed: {', '.join(modules)}"
            else:
                found[name] = python
        return found

    def versions(self, packages: Iterable[str]) -> dict[str, str]:
        """Of the packages that are installed, those of this interpreter before the peers'."""
        held = [probed(python)[1] for python in (sys.executable, *self.pythons)]
        keys = {name: name.lower().replace("_", "-") for name in packages}
        named = {name: [one[key] for one in held if key in one] for name, key in keys.items()}
        return {name: versions[0] for name, versions in named.items() if versions}


@functools.cache
def probed(python: str, modules: tuple[str, ...] = ()) -> tuple[frozenset[str], dict[str, str]]:
    """Which of these modules an interpreter has, and versions of all its packages by name, lower case with hyphens."""
    done = subprocess.run([python, "-c", _PROBE, json.dumps(modules)], stdout=subprocess.PIPE, check=True)
    present, held = json.loads(done.stdout)
    return frozenset(present), held


def _has(python: str, *modules: str) -> bool:
    return probed(python, modules)[0].issuperset(modules)


def machine(threads: int) -> dict[str, str | int]:
    """What numbers depend on; nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor(),
        "cores": os.cpu_count() or 0,
        "threads": threads,
        "memory GB": round(memory / 2**30),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """The model's name, where Linux tells it, without the marks of its maker."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine()).replace("(R)", "").replace("(TM)", "")


def code() -> dict[str, str | bool]:
    """Our version, and the commit where there is a repository; `changed` says that files differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = bool(git("status", "--porcelain", "--untracked-files=no", "jina_components", "benchmarks/*.py"))
    return {
        "version": jina_components.__version__,
        "commit": git("rev-parse", "--short=12", "HEAD"),
        "changed": changed,
    }


def digest(data: Path | None, folders: Iterable[str]) -> str:
    """Of the names and contents of all files of the folders that are there; 16 hexadecimal digits."""
    total = hashlib.sha256()
    for folder in sorted(folders) if data else ():
        assert data is not None
        for path in sorted(path for path in (data / folder).rglob("*") if path.is_file()):
            total.update(f"{path.relative_to(data).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]
