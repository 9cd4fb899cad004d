"""A Ray cluster for the time of a block: one that is there, or one of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jina_components.errors import BackendError, ConfigError


@contextmanager
def connected(ray: Any, address: str, *, not_by_client: str) -> Iterator[None]:  # noqa: ANN401 (the module)
    """Connects this process, unless the program has already done so.

    Args:
        ray: The module.
        address: `local`, `auto` or HOST:PORT.
        not_by_client: What Ray's client cannot do, and what to do instead, for who names one.

    Raises:
        ConfigError: the address is one of Ray's client.
        BackendError: there is no cluster.
    """
    if address.startswith("ray://"):
        raise ConfigError(f"{address!r} leads through Ray's client, {not_by_client}.")
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
