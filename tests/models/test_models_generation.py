from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import edit_json, save_checkpoint
from tiny_generators import CHAT_TEMPLATE, FLOAT32, count_tokens, save_generator

from jina_components.errors import BackendError, ConfigError, ModelFilesError, UnknownNameError
from jina_components.models.decoding import REPEATS, SHORTEST_LOOP
from jina_components.models.generation import GenerativeModel, load_generative_model
from jina_components.models.loading import LoadOptions

TURN = "Hello WORLD, 東京"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_generator(tmp_path_factory.mktemp("generator"))


@pytest.fixture(scope="module")
def model(folder):
    return load_generative_model(str(folder), FLOAT32)


def begin(model, turn=TURN, *, max_tokens=40, penalty=1.08):
    return model.submit(model.prompt.encode("", turn, ""), max_tokens=max_tokens, repetition_penalty=penalty)


def write(model, turn=TURN, **settings):
    return begin(model, turn, **settings).future.result(60)


def joined(generation):
    return "".join(iter(lambda: generation.next_piece().result(60), ""))


def wait_until_idle(model):
    end = time.monotonic() + 20
    while model._thread is not None:
        assert time.monotonic() < end
        time.sleep(0.01)


# --- what is written, and what ends it ----------------------------------------------------------------------------


def test_pieces_join_to_the_text(model):
    generation = begin(model)
    assert joined(generation) == generation.future.result().text
    assert generation.next_piece().result(1) == ""
    late = begin(model)
    whole = late.future.result(60)
    assert late.next_piece().result(1) == whole.text == write(model).text


def test_the_cap_ends_it(model):
    short, long = write(model, max_tokens=5), write(model, max_tokens=30)
    assert (short.finish_reason, short.completion_tokens) == ("length", 5)
    assert long.completion_tokens == 30
    assert short.prompt_tokens == len(model.prompt.encode("", TURN, ""))
    assert long.text.startswith(short.text.rstrip("\ufffd"))


@pytest.mark.parametrize("place", ["generation_config.json", "config.json", "list", "tokenizer_config.json"])
def test_a_stop_token_ends_it(tmp_path, place):
    """Wherever the folder names it: any token that the model writes can be made one."""
    save_generator(tmp_path)
    model = load_generative_model(str(tmp_path), FLOAT32)
    tokens = [token for token, _ in zip(_tokens(model), range(20), strict=False)]
    stop = tokens[6]
    first = tokens.index(stop)
    if place == "tokenizer_config.json":
        text = model._tokenizer.id_to_token(stop)
        edit_json(tmp_path / place, eos_token=text)
    else:
        edit_json(
            tmp_path / place.replace("list", "generation_config.json"),
            eos_token_id=[9999, stop] if place == "list" else stop,
        )
    written = write(load_generative_model(str(tmp_path), FLOAT32))
    assert (written.finish_reason, written.completion_tokens) == ("stop", first + 1)
    assert written.text == model._tokenizer.decode(tokens[:first])


def _tokens(model):
    prompt = model.prompt.encode("", TURN, "")
    return (token for token in model._backend.tokens(prompt, repetition_penalty=1.08) if token is not None)


def test_the_first_token_of_the_vocabulary_may_be_the_end(tmp_path):
    save_generator(tmp_path, eos_token_id=9999)
    edit_json(tmp_path / "tokenizer_config.json", eos_token="<|endoftext|>")
    assert load_generative_model(str(tmp_path), FLOAT32)._stops == {0, 9999}


def test_a_loop_ends_it(tmp_path):
    """Without attention each token depends on the one before alone, so that sooner or later they go in a circle."""
    save_generator(tmp_path, eos_token_id=9999)
    weights = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: value * ("o_proj" not in name) for name, value in weights.items()},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    edit_json(tmp_path / "tokenizer_config.json", eos_token=None)
    model = load_generative_model(str(tmp_path), FLOAT32)
    written = write(model, max_tokens=3500, penalty=1.0)
    assert written.finish_reason == "repetition"
    assert SHORTEST_LOOP <= written.completion_tokens < 3500
    ids = [
        token
        for token, _ in zip(
            model._backend.tokens(model.prompt.encode("", TURN, ""), repetition_penalty=1.0),
            range(written.completion_tokens),
            strict=False,
        )
    ]
    tail = ids[-SHORTEST_LOOP:]
    assert any(tail[period:] == tail[:-period] for period in range(1, SHORTEST_LOOP // REPEATS + 1))


def test_text_after_half_a_character(model):
    """Whatever the cap cuts, the pieces still join to the text."""
    for cap in range(1, 25):
        generation = begin(model, max_tokens=cap)
        assert joined(generation) == generation.future.result().text


# --- cancelling and threads ---------------------------------------------------------------------------------------


def test_cancelling_stops_between_tokens(folder):
    model = load_generative_model(str(folder), FLOAT32)
    written = count_tokens(model)
    running, waiting = begin(model, max_tokens=3000), begin(model, max_tokens=3000)
    assert running.next_piece().result(60)
    running.cancel()
    waiting.cancel()
    wait_until_idle(model)
    assert 0 < len(written) < 3000
    with pytest.raises(CancelledError):
        running.future.result()
    pieces = running.next_piece()
    assert pieces.done()
    assert joined(running) == ""
    assert write(model) == write(load_generative_model(str(folder), FLOAT32))


def test_a_waiter_is_told_of_the_cancelling(model):
    blocker, queued = begin(model, max_tokens=400), begin(model)
    piece = queued.next_piece()
    queued.cancel()
    assert piece.result(1) == ""
    blocker.cancel()


def test_a_piece_nobody_waits_for_is_kept(model):
    generation = begin(model)
    assert generation.next_piece().cancel() or generation.future.done()
    assert joined(generation) == generation.future.result().text


def test_many_threads_get_what_each_gets_alone(folder):
    turns = [TURN, "a", "<p>b</p>", "é" * 50] * 3
    model = load_generative_model(str(folder), FLOAT32)
    alone = [write(model, turn) for turn in turns]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda turn: write(model, turn), turns)) == alone
        assert list(pool.map(lambda turn: joined(begin(model, turn)), turns)) == [one.text for one in alone]
    wait_until_idle(model)
    assert "jina-components-generation" not in [thread.name for thread in threading.enumerate()]


def test_a_model_that_fails_says_so_and_goes_on(folder):
    model = load_generative_model(str(folder), FLOAT32)
    bad = model.submit([10**6], max_tokens=5)
    with pytest.raises(BackendError, match="The model failed: IndexError"):
        bad.next_piece().result(60)
    with pytest.raises(BackendError, match="The model failed: IndexError"):
        bad.future.result(60)
    assert write(model).completion_tokens


def test_a_process_may_end_while_it_writes(folder):
    code = f"""
from jina_components.models.generation import GenerativeModel, load_generative_model
from jina_components.models.loading import LoadOptions
model = load_generative_model({str(folder)!r}, LoadOptions(precision="float32"))
running = model.submit(model.prompt.encode("", "a", ""), max_tokens=3000, repetition_penalty=1.08)
waiting = model.submit(model.prompt.encode("", "a", ""), max_tokens=3000, repetition_penalty=1.08)
print(len(running.next_piece().result()) > 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


# --- loading ------------------------------------------------------------------------------------------------------


def test_context_and_room(tmp_path):
    save_generator(tmp_path, max_position_embeddings=100)
    model = load_generative_model(str(tmp_path), FLOAT32)
    assert (model.context, model.room(40)) == (100, 60)
    with pytest.raises(ConfigError, match="max_tokens=100 leaves no room in the model's context of 100"):
        model.room(100)
    edit_json(tmp_path / "config.json", max_position_embeddings=None)
    assert load_generative_model(str(tmp_path), FLOAT32).context in (None, 32768)


def test_what_is_no_generative_model(tmp_path):
    with pytest.raises(ModelFilesError, match="does not generate text.*BertModel"):
        load_generative_model(str(save_checkpoint(tmp_path / "bert")), FLOAT32)
    with pytest.raises(ConfigError, match="is of kind 'embedding'"):
        load_generative_model("small-embedding-v1", FLOAT32)
    with pytest.raises(UnknownNameError):
        load_generative_model("no-such-model", FLOAT32)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFilesError, match="holds no model"):
        load_generative_model(str(tmp_path / "empty"), FLOAT32)


def test_a_folder_without_an_end(tmp_path):
    save_generator(tmp_path)
    (tmp_path / "generation_config.json").unlink()
    edit_json(tmp_path / "config.json", eos_token_id=None)
    edit_json(tmp_path / "tokenizer_config.json", eos_token=None)
    with pytest.raises(ModelFilesError, match="no token that ends a text"):
        load_generative_model(str(tmp_path), FLOAT32)


def test_a_folder_without_tokenizer_or_with_another(tmp_path):
    save_generator(tmp_path, vocab_size=300)
    with pytest.raises(ModelFilesError, match="tokenizer has 3.. tokens, the model only 300"):
        load_generative_model(str(tmp_path), FLOAT32)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelFilesError, match=r"tokenizer\.json is missing"):
        load_generative_model(str(tmp_path), FLOAT32)


def test_a_template_kept_in_the_tokenizers_config(tmp_path):
    """Older folders have it there, newer ones in a file of its own."""
    save_generator(tmp_path)
    (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
    edit_json(tmp_path / "tokenizer_config.json", chat_template=CHAT_TEMPLATE)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["chat_template"]
    assert write(load_generative_model(str(tmp_path), FLOAT32)).completion_tokens


def test_lower_precision_writes(folder):
    if not torch.backends.mkldnn.is_available():
        pytest.skip("no oneDNN")
    model = load_generative_model(str(folder), LoadOptions(precision="auto", device="cpu"))
    assert write(model).completion_tokens == 40


class Counting:
    """Writes the ids from 10 on, without torch, whose own threads do not survive a fork."""

    vocabulary = 300

    def tokens(self, prompt, *, repetition_penalty):
        yield from range(10, 300)


def test_a_forked_child_has_a_thread_of_its_own(model, holds_in_forked_child):
    counting = GenerativeModel(Counting(), model._tokenizer, model.prompt, stops=frozenset({2}))
    wanted = write(counting, max_tokens=5).text
    assert wanted
    with counting._lock:  # as another thread may hold it at the fork
        assert holds_in_forked_child(lambda: write(counting, max_tokens=5).text == wanted)
