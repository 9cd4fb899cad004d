"""Who may ask: those with a key, within the limits of its tier, while it has balance."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from jina_components.service.calls import Permit, Product
from jina_components.service.database import Database
from jina_components.service.settings import ServiceSettings


class KeyAccess:
    """Lets in who has a key.

    Args:
        database: Of the keys.
        settings: Those of the service.
    """

    needs_keys = True

    def __init__(self, database: Database, settings: ServiceSettings) -> None:
        self._database = database
        self._settings = settings

    async def admit(self, key: str | None, product: Product, request: HTTPConnection) -> Permit:
        """Let a request in. Raises as `Access.admit`."""
        raise NotImplementedError

    async def open(self) -> None:
        """Begin to write charges down."""

    async def close(self) -> None:
        """Write down what is left."""
