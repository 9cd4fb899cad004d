"""`mcp`: the tools of a service for programs that speak the Model Context Protocol."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from jina_components.cli import serving
from jina_components.cli.common import Commands, add_command, add_data_options, make_guard
from jina_components.cli.serving import add_model_options, add_source_options, make_app
from jina_components.errors import ConfigError, MissingDependencyError

_CHOICES = ("include_tools", "include_tags", "exclude_tools", "exclude_tags")
# Options that mean something for a service elsewhere.
_WITH_URL = frozenset((*_CHOICES, "url", "max_tokens", "allow_network", "embedder", "reranker"))
_LIST = "names between commas"


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    mcp = add_command(
        commands, "mcp", _mcp,
        help="give a language model tools that search, read and rank, over the Model Context Protocol",
        examples="""
            claude mcp add jina -- jina-components mcp
            jina-components mcp --search ddgs --exclude-tags parallel
            JINA_API_KEY=jina_… jina-components mcp --url https://jina.example.com
            jina-components mcp --http --port 8081
        """,
        exit_codes="0  the program that started it has closed standard input; with --http, ended by SIGTERM or Ctrl-C",
    )  # fmt: skip
    mcp.add_argument(
        "--url", metavar="URL",
        help="use the service at this address, with the key in $JINA_API_KEY, instead of one in this process",
    )  # fmt: skip
    mcp.add_argument(
        "--http", action="store_true",
        help="listen at http://127.0.0.1:PORT/mcp instead of standard input; `serve` has the tools there too",
    )  # fmt: skip
    mcp.add_argument("--port", type=int, default=8081, help="0 for any that is free (default: %(default)s)")
    mcp.add_argument("--include-tools", default="", metavar="NAMES", help=f"offer only these tools: {_LIST}")
    mcp.add_argument("--include-tags", default="", metavar="NAMES", help=f"and those of these tags: {_LIST}")
    mcp.add_argument("--exclude-tools", default="", metavar="NAMES", help=f"never offer these tools: {_LIST}")
    mcp.add_argument("--exclude-tags", default="", metavar="NAMES", help=f"nor those of these tags: {_LIST}")
    mcp.add_argument(
        "--max-tokens", type=int, metavar="N",
        help="cut pages to so many tokens, 0 for never (default: 20,000 for clients that are known to refuse more)",
    )  # fmt: skip
    add_data_options(mcp)
    add_model_options(mcp)
    add_source_options(mcp)
    mcp.set_defaults(parser=mcp, no_warm_up=True, no_playground=True)


def _mcp(options: argparse.Namespace) -> int:
    if find_spec("mcp") is None:
        raise MissingDependencyError("The tools need mcp: pip install 'jina-components[mcp]'.")
    _check(options)
    if options.http:
        served = _as_of_serve(options)
        code: int = served.run(served)
        return code
    logging.basicConfig(level=logging.WARNING)  # to standard error
    if options.url is None:
        _serve_own(options)
    else:
        _serve_other(options)
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse options that would mean nothing."""
    given = {name for name, value in vars(options).items() if value != options.parser.get_default(name)}
    if options.max_tokens is not None and options.max_tokens < 0:
        raise ConfigError(f"--max-tokens must not be negative, got {options.max_tokens}.")
    if options.http and (lost := given & {*_CHOICES, "max_tokens"}):
        raise ConfigError(f"With --http clients say in the query string of its URL what they want: {_flags(lost)}.")
    if not options.http and "port" in given:
        raise ConfigError("--port is of --http: pass it too.")
    if options.url is None:
        return
    parts = urlsplit(options.url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ConfigError("--url must be http(s)://HOST:PORT; a key goes into the variable JINA_API_KEY.")
    if options.http:
        raise ConfigError(
            f"The service at {options.url} has its tools over HTTP too: let clients use {options.url}/mcp."
        )
    if lost := given - _WITH_URL:
        raise ConfigError(f"With --url the service is set up where it runs: leave out {_flags(lost)}.")


def _flags(names: set[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in sorted(names))


def _serve_own(options: argparse.Namespace) -> None:
    from jina_components.service.mcp.transports import serve_app

    wishes = _wishes(options)
    app = make_app(_as_of_serve(options))
    try:
        asyncio.run(serve_app(app, **wishes))
    finally:
        if app.state.components.retriever is not None:
            app.state.components.retriever.close()


def _serve_other(options: argparse.Namespace) -> None:
    from jina_components.service.mcp.transports import serve_url

    guard = make_guard(options.allow_network)
    preferred = (options.embedder, options.reranker)
    asyncio.run(serve_url(options.url, guard=guard, preferred=preferred, **_wishes(options)))


def _wishes(options: argparse.Namespace) -> dict[str, Any]:
    """Of whom the tools are for.

    Raises:
        ConfigError: there is no tool, or no tag, of a name.
    """
    from jina_components.service.mcp.tools import LEFT_OUT, TAGS, TOOLS, choice

    chosen = choice({name: getattr(options, name) for name in _CHOICES})
    for name in _CHOICES:
        known = TAGS if name.endswith("tags") else (*TOOLS, *LEFT_OUT)
        if unknown := sorted(getattr(chosen, name) - {*known}):
            raise ConfigError(f"{_flags({name})}: {', '.join(unknown)} is none of {', '.join(known)}.")
    return {
        "key": os.environ.get("JINA_API_KEY", "").strip() or None,
        "chosen": chosen,
        "max_tokens": options.max_tokens,
    }


def _as_of_serve(options: argparse.Namespace) -> argparse.Namespace:
    """The options that `serve` would have."""
    parser = argparse.ArgumentParser()
    serving.add_commands(parser.add_subparsers())
    made = parser.parse_args(["serve"])
    vars(made).update({name: value for name, value in vars(options).items() if name not in ("run", "parser")})
    return made
