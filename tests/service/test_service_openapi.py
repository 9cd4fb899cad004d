"""The OpenAPI document, and whether the service answers as it says, whatever it is sent (schemathesis)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
    app = create_app(ServiceSettings(data=tmp_path_factory.mktemp("data"), warm_up=(), limits=limits))
    with TestClient(app, raise_server_exceptions=False):  # which starts and ends it
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("path", "method"), _OPERATIONS)
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_documented(schema: Any, path: str, method: str, data: st.DataObject) -> None:
    case = data.draw(schema[path][method].as_strategy())
    if isinstance(case.body, dict) and "model" in case.body and data.draw(st.booleans()):
        case.body["model"] = next((model for part, model in _MODELS.items() if part in path), _EMBEDS)
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
