"""The HTTP service: Jina's, OpenAI's and Cohere's APIs over the components of this library.

Names are resolved on first use, so that its settings can be told without what serves them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jina_components.service.app import create_app as create_app
    from jina_components.service.calls import Access as Access
    from jina_components.service.calls import Caller as Caller
    from jina_components.service.calls import OpenAccess as OpenAccess
    from jina_components.service.components import Components as Components
    from jina_components.service.settings import Limits as Limits
    from jina_components.service.settings import ServiceSettings as ServiceSettings

_HOMES = {
    "Access": "calls",
    "Caller": "calls",
    "Components": "components",
    "Limits": "settings",
    "OpenAccess": "calls",
    "ServiceSettings": "settings",
    "create_app": "app",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
