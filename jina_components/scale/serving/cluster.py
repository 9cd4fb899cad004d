"""Replicas on a cluster, from their start to their end."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI

from jina_components.errors import BackendError, ConfigError, MissingDependencyError
from jina_components.scale.ray_cluster import connected
from jina_components.scale.serving.front import apart, make_front, reason
from jina_components.scale.serving.replica import Replica
from jina_components.service.names import plain_name
from jina_components.service.settings import ServiceSettings

logger = logging.getLogger(__name__)

_NOT_IN_NAMES = re.compile(r"[^\w.-]")
# Constructions that fail in a row before a group is given up, as a database may be a moment late.
_ATTEMPTS = 3
# Seconds in which a cluster answers that is not lost.
_ANSWERED = 5.0
_NOT_BY_CLIENT = "through which no answers are streamed: start this on a node of the cluster with the address 'auto'"


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
        times = (self.grow_seconds, self.shrink_seconds)
        if min(self.cpus, self.gpus, *times) < 0 or not 0 < self.target <= self.most or self.waiting < 1:
            raise ConfigError(f"Numbers of replicas must be positive, and target no more than most: got {self!r}.")


@contextmanager
def on_ray(
    make_app: Callable[[str], FastAPI],
    *,
    replicas: Mapping[str, Replicas],
    address: str = "local",
    name: str = "jina-components",
    drain_seconds: float = 30.0,
) -> Iterator[FastAPI]:
    """A service of many replicas, as an application for `service.server.serve`. They end with the block.

    It is for programs, as that is: Ray's loggers write what all others do, where they do.

    Args:
        make_app: Makes the whole service, by `create_app`. It is called in each replica with the name of the model
            that its group is for, which should be loaded before it is ready; empty for the group of all others, and in
            this process, where the application only tells its settings. It travels to the replicas: a function of a
            module, or a `functools.partial` of one.
        replicas: Groups by the name of their model, as clients know it; that of the empty name is for all other models,
            and for whatever else is asked.
        address: `local` starts a cluster of this machine for the time of the block; `auto`, or HOST:PORT of the head,
            joins one that this machine is a node of. A connection that the program has already made is used as it is,
            and left open.
        name: Of the service, on a cluster of several; one of the same name is replaced.
        drain_seconds: How long a replica that is taken away may work on what it has.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigError: replicas could not share what they must: limits of keys without Redis, or a database in a file for
            several machines; no group has the empty name; the address is one of Ray's client; this machine has no room.
        BackendError: there is no cluster, or it has failed.
    """
    ray, serve = _import_ray()
    replicas = {plain_name(model): group for model, group in replicas.items()}
    if "" not in replicas:
        raise ConfigError("replicas must have a group of the empty name, for all that no other group is for.")
    plain = make_app("")
    settings: ServiceSettings = plain.state.settings
    if settings.needs_keys and not settings.limits_url:
        raise ConfigError("Replicas count the requests of keys together, in Redis: limits_url must name one.")
    with connected(ray, address, not_by_client=_NOT_BY_CLIENT):
        if len([node for node in ray.nodes() if node["Alive"]]) > 1 and settings.database.startswith("sqlite"):
            raise ConfigError("Replicas on several machines share a database: database_url must name a PostgreSQL.")
        if address == "local":
            _check_room(ray.cluster_resources(), replicas.values())
        names = {model: f"{name}-{_NOT_IN_NAMES.sub('-', model) or 'others'}" for model in replicas}
        try:
            with _deployed(serve, make_app, replicas, names, drain_seconds) as handles:
                yield make_front(plain, handles, partial(_look, serve, [*names.values()]))
        except ray.exceptions.RayError as error:
            raise BackendError(f"The Ray cluster failed: {reason(str(error))}") from error


def _check_room(there: Mapping[str, float], groups: Collection[Replicas]) -> None:
    """Refuse groups of which this machine will never have room for a replica each; a cluster may grow."""
    for name, needed in (("CPU", sum(each.cpus for each in groups)), ("GPU", sum(each.gpus for each in groups))):
        if needed > there.get(name, 0):
            raise ConfigError(
                f"A replica of each group takes {needed:g} {name}s, and this machine has {there.get(name, 0):g}."
            )


@contextmanager
def _deployed(
    serve: Any,  # noqa: ANN401 (the module)
    make_app: Callable[[str], FastAPI],
    replicas: Mapping[str, Replicas],
    names: Mapping[str, str],
    drain_seconds: float,
) -> Iterator[dict[str, Any]]:
    """Handles of the groups, each an application of Serve's, which need not be ready yet."""
    quiet = {"enable_access_log": False, "log_level": "WARNING"}
    targets = []
    for model, group in replicas.items():
        deployment = serve.deployment(Replica).options(
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
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
        serve.start(proxy_location="Disabled", logging_config=quiet)
        _let_log_as_all_do("ray", "ray.serve")
        handles = serve.run_many(targets, wait_for_applications_running=False)
        yield {model: handle.options(stream=True) for model, handle in zip(replicas, handles, strict=True)}
    finally:
        _end(serve, names.values())


def _end(serve: Any, names: Iterable[str]) -> None:  # noqa: ANN401 (the module)
    """End groups, unless the cluster is lost, which would never answer."""
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException

    try:
        apart(serve.status).result(_ANSWERED)
        for name in names:
            serve.delete(name)
    except (RayError, RayServeException, TimeoutError) as error:
        why = reason(str(error)) or "the cluster does not answer."
        logger.warning("Replicas may not have ended: %s", why)


def _let_log_as_all_do(*names: str) -> None:
    """Lets these loggers' lines be those of the program, not Ray's own beside them."""
    for each in map(logging.getLogger, names):
        each.handlers, each.propagate = [], True
        each.setLevel(logging.WARNING)


def _look(serve: Any, names: list[str]) -> tuple[bool | None, str]:  # noqa: ANN401 (the module)
    """As `front.Look`."""
    from ray.exceptions import RayError
    from ray.serve.exceptions import RayServeException

    try:
        applications = serve.status().applications
    except (RayError, RayServeException) as error:  # Ray starts its controller anew
        return None, reason(str(error))
    groups = [group for name in names if name in applications for group in applications[name].deployments.values()]
    failures = [reason(group.message) for group in groups if group.status == "DEPLOY_FAILED"]
    is_ready = len(groups) == len(names) and all(group.replica_states.get("RUNNING") for group in groups)
    return is_ready, next(iter(failures), "")


def _import_ray() -> tuple[Any, Any]:
    try:
        import ray
        import ray.exceptions
        from ray import serve
    except ImportError as error:
        raise MissingDependencyError("Replicas on Ray need ray: pip install 'jina-components[ray]'.") from error
    return ray, serve
