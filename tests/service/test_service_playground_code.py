"""The request as code: what is copied is run, and asks for what the tab asks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import playwright
import pytest
from local_server import LocalServer, Received, http

from jina_components.service.playground.code import Asked, curl, javascript, python

NODE = Path(playwright.__file__).parent / "driver" / "node"
KEY = "jina_secret"
NASTY = [
    'it\'s a "test" $HOME `id` $(id) \\ %s {0} [1]',
    "@/etc/passwd",
    "two\nlines\r\n\ttab",
    "日本語 🚆 é \u2028\u2029 \x00 \x1b",
    "</script><b>${1+1}</b> f'{x}' !",
]


def in_shell(code: str) -> list[str]:
    return ["bash", "-c", code]


def in_python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def in_node(code: str) -> list[str]:
    return [str(NODE), "--input-type=module", "--eval", code]


@pytest.mark.parametrize(
    ("write", "command"), [(curl, in_shell), (python, in_python), (javascript, in_node)], ids=["curl", "python", "js"]
)
def test_code_asks_for_the_same(server: LocalServer, write: Callable[..., str], command: Callable[[str], list[str]]):
    asked = [
        Asked("/v1/classify", {"input": NASTY, "labels": {"ünï": ["a", "b"]}, "top": 3, "exact": True, "none": None}),
        Asked("/v1/usage?by=day,product&name=%22a%27b%22[1]", method="GET", headers={"X-Engine": 'it\'s "direct"'}),
        Asked("/g/", {"statement": NASTY[0]}, streamed=True, headers={"X-No-Cache": "true"}),
    ]
    server.routes |= {each.path: [http(body=b'{"said": 1}', content_type="application/json")] for each in asked}
    environment = os.environ | {"JINA_API_KEY": KEY, "NO_PROXY": "*"}
    for each in asked:
        code = write(each, server.url(""), has_key=True)
        assert KEY not in code
        done = subprocess.run(command(code), env=environment, capture_output=True, check=True, timeout=60)
        assert b"said" in done.stdout
        got = server.received[-1]
        assert (got.method, got.path) == (each.method, each.path)
        assert got.headers["authorization"] == f"Bearer {KEY}"
        assert_headers(got, each)
        if each.body is not None:
            assert json.loads(got.body) == each.body


def assert_headers(got: Received, asked: Asked) -> None:
    for name, value in asked.all_headers.items():
        assert got.headers[name.lower()] == value


def test_no_key_where_none_is_needed():
    for write in (curl, python, javascript):
        assert "JINA_API_KEY" not in write(Asked("/v1/models", method="GET"), "http://127.0.0.1", has_key=False)
