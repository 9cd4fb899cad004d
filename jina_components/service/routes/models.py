"""`/v1/models`, and `/deepsearch/v1/models` for the host deepsearch; no key is needed."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from jina_components.service.answers import json_answer
from jina_components.service.calls import Call, call_of
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.errors import Problem, problem
from jina_components.service.names import plain_name
from jina_components.service.wire.deepsearch import ModelNotFound, model_not_found
from jina_components.service.wire.models import (
    ModelItem,
    ModelList,
    OpenAIModel,
    OpenAIModelList,
    model_item,
    model_items,
    openai_models,
)
from jina_components.types import shorten

router = APIRouter(tags=["models"])

_UNKNOWN = {404: "No such model."}
_DEEPSEARCH_MODEL = documented("deepsearch", ok=OpenAIModel)
_DEEPSEARCH_MODEL["responses"][404] = {"model": ModelNotFound, "description": _UNKNOWN[404]}


def _open_to_all(request: Request) -> Call:
    call = call_of(request)
    call.product = "models"
    return call


_Open = Annotated[Call, Depends(_open_to_all)]


@router.get("/v1/models", summary="List models", **documented("api", ok=ModelList))
async def list_models(request: Request, call: _Open) -> Response:
    """The models that may be asked for here."""
    components = _components(request)
    items = await asyncio.to_thread(lambda: list(model_items(components)))
    call.items = len(items)
    return json_answer({"object": "list", "data": items})


@router.get("/v1/models/{model_id:path}", summary="Show a model", **documented("api", more=_UNKNOWN, ok=ModelItem))
async def show_model(request: Request, model_id: str, call: _Open) -> Response:
    """One of them, with or without `jina-ai/` before its name."""
    item = await asyncio.to_thread(model_item, _components(request), model_id)
    if item is None:
        raise problem(404, f"Model {shorten(model_id)!r} is not served here: GET /v1/models lists those that are.")
    call.model = item["name"]
    return json_answer(item)


@router.get(
    "/deepsearch/v1/models", summary="List models of deep search", **documented("deepsearch", ok=OpenAIModelList)
)
async def list_deepsearch(call: _Open) -> Response:
    """The names of deep search, in OpenAI's layout."""
    models = openai_models()
    call.items = len(models)
    return json_answer({"object": "list", "data": models})


@router.get("/deepsearch/v1/models/{model_id:path}", summary="Show a model of deep search", **_DEEPSEARCH_MODEL)
async def show_deepsearch(model_id: str, call: _Open) -> Response:
    """One of them; the error of another is OpenAI's."""
    plain = plain_name(model_id)
    models = {model["id"]: model for model in openai_models()}
    if plain not in models:
        told = model_not_found(model_id, [*models])
        raise Problem(404, told["error"]["code"], told["error"]["message"], fields=told)
    call.model = plain
    return json_answer(models[plain])


def _components(request: Request) -> Components:
    components: Components = request.app.state.components
    return components
