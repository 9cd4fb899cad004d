"""Keys and passwords are told once, to whom they belong: no log, span, number, error or file has them."""

from __future__ import annotations

import gc
import hashlib
import hmac
import io
import logging
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from fastapi import FastAPI, Request
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import event
from starlette.responses import Response
from starlette.testclient import TestClient

from jina_components.cli import main
from jina_components.errors import ConfigError, JinaComponentsError
from jina_components.service import ServiceSettings, watching
from jina_components.service.accounts.keys import Keys, digest_of
from jina_components.service.accounts.known import KnownKeys
from jina_components.service.database import Database
from jina_components.service.errors import Problem
from jina_components.service.limits.storage import make_storage
from jina_components.service.limits.tiers import TIERS, Tier
from jina_components.service.logs import JsonLines, TextLines
from jina_components.service.mcp.client import Api

MODEL = "static-minilm-v1"
PASSWORD = "p4ssw0rd"


class Told:
    """All that is logged, as a server writes it in either form."""

    def __init__(self) -> None:
        self.streams = [io.StringIO(), io.StringIO()]
        self.handlers = [logging.StreamHandler(stream) for stream in self.streams]
        for handler, formatter in zip(self.handlers, (JsonLines(), TextLines()), strict=True):
            handler.setFormatter(formatter)

    @property
    def text(self) -> str:
        return "".join(stream.getvalue() for stream in self.streams)


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    told, root, own = Told(), logging.getLogger(), logging.getLogger("jina_components")
    levels = root.level, own.level
    root.setLevel(logging.DEBUG)
    own.setLevel(logging.DEBUG)
    for handler in told.handlers:
        root.addHandler(handler)
    yield told
    for handler in told.handlers:
        root.removeHandler(handler)
    root.setLevel(levels[0])
    own.setLevel(levels[1])


@pytest.fixture(scope="module")
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with mock.patch.object(watching.trace, "get_tracer", provider.get_tracer):
        yield exporter
    provider.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="module")
def app(make_app: Callable[..., FastAPI], folder: Path) -> FastAPI:
    tiers = {"none": TIERS["none"], "free": Tier({})}
    app = make_app(data=folder, needs_keys=True, tiers=tiers, offline=True, playground=False)

    async def broken(request: Request) -> Response:
        raise RuntimeError(f"{request.headers} {request.url} {await request.body()!r}")

    app.add_api_route("/v1/broken", broken, methods=["POST"])
    return app


@pytest.fixture(scope="module")
def asked(app: FastAPI, told: Told, spans: InMemorySpanExporter) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def secret(app: FastAPI, asked: TestClient) -> str:
    return Keys(app.state.database).create(name="laptop", is_admin=True)[1]


def requests_with(key: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Requests that carry a key where it belongs, and where it does not."""
    bearer = {"Authorization": f"Bearer {key}"}
    strange = [
        {"Authorization": f"Basic {key}"}, {"Authorization": f"Token {key}"}, {"Authorization": f"Bearer {key} {key}"},
        {"X-API-Key": key}, {"Cookie": f"key={key}"}, {"User-Agent": key}, {"Host": key.replace("_", "-")},
        {"traceparent": key}, {"baggage": f"key={key}"}, {"Content-Encoding": key}, {"Accept": key},
        {"X-Request-ID": key}, {"Idempotency-Key": key * 3}, {"Origin": key},
    ]  # fmt: skip
    embeddings = {"model": MODEL, "input": ["a boat"]}
    good: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/embeddings", {"json": embeddings, "headers": bearer}),
        ("POST", "/v1/embeddings", {"json": embeddings, "headers": {"Authorization": key}}),
        ("POST", f"/v1/embeddings?api_key={key}", {"json": embeddings}),
        ("POST", "/v1/embeddings", {"json": {**embeddings, "_token": key, "api_key": key}}),
        ("POST", "/r/", {"json": {"html": "<p>Tea.</p>", "_token": key}}),
        ("POST", "/r/", {"data": {"html": "<p>Tea.</p>", "_token": key}}),
        ("GET", f"/r/http://127.0.0.1/?key={key}", {}),
        ("GET", f"/r/http://{key}/", {}),
        ("GET", f"/v1/models/{key}", {}),
        ("GET", f"/deepsearch/v1/models/{key}", {}),
        ("GET", f"/{key}", {}),
        ("PUT", f"/v1/keys/{key}", {"headers": bearer}),
        ("POST", "/v1/broken", {"json": {"key": key}, "headers": bearer}),
    ]
    bodies: list[tuple[str, Any]] = [
        ("/v1/embeddings", {**embeddings, "model": key}), ("/v1/embeddings", {**embeddings, "task": key}),
        ("/v1/embeddings", {**embeddings, "dimensions": key}), ("/v1/embeddings", {**embeddings, "dimensions": [key]}),
        ("/v1/embeddings", {"model": MODEL, "input": [{key: key}]}), ("/v1/embeddings", key), ("/v1/embeddings", [key]),
        ("/v1/classify", {"classifier_id": key, "input": ["a"]}), ("/v1/segment", {"content": "a", "tokenizer": key}),
        ("/v1/rerank", {"model": "static-minilm-v1-maxsim", "query": "a", "documents": ["b"], "top_n": key}),
        ("/v1/batch/embeddings", {"model": MODEL, "input_url": f"http://127.0.0.1/{key}"}),
        ("/v1/batch/embeddings", {"model": MODEL, "input": [], "webhook_url": f"http://127.0.0.1/{key}"}),
        ("/v1/chat/completions", {"model": key, "messages": [{"role": "user", "content": "a"}]}),
        ("/v1/chat/completions", {"model": "jina-deepsearch-v1", "messages": key}),
        ("/v2/rerank", {"model": key, "query": "a", "documents": ["b"]}),
        ("/s/search", {"q": "tea", "provider": key}), ("/s/search", {"q": "tea", "num": key}),
        ("/g/", {"statement": "a", "references": [key]}), ("/r/", {"url": f"ftp://{key}"}), ("/r/", {"pdf": f"{key}!"}),
        ("/r/", {"html": "a", "respondWith": key}), ("/r/", {"html": "a", "engine": key}),
        ("/v1/keys", {"name": f"{key}\n"}), ("/v1/keys", {"name": "a", "tier": key}), ("/v1/keys", {"name": key * 4}),
        ("/v1/keys/key_0123456789abcdef/grant", {"tokens": key}), (f"/v1/keys/{key}/grant", {"tokens": 1}),
        ("/v1/transfers", {"from": key, "to": key, "tokens": 1}), ("/v1/broken", {"key": key}),
    ]  # fmt: skip
    queries = [f"/v1/usage?by={key}", f"/v1/usage?since={key}", f"/v1/usage?key={key}", f"/v1/entries?after={key}"]
    queries += [f"/v1/keys?limit={key}", f"/v1/keys?after={key}", f"/v1/keys/{key}", f"/v1/batch/{key}/output"]
    good += [("POST", "/v1/embeddings", {"json": embeddings, "headers": headers}) for headers in strange]
    good += [("POST", path, {"json": body, "headers": bearer}) for path, body in bodies]
    return good + [("GET", path, {"headers": bearer}) for path in queries]


def without(text: str, key: str) -> None:
    """Neither a key nor most of it is there."""
    assert key not in text
    assert key[5:45] not in text
    assert key[-40:] not in text


@pytest.fixture(scope="module")
def answers(asked: TestClient, secret: str) -> list[tuple[str, str, Response, str]]:
    """What became of requests with the right key, and with a wrong one."""
    found = []
    for key in (secret, f"jina_{secrets.token_hex(30)}"):
        for number, (method, path, others) in enumerate(requests_with(key)):
            transport: Any = asked._transport
            transport.client = (f"10.1.{number // 250}.{number % 250 + 1}", 50000)  # wrong keys are counted by address
            found.append((method, path, asked.request(method, path, **others), key))
    return found  # type: ignore[return-value]


def test_answers_have_no_keys(answers: list[tuple[str, str, Any, str]]) -> None:
    statuses = set()
    for _, _, answer, key in answers:
        statuses.add(answer.status_code)
        without(answer.text + str(dict(answer.headers)), key)
    assert statuses >= {200, 400, 401, 404, 405, 422, 451, 500}


def test_the_log_and_spans_have_no_keys(
    answers: list[tuple[str, str, Any, str]], told: Told, spans: InMemorySpanExporter
) -> None:
    lines = told.text
    assert lines.count('"route":"/v1/embeddings"') > 20
    assert "builtins.RuntimeError" in lines  # of requests that crashed
    recorded = "".join(span.to_json() for span in spans.get_finished_spans())
    assert recorded.count("/v1/embeddings") > 20
    for key in {key for *_, key in answers}:
        without(lines, key)
        without(recorded, key)


def test_numbers_have_neither_keys_nor_owners(
    answers: list[tuple[str, str, Any, str]], app: FastAPI, asked: TestClient, secret: str
) -> None:
    text = asked.get("/metrics").text
    key = Keys(app.state.database).find(secret)
    assert key is not None
    for each in (secret, key.id, key.owner):
        assert each not in text


def test_files_have_the_digest_of_a_key_alone(
    answers: list[tuple[str, str, Any, str]], app: FastAPI, folder: Path, secret: str
) -> None:
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert digest_of(secret) in kept
    assert hashlib.sha256(secret.encode()).digest() == digest_of(secret)
    for key in {key for *_, key in answers}:
        without(kept.decode("latin-1"), key)


def test_nothing_that_is_printed_has_keys(answers: list[tuple[str, str, Any, str]], secret: str) -> None:
    seen = 0
    for each in gc.get_objects():
        if str(type(each).__module__).startswith("jina_components.service"):
            without(repr(each), secret)
            seen += 1
    assert seen > 20
    without(repr(Api(client=None, key=secret)), secret)  # type: ignore[arg-type]


def test_a_key_that_is_cut_off_or_beside_others() -> None:
    record = logging.makeLogRecord({"msg": f"https://host/?k=jina_{'a' * 60}&x=jina_{'b' * 40} and jina-embeddings-v3"})
    line = TextLines().format(record)
    assert line.endswith("https://host/?k=jina_***&x=jina_*** and jina-embeddings-v3")


URLS = [
    f"postgresql://jina:{PASSWORD}@127.0.0.1:1/jina",
    f"postgresql://127.0.0.1:1/jina?user=jina&password={PASSWORD}",
    f"postgresql://jina:{PASSWORD}@127.0.0.1:port/jina",
    f"postgresql://jina:a@{PASSWORD}@127.0.0.1:1/jina",
    f"mysql://jina:{PASSWORD}@127.0.0.1:1/jina",
]


@pytest.mark.parametrize("url", URLS)
def test_passwords_of_databases_are_not_told(url: str, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError) as failed:
        Database(url).open()
    assert PASSWORD not in str(failed.value)
    assert main(["keys", "list", "--database", url]) == 2
    assert PASSWORD not in "".join(capsys.readouterr()) + told.text
    settings = ServiceSettings(data=Path("x"), database_url=url, limits_url=f"redis://:{PASSWORD}@127.0.0.1:1")
    assert PASSWORD not in repr(settings)


async def test_the_password_of_redis_is_not_told(told: Told) -> None:
    storage = make_storage(f"redis://jina:{PASSWORD}@127.0.0.1:1/0")
    with pytest.raises((JinaComponentsError, Problem)) as failed:
        await storage.open()
    await storage.close()
    assert PASSWORD not in f"{failed.value!r}{storage!r}{told.text}"


def test_help_does_not_show_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JINA_COMPONENTS_DATABASE", f"postgresql://jina:{PASSWORD}@127.0.0.1/jina")
    monkeypatch.setenv("JINA_COMPONENTS_LIMITS", f"redis://:{PASSWORD}@127.0.0.1")
    for command in (["serve"], ["keys", "create"], ["usage"]):
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        with pytest.raises(SystemExit):
            main([*command, "--no-such-option"])
    assert PASSWORD not in "".join(capsys.readouterr())


def test_a_database_that_fails_is_told_without_keys(
    make_app: Callable[..., FastAPI], tmp_path: Path, told: Told
) -> None:
    app = make_app(data=tmp_path, needs_keys=True, playground=False)
    with TestClient(app, raise_server_exceptions=False) as client:
        keys = Keys(app.state.database)
        secret = keys.create(name="laptop")[1]
        with app.state.database.transaction() as db:
            db.exec_driver_sql("ALTER TABLE keys RENAME TO lost")
        failed = client.get("/v1/account", headers={"Authorization": f"Bearer {secret}"})
        assert failed.status_code == 503
        with app.state.database.transaction() as db:
            db.exec_driver_sql("ALTER TABLE lost RENAME TO keys")
    assert "The database failed" in told.text
    without(told.text + failed.text, secret)


# Characters that a wrong key has in common with a right one.
SHARED = (0, 10, 40, 64)


def wrong(right: str, shared: int) -> str:
    """As long a key, whose first characters are those of a right one, and the next is not."""
    rest = "".join("a" if each != "a" else "b" for each in right[shared:])
    return right[:shared] + rest


def test_checking_a_wrong_key_is_the_same_work_however_much_of_it_is_right(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'keys.sqlite3'}")
    keys = Keys(database)
    right = [keys.create(name="laptop")[1] for _ in range(5)][2]
    for _ in range(3):  # after which what is compiled and remembered is
        keys.find(wrong(right, 0))

    def work(key: str) -> list[str]:
        """What is called, in Python and in C."""
        calls: list[str] = []

        def note(frame: Any, kind: str, called: Any) -> None:
            if kind in ("call", "c_call"):
                name = frame.f_code.co_qualname if kind == "call" else getattr(called, "__qualname__", "")
                calls.append(f"{kind} {name}")

        sys.setprofile(note)
        try:
            assert keys.find(key) is None
        finally:
            sys.setprofile(None)
        return calls

    done = [work(wrong(right, shared)) for shared in SHARED]
    assert any("compare_digest" in call for call in done[0])
    assert any("sha256" in call for call in done[0])
    assert all(each == done[0] for each in done)
    database.close()


async def test_each_key_is_hashed_looked_up_and_compared_once(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'keys.sqlite3'}")
    keys = Keys(database)
    right = keys.create(name="laptop")[1]
    known = KnownKeys(keys)
    statements: list[str] = []
    event.listen(database.open(), "before_cursor_execute", lambda *about: statements.append(about[2]))
    found = []
    for key in [right, *(wrong(right, shared) for shared in SHARED)]:
        statements.clear()
        compare, digest = mock.Mock(wraps=hmac.compare_digest), mock.Mock(wraps=digest_of)
        module = "jina_components.service.accounts"
        with mock.patch("hmac.compare_digest", compare), mock.patch(f"{module}.known.digest_of", digest):
            is_found = await known.find(key) is not None
        sizes = [tuple(map(len, call.args)) for call in compare.call_args_list]
        found.append((is_found, len(statements), digest.call_count, len(sizes)))
    await known.close()
    database.close()
    assert [each[0] for each in found] == [True, *[False] * len(SHARED)]
    assert {each[1:] for each in found} == {(1, 1, 1)}
