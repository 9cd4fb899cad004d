"""Numbers for Prometheus, in a registry for each application."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jina_components.service.calls import Call
from jina_components.service.components import Components
from jina_components.service.names import plain_name
from jina_components.service.products import Product

# Seconds, from a short text to a deep search.
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
# Of deep search, which is no model of the catalog.
_AGENTS = ("jina-deepsearch-v1", "jina-deepsearch-v2")
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
"""Those that are told by their names."""
OTHER = "other"
"""Label of what is not known: clients cannot make up new ones."""


class Metrics:
    """What is counted of requests.

    Args:
        components: Whose models are told.

    Attributes:
        registry: Holds it all; `prometheus_client.generate_latest` writes it out.
    """

    def __init__(self, components: Components) -> None:
        self.registry = CollectorRegistry()
        self._known = frozenset((*components.embedders.names, *components.rerankers.names, *_AGENTS))
        kind, whose, told = ("product", "route", "method"), ("product", "model"), self.registry
        self._requests = Counter("jina_requests", "Requests answered.", (*kind, "status"), registry=told)
        self._seconds = Histogram(
            "jina_request_seconds", "From a request to the end of its answer.", kind, buckets=_BUCKETS, registry=told
        )
        self._tokens = Counter(
            "jina_tokens", "Tokens of requests that got a result, and of lines of batches.", whose, registry=told
        )
        self._items = Counter("jina_items", "Inputs, documents or pages of them.", whose, registry=told)
        self._failed = Counter("jina_failed", "Requests that got none, by code.", ("product", "code"), registry=told)
        self.in_flight = Gauge("jina_requests_in_flight", "Requests in work.", registry=told)
        told.register(_ModelsInMemory(components))
        ProcessCollector(registry=told)

    def count(self, call: Call, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        kind = (call.product, route or OTHER, method)
        self._requests.labels(*kind, str(status)).inc()
        self._seconds.labels(*kind).observe(seconds)
        if status >= 400:
            self._failed.labels(call.product, call.code or OTHER).inc()
        elif call.model:
            self.add(call.product, call.model, call.items, call.tokens)

    def add(self, product: Product, model: str, items: int, tokens: int) -> None:
        """Count what was done: by a request, or of a batch long after it."""
        plain = plain_name(model)
        whose = (product, plain if plain in self._known else OTHER)
        self._tokens.labels(*whose).inc(tokens)
        self._items.labels(*whose).inc(items)


class _ModelsInMemory(Collector):
    """Models that are loaded or about to be, at the moment of asking."""

    def __init__(self, components: Components) -> None:
        self._components = components

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: what there is differs from time to time."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample a model."""
        found = GaugeMetricFamily(
            "jina_models_in_memory", "Models in memory, by what they do.", labels=("kind", "model")
        )
        for kind, models in (("embedder", self._components.embedders), ("reranker", self._components.rerankers)):
            for name in models.held:
                found.add_metric((kind, name), 1)
        yield found
