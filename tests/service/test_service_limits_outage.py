"""Redis that is not there, goes away and comes back."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from redis_server import RedisServer, redis_program, running_redis
from starlette.testclient import TestClient

from jina_components.errors import ConfigError, MissingDependencyError
from jina_components.service.errors import Problem
from jina_components.service.limits import in_redis
from jina_components.service.limits.in_redis import InRedis
from jina_components.service.limits.limiter import Limiter
from jina_components.service.limits.storage import make_storage
from jina_components.service.limits.tiers import Rate

RATE = Rate(requests=10**6, tokens=10**9, concurrent=3)


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    program = redis_program()
    if program is None:
        pytest.skip("needs Redis: apt-get install redis-server")
    with running_redis(program) as server:
        yield server


@pytest.mark.parametrize(
    "url",
    ["memory://", "http://127.0.0.1:6379", "redis://", "redis://:pa$$word@", "redis://host:port", "127.0.0.1:6379"],
)
def test_other_urls_are_told_without_their_passwords(url):
    with pytest.raises(ConfigError, match="redis://HOST:PORT") as told:
        make_storage(url)
    assert "pa$$word" not in str(told.value)


async def test_a_server_that_is_not_there_is_told_at_the_start(own_redis):
    own_redis.stop()
    try:
        with pytest.raises(ConfigError, match=r"Redis at 127\.0\.0\.1.* cannot be used: .*failed") as told:
            await InRedis(own_redis.url.replace("//", "//user:pa55word@")).open()
        assert "pa55word" not in str(told.value)
    finally:
        own_redis.start()


def test_an_application_whose_redis_is_not_there_does_not_start(make_app: Callable[..., FastAPI], own_redis):
    own_redis.stop()
    try:
        app = make_app(needs_keys=True, limits_url=own_redis.url)
        with pytest.raises(ConfigError, match="where limits are counted"), TestClient(app):
            pass
    finally:
        own_redis.start()


async def test_a_wrong_password_is_told_at_the_start(own_redis):
    with pytest.raises(ConfigError, match="cannot be used") as told:
        await InRedis(own_redis.url.replace("//", "//user:pa55word@")).open()
    assert "pa55word" not in str(told.value)


def test_a_missing_client_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    monkeypatch.delitem(sys.modules, "jina_components.service.limits.in_redis")
    with pytest.raises(MissingDependencyError, match=r"jina-components\[redis\]"):
        make_storage("redis://127.0.0.1:1")


async def test_options_of_a_url_that_are_none_are_told_at_the_start(own_redis):
    with pytest.raises(ConfigError, match="cannot be used"):
        await InRedis(own_redis.url + "?no_such_option=1").open()


async def admitted(limiter: Limiter, caller: str = "caller") -> bool:
    try:
        held = await limiter.admit(caller, "embeddings", RATE)
    except Problem as problem:
        if (problem.status, problem.code, problem.headers["Retry-After"]) != (503, "SERVICE_UNAVAILABLE", "2"):
            raise
        return False
    held.settle(5)
    held.release()
    return True


async def test_requests_are_refused_while_redis_is_away_and_let_in_when_it_is_back(own_redis, monkeypatch, caplog):
    monkeypatch.setattr(in_redis, "_PAUSE", 0.05)
    caplog.set_level(logging.INFO, logger="jina_components.service.limits.in_redis")
    limiter = Limiter(InRedis(own_redis.url))
    await limiter.open()
    assert await admitted(limiter)
    own_redis.stop()
    assert not any([await admitted(limiter, f"caller {number}") for number in range(30)])
    own_redis.start()
    await asyncio.sleep(2 * in_redis._PAUSE)
    assert await admitted(limiter)
    assert await asyncio.gather(*(admitted(limiter, "another") for _ in range(3))) == [True] * 3
    await limiter.close()
    assert [(record.levelname, record.getMessage().split(";")[0]) for record in caplog.records] == [
        ("ERROR", f"Redis at 127.0.0.1:{own_redis.port} fails"),
        ("WARNING", f"Redis at 127.0.0.1:{own_redis.port} answers again."),
    ]  # fmt: skip


async def test_what_was_leased_before_may_be_used_while_redis_is_away_and_no_more(own_redis):
    rate = Rate(requests=300)
    limiter = Limiter(InRedis(own_redis.url))
    await limiter.open()
    (await limiter.admit("leased", "embeddings", rate)).release()
    own_redis.stop()
    try:
        for _ in range(2):
            (await limiter.admit("leased", "embeddings", rate)).release()
        with pytest.raises(Problem, match="cannot be checked"):
            await limiter.admit("leased", "embeddings", rate)
    finally:
        own_redis.start()
    await limiter.close()


async def test_a_server_that_was_started_anew_between_two_requests_is_not_noticed(own_redis, caplog):
    limiter = Limiter(InRedis(own_redis.url))
    await limiter.open()
    assert await admitted(limiter)
    await asyncio.sleep(0.05)
    own_redis.stop()
    own_redis.start()
    assert await admitted(limiter)
    await limiter.close()
    assert not caplog.records


async def test_closing_without_redis_is_no_error(own_redis, caplog):
    limiter = Limiter(InRedis(own_redis.url))
    await limiter.open()
    held = await limiter.admit("caller", "embeddings", RATE)
    own_redis.stop()
    try:
        held.release()
        await limiter.close()
    finally:
        own_redis.start()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
