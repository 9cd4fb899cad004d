"""A request to the service as code to copy: curl, Python and JavaScript."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

KEY = "JINA_API_KEY"
"""The environment variable that code takes the key from: a key itself is never part of it."""

_STREAMED = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to the service.

    Attributes:
        path: From the root of the service, with its query string, quoted as URLs have it.
        body: What is sent as JSON; None for nothing.
        method: GET or POST.
        headers: Further headers, none of which is a secret.
        streamed: Whether events are taken as they come.
    """

    path: str
    body: Mapping[str, Any] | None = None
    method: Literal["GET", "POST"] = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    streamed: bool = False

    @property
    def all_headers(self) -> dict[str, str]:
        """Those of the body and of the answer's form too; without the key."""
        typed = {"Content-Type": "application/json"} if self.body is not None else {}
        return typed | ({"Accept": _STREAMED} if self.streamed else {}) | dict(self.headers)


def curl(asked: Asked, base: str, *, has_key: bool) -> str:
    """A command of a POSIX shell."""
    # Without --globoff, curl takes brackets and braces of a URL for patterns.
    parts = ["curl --globoff --no-buffer" if asked.streamed else "curl --globoff", shlex.quote(base + asked.path)]
    if asked.method != ("GET" if asked.body is None else "POST"):
        parts.append(f"--request {asked.method}")
    if has_key:
        parts.append(f'--header "Authorization: Bearer ${KEY}"')
    parts += [f"--header {shlex.quote(f'{name}: {value}')}" for name, value in asked.all_headers.items()]
    if asked.body is not None:
        # --data-raw, for --data takes a leading @ for the name of a file.
        parts.append(f"--data-raw {shlex.quote(_json(asked.body))}")
    return " \\\n  ".join(parts)


def python(asked: Asked, base: str, *, has_key: bool) -> str:
    """A program that needs httpx."""
    headers = [f"{_python(name)}: {_python(value)}" for name, value in asked.headers.items()]
    if asked.streamed:
        headers.append(f'"Accept": "{_STREAMED}"')
    if has_key:
        headers.append(f'"Authorization": f"Bearer {{os.environ[\'{KEY}\']}}"')
    arguments = [f'"{asked.method}"', _python(base + asked.path)]
    if headers:
        arguments.append("headers={" + ", ".join(headers) + "}")
    if asked.body is not None:
        arguments.append(f"json={_python(asked.body)}")
    arguments.append("timeout=None" if asked.streamed else "timeout=120")
    listed = "".join(f"    {each},\n" for each in arguments)
    imports = "import os\n\nimport httpx\n" if has_key else "import httpx\n"
    if asked.streamed:
        return (
            f"{imports}\nwith httpx.stream(\n{listed}) as response:\n"
            "    for line in response.iter_lines():\n        print(line)\n"
        )
    shown = "response.text" if asked.headers.get("Accept", "").startswith("text/") else "response.json()"
    return f"{imports}\nresponse = httpx.request(\n{listed})\nprint({shown})\n"


def javascript(asked: Asked, base: str, *, has_key: bool) -> str:
    """A module for Node or Deno; in a page of another site the service has to allow it (CORS)."""
    headers = [f"    {json.dumps(name)}: {_javascript(value)},\n" for name, value in asked.all_headers.items()]
    if has_key:
        headers.append(f"    Authorization: `Bearer ${{process.env.{KEY}}}`,\n")
    options = [f'  method: "{asked.method}",\n'] if asked.method != "GET" else []
    if headers:
        options.append("  headers: {\n" + "".join(headers) + "  },\n")
    if asked.body is not None:
        options.append(f"  body: JSON.stringify({_javascript(asked.body, indent=2)}),\n")
    call = f"fetch({_javascript(base + asked.path)}" + (", {\n" + "".join(options) + "}" if options else "") + ")"
    if asked.streamed:
        taken = (
            "for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {\n  console.log(piece);\n}"
        )
    else:
        form = "text" if asked.headers.get("Accept", "").startswith("text/") else "json"
        taken = f"console.log(await response.{form}());"
    return f"const response = await {call};\n{taken}\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _python(value: object, indent: int = 4) -> str:
    """A literal; long values on lines of their own."""
    short = repr(value)
    if len(short) <= 80 or not isinstance(value, Mapping | list | tuple):
        return short
    pad = " " * (indent + 4)
    if isinstance(value, Mapping):
        inner = "".join(f"{pad}{_python(name)}: {_python(each, indent + 4)},\n" for name, each in value.items())
        return "{\n" + inner + " " * indent + "}"
    return "[\n" + "".join(f"{pad}{_python(each, indent + 4)},\n" for each in value) + " " * indent + "]"


def _javascript(value: object, indent: int = 0) -> str:
    """A literal: JSON is one, but for two characters that old engines take for ends of lines."""
    made = json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, Mapping | list) else None)
    made = made.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return made.replace("\n", "\n" + " " * indent)
