"""Grounding: `/g/STATEMENT`, and the root of the host g."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import parse_qsl, unquote

from fastapi import APIRouter, Request
from starlette.responses import Response

from jina_components.service.calls import admitted, call_of
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.wire.asking import described, index, values_of
from jina_components.service.wire.grounding import PARAMETERS, GroundRequest, ground_request, step_result
from jina_components.service.wire.negotiation import Result, answer_with
from jina_components.service.wire.reading import wrong

router = APIRouter(tags=["grounding"])

_USAGE = ("ROOT/YOUR_STATEMENT", "POST ROOT/ with statement and references, as JSON or a form")

_admit = admitted("grounding")
_DOCUMENTED = documented("rpc", more={409: "Denied by robots.txt.", 451: "Not a public address."})


@router.get("/g", include_in_schema=False)
@router.get("/g/{statement:text}", summary="Check a statement", openapi_extra=described(PARAMETERS), **_DOCUMENTED)
@router.post("/g", include_in_schema=False)
@router.post(
    "/g/{statement:text}",
    summary="Check a statement of the body",
    openapi_extra=described(PARAMETERS, PARAMETERS),
    **_DOCUMENTED,
)
async def ground(request: Request, statement: str = "") -> Response:
    """Whether a statement is true by what can be found, with quotes; as text, JSON or events, by what is accepted."""
    call = call_of(request)
    call.product = "grounding"
    given, query = await values_of(request), request.url.query
    names = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    if statement and query and not names <= PARAMETERS.keys():  # the mark of a question that was not quoted
        statement = f"{statement}?{unquote(query)}"
    asked = ground_request(given, request.headers, path=statement)
    if not asked.statement:
        if request.method == "POST" and given:
            raise wrong("statement", "must be given")
        return index(request, "g", *_USAGE)
    await _admit(request)
    call.items = 1
    components: Components = request.app.state.components
    return await answer_with(request, _steps(components, asked))


async def _steps(components: Components, asked: GroundRequest) -> AsyncGenerator[Result, None]:
    """The steps on the way to the verdict, and it."""
    grounder = components.grounder(asked.options, max_pages=asked.max_pages)
    async with aclosing(grounder.astream(asked.statement, references=asked.references)) as steps:
        async for step in steps:
            yield step_result(step)
