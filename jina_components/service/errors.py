"""What a request is answered with instead of a result, in the words of each family of routes.

- `api`, Jina's api.jina.ai: flat, with a string `detail`, `code` and `request_id`; `message` says the same as
  `detail`, for clients of OpenAI's, which show that alone
- `rpc`, its r., s. and g. hosts: `code`, `name`, `status`, `message`, `readableMessage`; text where text is asked for
- `deepsearch`, its deepsearch. host: `error`, a string
- `cohere`, Cohere's v2: `message` and `id`
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeAlias

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response

from jina_components import errors
from jina_components.service.answers import event, form_of, json_answer, to_json
from jina_components.service.calls import call_of
from jina_components.service.hiding import without_keys
from jina_components.types import shorten

logger = logging.getLogger(__name__)

Family: TypeAlias = Literal["api", "rpc", "deepsearch", "cohere"]

# Retry-After of what will pass soon.
_SOON = "1"
_ADDRESS = re.compile(r"\S+ is no public address \([^)]*\)")
_ADVICE = re.compile(r"; see URLGuard\([^)]*\)|max_query_length or ")
# What a body is that is a form, a list or a string.
_NO_OBJECT = ("model_attributes_type", "model_type", "dict_type")
_TRUNCATE = re.compile(r"(?:pass |set )?truncate=True")
# Characters of an input that an error shows.
_SHOWN = 200


class Problem(Exception):  # noqa: N818 (an answer, not a fault)
    """A request that gets no result.

    Attributes:
        status: HTTP status.
        code: As the api family names it (`INPUT_MODEL_NOT_FOUND`).
        detail: What is wrong, which, and what to do; for the client's eyes.
        headers: Further headers.
        name: Class name in the rpc family; empty for the one that its status has.
        fields: Further fields of the body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        name: str = "",
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.name = name
        self.fields = dict(fields or {})


@dataclass(frozen=True, slots=True)
class Sort:
    """What a status means where nothing nearer is known: its code, and its name and number in the rpc family."""

    code: str
    name: str
    number: int


SORTS: dict[int, Sort] = {
    400: Sort("INPUT_INVALID", "ParamValidationError", 40001),
    401: Sort("AUTH_MISSING_API_KEY", "AuthenticationRequiredError", 40103),
    402: Sort("AUTHZ_INSUFFICIENT_BALANCE", "InsufficientBalanceError", 40203),
    403: Sort("AUTHZ_RESOURCE_LIMIT_EXCEEDED", "OperationNotAllowedError", 40301),
    404: Sort("RESOURCE_NOT_FOUND", "ResourceNotFoundError", 40401),
    405: Sort("METHOD_NOT_ALLOWED", "MethodNotAllowedError", 40501),
    408: Sort("REQUEST_TIMEOUT", "DataStreamBrokenError", 40003),
    409: Sort("CONFLICT_RESOURCE_BUSY", "ResourcePolicyDenyError", 40902),
    413: Sort("INPUT_BODY_TOO_LARGE", "PayloadTooLargeError", 41301),
    415: Sort("INPUT_MEDIA_TYPE", "ParamValidationError", 40001),
    422: Sort("INPUT_VALIDATION", "AssertionFailureError", 42206),
    429: Sort("RATE_CONCURRENCY_LIMIT_EXCEEDED", "RateLimitTriggeredError", 42903),
    451: Sort("SECURITY_COMPROMISE", "SecurityCompromiseError", 45102),
    500: Sort("INTERNAL_ERROR", "InternalError", 50000),
    503: Sort("SERVICE_UNAVAILABLE", "ServiceNodeResourceDrainError", 50303),
    504: Sort("SERVICE_TIMEOUT", "ServiceBadAttemptError", 50304),
}

_NUMBERS: dict[str, int] = {sort.name: sort.number for sort in SORTS.values()} | {
    "AuthenticationFailedError": 40102, "BudgetExceededError": 40904, "TargetFileTooLargeError": 41302,
    "DownstreamServiceFailureError": 42204,
}  # fmt: skip
"""Numbers of the rpc family by name."""


def problem(status: int, detail: str, **others: Any) -> Problem:  # noqa: ANN401 (those of Problem)
    """A problem with the code that its status has."""
    return Problem(status, others.pop("code", SORTS[status].code), detail, **others)


def invalid(field: str, message: str, *, kind: str = "value_error", given: object = None) -> Problem:
    """A body that does not fit, found after its schema was checked; `field` such as `body -> input -> 3`."""
    return _not_valid([{"field": field, "message": message, "type": kind, "input": _shown(given)}])


# The first class that fits decides.
_BY_CLASS: tuple[tuple[type[Exception], Callable[[Any], Problem]], ...] = (
    (errors.UnknownNameError, lambda e: problem(400, e.message, code="INPUT_MODEL_NOT_FOUND")),
    (errors.ModelFilesError, lambda e: problem(400, e.message, code="INPUT_MODEL_NOT_FOUND")),
    (errors.MissingDependencyError, lambda e: problem(400, e.message, code="INPUT_MODEL_NOT_FOUND")),
    (errors.BusyError, lambda e: problem(409, e.message, headers={"Retry-After": _SOON})),
    (errors.BudgetExceededError, lambda e: problem(409, e.message, name="BudgetExceededError")),
    (errors.BlockedURLError, lambda e: problem(451, e.message)),
    (errors.RobotsDeniedError, lambda e: problem(409, e.message)),
    (errors.ContentTooLargeError, lambda e: problem(413, e.message, name="TargetFileTooLargeError")),
    (errors.FetchTimeoutError, lambda e: problem(422, e.message)),
    (errors.WebError, lambda e: problem(422, e.message)),
    (errors.ExtractionError, lambda e: problem(422, e.message)),
    (errors.ConfigError, lambda e: problem(400, e.message)),
    (errors.TooLongError, lambda e: problem(400, e.message, code="INPUT_TOKEN_LIMIT_EXCEEDED")),
    (errors.InputError, lambda e: problem(400, e.message)),
    (errors.ChatError, lambda e: problem(503, e.message, headers={"Retry-After": _SOON})),
)


def for_clients(message: str) -> str:
    """A message of the library in the words of the wire, without where names of ours lead or advice for operators."""
    plain = _ADVICE.sub("", _ADDRESS.sub("it leads to no public address", message))
    return _TRUNCATE.sub('send "truncate": true', plain)


def as_problem(error: Exception) -> Problem:
    """What a client is told of an error. What is our own fault is logged, and told without its words."""
    told = _problem_of(error)
    told.detail = without_keys(told.detail)
    fields = to_json(told.fields).decode()
    if (hidden := without_keys(fields)) != fields:
        told.fields = orjson.loads(hidden)
    return told


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _not_valid([_violation(each) for each in error.errors()])
    if isinstance(error, HTTPException) and isinstance(error.__cause__, RecursionError | ValueError):
        return problem(400, "The body cannot be parsed: send JSON in UTF-8, of few levels and numbers of few digits.")
    if isinstance(error, HTTPException):
        return problem(error.status_code if error.status_code in SORTS else 400, error.detail, headers=error.headers)
    for kind, make in _BY_CLASS:
        if isinstance(error, kind):
            told = make(error)
            told.detail = for_clients(told.detail)
            return told
    logger.error("A request failed.", exc_info=error)
    return problem(500, "Something went wrong here. The log of the service has it under this request_id.")


def answer_problem(connection: HTTPConnection, error: Exception) -> Response:
    """The answer to a request that failed, in the shape of its family."""
    told, call = as_problem(error), call_of(connection)
    call.code = told.code
    family: Family = connection.scope["state"].get("family", "api")
    return _SHAPES[family](connection, told, call.request_id)


async def handle(request: Request, error: Exception) -> Response:
    """`answer_problem`, as an exception handler of the framework."""
    return answer_problem(request, error)


def rpc_body(told: Problem) -> dict[str, Any]:
    """A problem as the rpc family has it; also the data of an `event: error`."""
    name = told.name or SORTS[told.status].name
    path = told.fields.get("path")
    return {
        "data": None,
        "code": told.status,
        "name": name,
        "status": _NUMBERS[name],
        "message": told.detail,
        "readableMessage": f"{name}({path}): {told.detail}" if path else f"{name}: {told.detail}",
        **told.fields,
    }


def _api(_: HTTPConnection, told: Problem, request_id: str) -> Response:
    body = {"detail": told.detail, "message": told.detail, "code": told.code, "request_id": request_id}
    return json_answer(body | told.fields, told.status, told.headers)


def _rpc(connection: HTTPConnection, told: Problem, _: str) -> Response:
    body, form = rpc_body(told), form_of(connection)
    if form == "events":
        return Response(event(body, name="error"), told.status, told.headers, "text/event-stream")
    if form == "json":
        return json_answer(body, told.status, told.headers)
    return PlainTextResponse(body["readableMessage"], told.status, told.headers)


def _deepsearch(_: HTTPConnection, told: Problem, __: str) -> Response:
    detail = "Internal" if told.status == 500 else told.detail
    fields = dict(told.fields)
    if "errors" not in fields:
        return json_answer({"error": detail, **fields}, told.status, told.headers)
    return json_answer({"error": detail, "details": fields.pop("errors"), **fields}, 400, told.headers)


def _cohere(_: HTTPConnection, told: Problem, request_id: str) -> Response:
    return json_answer({"id": request_id, "message": told.detail}, told.status, told.headers)


_SHAPES: dict[Family, Callable[[HTTPConnection, Problem, str], Response]] = {
    "api": _api, "rpc": _rpc, "deepsearch": _deepsearch, "cohere": _cohere,
}  # fmt: skip


def _not_valid(violations: Sequence[Mapping[str, Any]]) -> Problem:
    told = "; ".join(f"{each['field']}: {each['message']}" for each in violations)
    return Problem(422, SORTS[422].code, f"Validation error(s): {told}", fields={"errors": list(violations)})


def _violation(found: Mapping[str, Any]) -> dict[str, Any]:
    message = found["msg"]
    if found["type"] == "json_invalid":
        message = f"{message}: {found.get('ctx', {}).get('error', '')}"
    elif found["loc"] == ("body",) and found["type"] in _NO_OBJECT:
        message = "Send a JSON object, and Content-Type: application/json."
    return {
        "field": _printable(" -> ".join(map(str, found["loc"]))),
        "message": message,
        "type": found["type"],
        "input": _shown(found.get("input")),
    }


def _shown(given: object) -> object:
    """An input as an error echoes it: short, and JSON."""
    if given is None or isinstance(given, float) or (isinstance(given, int) and abs(given) < 2**63):
        return given
    return _printable(shorten(str(_head(given)), _SHOWN))


def _head(given: object, depth: int = 3) -> object:
    """The beginning of a value, for the whole of it may be many megabytes to spell out."""
    if isinstance(given, str):
        return given[: 2 * _SHOWN]
    if depth and isinstance(given, dict):
        return {_head(key): _head(value, depth - 1) for key, value in islice(given.items(), _SHOWN)}
    if depth and isinstance(given, list):
        return [_head(each, depth - 1) for each in islice(given, _SHOWN)]
    return f"{type(given).__name__} …" if isinstance(given, dict | list) and given else given


def _printable(text: str) -> str:
    """Halves of surrogate pairs, which no JSON of ours can hold, by their numbers."""
    return text.encode(errors="backslashreplace").decode()
