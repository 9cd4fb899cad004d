"""Where pages are kept that were read: a folder, or Milvus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from local_server import LocalServer, http
from starlette.testclient import TestClient


def test_pages_read_are_found_again_in_milvus(
    make_app: Callable[..., FastAPI], server: LocalServer, tmp_path: Path
) -> None:
    page = b"<title>The lighthouse</title><h1>The lighthouse</h1><p>The lighthouse keeper counts ships at night.</p>"
    server.routes["/lighthouse"] = [http(body=page, content_type="text/html")]
    url = server.url("/lighthouse")
    settings = {"pages_url": str(tmp_path / "pages.db"), "allow_networks": ("127.0.0.0/8",)}
    with TestClient(make_app(**settings)) as client:
        assert client.get(f"/r/{url}").status_code == 200
        found = client.get("/s/who counts ships", headers={"Accept": "application/json"})
    assert [page["url"] for page in found.json()["data"]] == [url]
    assert (tmp_path / "pages.db").exists()
