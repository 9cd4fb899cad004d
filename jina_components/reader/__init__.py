"""Files, bytes and URLs into clean Markdown pages."""

from jina_components.reader.reader import Reader

__all__ = ["Reader"]
