"""HTML as Markdown: `prepare` makes the DOM plain, `to_markdown` writes it."""

from jina_components.reader.markdown.preparing import prepare
from jina_components.reader.markdown.serializer import Rendered, to_markdown

__all__ = ["Rendered", "prepare", "to_markdown"]
