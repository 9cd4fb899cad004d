"""Telling clients that their batch has ended."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

from jina_components.errors import InputError, WebError
from jina_components.net import FetchOptions
from jina_components.net.guard import DEFAULT_PORTS
from jina_components.service.answers import to_json
from jina_components.service.batches.jobs import Batch
from jina_components.service.batches.store import BatchStore
from jina_components.service.components import Components
from jina_components.service.errors import invalid
from jina_components.service.wire.batches import status_of

logger = logging.getLogger(__name__)

_AGAIN_AFTER = (5.0, 60.0, 600.0, 3600.0)
"""Seconds after which a notice that failed is sent again; then it is given up."""
_AT_A_TIME = 8
_OPTIONS = FetchOptions(timeout=15.0, max_bytes=65_536)


class Webhooks:
    """Posts the status of batches that have ended to where their clients asked; at least once, and kept on disk.

    Args:
        store: Of the batches.
        components: Those of the service, whose fetcher guards and posts.
    """

    def __init__(self, store: BatchStore, components: Components) -> None:
        self._store = store
        self._components = components

    async def check(self, url: str) -> None:
        """Refuse a URL that would not be called.

        Raises:
            Problem: 422, the guard refuses it, or its host does not resolve.
        """
        guard = self._components.fetcher.guard
        try:
            target = urlsplit(guard.check(url))
            await guard.resolve(target.hostname or "", target.port or DEFAULT_PORTS[target.scheme])
        except WebError as error:
            raise invalid("body -> webhook_url", error.message) from error

    async def step(self) -> bool:
        """Tell some of those that are due; whether there was one."""
        due = await asyncio.to_thread(self._store.to_notify, _AT_A_TIME)
        await asyncio.gather(*map(self._tell, due))
        return bool(due)

    async def _tell(self, batch: Batch) -> None:
        assert batch.webhook_url  # noqa: S101 (those without are not due)
        body = to_json(status_of(batch, batch.base_url).model_dump())
        again_after = None
        try:
            await self._components.fetcher.post(
                batch.webhook_url, body, headers={"content-type": "application/json"}, options=_OPTIONS
            )
        except (WebError, InputError) as error:
            if batch.notices < len(_AGAIN_AFTER):
                again_after = _AGAIN_AFTER[batch.notices]
            else:
                logger.warning("The webhook of %s is given up: %s.", batch.id, type(error).__name__)
        await asyncio.to_thread(self._store.notified, batch, again_after=again_after)
