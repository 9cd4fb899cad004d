"""`/v1/segment`: the documented sample, every field, and what holds for every text."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from segmenter_texts import texts
from starlette.testclient import TestClient

from jina_components.models.tokenizers import Tokenizer

SAMPLE = (
    "\n  Jina AI: Your Search Foundation, Supercharged! 🚀\n  Ihrer Suchgrundlage, aufgeladen! 🚀\n"
    "  您的搜索底座，从此不同！🚀\n  検索ベース,もう二度と同じことはありません！🚀\n"
)
COUNTED = {"num_tokens": 78, "tokenizer": "cl100k_base", "usage": {"tokens": 0}}


@pytest.fixture
def segment(client):
    def ask(**asked):
        answer = client.post("/v1/segment", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return ask


def test_the_documented_sample_gives_the_documented_answer(segment):
    answer = segment(content=SAMPLE, tokenizer="cl100k_base", return_tokens=True, return_chunks=True)
    tokens = answer.pop("tokens")
    assert answer == COUNTED | {
        "num_chunks": 4,
        "chunk_positions": [[3, 55], [55, 93], [93, 110], [110, 135]],
        "chunks": [
            "Jina AI: Your Search Foundation, Supercharged! 🚀\n  ",
            "Ihrer Suchgrundlage, aufgeladen! 🚀\n  ",
            "您的搜索底座，从此不同！🚀\n  ",
            "検索ベース,もう二度と同じことはありません！🚀\n",
        ],
    }
    assert tokens[0][:3] == [["J", [41]], ["ina", [2259]], [" AI", [15592]]]
    assert tokens[0][-4:] == [[" ", [11410]], ["🚀", [248, 222]], ["\n", [198]], ["  ", [256]]]
    assert sum(len(ids) for chunk in tokens for _, ids in chunk) == 77


def test_without_more_it_counts(segment, client):
    assert segment(content=SAMPLE) == COUNTED
    for path in ("/v1/segment", "/segment", "/segment/"):
        assert client.get(path, params={"content": SAMPLE}).json() == COUNTED
        assert client.post(path, json={"content": SAMPLE}).json() == COUNTED


def test_the_host_segment_answers_at_its_root(client):
    hosted = {"host": "segment.jina.ai"}
    assert client.get("/", params={"content": SAMPLE}, headers=hosted).json() == COUNTED
    assert client.post("/", json={"content": SAMPLE}, headers=hosted).json() == COUNTED


def test_strings_and_nulls_stand_for_values(segment, client):
    wanted = segment(content=SAMPLE, return_tokens=True, return_chunks=True, max_chunk_length=20)
    assert wanted["num_chunks"] > 4
    given = {"return_tokens": "true", "return_chunks": "true", "max_chunk_length": "20"}
    assert segment(content=SAMPLE, **given, head=None, tail=None, tokenizer=None) == wanted
    assert client.get("/v1/segment", params={"content": SAMPLE, **given}).json() == wanted
    nothing = dict.fromkeys(("return_tokens", "return_chunks", "max_chunk_length"))
    assert segment(content=SAMPLE, **nothing, unknown=[1]) == COUNTED


def test_tokens_without_chunks_are_one_list(segment):
    answer = segment(content="Hello big world", return_tokens=True)
    assert answer["tokens"] == [[["Hello", [9906]], [" big", [2466]], [" world", [1917]]]]
    assert "chunks" not in answer


def test_another_tokenizer_is_asked_and_echoed(segment):
    answer = segment(content=SAMPLE, tokenizer="o200k_base")
    assert (answer["tokenizer"], answer["num_tokens"]) == ("o200k_base", Tokenizer("o200k_base").count(SAMPLE))


def test_special_tokens_are_named_where_there_are_any(segment):
    answer = segment(content="a<|endoftext|>b<|fim_prefix|><|endoftext|>")
    assert answer["special_tokens"] == ["<|endoftext|>", "<|fim_prefix|>"]
    assert answer["num_tokens"] > 10
    assert "special_tokens" not in segment(content="plain")


def test_an_end_limits_tokens_and_chunks_and_nothing_else(segment):
    content = "🚀 Hello big<|endoftext|> world"
    whole = segment(content=content, return_tokens=True)
    [pieces] = whole["tokens"]
    head = segment(content=content, head=4)
    assert head == whole | {"tokens": [pieces[:2]]}
    assert sum(len(ids) for _, ids in pieces[:2]) == 4
    assert segment(content=content, head=1)["tokens"] == [[]]  # of the three that the first character has
    assert segment(content=content, head=100, return_tokens=True) == whole
    tail = segment(content=content, tail=2, return_chunks=True)
    assert (tail["num_tokens"], tail["chunks"]) == (whole["num_tokens"], ["> world"])
    assert tail["tokens"] == [[[">", [29]], [" world", [1917]]]]
    assert tail["chunk_positions"] == [[len(content) + 1 - 7, len(content) + 1]]
    assert tail["special_tokens"] == ["<|endoftext|>"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts, limit=st.sampled_from([5, 30, 1000]), data=st.data())
def test_chunks_are_contiguous_and_join_to_the_text(segment, text, limit, data):
    text = text.encode(errors="replace").decode()
    assume(text)
    end = data.draw(st.sampled_from(["head", "tail", ""]))
    more = {end: data.draw(st.integers(1, 40))} if end else {}
    answer = segment(content=text, return_chunks=True, return_tokens=True, max_chunk_length=limit, **more)
    chunks, positions, units = answer["chunks"], answer["chunk_positions"], text.encode("utf-16-le")
    assert answer["num_chunks"] == len(chunks) == len(positions) == len(answer["tokens"])
    assert [units[2 * start : 2 * end].decode("utf-16-le") for start, end in positions] == chunks
    assert [start for start, _ in positions[1:]] == [end for _, end in positions[:-1]]
    assert ["".join(shown for shown, _ in tokens) for tokens in answer["tokens"]] == chunks
    assert all(0 < len(chunk) <= limit for chunk in chunks)
    assert answer["num_tokens"] == segment(content=text)["num_tokens"]
    joined = "".join(chunks)
    if not more:
        assert joined == text.lstrip()
    assert joined in text
    if end == "head":
        assert text.lstrip().startswith(joined)
    if end == "tail":
        assert text.endswith(joined)


LENGTH = "The length must be above 0 and below 64k (64,000) characters, it is {}."


@pytest.mark.parametrize(
    ("wrong", "field", "kind", "message"),
    [
        ({"content": ""}, "content", "string_length", LENGTH.format(0)),
        ({"content": "x" * 64_000}, "content", "string_length", LENGTH.format(64_000)),
        ({}, "content", "missing", "Field required"),
        ({"content": 3}, "content", "string_type", "Input should be a valid string"),
        ({"content": "a", "tokenizer": "gpt3"}, "tokenizer", "literal_error", "Input should be 'cl100k_base', "),
        ({"content": "a", "head": 1, "tail": "1"}, "tail", "value_error", "head and tail exclude each other: "),
        ({"content": "a", "head": 0}, "head", "greater_than_equal", "Input should be greater than or equal to 1"),
        ({"content": "a", "max_chunk_length": 0}, "max_chunk_length", "greater_than_equal", "Input should be gr"),
        ({"content": "a", "return_chunks": "perhaps"}, "return_chunks", "bool_parsing", "Input should be a valid b"),
    ],
)
def test_what_does_not_fit_is_named(client, wrong, field, kind, message):
    answers = {"body": client.post("/v1/segment", json=wrong)}
    if kind != "string_type":
        answers["query"] = client.get("/v1/segment", params=wrong)
    for place, answer in answers.items():
        told = answer.json()
        assert (answer.status_code, told["code"]) == (422, "INPUT_VALIDATION")
        assert (told["errors"][0]["field"], told["errors"][0]["type"]) == (f"{place} -> {field}", kind)
        assert told["errors"][0]["message"].startswith(message)
        assert told["detail"].startswith(f"Validation error(s): {place} -> {field}: {message}")


def test_the_longest_content_is_taken(segment):
    assert segment(content="x " * 31_999 + "y")["num_tokens"] > 31_999


def test_half_a_surrogate_pair_is_refused(client):
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/segment", content=b'{"content": "a\\ud83d"}', headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["type"]) == (422, "string_unicode")
    assert answer.json()["errors"][0]["input"] == "a\\ud83d"


def test_a_tokenizer_that_is_not_at_hand_is_told_without_folders(make_app, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    with TestClient(make_app(offline=True)) as client:
        answer = client.post("/v1/segment", json={"content": "a", "tokenizer": "gpt2"})
        told = answer.json()
        assert (answer.status_code, told["code"]) == (400, "INPUT_INVALID")
        assert (
            told["detail"] == "This server does not have the tokenizer 'gpt2' at hand: use cl100k_base or o200k_base."
        )
        assert client.post("/v1/segment", json={"content": SAMPLE}).json() == COUNTED


def test_segmenters_share_a_tokenizer(service_app, client):
    tokenizer = service_app.state.components.tokenizer
    for limit in (10, 11, 12):
        client.post("/v1/segment", json={"content": SAMPLE, "return_chunks": True, "max_chunk_length": limit})
    assert tokenizer("cl100k_base") is tokenizer("cl100k_base")
