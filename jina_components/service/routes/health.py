"""What operators ask: `/health`, `/live`, `/ready`, `/metrics`; and what is here: `/`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client.exposition import choose_encoder
from starlette.responses import PlainTextResponse, Response

from jina_components import __version__
from jina_components.service.answers import json_answer
from jina_components.service.documenting import documented
from jina_components.service.errors import problem
from jina_components.service.metrics import Metrics

router = APIRouter(tags=["service"])


@router.get("/", summary="What is here", **documented("api"))
async def index() -> Response:
    """What is here, and where to read on."""
    pages = {"docs": "/docs", "openapi": "/openapi.json", "models": "/v1/models", "metrics": "/metrics"}
    return json_answer({"name": "jina_components", "version": __version__, **pages})


@router.head("/health", include_in_schema=False)
@router.head("/live", include_in_schema=False)
@router.get("/health", summary="Whether the process answers, by another name", **documented("api"))
@router.get("/live", summary="Whether the process answers", **documented("api"))
async def live() -> Response:
    """Whether the process answers."""
    return json_answer({"status": "ok"})


@router.head("/ready", include_in_schema=False)
@router.get("/ready", summary="Whether requests are taken", **documented("api"))
async def ready(request: Request) -> Response:
    """Whether it takes requests: models are warm, and it is not about to end."""
    if not request.app.state.ready:
        raise problem(503, "The service is starting or ending.", headers={"Retry-After": "1"})
    return json_answer({"status": "ready"})


@router.get("/metrics", summary="Numbers for Prometheus", response_class=PlainTextResponse, **documented("api"))
async def metrics(request: Request) -> Response:
    """Numbers for Prometheus."""
    counted: Metrics = request.app.state.metrics
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(counted.registry), headers={"Content-Type": media_type})
