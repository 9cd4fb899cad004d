"""A service on Ray in a process of its own: `python serving_samples.py DATA`, with the environment of `environment`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import StreamingResponse

from jina_components import Document, Embedder, Retriever
from jina_components.service import Components, ServiceSettings, create_app
from jina_components.service.settings import Limits

GROUP = "small-embedding-v1"
FACT = "The tides in the Bay of Fundy are 16 metres high."
MOST = 24  # requests in work


def make_app(data: Path, model: str) -> FastAPI:
    """The service, whose answers tell the process that they are from, with a stream that a test holds in its hands."""
    settings = ServiceSettings(
        data=data,
        offline=True,
        aliases={"of-the-others": GROUP},
        warm_up=(model,) if model else (),
        playground=False,
        mcp=False,
        limits=Limits(max_in_flight=MOST, max_body_bytes=100_000),
    )
    retriever = Retriever(Embedder(GROUP, offline=True))
    about = {"title": "Tides", "source": "https://example.com/tides", "published_time": "2024-05-06"}
    retriever.add([Document(FACT, metadata=about)])
    app = create_app(settings, components=Components(settings, retriever=retriever))
    app.add_middleware(Told)

    @app.get("/held/{name}")
    async def held(name: str) -> StreamingResponse:
        return StreamingResponse(pieces(data / name))

    return app


async def pieces(folder: Path) -> AsyncGenerator[bytes, None]:
    """One piece, and another when there is a file `go`; a file `gone` when nobody waits for it."""
    try:
        yield b"one"
        while not (folder / "go").exists():  # noqa: ASYNC110 (another process makes it)
            await asyncio.sleep(0.01)
        yield b"two"
    except BaseException:
        (folder / "gone").touch()
        raise


class Told:
    """Adds the process and the group to answers."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def add(message):
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Process"] = str(os.getpid())
                headers["X-Group"] = ",".join(scope["app"].state.settings.warm_up)
            await send(message)

        await self.app(scope, receive, add)


def main() -> None:
    from jina_components.scale.serving import Replicas, on_ray
    from jina_components.service.server import serve

    folder = Path(sys.argv[1])
    groups = {
        "": Replicas(minimum=2, maximum=2, cpus=0.5, target=4, most=6, waiting=12),
        # As many as there is work for: at least one beyond one at a time.
        GROUP: Replicas(maximum=2, cpus=0.5, target=1, grow_seconds=0.5, shrink_seconds=2),
    }
    with on_ray(partial(make_app, folder / "data"), replicas=groups, drain_seconds=10) as app:
        serve(app, port=0, drain_seconds=10, on_listening=lambda url: (folder / "url").write_text(url))


@contextmanager
def service_on_ray(folder: Path) -> Iterator[tuple[str, subprocess.Popen]]:
    """The URL, and the process, which is told to end with the block."""
    here = Path(__file__).parent
    environment = os.environ | {
        "PYTHONPATH": str(here),
        "RAY_worker_niceness": "0",  # else a busy machine hardly lets the workers start
        "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
        "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
        "RAY_TMPDIR": str(folder / "ray"),
    }
    environment.pop("RAY_ADDRESS", None)
    (folder / "ray").mkdir()
    log, url = folder / "log", folder / "url"
    with log.open("wb") as written:
        running = subprocess.Popen([sys.executable, __file__, folder], stderr=written, env=environment)
        try:
            while not url.exists() or not url.read_text():
                assert running.poll() is None, log.read_text()
                time.sleep(0.1)
            yield url.read_text(), running
        finally:
            running.terminate()
            running.wait(60)


if __name__ == "__main__":
    main()
