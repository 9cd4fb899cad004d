"""`OPTIONS` of the hosts r, s, g and svip, for those who ask for it themselves; what browsers ask is CORS."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

router = APIRouter()


async def options() -> Response:
    """What may be asked."""
    return Response(status_code=204, headers={"Allow": "GET, POST, OPTIONS"})


for _path in ("/r", "/r/{url:text}", "/s", "/s/{query:text}", "/g", "/g/{statement:text}", "/svip", "/svip/"):
    router.add_api_route(_path, options, methods=["OPTIONS"], include_in_schema=False)
