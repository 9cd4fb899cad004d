"""What Amazon SageMaker asks of a container: `/ping` and `/invocations`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

import anyio
import httpx
import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from jina_components.service.answers import json_answer, to_json
from jina_components.service.components import Components
from jina_components.service.errors import SORTS, Problem, problem
from jina_components.service.in_process import InProcess
from jina_components.service.wire.sagemaker import CSV, LINES, Invocation, from_csv, from_json, from_lines

router = APIRouter(include_in_schema=False)

# Routes that take a model, by its kind.
_EMBED, _RERANK = ("/v1/embeddings", "/v1/multi-vector", "/v1/classify", "/v1/train", "/v2/embed"), ("/v1/rerank",)
# Rows and lines of a batch that are worked on at a time.
_AT_A_TIME = 16
# Headers that an answer has from this application itself.
_OWN = (b"connection", b"x-request-id")
_JSON = "application/json"


@router.get("/ping")
async def ping(request: Request) -> Response:
    """Whether it takes requests."""
    if not request.app.state.ready:
        raise problem(503, "The service is starting or ending.", headers={"Retry-After": "1"})
    return Response()


@router.post("/invocations")
async def invocations(request: Request) -> Response:
    """Pass a request on to the route that it is for, and the answer back."""
    sent, kind = await request.body(), request.headers.get("content-type", "").partition(";")[0].strip().lower()
    attributes = request.headers.get("x-amzn-sagemaker-custom-attributes", "")
    service = _Service(request)
    if kind == CSV:
        rows = await asyncio.to_thread(lambda: list(from_csv(sent, service.model_of)))
        return json_answer({"data": await _all(service.told(row, f"Row {row.id}: ") for row in rows)})
    if kind in LINES:
        lines = await asyncio.to_thread(lambda: list(from_lines(sent, attributes, service.model_of)))
        told = await _all(service.told_together(line, f"Line {number}: ") for number, line in enumerate(lines, 1))
        return Response(b"".join(to_json(each) + b"\n" for each in told), media_type=kind)
    asked = from_json(sent, attributes, service.model_of)
    if asked[0].of_list:
        return json_answer(await service.told_together(asked))
    return await service.passed(asked[0])


class _Service:
    """The routes of this application, as the client of a request may ask them."""

    def __init__(self, request: Request) -> None:
        components: Components = request.app.state.components
        self._settings = components.settings
        embedders = components.embedders.names, components.settings.embedder
        rerankers = components.rerankers.names, components.settings.reranker
        self._models = dict.fromkeys(_EMBED, embedders) | dict.fromkeys(_RERANK, rerankers)
        address = request.client.host if request.client else ""
        headers = [(name, value) for name, value in request.headers.items() if name in ("authorization", "accept")]
        headers.append(("content-type", _JSON))
        self._client = httpx.AsyncClient(
            transport=InProcess(request.app, address), base_url="http://localhost", headers=headers, trust_env=False
        )
        self._slots = asyncio.Semaphore(_AT_A_TIME)

    def model_of(self, path: str) -> str | None:
        """The model of a route where a request names none: the operator's alias, or the service's own."""
        if path not in self._models:
            return None
        names, own = self._models[path]
        is_named = names and (names[0] in self._settings.aliases or own not in names)
        return names[0] if is_named else own

    async def passed(self, asked: Invocation) -> Response:
        """The answer of a route as it comes."""
        request = self._client.build_request("POST", asked.path, content=to_json(asked.body))
        return _Passed(await self._client.send(request, stream=True))

    async def told(self, asked: Invocation, where: str = "") -> dict[str, Any]:
        """What a route answers.

        Raises:
            Problem: what it answers is an error; told with its words, and where in a batch it is.
        """
        async with self._slots:
            answer = await self._client.post(asked.path, content=to_json(asked.body), headers={"accept": _JSON})
        if not answer.headers.get("content-type", "").startswith(_JSON):
            raise problem(400, f"{where}The answer is a stream, which fits beside no others: leave stream out.")
        told = orjson.loads(answer.content)
        if answer.is_success:
            return asked.told(told)
        words = told.get("detail") or told.get("message") or told.get("error")
        code = told.get("code") if isinstance(told.get("code"), str) else SORTS[answer.status_code].code
        later = {"Retry-After": seconds} if (seconds := answer.headers.get("retry-after")) else None
        raise Problem(answer.status_code, str(code), f"{where}{words}", headers=later)

    async def told_together(self, asked: Sequence[Invocation], where: str = "") -> dict[str, Any]:
        """What a body is answered that may ask for several things."""
        answers = await _all(self.told(each, where) for each in asked)
        return {"data": answers} if asked[0].of_list else answers[0]


class _Passed(Response):
    """An answer, piece by piece as it comes."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(status_code=answer.status_code)
        # Those of the answer alone: a stream has no length.
        self.raw_headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _OWN]
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (as ASGI has it)
        """Pass it on; a client that goes away has gone for the route too."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for piece in self._answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            with anyio.CancelScope(shield=True):
                await self._answer.aclose()


async def _all(work: Iterable[Coroutine[Any, Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Results in order, of work that is begun a few at a time; the first error ends the others."""
    numbered, results = enumerate(work), dict[int, dict[str, Any]]()

    async def run() -> None:
        for number, each in numbered:
            results[number] = await each

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_A_TIME):
                group.create_task(run())
    except ExceptionGroup as failed:
        first = failed.exceptions[0]
    else:
        return [results[number] for number in sorted(results)]
    raise first
