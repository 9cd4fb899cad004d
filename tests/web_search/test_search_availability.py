import threading

import pytest

from jina_components.errors import ConfigError
from jina_components.testing.assertions import in_threads
from jina_components.web_search.availability import CircuitBreaker, RateLimit
from jina_components.web_search.provider import Rate


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_rate_lets_a_burst_through_and_then_spreads(clock):
    limit = RateLimit(Rate(2, 1.0), clock=clock)
    assert [limit.reserve(9) for _ in range(4)] == pytest.approx([0, 0, 0.5, 1.0])
    clock.now += 10
    assert [limit.reserve(9) for _ in range(3)] == pytest.approx([0, 0, 0.5])


def test_a_wait_beyond_patience_takes_no_place(clock):
    limit = RateLimit(Rate(1, 3.0), clock=clock)
    assert limit.reserve(0) == 0
    assert limit.reserve(2.9) is None
    assert limit.reserve(2.9) is None
    clock.now += 1
    assert limit.reserve(2.9) == pytest.approx(2.0)


def test_no_rate_no_wait(clock):
    assert RateLimit(None, clock=clock).reserve(0) == 0


def test_many_threads_do_not_exceed_a_rate(clock):
    limit = RateLimit(Rate(5, 1.0), clock=clock)
    waits = sorted(in_threads(lambda _: limit.reserve(100), 40))
    assert waits == pytest.approx([0] * 5 + [number / 5 for number in range(1, 36)])


@pytest.mark.parametrize(("calls", "seconds"), [(0, 1.0), (1, 0.0), (-1, 1.0)])
def test_rates_are_positive(calls, seconds):
    with pytest.raises(ConfigError):
        Rate(calls, seconds)


def breaker(clock):
    return CircuitBreaker(failures=2, cooling=30, clock=clock)


def test_failures_in_a_row_bring_a_rest(clock):
    switch = breaker(clock)
    switch.failed()
    switch.succeeded()
    switch.failed()
    assert switch.admit() == 0
    switch.failed()
    assert switch.admit() == 30
    clock.now += 29
    assert switch.admit() == 1


def test_after_the_rest_one_call_tries(clock):
    switch = breaker(clock)
    switch.failed()
    switch.failed()
    clock.now += 31
    assert switch.admit() == 0
    assert switch.admit() > 0
    switch.failed()
    assert switch.admit() == 30
    clock.now += 31
    assert switch.admit() == 0
    switch.abandoned()
    assert switch.admit() == 0
    switch.succeeded()
    assert [switch.admit(), switch.admit()] == [0, 0]
    switch.failed()
    assert switch.admit() == 0


def test_the_server_knows_how_long(clock):
    switch = breaker(clock)
    switch.failed(retry_after=120)
    assert switch.admit() == 120
    clock.now += 121
    assert switch.admit() == 0


def test_one_of_many_threads_tries(clock):
    switch = breaker(clock)
    switch.failed(retry_after=0)
    started = threading.Barrier(8)

    def admit(_):
        started.wait()
        return switch.admit()

    assert sum(rest == 0 for rest in in_threads(admit, 8)) == 1
