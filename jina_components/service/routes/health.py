"""Probes: `/health`, `/live`, `/ready`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from jina_components.service.answers import json_answer
from jina_components.service.errors import problem

router = APIRouter(tags=["service"])


@router.get("/health")
@router.get("/live")
async def live() -> Response:
    """Whether the process answers."""
    return json_answer({"status": "ok"})


@router.get("/ready")
async def ready(request: Request) -> Response:
    """Whether it takes requests: models are warm, and it is not about to end."""
    if not request.app.state.ready:
        raise problem(503, "The service is starting or ending.", headers={"Retry-After": "1"})
    return json_answer({"status": "ready"})
