"""What is told of requests: log lines, metrics and spans, without what was sent."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import Response
from starlette.testclient import TestClient

from jina_components.service.calls import call_of
from jina_components.service.logs import JsonLines, TextLines
from jina_components.service.telemetry import exported_spans

MODEL = "static-minilm-v1"
CANARY = "c4n4ry"


@pytest.fixture(scope="module")
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)  # which a process does once
    yield exporter
    exporter.shutdown()  # not the provider, which would warn of each later span


@pytest.fixture(scope="module")
def watched_app(make_app: Callable[..., FastAPI]) -> FastAPI:
    app = make_app(stand_ins={"text-embedding-3-small": MODEL})

    async def broken(request: Request) -> Response:
        raise RuntimeError(f"cannot do {request.url} {await request.body()!r}")

    async def known(request: Request, model: str) -> Response:
        call = call_of(request)
        call.product, call.model, call.items, call.tokens = "embeddings", model, 2, 5
        return Response("done")

    app.add_api_route("/v1/broken/{what:path}", broken, methods=["POST"])
    app.add_api_route("/v1/known", known)
    return app


@pytest.fixture(scope="module")
def watched(watched_app: FastAPI, spans: InMemorySpanExporter) -> Iterator[TestClient]:
    with TestClient(watched_app) as client:
        yield client


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What a service would have logged to standard error."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("jina_components")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(before)


def sample(client: TestClient, name: str, **labels: str) -> float | None:
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return next((each.value for each in samples if labels.items() <= each.labels.items()), None)


def test_each_request_is_a_line_of_json(watched: TestClient, lines: Callable[[], list[dict[str, Any]]]) -> None:
    answer = watched.post("/v1/embeddings", json={"model": MODEL, "input": ["tides", "moons"]})
    (line,) = (line for line in lines() if line["logger"] == "jina_components.access")
    assert line["time"].endswith("Z")
    assert line["seconds"] > 0
    told = {name: line[name] for name in line if name not in ("time", "seconds", "level", "logger")}
    assert told == {
        "request_id": answer.headers["x-request-id"],
        "method": "POST",
        "route": "/v1/embeddings",
        "status": 200,
        "bytes_in": len(answer.request.content),
        "bytes_out": len(answer.content),
        "complete": True,
        "client": "testclient",
        "product": "embeddings",
        "model": MODEL,
        "items": 2,
        "tokens": answer.json()["usage"]["total_tokens"],
        "code": "",
    }


def test_the_message_of_a_line_is_json_for_whatever_handles_it(
    watched: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jina_components.access")
    watched.get("/live")
    assert json.loads(caplog.messages[-1])["route"] == "/live"


def test_failures_are_told_by_their_code(watched: TestClient, lines: Callable[[], list[dict[str, Any]]]) -> None:
    before = sample(watched, "jina_failed_total", code="INPUT_MODEL_NOT_FOUND", product="embeddings") or 0
    answer = watched.post("/v1/embeddings", json={"model": f"{CANARY}-model", "input": "tides"})
    line = next(line for line in lines() if line["product"] == "embeddings")
    assert (line["status"], line["code"], line["model"]) == (400, "INPUT_MODEL_NOT_FOUND", "")
    assert answer.json()["request_id"] == line["request_id"]
    after = sample(watched, "jina_failed_total", code="INPUT_MODEL_NOT_FOUND", product="embeddings")
    assert after == before + 1


def test_ids_of_requests_are_the_services_own(watched: TestClient) -> None:
    first, second = (watched.get("/live", headers={"X-Request-ID": CANARY}) for _ in range(2))
    told = {answer.headers["x-request-id"] for answer in (first, second)}
    assert len(told) == 2
    assert all(len(each) == 32 for each in told)
    assert watched.get("/nowhere").headers["x-request-id"]


def test_metrics_count_requests_tokens_and_items(watched: TestClient) -> None:
    whose = {"product": "embeddings", "model": MODEL}
    before = [sample(watched, f"jina_{name}_total", **whose) or 0 for name in ("items", "tokens")]
    answer = watched.post("/v1/embeddings", json={"model": f"jina-ai/{MODEL}", "input": ["tides", "moons"]})
    after = [sample(watched, f"jina_{name}_total", **whose) or 0 for name in ("items", "tokens")]
    assert [after[0] - before[0], after[1] - before[1]] == [2, answer.json()["usage"]["total_tokens"]]
    route = {"product": "embeddings", "route": "/v1/embeddings", "method": "POST"}
    assert (sample(watched, "jina_requests_total", status="200", **route) or 0) >= 1
    assert (sample(watched, "jina_request_seconds_count", **route) or 0) >= 1
    assert sample(watched, "jina_requests_in_flight") == 0
    assert sample(watched, "jina_models_in_memory", kind="embedder", model=MODEL) == 1
    assert (sample(watched, "process_resident_memory_bytes") or 0) > 0


def test_clients_make_up_no_labels(watched: TestClient) -> None:
    watched.get("/v1/known", params={"model": f"{CANARY}-model"})
    watched.request("BREW", f"/{CANARY}")
    assert CANARY not in watched.get("/metrics").text
    assert sample(watched, "jina_tokens_total", product="embeddings", model="other") == 5
    assert sample(watched, "jina_requests_total", method="_OTHER", route="other") == 1


def test_metrics_are_told_in_the_form_that_is_asked_for(watched: TestClient) -> None:
    told = watched.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert told.headers["content-type"].startswith("application/openmetrics-text")
    assert told.text.endswith("# EOF\n")


def test_applications_count_apart(make_app: Callable[..., FastAPI]) -> None:
    with TestClient(make_app()) as one, TestClient(make_app()) as other:
        one.get("/live")
        assert sample(one, "jina_requests_total", route="/live") == 1
        assert sample(other, "jina_requests_total", route="/live") is None


def finished(spans: InMemorySpanExporter) -> list[ReadableSpan]:
    told = [span for span in spans.get_finished_spans() if span.kind is trace.SpanKind.SERVER]
    spans.clear()
    return told


def test_each_request_is_a_span_below_its_clients(watched: TestClient, spans: InMemorySpanExporter) -> None:
    finished(spans)
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    answer = watched.post("/v1/embeddings", json={"model": MODEL, "input": "tides"}, headers={"traceparent": parent})
    (span,) = finished(spans)
    assert span.name == "POST /v1/embeddings"
    assert span.parent is not None
    assert (span.parent.trace_id, span.parent.span_id) == (int("ab" * 16, 16), int("cd" * 8, 16))
    assert span.attributes is not None
    assert dict(span.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/embeddings",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "client.address": "testclient",
        "jina.request_id": answer.headers["x-request-id"],
        "jina.product": "embeddings",
        "jina.model": MODEL,
        "jina.items": 1,
        "jina.tokens": answer.json()["usage"]["total_tokens"],
    }


def test_the_time_that_a_model_takes_is_a_span_of_its_own(watched: TestClient, spans: InMemorySpanExporter) -> None:
    spans.clear()
    watched.post("/v1/embeddings", json={"model": MODEL, "input": "tides"})
    request = next(span for span in spans.get_finished_spans() if span.kind is trace.SpanKind.SERVER)
    model = next(span for span in spans.get_finished_spans() if span.name == "model")
    assert model.parent is not None
    assert model.parent.span_id == request.context.span_id
    assert dict(model.attributes or {}) == {"jina.model": MODEL}


def test_faults_are_errors_of_their_spans_and_mistakes_of_clients_are_not(
    watched: TestClient, spans: InMemorySpanExporter
) -> None:
    finished(spans)
    watched.post("/v1/broken/x")
    watched.post("/v1/embeddings", json={})
    fault, mistake = finished(spans)
    assert fault.status.status_code is trace.StatusCode.ERROR
    assert (fault.attributes or {})["error.type"] == "INTERNAL_ERROR"
    assert mistake.status.status_code is trace.StatusCode.UNSET


def test_nothing_that_was_sent_is_told(
    watched: TestClient, spans: InMemorySpanExporter, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    spans.clear()
    secret = {"Authorization": f"Bearer {CANARY}", "User-Agent": CANARY, "Cookie": CANARY, "Referer": CANARY}
    asked: tuple[tuple[str, str, Any], ...] = (
        ("POST", "/v1/embeddings", {"model": MODEL, "input": [CANARY]}),
        ("POST", "/v1/embeddings", {"model": CANARY, "input": [CANARY]}),
        ("POST", "/v1/embeddings", {"model": MODEL, "input": [CANARY], "task": CANARY}),
        ("POST", "/v1/embeddings", {CANARY: CANARY}),
        ("POST", "/v1/rerank", {"model": "small-cross-encoder-v1", "query": CANARY, "documents": [CANARY]}),
        ("POST", "/v1/segment", {"content": CANARY}),
        ("POST", "/v1/chat/completions", {"messages": [{"role": CANARY, "content": CANARY}]}),
        ("GET", f"/r/file:///{CANARY}", None),
        ("GET", f"/r/http://127.0.0.1:9/{CANARY}", None),
        ("GET", f"/{CANARY}?{CANARY}={CANARY}", None),
        ("POST", f"/v1/broken/{CANARY}?{CANARY}", {"input": CANARY}),
        (CANARY.upper(), f"/{CANARY}", None),
    )
    statuses = [watched.request(method, path, json=body, headers=secret).status_code for method, path, body in asked]
    assert statuses[0] == 200
    assert 500 in statuses
    told = lines()
    assert len([line for line in told if line["logger"] == "jina_components.access"]) == len(asked)
    assert any(line["message"] == "A request failed." and line["request_id"] for line in told if "message" in line)
    assert CANARY not in json.dumps(told).lower()
    assert CANARY not in watched.get("/metrics").text.lower()
    assert len(spans.get_finished_spans()) >= len(asked)
    assert CANARY not in "".join(span.to_json() for span in spans.get_finished_spans()).lower()


@pytest.mark.parametrize("told", [f"{CANARY}=1 status=200", "1" * 65, "<b>", "é"])
def test_what_a_proxy_passes_on_for_an_address_is_not_told(
    watched_app: FastAPI, watched: TestClient, lines: Callable[[], list[dict[str, Any]]], told: str
) -> None:
    assert TestClient(watched_app, client=(told, 1)).get("/v1/models").status_code == 200
    assert [line["client"] for line in lines()] == [""]


def test_stand_ins_say_who_answered(watched: TestClient) -> None:
    stood_in = watched.post("/v1/embeddings", json={"model": "text-embedding-3-small", "input": "tides"})
    itself = watched.post("/v1/embeddings", json={"model": MODEL, "input": "tides"})
    assert stood_in.headers["x-served-by"] == MODEL
    assert "x-served-by" not in itself.headers
    assert stood_in.json()["data"] == itself.json()["data"]


@pytest.mark.parametrize("form", ["json", "text"])
def test_lines_of_others_are_told_without_messages_of_exceptions(form: str) -> None:
    formatter = JsonLines() if form == "json" else TextLines()
    try:
        try:
            int(CANARY)
        except ValueError as error:
            raise RuntimeError(CANARY) from error
    except RuntimeError as error:
        info = (type(error), error, error.__traceback__)
        record = logging.LogRecord("other", logging.ERROR, __file__, 1, "It %s.", ("broke",), info)
    line = formatter.format(record)
    told = json.loads(line)["exception"] if form == "json" else line
    assert "It broke." in line
    assert told.index("builtins.RuntimeError") < told.index("builtins.ValueError")
    assert "test_service_watching.py" in told
    assert f"'{CANARY}'" not in told


def test_spans_are_exported_where_the_environment_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_PROTOCOL"), exported_spans():
        pass
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with exported_spans():
        pass


def test_exporting_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ImportError, match=r"jina-components\[telemetry\]"), exported_spans():
        pass
