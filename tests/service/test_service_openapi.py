"""The OpenAPI document, and whether the service answers as it says, whatever it is sent (schemathesis)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from jina_components.service import Limits, ServiceSettings, create_app

# Names of models that answer, put into some requests so that they get further than to the name.
_MODELS = {"rerank": "static-minilm-v1-maxsim", "chat": "jina-deepsearch-v1"}
_EMBEDS = "static-minilm-v1"
_OPERATIONS = [
    (path, method)
    for path, operations in create_app(ServiceSettings(data=Path("unused"))).openapi()["paths"].items()
    for method in operations
]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    limits = Limits(timeout=20.0, long_timeout=20.0, body_timeout=5.0)
    data = tmp_path_factory.mktemp("data")
    app = create_app(ServiceSettings(data=data, warm_up=(), offline=True, limits=limits))
    # The same on every machine: no name leads anywhere, and no address but by its name.
    with pytest.MonkeyPatch.context() as patch, TestClient(app, raise_server_exceptions=False):  # which starts it
        patch.setattr(socket, "getaddrinfo", _unknown)
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


def _unknown(*_: Any, **__: Any) -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("path", "method"), _OPERATIONS)
@settings(max_examples=16, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_documented(schema: Any, path: str, method: str, data: st.DataObject) -> None:
    # Also what does not fit the schema, where there is anything that could not fit.
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = data.draw(schema[path][method].as_strategy(generation_mode=mode))
    if isinstance(case.body, dict) and "model" in case.body and data.draw(st.booleans()):
        model = next((model for part, model in _MODELS.items() if part in path), _EMBEDS)
        case.body = {**case.body, "model": model}
    case.call_and_validate(
        checks=[not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    )


def test_every_operation_says_what_it_does(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary"), (method, path)
            assert operation.get("description"), (method, path)
            assert operation.get("tags"), (method, path)
            for parameter in operation.get("parameters", ()):
                assert not parameter.get("required") or parameter["example"], (method, path, parameter)


# Where nothing is to be had: offline, models of token vectors and pages of the web; keys, where none are needed; models
# fitted, where that is off.
_OFFLINE = {
    "/v1/multi-vector": 400,
    "/v1/multi-embeddings": 400,
    "/s/search": 422,
    "/s/{query}": 422,
    "/v1/keys": 404,
    "/v1/keys/{key_id}/grant": 404,
    "/v1/transfers": 404,
    "/v1/finetunes": 404,
    "/v1/finetunes/{job_id}/cancel": 404,
}


def test_examples_run_as_they_are(schema: Any) -> None:
    document = schema.raw_schema
    posts = {path: operations["post"] for path, operations in document["paths"].items() if "post" in operations}
    client = TestClient(schema.app)
    for path, operation in posts.items():
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {"example": None})
        answer = client.post(path.partition("{")[0], json=body["example"])
        assert answer.status_code == _OFFLINE.get(path, 200), (path, answer.text)


def test_titles_do_not_say_names_again(client: TestClient) -> None:
    request = client.get("/openapi.json").json()["components"]["schemas"]["EmbeddingsRequest"]
    assert "title" not in request["properties"]["input"]
    citation = client.get("/openapi.json").json()["components"]["schemas"]["UrlCitation"]
    assert citation["properties"]["title"] == {"type": "string"}
