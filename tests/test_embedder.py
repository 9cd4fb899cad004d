from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tiny_checkpoints import save_checkpoint, save_sentence_transformer

from jina_components import Embedder
from jina_components.errors import ConfigError, InputError, ModelFilesError, TooLongError, UnknownNameError
from jina_components.models.catalog import DEFAULT_EMBEDDER

TEXTS = ["The sea is calm today.", "Stocks fell sharply on Monday.", "A boat lies in the harbour."]

TABLE = "static-minilm-v1"


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    save_sentence_transformer(folder / "model", Pooling(32), checkpoint=save_checkpoint(folder / "base"))
    return folder / "model"


# --- against sentence-transformers on real weights ---------------------------------------------------------------

VARIED = [
    "sea",
    "The harbour master counted forty fishing boats at dawn.",
    "  spaces \t and\n\nbreaks  ",
    "Zażółć gęślą jaźń — naïve café",
    "東京は日本の首都です。 Привет, мир! مرحبا",
    "🦊🌊 emoji and\u200bzero width",
    "[CLS] markers [SEP] in the text [MASK] [PAD]",
    "x" * 300,
    "1234567890 $%&/() http://example.com/?a=1&b=2",
    "The quick brown fox jumps over the lazy dog. " * 60,
]


@pytest.mark.slow
def test_real_weights_give_the_vectors_of_sentence_transformers(minilm_folder):
    model = SentenceTransformer(str(minilm_folder), device="cpu")
    embedder = Embedder(minilm_folder, precision="float32")
    texts = VARIED + [f"{text} number {n}" for n in range(3) for text in TEXTS]
    wanted = model.encode(texts, normalize_embeddings=True)
    result = embedder.embed(texts, truncate=True)
    assert (result.vectors * wanted).sum(axis=1).min() >= 0.99999
    counts = [int(model.preprocess([text])["attention_mask"].sum()) for text in texts]
    assert [embedder.embed([text], truncate=True).usage.total_tokens for text in texts] == counts
    assert result.usage.total_tokens == sum(counts)
    assert embedder.context == model.max_seq_length == max(counts) == 256
    alone = np.concatenate([embedder.embed([text], truncate=True).vectors for text in texts])
    np.testing.assert_allclose(alone, result.vectors, atol=1e-5)


# --- the default model -------------------------------------------------------------------------------------------


def test_related_texts_are_closer_than_unrelated_ones(bundled_embedder):
    cosines = bundled_embedder.embed_documents(TEXTS) @ bundled_embedder.embed_query("ship in the port")
    assert cosines.argmax() == 2
    cosines = bundled_embedder.embed_documents(TEXTS) @ bundled_embedder.embed_query("share prices dropped")
    assert cosines.argmax() == 1


def test_vectors_are_float32_rows_of_unit_length(bundled_embedder):
    result = bundled_embedder.embed(TEXTS)
    assert result.vectors.shape == (len(result), bundled_embedder.dimensions) == (3, 256)
    assert result.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(result.vectors, axis=1), 1, atol=1e-6)
    assert repr(result) == f"Embeddings(shape=(3, 256), {result.usage!r})"
    assert bundled_embedder.embed_query(TEXTS[0]).shape == (256,)


def test_tokens_are_counted(bundled_embedder):
    totals = [bundled_embedder.embed([text]).usage.total_tokens for text in TEXTS]
    assert all(totals)
    assert bundled_embedder.embed(TEXTS).usage.total_tokens == sum(totals)


def test_no_texts(bundled_embedder):
    assert bundled_embedder.embed([]).vectors.shape == (0, 256)
    assert bundled_embedder.embed([], dimensions=8).vectors.shape == (0, 8)
    assert bundled_embedder.embed_documents([]).dtype == np.float32


def test_a_text_of_unknown_words_has_no_direction(bundled_embedder):
    vectors = bundled_embedder.embed(["ᚠᚢᚦ", TEXTS[0]]).vectors
    assert not vectors[0].any()
    assert vectors[1].any()


def test_dimensions_are_cut_and_normalized_again(bundled_embedder):
    full = bundled_embedder.embed(TEXTS, normalized=False).vectors
    cut = bundled_embedder.embed(TEXTS, dimensions=32).vectors
    wanted = full[:, :32] / np.linalg.norm(full[:, :32], axis=1, keepdims=True)
    np.testing.assert_allclose(cut, wanted, atol=1e-6)
    narrow = Embedder(TABLE, dimensions=32)
    assert narrow.dimensions == 32
    np.testing.assert_allclose(narrow.embed_documents(TEXTS), cut, atol=1e-6)
    assert narrow.embed(TEXTS, dimensions=64).vectors.shape == (3, 64)


def test_raw_vectors_have_the_length_the_model_gave_them(bundled_embedder):
    raw = bundled_embedder.embed(TEXTS, normalized=False).vectors
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    assert not np.allclose(lengths, 1, atol=0.01)
    np.testing.assert_allclose(raw / lengths, bundled_embedder.embed(TEXTS).vectors, atol=1e-6)


@pytest.mark.parametrize("dimensions", [0, -1, 257, 2.5])
def test_dimensions_the_model_does_not_have(bundled_embedder, dimensions):
    with pytest.raises(InputError, match="dimensions must be within 1 and 256"):
        bundled_embedder.embed(TEXTS, dimensions=dimensions)
    if dimensions == 257:
        with pytest.raises(InputError, match="within 1 and 256"):
            _ = Embedder(TABLE, dimensions=257).dimensions


@pytest.mark.parametrize("dimensions", [0, -3, 2.5, "many"])
def test_a_wrong_setting_is_refused_at_once(dimensions):
    with pytest.raises(ConfigError, match="dimensions must be a positive integer"):
        Embedder(dimensions=dimensions)


def test_other_wrong_settings():
    with pytest.raises(ConfigError, match="token_budget must be positive"):
        Embedder(token_budget=0)
    with pytest.raises(UnknownNameError, match="Unknown backend 'static2'. Did you mean 'static'"):
        Embedder(backend="static2")
    with pytest.raises(TypeError):
        Embedder(None)


def test_the_constructor_opens_nothing():
    embedder = Embedder("/no/such/folder")
    assert embedder.name == "/no/such/folder"
    with pytest.raises(ModelFilesError):
        embedder.load()


# --- inputs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "index", "message"),
    [
        (["fine", "", "fine"], 1, r"inputs\[1\] is empty"),
        (["fine", " \n\t"], 1, r"inputs\[1\] is empty"),
        (["fine", "fine", None], 2, r"inputs\[2\] must be str or jina_components.Image, got NoneType"),
        ([b"bytes"], 0, "must be str or jina_components.Image, got bytes"),
        (["fine", "word " * 9000], 1, r"inputs\[1\] has 9000 tokens, more than the model's context of 8192"),
        (["fine", "lone \udc80 surrogate"], 1, r"inputs\[1\] is not valid Unicode"),
        (["fine", "x" * 5_000_001], 1, r"inputs\[1\] has 5,000,001 characters"),
        ("a bare string", None, r"pass \['a bare string'\]"),
        (None, None, "must be a list"),
    ],
    ids=["empty", "blank", "none", "bytes", "long", "surrogate", "characters", "bare", "no-list"],
)
async def test_the_bad_text_is_named(bundled_embedder, texts, index, message):
    for embed in (bundled_embedder.embed, bundled_embedder.embed_documents):
        with pytest.raises(InputError, match=message) as caught:
            embed(texts)
        assert caught.value.index == index
    with pytest.raises(InputError, match=message):
        await bundled_embedder.aembed(texts)


@pytest.mark.parametrize("query", ["", "  ", None, ["list"]])
async def test_bad_queries(bundled_embedder, query):
    with pytest.raises(InputError, match="text"):
        bundled_embedder.embed_query(query)
    with pytest.raises(InputError, match="text"):
        await bundled_embedder.aembed_query(query)


def test_truncation_keeps_the_head():
    long = "sea " * 9000 + "stocks " * 9000
    for result in (Embedder(TABLE, truncate=True).embed([long]), Embedder(TABLE).embed([long], truncate=True)):
        assert result.usage.total_tokens == 8192
        np.testing.assert_allclose(result.vectors, Embedder(TABLE).embed(["sea"]).vectors, atol=1e-5)
    with pytest.raises(TooLongError, match=r"inputs\[1\] has 18000 tokens.*truncate=True") as raised:
        Embedder(TABLE, truncate=True).embed(["sea", long], truncate=False)
    assert raised.value.index == 1


def test_it_tells_whether_it_is_loaded():
    embedder = Embedder(TABLE)
    assert embedder.loaded is None
    assert embedder.load() is embedder.loaded
    embedder.close()
    assert embedder.loaded is None


def test_an_unknown_task(bundled_embedder):
    with pytest.raises(UnknownNameError, match=r"Unknown task 'retrieval.querry'. Did you mean 'retrieval.query'"):
        bundled_embedder.embed(TEXTS, task="retrieval.querry")


def test_a_model_of_another_kind():
    with pytest.raises(ConfigError, match="is of kind 'late-interaction', where 'embedding' is needed"):
        Embedder("static-minilm-v1-maxsim").load()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine without CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "cpu:7"])
def test_a_device_that_is_not_there(tiny_folder, device):
    with pytest.raises(ConfigError, match=f"Device '{device}' is not available here"):
        Embedder(tiny_folder, device=device).load()


def test_a_device_that_is_none(tiny_folder):
    with pytest.raises(ConfigError, match="'gpu' is no device: give auto, cpu"):
        Embedder(tiny_folder, device="gpu").load()


# --- running -----------------------------------------------------------------------------------------------------


async def test_async_twins_agree(tiny_folder):
    embedder = Embedder(tiny_folder)
    settings = {"task": "retrieval.query", "dimensions": 8, "normalized": False, "truncate": True}
    a, b = await embedder.aembed(TEXTS, **settings), embedder.embed(TEXTS, **settings)
    np.testing.assert_allclose(a.vectors, b.vectors, atol=1e-6)
    assert a.usage == b.usage
    np.testing.assert_allclose(await embedder.aembed_documents(TEXTS), embedder.embed_documents(TEXTS), atol=1e-6)
    np.testing.assert_allclose(await embedder.aembed_query("fox"), embedder.embed_query("fox"), atol=1e-6)


async def test_the_event_loop_stays_free(tiny_folder):
    embedder = Embedder(tiny_folder)
    embedder.load()
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await embedder.aembed(["the quick brown fox"] * 2000)
    ticking.cancel()
    assert ticks > 3


async def test_cancelling_ends_the_work(tiny_folder):
    embedder = Embedder(tiny_folder, token_budget=1)
    embedder.load()
    task = asyncio.create_task(embedder.aembed(["the quick brown fox"] * 20_000))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The model is free for the next call at once, where 20,000 passes would take a minute.
    async with asyncio.timeout(5):
        assert len(await embedder.aembed(["hello"])) == 1


@pytest.mark.parametrize("budget", [1, 7, 100_000])
def test_results_do_not_depend_on_the_token_budget(tiny_folder, budget):
    texts = [f"{'fox ' * (n % 9)} number {n}" for n in range(40)]
    wanted = Embedder(tiny_folder).embed(texts).vectors
    np.testing.assert_allclose(Embedder(tiny_folder, token_budget=budget).embed(texts).vectors, wanted, atol=1e-5)


def test_many_threads_share_one_model(tiny_folder):
    embedder = Embedder(tiny_folder)
    texts = [f"fox {n}" for n in range(40)]
    wanted = embedder.embed(texts).vectors
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: embedder.embed_query(texts[n % 40]), range(200)))
    for n, vector in enumerate(got):
        np.testing.assert_allclose(vector, wanted[n % 40], atol=1e-5)


def test_threads_that_come_first_together_load_once(monkeypatch):
    from jina_components import embedder as module

    loads = []
    load = module.load_embedding_model
    monkeypatch.setattr(module, "load_embedding_model", lambda *a, **k: loads.append(a) or load(*a, **k))
    embedder = Embedder()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: embedder.embed_query("sea"), range(16)))
    assert len(loads) == 1


def test_progress_is_drawn_on_stderr(bundled_embedder, capsys):
    bundled_embedder.embed(TEXTS, show_progress=True)
    drawn = capsys.readouterr()
    assert "Embedding: 100%" in drawn.err
    assert "3/3" in drawn.err
    assert drawn.out == ""
    bundled_embedder.embed(TEXTS)
    bundled_embedder.embed_documents(TEXTS)
    assert capsys.readouterr() == ("", "")


# --- settings, state, pickling -----------------------------------------------------------------------------------


def test_an_embedder_pickles_as_its_settings(tiny_folder):
    embedder = Embedder(tiny_folder, dimensions=8, truncate=True, token_budget=100)
    vectors = embedder.embed(["fox " * 100]).vectors
    data = pickle.dumps(embedder)
    assert len(data) < 1000
    copy = pickle.loads(data)
    assert copy.name == embedder.name == os.fspath(tiny_folder)
    np.testing.assert_allclose(copy.embed(["fox " * 100]).vectors, vectors, atol=1e-6)


def test_it_closes_and_opens_again():
    with Embedder() as embedder:
        vectors = embedder.embed_documents(TEXTS)
    np.testing.assert_array_equal(embedder.embed_documents(TEXTS), vectors)
    loaded = embedder.load()
    assert embedder.load() is loaded
    embedder.close()
    embedder.close()
    assert embedder.load() is not loaded


def test_names(tiny_folder):
    assert repr(Embedder()) == f"Embedder({DEFAULT_EMBEDDER!r})"
    assert Embedder(str(tiny_folder)).name == Embedder(tiny_folder).name


def test_the_default_model_needs_no_framework():
    """Not even an import of torch, nor a word on stdout or stderr."""
    script = (
        "import sys; from jina_components import Embedder, EntailmentScorer, Reranker; "
        "Embedder().embed_query('sea'); Reranker().rerank('sea', ['calm sea']); "
        "EntailmentScorer().score([('sea', 'calm sea')]); "
        "frameworks = {'torch', 'transformers', 'onnx', 'huggingface_hub', 'httpx', 'faiss'}; "
        "sys.exit(sorted(frameworks & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_transformer_without_torch_names_the_extra(tiny_folder):
    script = (
        "import sys; sys.modules['torch'] = None\n"
        "from jina_components import Embedder\n"
        "try:\n    Embedder(sys.argv[1]).load()\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    command = [sys.executable, "-c", script, str(tiny_folder)]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    wanted = "MissingDependencyError This model needs torch: pip install 'jina-components[torch]'."
    assert done.stdout.strip() == wanted


@pytest.mark.parametrize("wait", ["", "time.sleep(0.1)"], ids=["busy", "idle"])
def test_a_process_ends_cleanly_amid_work(tiny_folder, wait):
    """Torch aborts a process whose model thread is torn out of a forward pass."""
    count = 2 if wait else 20_000
    script = (
        "import sys, time; from jina_components import Embedder\n"
        "loaded = Embedder(sys.argv[1], token_budget=1).load()\n"
        f"loaded.runner.submit(loaded.tokenizer.texts(['the quick fox'] * {count})); {wait}"
    )
    command = [sys.executable, "-c", script, str(tiny_folder)]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
