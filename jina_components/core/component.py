"""What all components share."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self


class Component:
    """Pickles as its constructor arguments, and closes at the end of a `with` block.

    Only settings travel to another process: weights, files and connections are opened again there.
    """

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: ANN401 (whatever the constructor takes)
        """Remember the arguments before the constructor turns them into something else."""
        self = super().__new__(cls)
        self._arguments = (args, kwargs)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _construct, (type(self), *self._arguments)

    def close(self) -> None:
        """Give memory and connections back; the next call opens them again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _construct(cls: type[Component], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Component:
    return cls(*args, **kwargs)
