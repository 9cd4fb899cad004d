"""What an endpoint of Amazon SageMaker is sent: bodies of Jina's model packages, of their batches, and of the API."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from jina_components.service.answers import to_json
from jina_components.service.errors import problem

CSV, LINES = "text/csv", ("application/jsonlines", "application/x-ndjson")

# Gives the model of a route where a body names none; None where the route takes none.
ModelOf: TypeAlias = Callable[[str], str | None]

_EMBEDDINGS, _RERANK = "/v1/embeddings", "/v1/rerank"
# By a field that only bodies of a route have, which; the first that is there decides.
_BY_FIELD = {
    "messages": "/v1/chat/completions", "documents": _RERANK, "labels": "/v1/classify",
    "classifier_id": "/v1/classify", "statement": "/g/", "url": "/r/", "html": "/r/", "pdf": "/r/", "q": "/s/search",
    "content": "/v1/segment", "input": _EMBEDDINGS, "texts": "/v2/embed",
}  # fmt: skip
_OTHERS = ("/v1/multi-vector", "/v1/train", "/v1/embed", "/v2/rerank", "/rerank", "/svip/")
ROUTES = tuple(dict.fromkeys((*_BY_FIELD.values(), *_OTHERS)))
"""Routes that may be asked for."""
_ATTRIBUTE = "route="
_MOST = 5000  # rows, or rankings of all lines together
_PARAMETER_BYTES = 100_000  # which each ranking of a body is sent with


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request to a route of the API.

    Attributes:
        path: The route.
        body: What it is sent.
        id: That of a row of a batch; empty for none.
        of_list: Whether the answer is one of several in `data`, as Jina's packages have them of rankings.
        first: Whether the first item of its `data` is what is answered.
    """

    path: str
    body: Mapping[str, Any]
    id: str = ""
    of_list: bool = False
    first: bool = False

    def told(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """What is answered: what the route answers, with the row's id and what it cost."""
        told = {**answer["data"][0], "usage": answer["usage"]} if self.first else dict(answer)
        return {"id": self.id, **told} if self.id else told


def from_json(sent: bytes, attributes: str, model_of: ModelOf) -> list[Invocation]:
    """What a JSON body asks for: one thing, or several rankings.

    Args:
        sent: The body.
        attributes: The header `X-Amzn-SageMaker-Custom-Attributes`; `route=/v1/rerank` in it names a route.
        model_of: As `ModelOf`.

    Raises:
        Problem: 400, it is no JSON object, or nothing tells what it asks for; 413, for too many rankings.
    """
    given = _object(sent)
    if not _route(attributes) and (data := given.get("data")) is not None:
        parameters = given.get("parameters") or {}
        if not isinstance(parameters, dict) or len(to_json(parameters)) > _PARAMETER_BYTES:
            raise problem(400, f"parameters must be an object of at most {_PARAMETER_BYTES:,} bytes.")
        return _of_package(data, parameters, model_of)
    path = _route(attributes) or next((path for field, path in _BY_FIELD.items() if given.get(field) is not None), "")
    if not path:
        fields = ", ".join(("data", *_BY_FIELD))
        raise problem(
            400,
            f"Nothing tells what is asked for: the body has none of {fields}, and the header "
            "X-Amzn-SageMaker-Custom-Attributes names no route, such as route=/v1/rerank.",
        )
    return [Invocation(path, _with_model(given, model_of(path)))]


def from_lines(sent: bytes, attributes: str, model_of: ModelOf) -> Iterator[list[Invocation]]:
    """What each line of JSON asks for, by `from_json`.

    Raises:
        Problem: as `from_json`; 413, there are too many.
    """
    number = 0
    for line in io.BytesIO(sent):
        if line.strip():
            asked = from_json(line, attributes, model_of)
            _check_number(number := number + len(asked))
            yield asked


def from_csv(sent: bytes, model_of: ModelOf) -> Iterator[Invocation]:
    """What the rows of a batch ask for.

    A row is `id,text`; or `id,data,parameters`, which are JSON; or of rankings `id,query,documents,top_n`.

    Raises:
        Problem: 400, a row is none of these; 413, there are too many.
    """
    try:
        for number, row in enumerate(csv.reader(io.StringIO(sent.decode(), newline=""), strict=True), 1):
            _check_number(number)
            if row:
                yield _of_row(row, number, model_of)
    except (csv.Error, UnicodeDecodeError) as error:
        raise problem(400, f"The body is no CSV in UTF-8: {error}.") from error


def _of_row(row: Sequence[str], number: int, model_of: ModelOf) -> Invocation:
    name, *cells = row
    if len(cells) == 1:
        return Invocation(_EMBEDDINGS, {"model": model_of(_EMBEDDINGS), "input": cells}, name, first=True)
    try:
        if len(cells) == 2:
            data, parameters = map(orjson.loads, cells)
            return Invocation(_EMBEDDINGS, {"model": model_of(_EMBEDDINGS), **parameters, "input": data}, name)
        if len(cells) == 3:
            body = {"query": cells[0], "documents": orjson.loads(cells[1]), "top_n": orjson.loads(cells[2] or "null")}
            return Invocation(_RERANK, {"model": model_of(_RERANK), **body}, name)
    except (orjson.JSONDecodeError, TypeError) as error:
        raise problem(400, f"Row {number} has a cell that is no JSON, or parameters that are no object.") from error
    raise problem(400, f"Row {number} has {len(row)} cells: it must be id,text or id,data,parameters or "
                       "id,query,documents,top_n.")  # fmt: skip


def _of_package(data: object, parameters: Mapping[str, Any], model_of: ModelOf) -> list[Invocation]:
    several = data if isinstance(data, list) else [data]
    if any(isinstance(each, dict) and "documents" in each for each in several):
        _check_number(len(several))
        bodies = [each if isinstance(each, dict) else {} for each in several]
        return [
            Invocation(_RERANK, _with_model({**parameters, **body}, model_of(_RERANK)), of_list=True) for body in bodies
        ]
    return [Invocation(_EMBEDDINGS, _with_model({**parameters, "input": several}, model_of(_EMBEDDINGS)))]


def _check_number(number: int) -> None:
    if number > _MOST:
        raise problem(413, f"A body has up to {_MOST:,} rows or rankings: send several.")


def _with_model(body: Mapping[str, Any], model: str | None) -> dict[str, Any]:
    has_one = body.get("model") is not None or body.get("classifier_id") is not None
    return dict(body) if model is None or has_one else {**body, "model": model}


def _route(attributes: str) -> str:
    """The route that custom attributes name; empty where they name none."""
    named = [each.strip() for each in attributes.replace(";", ",").split(",")]
    path = next((each.removeprefix(_ATTRIBUTE).strip() for each in named if each.startswith(_ATTRIBUTE)), "")
    if path and path not in ROUTES:
        raise problem(400, f"route of X-Amzn-SageMaker-Custom-Attributes must be one of {', '.join(ROUTES)}.")
    return path


def _object(sent: bytes) -> dict[str, Any]:
    try:
        given = orjson.loads(sent)
    except orjson.JSONDecodeError as error:
        raise problem(400, f"The body is no JSON: {error}.") from error
    if not isinstance(given, dict):
        raise problem(400, f"The body must be a JSON object, got {type(given).__name__}.")
    return given
