"""What the README says of serving."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from jina_components.cli.main import build_parser
from jina_components.service import ServiceSettings, create_app

_SECTION = Path("README.md").read_text("utf-8").split("\n## Serving\n")[1].split("\n## ")[0]


def test_its_session_runs(service_url: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", _SECTION, re.DOTALL)
    there: dict[str, Any] = {}
    exec(code.replace("http://localhost:8080", service_url), there)
    there["client"].close()
    (body,) = re.findall(r"/v1/embeddings -H '[^']*' -d '([^']*)'", _SECTION)
    answer = httpx.post(f"{service_url}/v1/embeddings", content=body, headers={"Content-Type": "application/json"})
    assert len(answer.json()["data"]) == 1


def test_its_routes_are_there(tmp_path: Path) -> None:
    paths = set(create_app(ServiceSettings(data=tmp_path)).openapi()["paths"])
    table = [line for line in _SECTION.splitlines() if line.startswith("| `/")]
    named = {route for line in table for route in re.findall(r"`(/[a-z0-9/._-]+)`", line.split("|")[1])}
    assert len(named) > 15
    missing = {route for route in named if route not in paths} - {"/openapi.json", "/docs", "/metrics"}
    assert not missing


def test_its_flags_are_there() -> None:
    serve = next(
        action.choices["serve"] for action in build_parser()._actions if action.choices and "serve" in action.choices
    )
    flags = set(re.findall(r"`(--[a-z-]+)", _SECTION))
    assert flags <= set(serve._option_string_actions)
    assert urlsplit("http://127.0.0.1:8080").port == serve.get_default("port")
