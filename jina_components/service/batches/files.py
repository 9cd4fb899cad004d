"""Files of batches: JSONL behind URLs of clients."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from jina_components.errors import ContentTooLargeError, WebError
from jina_components.net import FetchOptions
from jina_components.service.components import Components
from jina_components.service.errors import invalid, problem
from jina_components.service.settings import MIB

_MAX_BYTES = 100 * MIB
_OPTIONS = FetchOptions(timeout=90.0, max_bytes=_MAX_BYTES, cache_tolerance=0.0, store=False)
_AT_A_TIME = 2  # files held in memory
_BUCKET = re.compile(r"(gs|s3)://([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])/(.+)")


class BatchFiles:
    """Fetches files of batches, a few at a time.

    Args:
        components: Those of the service, whose fetcher guards and fetches.
    """

    def __init__(self, components: Components) -> None:
        self._components = components
        self._turns = asyncio.Semaphore(_AT_A_TIME)

    def turn(self) -> asyncio.Semaphore:
        """To hold for as long as a file is in memory."""
        return self._turns

    async def fetch(self, url: str) -> bytes:
        """The file behind a URL, of a web server or of a public bucket.

        Raises:
            Problem: 422 or 413, it cannot be had.
        """
        try:
            return (await self._components.fetcher.fetch(web_url(url), options=_OPTIONS)).content
        except ContentTooLargeError as error:
            raise problem(
                413, f"The file of a batch has up to {_MAX_BYTES // MIB} MiB: send several batches."
            ) from error
        except WebError as error:
            raise invalid("body -> input_url", error.message) from error


def web_url(url: str) -> str:
    """Where a web server has the file: for gs:// and s3:// the address of the public bucket.

    Raises:
        Problem: 422, it names no bucket or no file.
    """
    if not url.startswith(("gs:", "s3:")):
        return url
    match = _BUCKET.fullmatch(url)
    if match is None:
        raise invalid("body -> input_url", "Input should be gs://bucket/file or s3://bucket/file.", given=url)
    scheme, bucket, key = match.groups()
    if scheme == "gs":
        return f"https://storage.googleapis.com/{bucket}/{quote(key)}"
    if "." in bucket or "_" in bucket:  # no certificate fits it as a name of a host
        return f"https://s3.amazonaws.com/{bucket}/{quote(key)}"
    return f"https://{bucket}.s3.amazonaws.com/{quote(key)}"
