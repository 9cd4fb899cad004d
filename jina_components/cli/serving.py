"""`serve`: Jina's, OpenAI's and Cohere's HTTP APIs on this machine."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jina_components.cli.common import (
    Commands,
    add_chat_options,
    add_command,
    add_data_options,
    make_chat,
    make_guard,
    needing_service,
    shows_progress,
)
from jina_components.cli.searching import PROVIDERS, make_providers
from jina_components.cli.vectors import add_embedder_option
from jina_components.errors import ConfigError
from jina_components.models.catalog import DEFAULT_RERANKER
from jina_components.service.settings import MIB, Limits, ServiceSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from jina_components.retriever import Retriever
    from jina_components.service import Components

logger = logging.getLogger(__name__)

# Fields of the service's limits and what they are limits of.
_LIMITS: dict[str, tuple[type, str]] = {
    "max_items": (int, "inputs of a request for embeddings; of one to classify, twice as many"),
    "max_documents": (int, "documents of a request to rerank"),
    "max_body_bytes": (int, "bytes of a body"),
    "max_upload_bytes": (int, "bytes of a body for the reader, which may hold a file"),
    "max_in_flight": (int, "requests in work or waiting; those beyond get 503"),
    "max_in_flight_bytes": (int, "bytes of all their bodies; likewise 503"),
    "max_in_flight_per_client": (int, "requests of one address or key; those beyond get 429"),
    "timeout": (float, "seconds for a request, which is given up then"),
    "long_timeout": (float, "seconds for one that reads, searches or reasons"),
    "body_timeout": (float, "seconds for a body to arrive"),
}
_ABOUT_LIMITS = "What a request, and all of them together, may take; more is refused before memory grows."


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    serve = add_command(
        commands, "serve", _serve,
        help="serve the APIs of Jina, OpenAI and Cohere for what this machine can do",
        examples="""
            jina-components serve
            jina-components serve --stand-in --port 9000
            jina-components serve --alias jina-embeddings-v3=./models/jina-embeddings-v3 --only jina-embeddings-v3
            jina-components serve --search searxng --chat-model llama3.1 --chat-url http://127.0.0.1:11434/v1
            jina-components serve --keys --host 0.0.0.0
            jina-components serve --keys --host 0.0.0.0 --database postgresql://jina@db/jina --limits redis://redis:6379
        """,
        exit_codes="0  ended by SIGTERM or Ctrl-C, after all that was asked had been answered",
    )  # fmt: skip
    _add_listening_options(serve)
    add_data_options(serve)
    add_model_options(serve)
    add_source_options(serve)
    _add_team_options(serve)
    limits, defaults = serve.add_argument_group("limits", _ABOUT_LIMITS), Limits()
    for name, (kind, what) in _LIMITS.items():
        told = _default(name, getattr(defaults, name))
        limits.add_argument(_flag(name), type=kind, metavar="N", help=f"at most so many {what} (default: {told})")


def _add_listening_options(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument(
        "--port", type=int, default=8080, help="0 to 65535; 0 for any that is free (default: %(default)s)"
    )
    serve.add_argument("--uds", type=Path, metavar="PATH", help="listen on this Unix socket instead")
    serve.add_argument(
        "--trust-proxy", action="append", default=[], metavar="CIDR",
        help="believe what this proxy, or network of proxies, says of its clients' addresses in X-Forwarded-For; * for "
        "whoever connects (may be repeated)",
    )  # fmt: skip
    serve.add_argument("--tls-cert", type=Path, metavar="FILE", help="PEM file of the certificate, for https")
    serve.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM file of its key")
    serve.add_argument(
        "--log-format", choices=("json", "text"), default="text" if shows_progress() else "json",
        help="of the log on standard error (default: text on a terminal, else json)",
    )  # fmt: skip
    serve.add_argument(
        "--drain-seconds", type=float, default=30, metavar="S",
        help="time that requests in work have when the service is ended (default: %(default)s)",
    )  # fmt: skip


def add_model_options(serve: argparse.ArgumentParser) -> None:
    """Which models are served, and how they run."""
    models = serve.add_argument_group("models")
    models.add_argument(
        "--alias", action="append", default=[], type=_alias, metavar="NAME=MODEL",
        help="answer requests for NAME by this catalog name, folder or hub id (may be repeated)",
    )  # fmt: skip
    models.add_argument(
        "--only", action="append", default=[], metavar="NAME",
        help="serve no other models of embeddings and reranking (may be repeated); deep search is always served",
    )  # fmt: skip
    models.add_argument(
        "--stand-in", action="store_true",
        help="answer requests for well-known models whose weights are not here by bundled ones; such answers say so in "
        "X-Served-By",
    )  # fmt: skip
    models.add_argument("--warm-up", action="append", metavar="NAME", help="load it at the start (may be repeated)")
    models.add_argument("--no-warm-up", action="store_true", help="load nothing before it is asked for")
    models.add_argument(
        "--idle-seconds", type=float, default=900, metavar="S",
        help="free the memory of a model that nobody asked for so long; 0 for never (default: %(default)s)",
    )  # fmt: skip
    models.add_argument(
        "--truncate", action="store_true",
        help="cut texts over a model's context where a request does not say; without it they are refused",
    )  # fmt: skip
    models.add_argument("--offline", action="store_true", help="never ask the hub for weights")
    models.add_argument("--device", default="auto", help="such as cpu or cuda (default: %(default)s)")
    models.add_argument("--precision", default="auto", help="such as float32 (default: %(default)s)")
    models.add_argument("--backend", default="auto", help="such as onnx or torch (default: %(default)s)")
    add_embedder_option(serve)
    models.add_argument("--reranker", default=DEFAULT_RERANKER, metavar="MODEL", help="(default: %(default)s)")


def add_source_options(serve: argparse.ArgumentParser) -> None:
    """Whom the service asks, and what it may reach."""
    sources = serve.add_argument_group("reading and searching")
    sources.add_argument(
        "--index", type=Path, metavar="DIR", help="made by `jina-components index`: for grounding and deep search"
    )
    sources.add_argument(
        "--search", action="append", default=[], dest="provider", metavar="PROVIDER",
        choices=[name for name in PROVIDERS if name != "local"],
        help="whom to ask for pages; repeat it for others to ask when this one fails (default: pages read before)",
    )  # fmt: skip
    add_chat_options(serve, help="let this chat model reason in deep search; without one, quotes are the answer")
    sources.add_argument(
        "--allow-network", action="append", default=[], metavar="CIDR",
        help="let URLs of clients reach this network although it is not public (may be repeated)",
    )  # fmt: skip
    sources.add_argument(
        "--allow-origin", action="append", metavar="ORIGIN",
        help="let scripts of this web site call the service, such as https://example.com, or * for all (may be "
        "repeated; default: all, or none with --index or --allow-network)",
    )  # fmt: skip
    sources.add_argument("--cache-tolerance", type=float, default=3600, metavar="S", help="(default: %(default)s)")
    sources.add_argument("--no-remember", action="store_true", help="do not find pages again that were read")


def _add_team_options(serve: argparse.ArgumentParser) -> None:
    team = serve.add_argument_group("keys, limits and many machines")
    team.add_argument(
        "--keys", action="store_true",
        help="let in who has a key, made by `jina-components keys create`; limits and balances are those of keys then",
    )  # fmt: skip
    team.add_argument(
        "--open-to-network", action="store_true",
        help="listen beyond the loopback interface without keys: whoever reaches the port may use the service",
    )  # fmt: skip
    team.add_argument(
        "--limits", default=os.environ.get("JINA_COMPONENTS_LIMITS", ""), metavar="URL",
        help="count the requests of keys in Redis, redis://HOST:PORT, as one with all who do (default: "
        "$JINA_COMPONENTS_LIMITS, or the memory of this process)",
    )  # fmt: skip
    team.add_argument(
        "--tiers", type=Path, metavar="FILE", help="TOML file of what keys of each tier may ask for (default: Jina's)"
    )
    team.add_argument(
        "--pages", default="", dest="pages_url", metavar="URL",
        help="keep pages read in a server of Milvus, http://HOST:PORT (default: in a folder of --data)",
    )  # fmt: skip
    team.add_argument(
        "--ray", nargs="?", const="local", metavar="ADDRESS",
        help="run models in replicas on Ray: on this machine, or on the cluster of this address (auto, HOST:PORT)",
    )  # fmt: skip
    team.add_argument(
        "--replicas", action="append", default=[], type=_replicas, metavar="[MODEL=]MIN:MAX",
        help="with --ray, how many there are of a model, or of the service for all others (may be repeated; 1); each "
        "takes a GPU with --device cuda",
    )  # fmt: skip
    team.add_argument(
        "--finetunes", action="store_true",
        help="let clients have models fitted to their documents, one at a time beside the service (extra train)",
    )  # fmt: skip
    team.add_argument("--no-playground", action="store_true", help="serve no playground at /")
    team.add_argument("--no-mcp", action="store_true", help="serve no tools of the Model Context Protocol at /mcp")


def _serve(options: argparse.Namespace) -> int:
    with needing_service():
        from jina_components.service.server import serve
    if options.replicas and options.ray is None:
        raise ConfigError("--replicas are Ray's: pass --ray too.")
    if options.finetunes and options.ray is not None:
        raise ConfigError("--finetunes fits models on this machine, which replicas do not find: leave out --ray.")
    for flag, given in (("--limits", options.limits), ("--tiers", options.tiers)):
        if given and not options.keys:
            raise ConfigError(f"{flag} is about keys: pass --keys too.")
    if options.tls_key is not None and options.tls_cert is None:
        raise ConfigError("--tls-key is the key of a certificate: pass --tls-cert too.")
    with _running(options) as app:
        serve(
            app,
            host=options.host,
            port=options.port,
            uds=options.uds,
            certificate=options.tls_cert,
            key=options.tls_key,
            trusted_proxies=options.trust_proxy,
            is_open=options.open_to_network,
            log_format=options.log_format,
            drain_seconds=options.drain_seconds,
            on_listening=_announcing(options, app.state.settings, app.state.components),
        )
    return 0


@contextmanager
def _running(options: argparse.Namespace) -> Iterator[FastAPI]:
    """The service, in this process or in replicas."""
    with nullcontext(make_app(options)) if options.ray is None else _on_ray(options) as app:
        components: Components = app.state.components
        try:
            yield app
        finally:
            if components.retriever is not None:
                components.retriever.close()


def _on_ray(options: argparse.Namespace) -> AbstractContextManager[FastAPI]:
    from jina_components.scale.serving import Replicas, on_ray

    gpus = float(options.device.startswith("cuda"))  # which Ray hides from who asks for none
    replicas = {
        name: Replicas(minimum=least, maximum=most, gpus=gpus)
        for name, (least, most) in {"": (1, 1), **dict(options.replicas)}.items()
    }
    made = partial(make_app, options)
    return on_ray(made, replicas=replicas, address=options.ray, drain_seconds=options.drain_seconds)


def make_app(options: argparse.Namespace, model: str = "") -> FastAPI:
    """The service that options of the command line describe.

    Args:
        options: Those of `serve`.
        model: The only one to load at the start; empty for those of the options.

    Raises:
        MissingDependencyError: the extra `service`, or another that the options ask for, is not installed.
        JinaComponentsError: the options make no sense.
    """
    with needing_service():
        from jina_components.service import Components, create_app
        from jina_components.service.checking import check
    settings = _settings(options)
    if model:
        settings = replace(settings, warm_up=(model,))
    make_guard(options.allow_network)  # tells in the words of the command line what is no network
    options.pages = None  # which is for commands that search a local index
    components = Components(
        settings,
        chat=make_chat(options),
        providers=make_providers(options, flag="--search") if options.provider else None,
        retriever=_retriever(options),
    )
    check(components)
    return create_app(settings, components=components)


def _settings(options: argparse.Namespace) -> ServiceSettings:
    from jina_components.service.stand_ins import stand_ins

    limits = {name: value for name in _LIMITS if (value := getattr(options, name)) is not None}
    chosen: dict[str, Any] = {}
    if options.warm_up or options.no_warm_up or options.only:
        chosen["warm_up"] = tuple(options.warm_up or (() if options.no_warm_up else options.only))
    if options.tiers is not None:
        from jina_components.service.limits.tiers import read_tiers

        chosen["tiers"] = read_tiers(options.tiers)
    return ServiceSettings(
        data=options.data,
        aliases=dict(options.alias),
        stand_ins=stand_ins() if options.stand_in else {},
        only=tuple(options.only),
        embedder=options.embedder,
        reranker=options.reranker,
        backend=options.backend,
        device=options.device,
        precision=options.precision,
        truncate=options.truncate,
        offline=options.offline,
        idle_seconds=options.idle_seconds or None,
        read_pages=not options.no_remember,
        allow_networks=tuple(options.allow_network),
        allow_origins=None if options.allow_origin is None else tuple(options.allow_origin),
        cache_tolerance=options.cache_tolerance,
        limits=Limits(**limits),
        needs_keys=options.keys,
        database_url=options.database,
        limits_url=options.limits,
        pages_url=options.pages_url,
        playground=not options.no_playground,
        finetunes=options.finetunes,
        mcp=not options.no_mcp,
        **chosen,
    )


def _retriever(options: argparse.Namespace) -> Retriever | None:
    if options.index is None:
        return None
    from jina_components.embedder import Embedder
    from jina_components.retriever import Retriever

    return Retriever.open(options.index, Embedder(options.embedder, truncate=True, offline=options.offline))


def _announcing(
    options: argparse.Namespace, settings: ServiceSettings, components: Components
) -> Callable[[str], None]:
    """Tells where the service is: people how to call it, and programs in a line of the log."""

    def announce(url: str) -> None:
        if options.log_format == "json":
            logger.info("Listening on %s", url)
            return
        socket, base = (["--unix-socket", str(options.uds)], "http://localhost") if options.uds else ([], url)
        served = components.embedders.names
        model = settings.embedder if settings.embedder in served else next(iter(served), "")
        body = json.dumps({"model": model, "input": ["Hello"]})
        key = ["--header", "Authorization: Bearer KEY"] if settings.needs_keys else []
        asked = ["curl", *socket, f"{base}/v1/embeddings", *key, "--json", body]
        names = dict.fromkeys((*served, *components.rerankers.names))
        lines = [
            f"jina-components listens on {url}",
            f"  docs    {base}/docs",
            *_beside(base, settings),
            f"  models  {', '.join(settings.warm_up) or 'loaded when asked for'}; {len(names)} names: {base}/v1/models",
            f"  data    {settings.data}",
            *([f"  try     {shlex.join(asked)}"] if model else []),
        ]
        print("\n".join(lines), file=sys.stderr, flush=True)

    return announce


def _beside(base: str, settings: ServiceSettings) -> Iterator[str]:
    """What there is beside the API, or what it takes."""
    for name, path, is_wanted, extra, package in (
        ("look", "/", settings.playground, "playground", "gradio"),
        ("tools", "/mcp", settings.mcp, "mcp", "mcp"),
    ):
        if is_wanted and find_spec(package) is None:
            yield f"  {name:7} not here: pip install 'jina-components[{extra}]'"
        elif is_wanted:
            yield f"  {name:7} {base}{path}"
    if settings.needs_keys:
        yield "  keys    needed, made by: jina-components keys create NAME"


def _alias(text: str) -> tuple[str, str]:
    name, equals, model = text.partition("=")
    if not (name and equals and model):
        raise argparse.ArgumentTypeError(f"{text!r} is no alias such as jina-embeddings-v3=small-embedding-v1")
    return name, model


def _replicas(text: str) -> tuple[str, tuple[int, int]]:
    name, _, numbers = text.rpartition("=")
    least, colon, most = numbers.partition(":")
    if not (least.isdecimal() and (most if colon else "1").isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of replicas such as 2, 1:4 or jina-embeddings-v3=1:4")
    return name, (int(least), int(most or least))


def _default(name: str, value: float) -> str:
    """A limit for people: with its unit, where that is not what is counted."""
    if name.endswith("_bytes"):
        return f"{value}, {value / MIB:g} MiB"
    return f"{value:g} s" if name.endswith("timeout") else str(value)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
