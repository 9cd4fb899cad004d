from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from tiny_checkpoints import FOUR_LABELS, save_model2vec, save_pair_model
from tiny_triplets import WORDS, tiny_triplets
from torch.nn import Identity

from jina_components import Embedder, Reranker
from jina_components.core.vectors import normalize
from jina_components.errors import BusyError, ConfigError, InputError, MissingDependencyError, UnknownNameError
from jina_components.fine_tuner.fit import FitProgress, FitResult, fit
from jina_components.fine_tuner.settings import FitSettings
from jina_components.fine_tuner.triplets import Triplets

SETTINGS = FitSettings(batch=8, epochs=2, check_every=3, save_every=2, frozen=(), rate=0.003)
TABLE = replace(SETTINGS, rate=0.1, shortened=0)  # which learns at a hundred times the rate
KINDS = ("embedder", "static", "reranker")
TEXTS = ["the quick brown fox", "hello world", "spaces around the capital"]


class Killed(Exception):  # noqa: N818
    """Stands for whatever ends a run between two steps."""


def weights(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*.safetensors"))}


def interrupt_after(step: int) -> Callable[[FitProgress], None]:
    def interrupt(now: FitProgress) -> None:
        if now.step == step:
            raise Killed

    return interrupt


def course(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def fit_tiny(base: str, to: Path, *, settings: FitSettings = SETTINGS, **changes) -> FitResult:
    """Without dev questions the last weights are the result, so that every step shows in them."""
    return fit(base, replace(tiny_triplets(), dev=()), to, settings=settings, device="cpu", **changes)


def chosen(kind: str) -> FitSettings:
    return TABLE if kind == "static" else SETTINGS


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Torch's own, which a fork keeps."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def fitted(tiny_bases: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, FitResult]:
    """Runs that nothing interrupted."""
    home = tmp_path_factory.mktemp("fitted")
    return {kind: fit_tiny(tiny_bases[kind], home / kind, settings=chosen(kind)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_holds_a_model_its_card_and_its_course_and_nothing_is_left(fitted, kind):
    result = fitted[kind]
    assert result.kind == kind
    assert {"README.md", "training.json", "log.jsonl", "modules.json", "tokenizer.json"} <= {
        path.name for path in result.path.iterdir()
    }
    assert not [path.name for path in result.path.parent.iterdir() if not path.name.isalpha()]
    assert [line["step"] for line in course(result.path)] == list(range(1, 9))
    assert (result.steps, result.best_step) == (8, 8)
    assert set(result.before) == set(result.after) == {"test"}
    for file in result.path.rglob("*.safetensors"):
        with safe_open(file, "np") as tensors:
            assert all(tensors.get_tensor(name).dtype == np.float32 for name in tensors.keys())  # noqa: SIM118


@pytest.mark.parametrize("kind", ["static", "reranker"])
def test_learning_lowers_the_loss(tiny_bases, tmp_path, kind):
    sure = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # so small, it learns nothing with dropout
    base = tiny_bases["static"] if kind == "static" else str(save_pair_model(tmp_path / "base", FOUR_LABELS, **sure))
    result = fit_tiny(base, tmp_path / "tuned", settings=replace(chosen(kind), epochs=10))
    losses = [line["contrastive"] for line in course(result.path)]
    assert np.mean(losses[-8:]) < 0.6 * np.mean(losses[:8])


@pytest.mark.parametrize("kind", ["embedder", "static"])
def test_embedder_sentence_transformers_and_langchain_give_the_same_vectors(fitted, kind):
    from langchain_jina_components import JinaEmbeddings

    folder = str(fitted[kind].path)
    theirs = SentenceTransformer(folder, device="cpu")
    ours = Embedder(folder, precision="float32")
    chain = JinaEmbeddings(embedder=ours)
    np.testing.assert_allclose(ours.embed_documents(TEXTS), theirs.encode_document(TEXTS), atol=1e-5)
    np.testing.assert_allclose(ours.embed_query(TEXTS[0]), theirs.encode_query(TEXTS[0]), atol=1e-5)
    np.testing.assert_allclose(chain.embed_documents(TEXTS), theirs.encode_document(TEXTS), atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_langchains_own_sentence_transformers_class_loads_it(fitted):
    from langchain_community.embeddings import HuggingFaceEmbeddings

    folder = str(fitted["static"].path)
    theirs = HuggingFaceEmbeddings(model_name=folder, model_kwargs={"device": "cpu"})
    np.testing.assert_allclose(theirs.embed_documents(TEXTS), Embedder(folder).embed_documents(TEXTS), atol=1e-5)


def test_reranker_and_sentence_transformers_give_the_same_scores(fitted):
    folder = str(fitted["reranker"].path)
    logits = CrossEncoder(folder, device="cpu").predict([(TEXTS[0], text) for text in TEXTS], activation_fn=Identity())
    assert logits.shape == (3, 4)  # the other labels are still there
    ours = {each.document.text: each.score for each in Reranker(folder, precision="float32").rerank(TEXTS[0], TEXTS)}
    np.testing.assert_allclose([ours[text] for text in TEXTS], 1 / (1 + np.exp(-logits[:, 0])), atol=1e-5)


def test_tokenizer_prompts_and_normalisation_are_those_of_the_base(fitted, tiny_bases):
    base, tuned = Path(tiny_bases["embedder"]), fitted["embedder"].path
    assert (tuned / "tokenizer.json").read_bytes() == (base / "tokenizer.json").read_bytes()
    prompts = [
        json.loads((each / "config_sentence_transformers.json").read_text())["prompts"] for each in (base, tuned)
    ]
    assert prompts[0] == prompts[1]
    np.testing.assert_allclose(np.linalg.norm(Embedder(str(tuned)).embed_documents(TEXTS), axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [1, 5])
def test_an_interrupted_and_resumed_run_ends_with_the_same_bytes(fitted, tiny_bases, tmp_path, kind, step):
    with pytest.raises(Killed):
        fit_tiny(tiny_bases[kind], tmp_path / "tuned", settings=chosen(kind), progress=interrupt_after(step))
    assert not (tmp_path / "tuned").exists()
    result = fit_tiny(tiny_bases[kind], tmp_path / "tuned", settings=chosen(kind))
    assert weights(result.path) == weights(fitted[kind].path)
    assert (result.path / "log.jsonl").read_text() == (fitted[kind].path / "log.jsonl").read_text()
    assert (result.best_step, result.after) == (fitted[kind].best_step, fitted[kind].after)


def test_ctrl_c_ends_the_step_and_writes_a_checkpoint(fitted, tiny_bases, tmp_path):
    def press(now: FitProgress) -> None:
        if now.step == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="after step 1 of 8"):
        fit_tiny(tiny_bases["embedder"], tmp_path / "tuned", progress=press)
    work = tmp_path / "tuned.training"
    assert [path.name for path in work.glob("checkpoint-*")] == ["checkpoint-1"]
    assert not [path.name for path in work.rglob("*") if path.suffix in {".pt", ".pth", ".bin", ".pkl"}]
    steps = []
    result = fit_tiny(tiny_bases["embedder"], tmp_path / "tuned", progress=lambda now: steps.append(now.step))
    assert steps[0] == 2
    assert weights(result.path) == weights(fitted["embedder"].path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_killed_run_goes_on_in_another_process(tiny_bases, tmp_path, one_thread):
    """Of as many threads: sums depend on their number."""
    whole = fit_tiny(tiny_bases["embedder"], tmp_path / "whole")
    if not (child := os.fork()):
        try:
            fit_tiny(
                tiny_bases["embedder"],
                tmp_path / "tuned",
                progress=lambda now: now.step == 5 and os.kill(os.getpid(), signal.SIGKILL),
            )
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert (tmp_path / "tuned.training" / "checkpoint-4").is_dir()
    result = fit_tiny(tiny_bases["embedder"], tmp_path / "tuned")
    assert weights(result.path) == weights(whole.path)


def test_what_a_kill_left_half_written_is_thrown_away(fitted, tiny_bases, tmp_path):
    with pytest.raises(Killed):
        fit_tiny(tiny_bases["static"], tmp_path / "tuned", settings=TABLE, progress=interrupt_after(5))
    work = tmp_path / "tuned.training"
    (work / "checkpoint-5.unfinished-0123456789ab").mkdir()
    result = fit_tiny(tiny_bases["static"], tmp_path / "tuned", settings=TABLE)
    assert weights(result.path) == weights(fitted["static"].path)


def test_a_run_that_is_finished_is_not_done_again(fitted, tiny_bases):
    def never(now: FitProgress) -> None:
        raise AssertionError

    again = fit_tiny(tiny_bases["static"], fitted["static"].path, settings=TABLE, progress=never)
    assert again == fitted["static"]


def test_other_settings_or_data_do_not_go_on(fitted, tiny_bases, tmp_path):
    base, to = tiny_bases["static"], tmp_path / "tuned"
    with pytest.raises(Killed):
        fit_tiny(base, to, progress=interrupt_after(3))
    with pytest.raises(ConfigError, match=r"rate \(0.003 then, 0.002 now\)"):
        fit_tiny(base, to, settings=replace(SETTINGS, rate=0.002))
    with pytest.raises(ConfigError, match="seed"):
        fit_tiny(base, to, seed=1)
    with pytest.raises(ConfigError, match="triplets"):
        fit(base, tiny_triplets(seed=1), to, settings=SETTINGS, device="cpu")
    result = fit_tiny(base, to, settings=replace(SETTINGS, rate=0.002), resume=False)
    assert weights(result.path) != weights(fitted["static"].path)
    with pytest.raises(ConfigError, match="holds the result of a run with another rate"):
        fit_tiny(base, to)


def test_another_folder_is_not_written_over(tiny_bases, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists already"):
        fit_tiny(tiny_bases["static"], tmp_path)


def test_two_runs_do_not_write_into_one_folder(tiny_bases, tmp_path):
    def second(now: FitProgress) -> None:
        fit_tiny(tiny_bases["static"], tmp_path / "tuned")

    with pytest.raises(BusyError, match="tuned"):
        fit_tiny(tiny_bases["static"], tmp_path / "tuned", progress=second)


def test_the_best_weights_for_the_dev_questions_are_kept_and_it_stops_early(tiny_bases, tmp_path):
    settings = replace(SETTINGS, check_every=1, patience=3, epochs=20, rate=0.3, warmup=0.0)
    told = []
    result = fit(tiny_bases["static"], tiny_triplets(), tmp_path / "tuned", settings=settings, progress=told.append)
    dev = {each.step: each.dev["ndcg@10"] for each in told}
    assert result.best_step == max(dev, key=lambda step: (dev[step], -step)) > 0
    assert result.steps == result.best_step + 3 < told[0].steps
    assert result.after["dev"]["ndcg@10"] == dev[result.best_step] > result.before["dev"]["ndcg@10"]
    assert result.after["test"]["ndcg@10"] > result.before["test"]["ndcg@10"] + 0.2  # of words it has learned


def test_weights_of_the_base_stay_where_no_step_was_better(tiny_bases, tmp_path, caplog):
    settings = replace(SETTINGS, rate=0.0, check_every=1, patience=2)
    result = fit(tiny_bases["static"], tiny_triplets(), tmp_path / "tuned", settings=settings)
    assert (result.best_step, result.steps) == (0, 2)
    assert "no step was better" in caplog.text
    base = Embedder(tiny_bases["static"])
    np.testing.assert_allclose(
        normalize(base.embed_documents(TEXTS)), normalize(Embedder(str(result.path)).embed_documents(TEXTS)), atol=1e-6
    )


def test_a_run_that_diverges_says_what_to_lower(tmp_path):
    table = np.full((len(WORDS) + 1, 16), np.inf, np.float32)
    base = save_model2vec(tmp_path / "base", WORDS, embeddings=table)
    settings = replace(TABLE, losses={"contrastive": 1.0})
    triplets = replace(tiny_triplets(), dev=(), test=())
    with pytest.raises(ConfigError, match=r"diverged: at step 1 the loss is nan.*Lower rate \(0.1\)"):
        fit(str(base), triplets, tmp_path / "tuned", settings=settings)


def test_low_rank_matrices_are_merged(tiny_bases, tmp_path, fitted):
    settings = replace(SETTINGS, lora=2, rate=1e-2)
    with pytest.raises(Killed):
        fit_tiny(tiny_bases["embedder"], tmp_path / "tuned", settings=settings, progress=interrupt_after(5))
    result = fit_tiny(tiny_bases["embedder"], tmp_path / "tuned", settings=settings)
    whole = fit_tiny(tiny_bases["embedder"], tmp_path / "whole", settings=settings)
    assert weights(result.path) == weights(whole.path)
    assert weights(result.path).keys() == weights(Path(tiny_bases["embedder"])).keys()
    tuned, base = (load_file(Path(each) / "model.safetensors") for each in (result.path, tiny_bases["embedder"]))
    assert set(tuned) <= set(base)
    changed = {name for name, tensor in tuned.items() if not np.array_equal(tensor, base[name])}
    assert any("query" in name for name in changed)
    assert not any("embeddings" in name for name in changed)
    with pytest.raises(ConfigError, match="token table"):
        fit_tiny(tiny_bases["static"], tmp_path / "table", settings=settings)


def test_frozen_weights_stay(tiny_bases, tmp_path):
    result = fit_tiny(tiny_bases["embedder"], tmp_path / "tuned", settings=replace(SETTINGS, frozen=("embeddings",)))
    tuned, base = (load_file(Path(each) / "model.safetensors") for each in (result.path, tiny_bases["embedder"]))
    same = {name for name, tensor in tuned.items() if np.array_equal(tensor, base[name])}
    assert same == {name for name in tuned if "embeddings" in name}
    with pytest.raises(ConfigError, match="nothing to fit"):
        fit_tiny(tiny_bases["embedder"], tmp_path / "none", settings=replace(SETTINGS, frozen=(".",)))


def test_vectors_stay_nearer_the_more_closeness_weighs(tiny_bases, tmp_path):
    base = normalize(Embedder(tiny_bases["static"]).embed_documents(TEXTS))

    def cosine(weight: float) -> float:
        losses = {"contrastive": 1.0, "closeness": weight}
        to = tmp_path / str(weight).replace(".", "-")
        tuned = fit_tiny(tiny_bases["static"], to, settings=replace(TABLE, losses=losses))
        return float((normalize(Embedder(str(tuned.path)).embed_documents(TEXTS)) * base).sum(1).mean())

    assert cosine(30.0) > cosine(0.0)


def test_the_card_says_what_it_was_made_of(fitted, tiny_bases):
    card = (fitted["embedder"].path / "README.md").read_text()
    assert card.startswith("---\nlicense: other\nbase_model: ")
    for told in (
        tiny_bases["embedder"],
        "| train | 32 |",
        "8 steps of 8 questions",
        "seed 0",
        "| test, ndcg@10 |",
        "torch ",
    ):
        assert told in card


def test_random_numbers_of_the_caller_go_on_as_if_nothing_had_drawn(tiny_bases, tmp_path):
    random.seed(1)
    torch.manual_seed(1)
    wanted = random.random(), float(torch.rand(1))
    random.seed(1)
    torch.manual_seed(1)
    fit_tiny(tiny_bases["static"], tmp_path / "tuned", settings=replace(SETTINGS, max_steps=1))
    assert (random.random(), float(torch.rand(1))) == wanted


@pytest.mark.parametrize("kind", ["embedder", "reranker"])
def test_texts_are_cut_while_fitting_alone(tiny_bases, tmp_path, kind):
    settings = replace(SETTINGS, max_steps=1)
    short, long = (
        fit_tiny(tiny_bases[kind], tmp_path / str(most), settings=replace(settings, max_tokens=most))
        for most in (4, 256)
    )
    assert weights(short.path) != weights(long.path)
    text = "the quick brown fox jumps over the lazy dog"
    told = [(each.path / "sentence_bert_config.json").read_text() for each in (short, long)]
    assert told[0] == told[1]
    if kind == "embedder":
        assert (
            np.abs(Embedder(str(short.path)).embed_query(text) - Embedder(str(short.path)).embed_query("the")).max()
            > 0.01
        )


def test_what_cannot_be_fitted_is_refused(tiny_bases, tmp_path):
    with pytest.raises(ConfigError, match=r"'blend'.*fit a part of it, small-embedding-v1"):
        fit_tiny("small-reranker-v1", tmp_path / "tuned")
    with pytest.raises(UnknownNameError):
        fit_tiny("small-embeding-v1", tmp_path / "tuned")
    with pytest.raises(InputError, match="no train questions"):
        fit(tiny_bases["static"], replace(tiny_triplets(), train=()), tmp_path / "tuned")


def test_a_missing_library_names_the_extra(tiny_bases, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(MissingDependencyError, match=r"jina-components\[train\]"):
        fit_tiny(tiny_bases["static"], tmp_path / "tuned")


@pytest.mark.parametrize("base", ["small-embedding-v1", "static-minilm-v1", "small-cross-encoder-v1"])
def test_bundled_models_begin_as_what_they_are(tmp_path, base):
    """Fitted at no rate they give what they gave, but for the bits that their small form runs in."""
    triplets = replace(tiny_triplets(6), dev=(), test=())
    result = fit(base, triplets, tmp_path / "tuned", settings=FitSettings(rate=0.0, max_steps=1, batch=2))
    assert "license: apache-2.0" in (result.path / "README.md").read_text()
    assert result.settings.widths == ((384, 256, 128, 64) if base == "small-embedding-v1" else ())
    if result.kind == "reranker":
        scores = [
            {each.document.text: each.score for each in Reranker(name).rerank("hello", TEXTS)}
            for name in (base, str(result.path))
        ]
        assert scores[0] == pytest.approx(scores[1], abs=0.05)
    else:
        vectors = [Embedder(name).embed_documents(TEXTS) for name in (base, str(result.path))]
        assert (vectors[0] * vectors[1]).sum(1).min() > 0.99


@pytest.mark.parametrize("kind", ["embedder", "static"])
def test_pairs_alone_are_enough_for_an_embedder(kind, tiny_bases, tmp_path):
    pairs = [(each.query, each.positive) for each in tiny_triplets().texts("train")]
    fitted = fit(
        tiny_bases[kind], Triplets.from_pairs(pairs, dev=0), tmp_path / "tuned", settings=chosen(kind), device="cpu"
    )
    assert fitted.steps > 0
    assert len(Embedder(fitted.path).embed(TEXTS)) == len(TEXTS)


def test_all_long_work_shows_its_progress(tiny_bases, tmp_path, capsys):
    fit_tiny(
        tiny_bases["embedder"], tmp_path / "tuned", settings=FitSettings(max_steps=1, hidden=8), show_progress=True
    )
    told = capsys.readouterr().err
    assert "base: 100%" in told
    assert "fit: 100%" in told


def test_a_cross_encoder_needs_negatives(tiny_bases, tmp_path):
    pairs = [(each.query, each.positive) for each in tiny_triplets().texts("train")]
    with pytest.raises(InputError, match="no train question has one"):
        fit(tiny_bases["reranker"], Triplets.from_pairs(pairs), tmp_path / "tuned", settings=SETTINGS, device="cpu")
