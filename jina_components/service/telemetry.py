"""Spans to where the operator wants them, by the variables that OpenTelemetry has for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

from jina_components.errors import ConfigError, MissingDependencyError

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HTTP = "http/protobuf"


@contextmanager
def exported_spans() -> Iterator[None]:
    """Export spans inside of the block, if the environment names an endpoint for them; the last are sent at its end.

    Raises:
        MissingDependencyError: the extra `telemetry` is not installed.
        ConfigError: the protocol is not `http/protobuf`.
    """
    if not _is_wanted():
        yield
        return
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), _HTTP)
    if protocol != _HTTP:
        raise ConfigError(f"Spans are exported by {_HTTP}, got {protocol!r} in OTEL_EXPORTER_OTLP_PROTOCOL.")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        named = next(name for name in _ENDPOINTS if os.environ.get(name))
        raise MissingDependencyError(
            f"{named} is set, and exporting spans needs: pip install 'jina-components[telemetry]'."
        ) from error
    service = os.environ.get("OTEL_SERVICE_NAME", "jina-components")
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def _is_wanted() -> bool:
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    exporters = os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")
    return not is_off and "otlp" in exporters and any(os.environ.get(name) for name in _ENDPOINTS)
