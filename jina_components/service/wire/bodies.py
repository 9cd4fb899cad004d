"""Bodies of the rpc family: JSON objects, or forms."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from jina_components.service.errors import problem
from jina_components.service.wire.reading import wrong

FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
"""Content types of forms."""

# What opens a list or an object, which take twenty times the memory that they have bytes; HTML in a string has some.
_MOST_BRACKETS = 2_000_000


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form.

    Attributes:
        data: What it holds.
        content_type: As the client names it; may be empty.
    """

    data: bytes = field(repr=False)
    content_type: str = ""


async def body_of(request: Request) -> dict[str, Any]:
    """The fields of a body by name: JSON values, or of a form a text or an `Upload` each; lists where they repeat.

    Raises:
        Problem: 400, it is no object of JSON and no form; 413, of one that would take too much memory.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() in FORMS:
        try:
            async with request.form(max_part_size=request.app.state.settings.limits.max_upload_bytes) as form:
                return by_name([(name, await _field(value)) for name, value in form.multi_items()])
        except HTTPException as error:
            raise problem(400, f"The form cannot be read: {error.detail}", name="DataStreamBrokenError") from error
    sent = await request.body()
    if sent.count(b"[") + sent.count(b"{") > _MOST_BRACKETS:
        raise problem(413, "The body has too many lists and objects: send a document as a file of a form.")
    try:
        body = orjson.loads(sent) if sent.strip() else {}
    except orjson.JSONDecodeError as error:
        raise wrong("body", f"is neither JSON nor a form: {error}") from error
    if not isinstance(body, dict):
        raise wrong("body", f"must be a JSON object, got {type(body).__name__}")
    return body


def by_name(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Values by name, lists of them where they repeat."""
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


async def _field(value: UploadFile | str) -> Upload | str:
    return value if isinstance(value, str) else Upload(await value.read(), value.content_type or "")
