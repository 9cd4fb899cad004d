"""Each route of the service: who may ask it, and requests to it, some of them about what an owner has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from jina_components.service.batches.jobs import Status

MODEL = "static-minilm-v1"
LABELS = ("sailing-4711", "mountains-4711")
STATES: tuple[Status, ...] = ("pending", "processing", "completed", "failed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class Ids:
    """What an owner has, by the ids of it; or as many ids that are nothing's."""

    private: str
    public: str
    key: str
    second_key: str
    batches: dict[str, str]
    finetune: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A request."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """What a route is.

    Attributes:
        open_to: `all`, or `address`: without a key too, though not with a wrong one; or `key`, or `admin`.
        asks: Requests to it, which may be about what an owner has.
        gives: Status for those who may ask.
        owned: Whether it is about what an owner has.
        admins: Whether admins are told of what is others'.
    """

    open_to: Literal["all", "address", "key", "admin"]
    asks: Callable[[str, str, Ids], Iterable[Ask]]
    gives: int = 200
    owned: bool = False
    admins: bool = False


def plain(path: str = "", body: Any = None, **headers: str) -> Callable[[str, str, Ids], Iterable[Ask]]:
    """One request; its path is that of the route unless another is given."""
    return lambda method, route, _: [Ask(method, path or route, body, headers)]


def about(ask: Callable[[Ids], Iterable[tuple[str, Any]]]) -> Callable[[str, str, Ids], Iterable[Ask]]:
    """Requests with these paths and bodies."""
    return lambda method, _, ids: [Ask(method, path, body) for path, body in ask(ids)]


def sought(method: str, path: str, _: Ids) -> Iterable[Ask]:
    """A search in the query string."""
    return [Ask(method, f"{path}?q=tea")]


def rows() -> dict[str, Row]:
    """By method and path."""
    texts = {"model": MODEL, "input": ["a boat"]}
    cohere = {"model": MODEL, "texts": ["a boat"], "input_type": "search_document", "embedding_types": ["float"]}
    rerank = {"model": "static-minilm-v1-maxsim", "query": "a boat", "documents": ["a ship", "a hill"]}
    chat = {"model": "jina-deepsearch-v1", "messages": [{"role": "user", "content": "What is 12 times 34?"}]}
    examples = [{"text": "a boat", "label": LABELS[0]}, {"text": "a hill", "label": LABELS[1]}]
    line = {"custom_id": "one", "body": {"input": "a boat"}}
    page = {"html": "<h1>Tea</h1><p>It grows on hills.</p>"}
    segment, query = {"content": "One. Two."}, {"q": "tea"}
    tools = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    talks = {"accept": "application/json, text/event-stream"}
    found: dict[str, Row] = {
        **dict.fromkeys(
            [
                "GET /openapi.json", "HEAD /openapi.json", "GET /docs", "GET /redoc", "GET /",
                "GET /live", "HEAD /live",
                "GET /health", "HEAD /health", "GET /ready", "HEAD /ready", "GET /metrics", "GET /v1/models",
                "GET /deepsearch/v1/models", "GET /deepsearch/health", "GET /deepsearch/ping", "GET /ping",
            ],
            Row("all", plain()),
        ),
        "* /docs/assets": Row("all", lambda *_: [Ask("GET", "/docs/assets/swagger-ui.css")]),
        "GET /v1/models/{model_id:path}": Row("all", plain(f"/v1/models/{MODEL}")),
        "GET /deepsearch/v1/models/{model_id:path}": Row("all", plain("/deepsearch/v1/models/jina-deepsearch-v1")),
        **{
            f"OPTIONS {path}": Row("all", plain(path.replace("{url:text}", "x").replace("{query:text}", "x")), 204)
            for path in ("/r", "/r/{url:text}", "/s", "/s/{query:text}", "/g", "/g/{statement:text}", "/svip", "/svip/")
        },
        # The tools ask the other routes with the key of their caller: who has none is told so by them.
        **dict.fromkeys(
            ["POST /mcp", "POST /mcp/", "POST /mcp/v1", "POST /mcp/sse"], Row("all", plain(body=tools, **talks))
        ),
        "POST /v1/segment": Row("address", plain(body=segment)),
        "POST /segment": Row("address", plain(body=segment)),
        "POST /segment/": Row("address", plain(body=segment)),
        **dict.fromkeys(["GET /v1/segment", "GET /segment", "GET /segment/"], Row("address", lambda method, path, _: [
            Ask(method, f"{path}?content=One.")
        ])),
        "GET /r": Row("address", plain()),
        "GET /r/{url:text}": Row("address", plain("/r/http://127.0.0.1/"), 451),
        "POST /r": Row("address", plain(body=page)),
        "POST /r/{url:text}": Row("address", plain("/r/", page)),
        **dict.fromkeys(["GET /s", "GET /s/search"], Row("key", sought, 422)),
        "GET /s/{query:text}": Row("key", plain("/s/tea"), 422),
        **dict.fromkeys(["POST /s", "POST /s/search"], Row("key", plain(body=query), 422)),
        "POST /s/{query:text}": Row("key", plain("/s/tea", {}), 422),
        **dict.fromkeys(["GET /svip", "GET /svip/"], Row("key", sought)),
        **dict.fromkeys(["POST /svip", "POST /svip/"], Row("key", plain(body=query))),
        "GET /g": Row("key", plain("/g?statement=Tea+grows.")),
        "GET /g/{statement:text}": Row("key", plain("/g/Tea grows.")),
        "POST /g": Row("key", plain(body={"statement": "Tea grows."})),
        "POST /g/{statement:text}": Row("key", plain("/g/x", {"statement": "Tea grows."})),
        "POST /v1/embeddings": Row("key", plain(body=texts)),
        **dict.fromkeys(
            ["POST /v1/multi-vector", "POST /v1/multi-embeddings"],
            Row("key", plain(body={**texts, "model": "jina-colbert-v2"}), 400),
        ),
        **dict.fromkeys(["POST /v1/embed", "POST /v2/embed"], Row("key", plain(body=cohere))),
        **dict.fromkeys(["POST /v1/rerank", "POST /rerank", "POST /v2/rerank"], Row("key", plain(body=rerank))),
        **dict.fromkeys(
            ["POST /v1/chat/completions", "POST /deepsearch/v1/chat/completions"], Row("key", plain(body=chat))
        ),
        "POST /v1/classify": Row("key", about(lambda ids: [
            ("/v1/classify", {"classifier_id": ids.private, "input": ["a boat"]}),
        ]), owned=True),
        # What it is sent goes to another route, with the key of its caller.
        "POST /invocations": Row("key", about(lambda ids: [
            ("/invocations", {"classifier_id": ids.private, "input": ["a boat"]}),
        ]), owned=True),
        "POST /v1/train": Row("key", about(lambda ids: [
            ("/v1/train", {"classifier_id": each, "input": examples, "num_iters": 1})
            for each in (ids.private, ids.public)
        ]), owned=True),
        "GET /v1/classifiers": Row("key", plain()),
        "POST /v1/classifiers": Row("key", plain(body={})),
        "DELETE /v1/classifiers/{id}": Row("key", about(lambda ids: [
            (f"/v1/classifiers/{each}", None) for each in (ids.private, ids.public)
        ]), owned=True),
        "POST /v1/batch/embeddings": Row("key", plain(body={"model": MODEL, "input": [line]})),
        "GET /v1/batches": Row("key", plain()),
        **dict.fromkeys(
            ["GET /v1/batch/{batch_id}", "DELETE /v1/batch/{batch_id}"],
            Row("key", about(lambda ids: [(f"/v1/batch/{each}", None) for each in ids.batches.values()]), owned=True),
        ),
        **{
            f"GET /v1/batch/{{batch_id}}/{part}": Row("key", about(lambda ids, part=part: [
                (f"/v1/batch/{each}/{part}", None) for each in ids.batches.values()
            ]), owned=True)
            for part in ("output", "errors")
        },
        "GET /v1/finetunes": Row("key", plain()),
        "POST /v1/finetunes": Row("key", plain(body={"model": MODEL}), 422),  # what fits would take long
        **{
            f"{method} /v1/finetunes/{{job_id}}{part}": Row("key", about(lambda ids, part=part: [
                (f"/v1/finetunes/{ids.finetune}{part}", None),
            ]), owned=True)
            for method, part in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", ""))
        },
        **dict.fromkeys(["GET /v1/account", "GET /v1/entries"], Row("key", plain())),
        **dict.fromkeys(["GET /v1/keys", "GET /v1/usage"], Row("key", plain(), admins=True)),
        "POST /v1/keys": Row("admin", plain(body={"name": "laptop", "owner": "bob-0815"})),
        "POST /v1/keys/{key_id}/grant": Row("admin", about(lambda ids: [
            (f"/v1/keys/{ids.key}/grant", {"tokens": 1}),
        ])),
        "GET /v1/keys/{key_id}": Row("key", about(lambda ids: [
            (f"/v1/keys/{ids.key}", None),
        ]), owned=True, admins=True),
        "PATCH /v1/keys/{key_id}": Row("key", about(lambda ids: [
            (f"/v1/keys/{ids.key}", {"name": "mine now"}),
        ]), owned=True, admins=True),
        "DELETE /v1/keys/{key_id}": Row("key", about(lambda ids: [
            (f"/v1/keys/{ids.second_key}", None),
        ]), owned=True, admins=True),
        "POST /v1/transfers": Row("key", about(lambda ids: [
            ("/v1/transfers", {"from": ids.key, "to": ids.second_key, "tokens": 1}),
        ]), owned=True, admins=True),
    }  # fmt: skip
    return found


ROWS = rows()
# Ids of the forms of those that an owner has.
NOTHING = Ids(
    "01234567-89ab-4def-8123-456789abcdef", "11234567-89ab-4def-8123-456789abcdef", "key_0123456789abcdef",
    "key_1123456789abcdef", {state: f"batch_{number:032x}" for number, state in enumerate(STATES)},
    "ft_0123456789abcdef",
)  # fmt: skip
