from __future__ import annotations

import asyncio
import base64
import itertools
import json
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_server import http

from jina_components.core.background import run_sync
from jina_components.core.batching import batches
from jina_components.errors import BackendError, FetchTimeoutError, HTTPStatusError, WebError
from jina_components.models.backends.http import HTTPEmbeddingModel, HTTPReranker
from jina_components.models.endpoint import Endpoint

KEY = "sk-secret-key"
TEXTS = [f"text number {number}" for number in range(7)]
EMBED = "/api/embeddings"


def vector(text):
    """What the emulated model makes of a text."""
    return np.random.default_rng(len(text) * 1000 + sum(map(ord, text))).standard_normal(5).astype(np.float32)


def expected(texts):
    return np.stack([vector(text) for text in texts])


def b64(row):
    return base64.b64encode(np.asarray(row, "<f4").tobytes()).decode()


def data(texts, *, encode=b64):
    """An answer of the OpenAI and Jina dialects, in another order than asked."""
    rows = [{"object": "embedding", "index": i, "embedding": encode(vector(text))} for i, text in enumerate(texts)]
    return {"object": "list", "data": rows[::-1], "usage": {"prompt_tokens": 3 * len(texts)}}


def results(documents, **more):
    listed = [{"index": i, "relevance_score": len(document) / 8} for i, document in enumerate(documents)]
    return {"results": sorted(listed, key=lambda result: -result["relevance_score"]), **more}


def reply(body, status=200, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http(status, content, connection="close", **headers)


def answering(answer):
    """A route that answers the parsed request with `answer(request)`: a body, or a whole response."""

    async def route(request, writer):
        body = answer(json.loads(request.body))
        if asyncio.iscoroutine(body):
            body = await body
        writer.write(body if isinstance(body, bytes) else reply(body))
        await writer.drain()

    return route


def bodies(server):
    return [json.loads(request.body) for request in server.received]


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (it comes true in another thread)
            await asyncio.sleep(0.01)


@pytest.fixture
def embedding_model(server):
    def make(dialect="openai", **settings):
        settings = {"api_key": KEY, "retries": 0, "timeout": 10.0, **settings}
        return HTTPEmbeddingModel("tiny", Endpoint(server.url("/api"), dialect=dialect, **settings))

    return make


@pytest.fixture
def reranker(server):
    def make(dialect="jina", **settings):
        return HTTPReranker("tiny", Endpoint(server.url("/api"), dialect=dialect, api_key=KEY, retries=0, **settings))

    return make


async def embed(model, texts=TEXTS, **options):
    try:
        return await model.aembed(texts, **options)
    finally:
        await model.aclose()


@pytest.mark.parametrize("encode", [b64, lambda row: [float(number) for number in row]])
@pytest.mark.parametrize("dialect", ["openai", "jina"])
async def test_base64_and_lists_are_read_alike(server, embedding_model, dialect, encode):
    server.routes[EMBED] = answering(lambda body: data(body["input"], encode=encode))
    rows, _ = await embed(embedding_model(dialect))
    np.testing.assert_array_equal(rows, expected(TEXTS))


async def test_no_texts_no_request(server, embedding_model, reranker):
    rows, tokens = await embed(embedding_model(), [])
    assert (rows.shape, rows.dtype, tokens) == ((0, 0), np.float32, 0)
    scores, tokens = await reranker().ascore("q", [])
    assert (scores.shape, scores.dtype, tokens) == ((0,), np.float64, 0)
    assert server.connections == 0


async def test_reranking_in_several_requests(server, reranker):
    documents = ["x" * length for length in (5, 1, 9, 2, 7)]
    server.routes["/api/rerank"] = answering(lambda body: results(body["documents"], usage={"total_tokens": 2}))
    model = reranker(batch_size=2)
    scores, tokens = await model.ascore("q", documents)
    assert scores.tolist() == [len(document) / 8 for document in documents]
    assert (tokens, sorted(len(body["documents"]) for body in bodies(server))) == (6, [1, 2, 2])
    await model.aclose()


# Batches.


@given(
    st.lists(st.text(max_size=12), max_size=40),
    st.integers(1, 9),
    st.sampled_from([1, 5, 20, float("inf")]),
)
def test_batches_cover_the_items_within_the_limits(items, size, characters):
    spans = list(batches(items, size=size, characters=characters))
    assert [item for start, stop in spans for item in items[start:stop]] == items
    for start, stop in spans:
        assert 1 <= stop - start <= size
        assert stop - start == 1 or sum(map(len, items[start:stop])) <= characters
    for (start, stop), (_, after) in itertools.pairwise(spans):  # none could have taken one more
        assert after > stop
        assert stop - start == size or sum(map(len, items[start : stop + 1])) > characters


async def test_many_texts_go_in_many_requests_and_come_back_in_order(server, embedding_model):
    texts = [f"{number} {'x' * (number % 7)}" for number in range(1003)]

    async def late(body):
        await asyncio.sleep(0.01 * (len(body["input"][0]) % 3))  # so that answers overtake each other
        return data(body["input"])

    server.routes[EMBED] = answering(late)
    finished = []
    rows, tokens = await embed(embedding_model(batch_size=50), tuple(texts), on_progress=finished.append)
    np.testing.assert_array_equal(rows, expected(texts))
    assert tokens == 3009
    assert (sum(finished), len(finished)) == (1003, 21)
    assert sorted(len(body["input"]) for body in bodies(server)) == [3] + [50] * 20


async def test_long_texts_go_in_smaller_requests(server, embedding_model):
    texts = ["x" * 60_000, "y" * 60_000, "z" * 150_000, "a", "b"]
    server.routes[EMBED] = answering(lambda body: data(body["input"]))
    rows, _ = await embed(embedding_model(), texts)
    np.testing.assert_array_equal(rows, expected(texts))
    assert sorted(len(body["input"]) for body in bodies(server)) == [1, 1, 1, 2]


class Busy:
    """Counts the requests being answered at a time."""

    def __init__(self):
        self.now = self.most = 0

    async def __call__(self, body):
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.02)
        self.now -= 1
        return data(body["input"])


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_no_more_requests_at_a_time_than_asked_for(server, embedding_model, concurrency):
    busy = Busy()
    server.routes[EMBED] = answering(busy)
    await embed(embedding_model(batch_size=1, concurrency=concurrency), TEXTS * 2)
    assert busy.most == concurrency


async def test_calls_share_the_limit(server, embedding_model):
    busy = Busy()
    server.routes[EMBED] = answering(busy)
    model = embedding_model(concurrency=2)
    found = await asyncio.gather(*(model.aembed([text]) for text in TEXTS))
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in found]), expected(TEXTS))
    assert busy.most == 2
    await model.aclose()


def test_threads_and_loops_share_a_model_and_it_pickles(server, embedding_model):
    server.routes[EMBED] = answering(lambda body: data(body["input"]))
    with pickle.loads(pickle.dumps(embedding_model(batch_size=2, concurrency=2))) as model:
        found = []
        threads = [threading.Thread(target=lambda: found.append(run_sync(model.aembed(TEXTS))[0])) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found += [asyncio.run(embed(model))[0] for _ in range(2)]  # each on a loop of its own
        assert len(found) == 6
        for rows in found:
            np.testing.assert_array_equal(rows, expected(TEXTS))
        model.close()
        assert len(run_sync(model.aembed(TEXTS))[0]) == 7


# Failures.


async def test_a_busy_server_is_asked_again(server, embedding_model):
    full = json.dumps(data(TEXTS)).encode()
    server.routes[EMBED] = [http(429, retry_after="0"), http(503, retry_after="0"), http(200, full)]
    rows, _ = await embed(embedding_model(retries=2))
    np.testing.assert_array_equal(rows, expected(TEXTS))
    assert len(server.received) == 3


async def test_a_server_that_stays_busy(server, embedding_model):
    server.routes[EMBED] = [http(429, b'{"detail": "slow down"}', retry_after="0")]
    with pytest.raises(HTTPStatusError, match=r"texts\[0:7\]: .*status 429: slow down \(try again later\)") as caught:
        await embed(embedding_model(retries=1))
    assert caught.value.status_code == 429
    assert len(server.received) == 2


async def test_one_failure_ends_the_call_and_says_what_failed(server, embedding_model):
    async def answer(body):
        if "text number 4" in body["input"]:
            return reply({"error": {"message": "boom"}}, 500)
        await asyncio.sleep(60)
        late.append(body)
        return data(body["input"])

    late = []
    server.routes[EMBED] = answering(answer)
    with pytest.raises(HTTPStatusError, match=r"^texts\[4:6\]: http://.* status 500: boom") as caught:
        await embed(embedding_model(batch_size=2, concurrency=3), TEXTS * 10)
    assert late == []
    assert len(server.received) == 3
    error = caught.value
    assert (error.status_code, error.url) == (500, server.url(EMBED))
    assert pickle.loads(pickle.dumps(error)).status_code == 500


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (413, "Failed to buffer the request body: length limit exceeded"),
        (413, ""),
        (422, "batch size 33 > maximum allowed batch size 32"),
        (422, "Validation error: List should have at most 512 items"),
        (400, "invalid request: total number of texts must be at most 96 - received 97"),
        (400, "'$.input' is invalid: array too long"),
        (400, "Requested 400000 tokens, max 300000 tokens per request"),
    ],
)
async def test_too_many_items_for_a_server_name_the_remedy(server, embedding_model, status, text):
    server.routes[EMBED] = [reply({"error": {"message": text}}, status)]
    with pytest.raises(HTTPStatusError, match="set a smaller batch_size"):
        await embed(embedding_model())
    with pytest.raises(HTTPStatusError) as caught:
        await embed(embedding_model(), TEXTS[:1])
    assert "batch_size" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 404, 500])
async def test_other_errors_do_not(server, embedding_model, status):
    server.routes[EMBED] = [reply({"detail": "no such model"}, status)]
    with pytest.raises(HTTPStatusError, match="no such model") as caught:
        await embed(embedding_model())
    assert "batch_size" not in str(caught.value)


def item(index, embedding):
    return {"index": index, "embedding": embedding}


BAD_DATA = {
    "too few": ([item(0, [1.0])], "1 results for 2 items"),
    "too many": ([item(0, [1.0])] * 3, "3 results for 2 items"),
    "duplicate": ([item(0, [1.0]), item(0, [1.0])], "indices are not 0 to 1"),
    "beyond": ([item(1, [1.0]), item(2, [1.0])], "indices are not 0 to 1"),
    "negative": ([item(-1, [1.0]), item(0, [1.0])], "indices are not 0 to 1"),
    "odd index": ([item("0", [1.0]), item([], [1.0])], "indices are not 0 to 1"),
    "no index": ([{"embedding": [1.0]}, item(1, [1.0])], "lacks 'index'"),
    "token vectors": ([{"index": 0, "embeddings": [[1.0]]}, item(1, [1.0])], "lacks 'embedding'"),
    "ragged": ([item(0, [1.0]), item(1, [1.0, 2.0])], "vectors of widths 1, 2"),
    "empty": ([item(0, []), item(1, [])], "vectors of widths 0"),
    "nan": ([item(0, [1.0]), item(1, [float("nan")])], "NaN or infinity"),
    "too large": ([item(0, [1.0]), item(1, [1e300])], "NaN or infinity"),
    "base64 nan": ([item(0, b64([1.0])), item(1, b64([np.nan]))], "NaN or infinity"),
    "not base64": ([item(0, "?"), item(1, "?")], "base64|padded|encoded"),
    "cut base64": ([item(0, "AAAA"), item(1, "AAAA")], "multiple of element size"),
    "words": ([item(0, ["a"]), item(1, ["b"])], "something else"),
    "null": ([item(0, None), item(1, None)], "something else"),
    "nested": ([item(0, [[1.0]]), item(1, [[1.0]])], "something else"),
    "inhomogeneous": ([item(0, [1.0, [2.0]]), item(1, [1.0])], "inhomogeneous"),
    "sparse": ([item(0, {"sea": 1.0}), item(1, {})], "something else"),
    "huge": ([item(0, [10**400]), item(1, [1])], "something else|too large"),
    "no objects": ([1, 2], "not subscriptable"),
    "no list": (7, "not iterable"),
    "null data": (None, "not iterable"),
}


@pytest.mark.parametrize("case", BAD_DATA)
async def test_an_answer_out_of_form_names_the_server_and_the_fault(server, embedding_model, case):
    rows, fault = BAD_DATA[case]
    server.routes[EMBED] = answering(lambda _: {"data": rows})
    with pytest.raises(BackendError, match=fault) as caught:
        await embed(embedding_model(), TEXTS[:2])
    assert str(caught.value).startswith(f"texts[0:2]: {server.url(EMBED)} answered out of form")
    assert "'tiny'" in str(caught.value)


async def test_widths_that_differ_between_requests(server, embedding_model):
    def answer(body):
        return {"data": [item(i, [1.0] * (3 if "number 6" in text else 2)) for i, text in enumerate(body["input"])]}

    server.routes[EMBED] = answering(answer)
    with pytest.raises(BackendError, match=r"texts\[6:7\]: .*width 3 after others of width 2"):
        await embed(embedding_model(batch_size=2, concurrency=1))


async def test_the_key_is_in_no_error_and_no_repr(server, embedding_model):
    said = {"error": {"message": f"wrong key: {KEY}"}}
    for status in (400, 401, 413, 422, 500):
        server.routes[EMBED] = [reply(said, status)]
        model = embedding_model()
        with pytest.raises(HTTPStatusError) as caught:
            await embed(model)
        error = caught.value
        assert KEY not in repr(error) + str(error) + repr(error.__cause__) + repr(model)


async def test_no_json_no_server_and_no_answer_in_time(server, embedding_model):
    server.routes[EMBED] = [reply(b"<html>")]
    with pytest.raises(WebError, match=r"texts\[0:7\]: .*did not answer with a JSON object"):
        await embed(embedding_model())
    model = HTTPEmbeddingModel("tiny", Endpoint("http://127.0.0.1:9", retries=0))
    with pytest.raises(WebError, match=r"texts\[0:7\]: .*127.0.0.1:9"):
        await embed(model)

    async def silent(_):
        await asyncio.sleep(60)

    server.routes[EMBED] = answering(silent)
    with pytest.raises(FetchTimeoutError, match=r"texts\[0:7\]"):
        await embed(embedding_model(timeout=0.2))


async def test_cancelling_hangs_up(server, embedding_model):
    hung_up, cancelled = [], threading.Event()

    async def slow(_, writer):
        await until(cancelled.is_set)
        try:
            while True:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            hung_up.append(True)

    server.routes[EMBED] = slow
    model = embedding_model(batch_size=1, concurrency=2)
    task = asyncio.create_task(model.aembed(TEXTS))
    await until(lambda: len(server.received) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    cancelled.set()
    await until(lambda: len(hung_up) == 2)
    assert len(server.received) == 2
    server.routes[EMBED] = answering(lambda body: data(body["input"]))
    np.testing.assert_array_equal((await embed(model))[0], expected(TEXTS))  # the limit is free again


async def test_an_error_of_the_callback_is_the_callers(server, embedding_model):
    server.routes[EMBED] = answering(lambda body: data(body["input"]))

    def stop(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await embed(embedding_model(batch_size=2), on_progress=stop)
