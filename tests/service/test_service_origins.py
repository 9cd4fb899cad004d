"""Which web sites' scripts may read the answers."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from jina_components import Embedder, Retriever
from jina_components.service import Components, ServiceSettings

_SITE = {"Origin": "https://site.example"}


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, "*"),
        ({"allow_networks": ("10.0.0.0/8",)}, None),
        ({"allow_networks": ("10.0.0.0/8",), "allow_origins": ("https://site.example",)}, "https://site.example"),
        ({"allow_origins": ("https://other.example",)}, None),
    ],
)
def test_sites_that_may_call(make_app, settings, allowed):
    answer = TestClient(make_app(**settings)).get("/live", headers=_SITE)
    assert answer.headers.get("access-control-allow-origin") == allowed


def test_no_site_may_read_documents_of_ones_own(make_app, tmp_path):
    components = Components(ServiceSettings(data=tmp_path), retriever=Retriever(Embedder()))
    answer = TestClient(make_app(components=components)).get("/live", headers=_SITE)
    assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_is_answered(make_app):
    asked = {**_SITE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-timeout"}
    answer = TestClient(make_app()).options("/r/", headers=asked)
    assert answer.status_code == 200
    assert "x-timeout" in answer.headers["access-control-allow-headers"]
