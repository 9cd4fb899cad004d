"""The bar of long work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Bar(Protocol):
    """What is told of progress: a bar of tqdm, or nothing."""

    total: float | None

    def update(self, n: float | None = 1, /) -> object:
        """`n` more are done."""
        ...

    def set_postfix_str(self, s: str = "", /) -> object:
        """Say something behind the bar."""
        ...


class _NoBar:
    total: float | None = None

    def update(self, n: float | None = 1, /) -> None:
        pass

    def set_postfix_str(self, s: str = "", /) -> None:
        pass


@contextmanager
def progress_bar(
    description: str, *, unit: str, total: int | None = None, initial: int = 0, show: bool
) -> Iterator[Bar]:
    """A bar on stderr, where it is to be shown.

    Otherwise not even one of tqdm that is off: making one takes a lock that forked processes share, and one of them
    that is killed meanwhile never gives it back.
    """
    if not show:
        yield _NoBar()
        return
    from tqdm.auto import tqdm

    with tqdm(desc=description, unit=unit, total=total, initial=initial) as bar:
        yield bar
