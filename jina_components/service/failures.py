"""Pages that fail again and again, which are left alone for a while."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from jina_components.errors import BlockedURLError, ContentTooLargeError, RobotsDeniedError, WebError
from jina_components.service.errors import problem

# So many failures, one after the other and within so many seconds, and of how many pages they are counted.
_MOST, _SECONDS, _PAGES = 10, 3600.0, 1024


class Failures:
    """Counts them. For one event loop.

    Args:
        clock: Seconds, which never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    @contextmanager
    def counted(self, page: Hashable) -> Iterator[None]:
        """Reads a page within the block; a success forgets its failures, those not of the site do not count.

        Raises:
            Problem: 403, it has failed too often.
        """
        count, since = self._count(page)
        if count >= _MOST:
            left = math.ceil(since + _SECONDS - self._clock())
            told = f"This URL failed {count} times in a row within the hour; it is tried again in {left} seconds."
            raise problem(403, told, code="OPERATION_NOT_ALLOWED", headers={"Retry-After": str(left)})
        try:
            yield
        except (BlockedURLError, RobotsDeniedError, ContentTooLargeError):
            raise
        except WebError:
            count, since = self._count(page)
            self._counts[page] = count + 1, since
            self._counts.move_to_end(page)
            if len(self._counts) > _PAGES:
                self._counts.popitem(last=False)
            raise
        self._counts.pop(page, None)

    def _count(self, page: Hashable) -> tuple[int, float]:
        """How often it failed, and since when."""
        count, since = self._counts.get(page, (0, 0.0))
        now = self._clock()
        return (count, since) if count and now < since + _SECONDS else (0, now)
