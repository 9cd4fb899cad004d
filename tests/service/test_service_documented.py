"""What the documentation says of serving."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import httpx

from jina_components.cli.main import build_parser
from jina_components.service import ServiceSettings, create_app
from jina_components.service.limits.tiers import Rate, read_tiers

_SECTION = "".join(Path("docs", name).read_text("utf-8") for name in ("service.md", "team.md"))


def test_its_request_is_answered(service_url: str) -> None:
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


def _commands(parser: argparse.ArgumentParser, group: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Each command by its name, with that of its group: `keys create`."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield f"{group}{name}", command
                yield from _commands(command, f"{group}{name} ")


def test_its_commands_and_flags_are_there() -> None:
    commands = dict(_commands(build_parser()))
    asked = re.findall(r"jina-components ([a-z][^`#\n]*)", _SECTION) + re.findall(r"`(keys [a-z]+)`", _SECTION)
    named: dict[str, argparse.ArgumentParser] = {}
    for line in asked:
        name = max((each for each in commands if f"{line} ".startswith(f"{each} ")), key=len, default=None)
        assert name, f"there is no command {line!r}"
        named[name] = commands[name]
        assert set(re.findall(r"--[a-z-]+", line)) <= set(commands[name]._option_string_actions), line
    assert named.keys() >= {"serve", "keys create", "keys grant", "keys transfer", "usage", "mcp"}
    flags = set(re.findall(r"`(--[a-z-]+)", _SECTION))
    assert flags <= {flag for command in named.values() for flag in command._option_string_actions}
    assert f"localhost:{commands['serve'].get_default('port')}/" in _SECTION


def test_its_tiers_can_be_read(tmp_path: Path) -> None:
    (written,) = re.findall(r"```toml\n(.*?)```", _SECTION, re.DOTALL)
    (tmp_path / "tiers.toml").write_text(written)
    tiers = read_tiers(tmp_path / "tiers.toml")
    assert tiers["free"].rates["embeddings"] == Rate(requests=500, tokens=1_000_000, concurrent=5)
    assert tiers["team"].rates == {"deepsearch": None}
