"""What a `JinaReaderConnector` asks for."""

from __future__ import annotations

from enum import Enum


class JinaReaderMode(Enum):
    """What a `JinaReaderConnector` asks for: to read a page, to search, or to check a statement."""

    READ = "read"
    SEARCH = "search"
    GROUND = "ground"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def from_str(cls, string: str) -> JinaReaderMode:
        """The mode of this name.

        Raises:
            ValueError: there is none.
        """
        try:
            return cls(string)
        except ValueError as error:
            known = ", ".join(mode.value for mode in cls)
            raise ValueError(f"Unknown reader mode {string!r}; known: {known}.") from error
