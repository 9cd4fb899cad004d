"""Events that the page sends: only such as it can send, and no more than it may have at a time."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from starlette.types import Message, Receive

from jina_components.service.errors import problem

if TYPE_CHECKING:
    import gradio as gr

_MOST_BYTES = 4 * 1024 * 1024
"""Of what the inputs of a tab hold."""
_SESSION = re.compile(r"[a-z0-9]{1,64}")
_FITS = "This is no event of the playground's page: load the page anew."


async def checked(receive: Receive, blocks: gr.Blocks) -> Receive:
    """The body of an event, read and found right.

    Gradio prints what it cannot use, with all values, and one of them may be a key.

    Raises:
        Problem: 413, it is too large; 400, the page has no such event.
    """
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _MOST_BYTES:
            raise problem(413, f"The inputs are too large: at most {_MOST_BYTES} bytes are taken.")
    if not _is_right(bytes(body), blocks):
        raise problem(400, _FITS)
    _tidy(blocks)
    unread = [bytes(body)]

    async def received() -> Message:
        return {"type": "http.request", "body": unread.pop(), "more_body": False} if unread else await receive()

    return received


def _is_right(body: bytes, blocks: gr.Blocks) -> bool:
    try:
        event: Any = json.loads(body)
        known = blocks.fns[event["fn_index"]]
        return len(event["data"]) == len(known.inputs) and _SESSION.fullmatch(event["session_hash"]) is not None
    except (ValueError, TypeError, LookupError, RecursionError):
        return False


def _tidy(blocks: gr.Blocks) -> None:
    """Forget sessions whose messages Gradio has forgotten."""
    queue = blocks._queue  # noqa: SLF001 (it keeps them for ever)
    for session in queue.pending_event_ids_session.keys() - queue.pending_messages_per_session.keys():
        del queue.pending_event_ids_session[session]
