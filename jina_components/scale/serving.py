"""The service on Ray Serve: replicas of it, in groups that grow and shrink by themselves, behind one front.

Each replica is the whole service in a process of its own, with one batcher for each of its models; so answers are those
of the plain service. The front is what listens: it admits requests as the plain service does, and passes each on to the
group of the model that it asks for. Replicas share keys, limits and batches through the database and Redis.

Ray's own HTTP proxies are not used: they would answer errors in other words, hold bodies without a limit, and take
offers to upgrade for bodies.
"""

from __future__ import annotations

import asyncio
import logging
import logging.config
import os
import re
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI
from opentelemetry import propagate
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jina_components.errors import BackendError, ConfigError, MissingDependencyError
from jina_components.service.admission import EXEMPT, Admission
from jina_components.service.calls import Call
from jina_components.service.errors import problem
from jina_components.service.hosts import Hosts, prefix_of
from jina_components.service.logs import ACCESS, REQUEST_ID, logging_config
from jina_components.service.memory import watch_memory
from jina_components.service.names import plain_name
from jina_components.service.routes import health
from jina_components.service.settings import ServiceSettings
from jina_components.service.telemetry import exported_spans
from jina_components.service.watching import Watching

logger = logging.getLogger(__name__)

_SOON = {"Retry-After": "1"}
# A key of JSON and its value: within a string of JSON its quotes would have backslashes before them.
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,512})"')
# Of a scope, what goes to a replica; the rest is of this process.
_PASSED = ("type", "asgi", "http_version", "method", "scheme", "path", "query_string", "root_path", "server", "client")
# What a replica tells of a request, for the front's log and metrics.
_TOLD = ("product", "model", "items", "tokens", "code")
# Constructions that fail in a row before a group is given up, as a database may be a moment late.
_ATTEMPTS = 3
_EVERY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """A group of replicas.

    Attributes:
        minimum, maximum: How many there are.
        cpus, gpus: What each takes of its machine; may be a part of one.
        target: Requests that one should have in work or waiting: with more, replicas are added, with fewer taken away.
            Those that come together are a batch of the model's, so that it should be some.
        most: Requests that one may have; those beyond wait until one has fewer.
        waiting: Requests that may wait for the group; those beyond are told to come again (503).
        grow_seconds, shrink_seconds: How long there have to be more, or fewer.

    Raises:
        ConfigError: a number makes no sense.
    """

    minimum: int = 1
    maximum: int = 1
    cpus: float = 1.0
    gpus: float = 0.0
    target: float = 16.0
    most: int = 64
    waiting: int = 256
    grow_seconds: float = 10.0
    shrink_seconds: float = 300.0

    def __post_init__(self) -> None:
        if not 1 <= self.minimum <= self.maximum:
            raise ConfigError(f"There must be 1 replica at least, and no more than {self.maximum}: got {self.minimum}.")
        if min(self.cpus, self.gpus, self.grow_seconds, self.shrink_seconds) < 0 or not 0 < self.target <= self.most:
            raise ConfigError(f"Numbers of replicas must be positive, and target no more than most: got {self!r}.")


@contextmanager
def on_ray(
    make_app: Callable[[str], FastAPI],
    *,
    replicas: Mapping[str, Replicas],
    address: str = "local",
    drain_seconds: float = 30.0,
) -> Iterator[FastAPI]:
    """A service of many replicas, as an application for `service.server.serve`. They end with the block.

    Args:
        make_app: Makes the whole service, by `create_app`. It is called in each replica with the name of the model
            that its group is for, which should be loaded before it is ready; empty for the group of all others, and in
            this process, where the application only tells its settings. It travels to the replicas: a function of a
            module, or a `functools.partial` of one.
        replicas: Groups by the name of their model, as clients know it; that of the empty name is for all other models,
            and for whatever else is asked.
        address: `local` starts a cluster of this machine for the time of the block, on the loopback interface; `auto`,
            or HOST:PORT of the head, joins one that this machine is a node of. A connection that the program has
            already made is used as it is, and left open.
        drain_seconds: How long a replica that is taken away may work on what it has.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigError: replicas could not share what they must: limits of keys without Redis, or a database in a file for
            several machines; no group has the empty name; the address is one of Ray's client.
        BackendError: there is no cluster, or it has failed.
    """
    ray, serve = _import_ray()
    replicas = {plain_name(name): group for name, group in replicas.items()}
    if "" not in replicas:
        raise ConfigError("replicas must have a group of the empty name, for all that no other group is for.")
    plain = make_app("")
    settings: ServiceSettings = plain.state.settings
    if settings.needs_keys and not settings.limits_url:
        raise ConfigError("Replicas count the requests of keys together, in Redis: limits_url must name one.")
    with _connected(ray, address):
        if len([node for node in ray.nodes() if node["Alive"]]) > 1 and settings.database.startswith("sqlite"):
            raise ConfigError("Replicas on several machines share a database: database_url must name a PostgreSQL.")
        names = {model: f"jina-components-{model or 'others'}" for model in replicas}
        try:
            with _deployed(serve, make_app, replicas, names, drain_seconds, own=address == "local") as handles:
                yield _front(plain, handles, partial(_look, serve, [*names.values()]))
        except ray.exceptions.RayError as error:
            raise BackendError(f"The Ray cluster failed: {_last_line(str(error))}") from error


def _front(plain: FastAPI, handles: Mapping[str, Any], look: Callable[[], tuple[bool, str]]) -> FastAPI:
    """What listens: the application with the state of a plain one, whose requests go to replicas."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        watching = asyncio.create_task(_watch(app, look))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    quiet = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
    app = FastAPI(openapi_url=None, lifespan=lifespan, telemetry=quiet)
    app.state = plain.state
    app.state.ready = False
    app.include_router(health.router)
    # The last added is the outermost, as `create_app` has them.
    app.add_middleware(_Forwarding, handles=handles)
    app.add_middleware(Admission, limits=app.state.settings.limits, metrics=app.state.metrics)
    app.add_middleware(Hosts)
    app.add_middleware(Watching, metrics=app.state.metrics, stand_ins={})
    return app


class _Forwarding:
    """Passes requests on to replicas, and their answers back, piece by piece."""

    def __init__(self, app: ASGIApp, handles: Mapping[str, Any]) -> None:
        from ray import exceptions
        from ray.serve.exceptions import BackPressureError, RayServeException

        self._app = app
        self._handles = handles
        self._full, self._faults = BackPressureError, exceptions.RayTaskError
        self._failures = (exceptions.RayError, RayServeException)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, but for those that ask about the front itself."""
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self._app(scope, receive, send)
            return
        body = (await receive()).get("body", b"")  # the whole of it, which Admission has read
        call: Call = scope["state"]["call"]
        stream = self._handle(body).remote(_passed(scope), body)
        is_whole = False
        try:
            async for messages in stream:
                for message in messages:
                    await self._take(message, scope, call, send)
            is_whole = True
        except self._full as error:
            raise problem(503, "Too many requests wait for this already; come again.", headers=_SOON) from error
        except self._faults:
            raise
        except self._failures as error:
            logger.warning("A replica failed: %s", _last_line(str(error)))
            raise problem(503, "What worked on the request has failed; come again.", headers=_SOON) from error
        finally:
            if not is_whole:
                stream.cancel()

    def _handle(self, body: bytes) -> Any:  # noqa: ANN401 (a handle)
        """That of the group. Any replica can answer any request, so this need not be more than probably right."""
        found = _MODEL.search(body) if len(self._handles) > 1 else None
        name = plain_name(found[1].decode(errors="replace")) if found else ""
        return self._handles.get(name, self._handles[""])

    async def _take(self, message: Message, scope: Scope, call: Call, send: Send) -> None:
        if message["type"] == "jina.told":
            for name in _TOLD:
                setattr(call, name, message[name])
            scope["route"] = _Route(message["route"])
            return
        if message["type"] == "http.response.start":
            call.request_id = Headers(raw=message["headers"])["x-request-id"]  # errors hold it too
            REQUEST_ID.set(call.request_id)
        await send(message)


@dataclass(frozen=True, slots=True)
class _Route:
    """The template of a route, of which logs and metrics tell."""

    path: str


def _passed(scope: Scope) -> dict[str, Any]:
    """What a replica needs of a scope, as it came: a host's prefix, which it adds again, is off the path."""
    passed = {name: scope[name] for name in _PASSED}
    host = Headers(scope=scope).get("host", "")
    passed["path"] = passed["path"][len(prefix_of(host.encode("latin-1"))) :]
    passed["raw_path"] = scope.get("raw_path", b"")[len(prefix_of(host.encode("latin-1"))) :]
    traced: dict[str, str] = {}
    propagate.inject(traced)
    others = [(name, value) for name, value in scope["headers"] if name.decode("latin-1") not in traced]
    passed["headers"] = [*others, *((name.encode(), value.encode()) for name, value in traced.items())]
    return passed


class _Replica:
    """The service in a process of Ray's. Ray calls the methods, all on one event loop.

    Args:
        make_app: Makes the service.
        model: The model that it is for.
    """

    async def __init__(self, make_app: Callable[[str], FastAPI], model: str) -> None:
        logging.config.dictConfig(logging_config("json"))  # into files of Ray's
        logging.getLogger(ACCESS).setLevel(logging.WARNING)  # the front tells of requests
        sys.setswitchinterval(0.0005)
        self._app = make_app(model)
        self._is_ending = asyncio.Event()
        self._living = asyncio.create_task(self._live())
        while not self._app.state.ready:
            if self._living.done():
                self._living.result()
            if self._app.state.failure is not None:
                raise self._app.state.failure
            await asyncio.sleep(0.02)

    async def _live(self) -> None:
        """The application's life, in one task from its beginning to its end."""
        components = self._app.state.components
        in_memory = asyncio.create_task(
            watch_memory(lambda: (components.embedders.held, components.rerankers.held))
        )
        try:
            with exported_spans():
                async with self._app.router.lifespan_context(self._app):
                    await self._is_ending.wait()
        finally:
            in_memory.cancel()
            await asyncio.gather(in_memory, return_exceptions=True)
            if components.retriever is not None:
                await asyncio.to_thread(components.retriever.close)

    async def __call__(self, scope: dict[str, Any], body: bytes) -> AsyncGenerator[list[Message], None]:
        """The messages of an answer, those that are there at a time, and what is told of the request."""
        scope["state"] = {}
        coming, unread, is_gone = _Messages(), [body], asyncio.Event()

        async def receive() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await is_gone.wait()
            return {"type": "http.disconnect"}

        working = asyncio.create_task(self._app(scope, receive, coming.put))
        working.add_done_callback(lambda _: coming.end())
        try:
            async for messages in coming:
                yield messages
            await working
            call: Call = scope["state"]["call"]
            route = getattr(scope.get("route"), "path", "")
            yield [{"type": "jina.told", "route": route, **{name: getattr(call, name) for name in _TOLD}}]
        finally:
            is_gone.set()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def check_health(self) -> None:
        """Raises where the service is not ready; Ray replaces the replica then."""
        if not self._app.state.ready:
            raise RuntimeError("The service is not ready.")

    async def __del__(self) -> None:
        self._app.state.ready, self._app.state.ending = False, True
        self._is_ending.set()
        await asyncio.gather(self._living, return_exceptions=True)


class _Messages:
    """Messages on their way, as those that are there at a time: what is answered at once is one piece for Ray."""

    def __init__(self) -> None:
        self._there: list[Message] = []
        self._is_changed = asyncio.Event()
        self._is_ended = False

    async def put(self, message: Message) -> None:
        """One more."""
        self._there.append(message)
        self._is_changed.set()

    def end(self) -> None:
        """There are no more."""
        self._is_ended = True
        self._is_changed.set()

    async def __aiter__(self) -> AsyncGenerator[list[Message], None]:
        while self._there or not self._is_ended:
            await self._is_changed.wait()
            self._is_changed.clear()
            there, self._there = self._there, []
            if there:
                yield there


@contextmanager
def _deployed(
    serve: Any,  # noqa: ANN401 (the module)
    make_app: Callable[[str], FastAPI],
    replicas: Mapping[str, Replicas],
    names: Mapping[str, str],
    drain_seconds: float,
    *,
    own: bool,
) -> Iterator[dict[str, Any]]:
    """Handles of the groups, each an application of Serve's, which need not be ready yet."""
    quiet = {"enable_access_log": False, "log_level": "WARNING"}
    targets = []
    for model, group in replicas.items():
        deployment = serve.deployment(_Replica).options(
            name=names[model],
            ray_actor_options={"num_cpus": group.cpus, "num_gpus": group.gpus},
            max_ongoing_requests=group.most,
            max_queued_requests=group.waiting,
            autoscaling_config={
                "min_replicas": group.minimum,
                "max_replicas": group.maximum,
                "target_ongoing_requests": group.target,
                "upscale_delay_s": group.grow_seconds,
                "downscale_delay_s": group.shrink_seconds,
            },
            graceful_shutdown_timeout_s=drain_seconds,
            graceful_shutdown_wait_loop_s=0.5,
            health_check_period_s=5,
            max_constructor_retry_count=_ATTEMPTS,
            logging_config=quiet,
        )
        targets.append(serve.RunTarget(deployment.bind(make_app, model), name=names[model], route_prefix=None))
    try:
        serve.start(proxy_location="Disabled", logging_config=quiet)
        handles = serve.run_many(targets, wait_for_applications_running=False)
        yield {model: handle.options(stream=True) for model, handle in zip(replicas, handles, strict=True)}
    finally:
        if own:
            serve.shutdown()
        else:
            for name in names.values():
                serve.delete(name)


def _look(serve: Any, names: list[str]) -> tuple[bool, str]:  # noqa: ANN401 (the module)
    """Whether each group has a replica that is ready; why one will never have any, or nothing."""
    applications = serve.status().applications
    groups = [group for name in names for group in applications[name].deployments.values()]
    failures = [_last_line(group.message) for group in groups if group.status == "DEPLOY_FAILED"]
    is_ready = len(groups) == len(names) and all(group.replica_states.get("RUNNING") for group in groups)
    return is_ready, next(iter(failures), "")


async def _watch(app: FastAPI, look: Callable[[], tuple[bool, str]]) -> None:
    """Keep the application's readiness; one whose replicas cannot be started ends its server."""
    state, was_ready = app.state, False
    while state.failure is None:
        is_ready, failure = await asyncio.to_thread(look)
        state.ready = is_ready and not state.ending
        was_ready |= is_ready
        if failure and not was_ready:
            state.failure = BackendError(f"No replica could be started: {failure}")
        await asyncio.sleep(_EVERY_SECONDS)


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:  # noqa: ANN401 (the module)
    if address.startswith("ray://"):
        raise ConfigError(
            f"{address!r} leads through Ray's client, through which no answers are streamed: start this on a node of "
            "the cluster with the address 'auto'."
        )
    if ray.is_initialized():
        yield
        return
    how: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == "local":
        how["include_dashboard"] = False
    try:
        with _no_reports():
            ray.init(address=address, **how)
    except (ConnectionError, ray.exceptions.RayError, ValueError) as error:
        raise BackendError(
            f"No Ray cluster at {address!r}: {error} Start one by `ray start --head`, or use 'local'."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _no_reports() -> Iterator[None]:
    """Lets a cluster that is started here tell Ray's makers nothing, unless the operator wants it to."""
    name = "RAY_USAGE_STATS_ENABLED"
    is_chosen = name in os.environ
    os.environ.setdefault(name, "0")
    try:
        yield
    finally:
        if not is_chosen:
            del os.environ[name]


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _import_ray() -> tuple[Any, Any]:
    try:
        import ray
        import ray.exceptions
        from ray import serve
    except ImportError as error:
        raise MissingDependencyError("Replicas on Ray need ray: pip install 'jina-components[ray]'.") from error
    return ray, serve
