"""Tools that tell of the session."""

from __future__ import annotations

from jina_components.service.mcp.arguments import Nothing
from jina_components.service.mcp.client import ToolError
from jina_components.service.mcp.results import Content, text
from jina_components.service.mcp.visit import Visit

# Characters of a key that may be seen: of one made here, `jina_` and 4 of 60.
_SEEN = 9


async def primer(_: Nothing, visit: Visit) -> list[Content]:
    """The time, and what is known of the caller."""
    return [text(visit.context)]


async def show_api_key(_: Nothing, visit: Visit) -> list[Content]:
    """The beginning of the caller's key, by which its owner knows it."""
    key = visit.api.key
    if key is None:
        raise ToolError("There is no key: it comes as Authorization: Bearer KEY, or of this machine in JINA_API_KEY.")
    return [text(f"{key[: min(_SEEN, len(key) // 4)]}… ({len(key)} characters; the rest stays hidden)")]
