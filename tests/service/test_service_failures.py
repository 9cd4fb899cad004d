"""How often pages failed."""

from __future__ import annotations

import pytest

from jina_components.errors import BlockedURLError, ContentTooLargeError, RobotsDeniedError, WebError
from jina_components.service import failures
from jina_components.service.errors import Problem
from jina_components.service.failures import Failures


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counts(clock: Clock) -> Failures:
    return Failures(clock)


def fail(counts: Failures, page: str = "a", *, times: int = 1, error: Exception | None = None) -> None:
    for _ in range(times):
        with pytest.raises(WebError), counts.counted(page):
            raise error or WebError("It broke.")


def succeed(counts: Failures, page: str = "a") -> None:
    with counts.counted(page):
        pass


def test_ten_in_a_row_are_enough_until_the_hour_is_over(counts, clock):
    fail(counts, times=9)
    succeed(counts)
    fail(counts, times=9)
    clock.now += 600
    fail(counts)
    with pytest.raises(Problem, match="10 times in a row") as refused, counts.counted("a"):
        pytest.fail("It was tried.")
    assert (refused.value.status, refused.value.headers) == (403, {"Retry-After": "3000"})
    succeed(counts, "b")
    clock.now += 3000
    fail(counts, times=10)
    with pytest.raises(Problem), counts.counted("a"):
        pytest.fail("It was tried.")


def test_those_of_more_than_an_hour_are_not_in_a_row(counts, clock):
    for _ in range(30):
        fail(counts)
        clock.now += 500
    succeed(counts)


@pytest.mark.parametrize("kind", [BlockedURLError, RobotsDeniedError, ContentTooLargeError])
def test_what_is_not_the_site_that_fails(counts, kind):
    fail(counts, times=20, error=kind("No."))
    succeed(counts)


def test_it_knows_but_so_many_pages(counts, monkeypatch):
    monkeypatch.setattr(failures, "_PAGES", 3)
    fail(counts, "first", times=10)
    for page in "abc":
        fail(counts, page)
    succeed(counts, "first")
