"""Reading through real Chromium: the `browser` extra."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jina_components.reader.browser.browser import Browser
    from jina_components.reader.browser.snapshot import Snapshot

__all__ = ["Browser", "Snapshot"]

_HOMES = {"Browser": "browser", "Snapshot": "snapshot"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (whatever the name stands for)
    """Load what is asked for: reading without a browser needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
