"""The home of Ray: the stages of bulk indexing as a pipeline of Ray Data.

Without GPUs an actor reads, cuts and embeds on a CPU of its own. With GPUs, tasks on the CPUs read and cut, and actors
embed. The driver takes the results as they come. Ray restarts an actor that dies and repeats its batch
(https://docs.ray.io/en/latest/ray-core/fault_tolerance/actors.html).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from jina_components.errors import BackendError, ConfigError, JinaComponentsError, MissingDependencyError
from jina_components.scale.processes import ATTEMPTS
from jina_components.scale.ray_cluster import connected
from jina_components.scale.stages import SourceChunks, Stages

# Ray keeps account of every block; more than so many slow its driver down.
_MOST_BLOCKS = 5000
_NOT_BY_CLIENT = (
    "which runs no data pipelines: start this on a node of the cluster with the address 'auto', or send it there by "
    "`ray job submit`"
)


def run_on_ray(
    stages: Stages,
    sources: Sequence[SourceChunks],
    *,
    address: str,
    workers: int,
    gpus_per_worker: float,
    batch_size: int,
) -> Generator[list[SourceChunks]]:
    """What becomes of the sources, some at a time, in the order in which they are done.

    A batch at which actor after actor dies is left out.

    Args:
        stages: Travel as their settings; each actor loads a model of its own.
        sources: Not read yet; their names mean the same on every node.
        address: `local` starts a cluster of this machine for the time of the call; `auto`, or HOST:PORT of the head,
            joins one that this machine is a node of. A connection that the program has already made is used as it is,
            and left open.
        workers: How many embedding actors. Fewer work where the cluster has no room for all.
        gpus_per_worker: GPUs of each; may be a part of one.
        batch_size: Sources that are read, and embedded, together.

    Raises:
        MissingDependencyError: Ray is not installed.
        ConfigError: the address is one of Ray's client, through which its data pipelines do not run; or this machine
            has not the GPUs.
        BackendError: there is no cluster, or it has failed.
        JinaComponentsError: what a stage raised.
    """
    ray = _import_ray()
    blocks = min(-(-len(sources) // batch_size), _MOST_BLOCKS)
    with connected(ray, address, not_by_client=_NOT_BY_CLIENT):
        if address == "local" and gpus_per_worker > ray.cluster_resources().get("GPU", 0):  # others may yet grow
            raise ConfigError(f"This machine has no room for a worker with gpus_per_worker={gpus_per_worker:g}.")
        try:
            rows = ray.data.from_items([{"item": source} for source in sources], override_num_blocks=blocks)
            rows.context.enable_progress_bars = False
            rows.context.wait_for_min_actors_s = -1  # those that the cluster has room for begin
            stage: Callable[[Any], Any] = stages
            needs = {"num_cpus": 1.0}
            if gpus_per_worker:
                rows = rows.map_batches(_apply, fn_kwargs={"stage": stages.read}, batch_size=batch_size, num_cpus=1)
                # No CPU, of which Ray would else take one: where all are taken, nothing could be read.
                stage, needs = stages.embed, {"num_gpus": gpus_per_worker, "num_cpus": 0.0}
            rows = rows.map_batches(
                _StageActor,
                fn_constructor_kwargs={"stage": stage, "attempts": ray.remote(num_cpus=0)(_Attempts).remote()},
                compute=ray.data.ActorPoolStrategy(size=workers),
                batch_size=batch_size,
                **needs,
            )
            for batch in rows.iter_batches(batch_size=None, batch_format="numpy"):
                yield [_checked(item) for item in batch["item"]]
        except ray.exceptions.RayError as error:
            raise BackendError(f"The Ray pipeline failed: {str(error).strip().splitlines()[-1]}") from error


class _StageActor:
    """Keeps a stage, whose model is loaded with the first batch.

    Ray repeats a batch of an actor that died, without end; `_Attempts`, an actor that outlives this one, counts.
    """

    def __init__(self, stage: Callable[[Any], Any], attempts: Any) -> None:  # noqa: ANN401 (a handle)
        self._stage = stage
        self._attempts = attempts

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        import ray

        first = rows["item"][0]
        name = first.source if isinstance(first, SourceChunks) else ""  # else an error, which passes through
        if name and ray.get(self._attempts.begin.remote(name)) > ATTEMPTS:
            rows = {"item": rows["item"][:0]}
        return _apply(rows, self._stage)


class _Attempts:
    """How often the batch that begins with a source was begun."""

    def __init__(self) -> None:
        self._begun: Counter[str] = Counter()

    def begin(self, source: str) -> int:
        self._begun[source] += 1
        return self._begun[source]


def _apply(rows: dict[str, Any], stage: Callable[[Any], Sequence[SourceChunks]]) -> dict[str, Any]:
    """A batch of Ray's through a stage. An error of ours is data: as an exception Ray would wrap it."""
    made: Sequence[object] = [item for item in rows["item"] if isinstance(item, JinaComponentsError)]
    if not made:
        try:
            made = stage(list(rows["item"]))
        except JinaComponentsError as error:
            made = [error]
    column = np.empty(len(made), dtype=object)
    column[:] = made
    return {"item": column}


def _checked(item: SourceChunks | JinaComponentsError) -> SourceChunks:
    if isinstance(item, JinaComponentsError):
        raise item
    return item


def _import_ray() -> Any:  # noqa: ANN401 (the module)
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise MissingDependencyError("A Ray cluster needs ray: pip install 'jina-components[ray]'.") from error
    return ray
