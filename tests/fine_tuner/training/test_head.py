from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from test_fit import TEXTS, Killed, course, fit_tiny, interrupt_after, weights
from tiny_checkpoints import edit_json
from tiny_triplets import tiny_triplets

from jina_components import Embedder
from jina_components.errors import ConfigError
from jina_components.fine_tuner.settings import FitSettings
from jina_components.fine_tuner.training.bases import find_base, load_model
from jina_components.fine_tuner.training.examples import NONE, Examples, collate
from jina_components.fine_tuner.training.head import HeadModel, Residual
from jina_components.fine_tuner.training.losses import Objective
from jina_components.fine_tuner.training.measure import outputs
from jina_components.models.layout import read_json

SETTINGS = FitSettings(hidden=64, batch=8, epochs=2, check_every=3, save_every=2, rate=0.01)


@pytest.fixture(scope="module")
def fitted(tiny_bases, tmp_path_factory):
    return fit_tiny(tiny_bases["embedder"], tmp_path_factory.mktemp("head") / "tuned", settings=SETTINGS)


def moved(width: int = 32, hidden: int = 16) -> Residual:
    torch.manual_seed(0)
    layer = Residual(width, hidden)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return layer


def test_it_begins_as_what_it_is_put_on():
    given = torch.randn(5, 32)
    unit = torch.nn.functional.normalize(given, dim=1)
    torch.testing.assert_close(Residual(32, 16)({"sentence_embedding": given})["sentence_embedding"], unit)


def test_as_steps_it_gives_the_same_vectors():
    layer, given = moved(), {"sentence_embedding": torch.randn(5, 32)}
    found = dict(given)
    for step in layer.steps():
        found = step(found)
    torch.testing.assert_close(found["sentence_embedding"], layer(given)["sentence_embedding"], atol=1e-6, rtol=1e-5)


def test_the_folder_gives_the_vectors_of_the_fitted_layer_wherever_it_is_loaded(tiny_bases, tmp_path):
    encoder = load_model(find_base(tiny_bases["embedder"]), tmp_path, "cpu").eval()
    model = HeadModel(encoder, 16)
    model[0] = moved()
    model.whole().save_pretrained(str(tmp_path / "whole"))
    expected = model.encode(TEXTS, prompt="lazy ").numpy()
    theirs = SentenceTransformer(str(tmp_path / "whole"), device="cpu").encode(TEXTS, prompt_name="document")
    ours = Embedder(str(tmp_path / "whole"), precision="float32").embed_documents(TEXTS)
    np.testing.assert_allclose(theirs, expected, atol=1e-5)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert np.abs(expected - encoder.encode(TEXTS, prompt="lazy ")).max() > 0.1


def test_the_base_itself_stays(fitted, tiny_bases):
    def transformer(folder):
        return {name: value for name, value in load_file(folder).items() if "pooler" not in name}

    theirs = transformer(find_base(tiny_bases["embedder"]).layout.folder / "model.safetensors")
    ours = transformer(fitted.path / "model.safetensors")
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])
    assert (fitted.settings.hidden, fitted.settings.lora, fitted.settings.frozen) == (64, 0, ())
    assert "in a residual layer of 64 on top of the base" in (fitted.path / "README.md").read_text()


def test_it_learns(tiny_bases, tmp_path):
    result = fit_tiny(tiny_bases["embedder"], tmp_path / "tuned", settings=replace(SETTINGS, epochs=10))
    losses = [line["contrastive"] for line in course(result.path)]
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8])


def test_own_weights_are_another_run(fitted, tiny_bases):
    for own in ({"lora": 0}, {"frozen": ()}, {"hidden": 0}):
        with pytest.raises(ConfigError, match="another hidden"):
            fit_tiny(tiny_bases["embedder"], fitted.path, settings=replace(SETTINGS, **{"hidden": None, **own}))


def test_few_questions_make_smaller_batches_unless_one_is_given(tiny_bases, tmp_path, monkeypatch):
    monkeypatch.setattr("jina_components.fine_tuner.training.run._FEW", 4)
    result = fit_tiny(tiny_bases["embedder"], tmp_path / "tuned", settings=replace(SETTINGS, batch=None))
    questions = len(Examples.of(tiny_triplets(), "train", find_base(tiny_bases["embedder"]), result.settings))
    assert result.settings.batch == questions // 4
    assert f"steps of {result.settings.batch} questions" in (result.path / "README.md").read_text()


def test_prompts_of_the_folder_are_those_of_the_base(tmp_path, tiny_bases):
    import shutil

    base = shutil.copytree(tiny_bases["embedder"], tmp_path / "base")
    prompts = {"query": "quick ", "passage": "lazy "}
    edit_json(base / "config_sentence_transformers.json", prompts=prompts, default_prompt_name="query")
    result = fit_tiny(str(base), tmp_path / "tuned", settings=SETTINGS)
    assert read_json(result.path / "config_sentence_transformers.json", default={})["prompts"] == prompts
    assert find_base(str(result.path)).prompt("passage") == "lazy "


@pytest.mark.parametrize("step", [3, 4])
def test_an_interrupted_and_resumed_run_ends_with_the_same_bytes(fitted, tiny_bases, tmp_path, step):
    with pytest.raises(Killed):
        fit_tiny(tiny_bases["embedder"], tmp_path / "tuned", settings=SETTINGS, progress=interrupt_after(step))
    result = fit_tiny(tiny_bases["embedder"], tmp_path / "tuned", settings=SETTINGS)
    assert weights(result.path) == weights(fitted.path)
    assert course(result.path) == course(fitted.path)


def test_where_no_step_was_better_the_folder_is_the_base(tiny_bases, tmp_path, caplog):
    from jina_components.fine_tuner.fit import fit

    settings = replace(SETTINGS, rate=0.0)
    result = fit(tiny_bases["embedder"], tiny_triplets(), tmp_path / "tuned", settings=settings, device="cpu")
    assert result.best_step == 0
    assert "no step was better" in caplog.text
    assert not list(result.path.glob("*_Dense"))
    assert "No step was better" in (result.path / "README.md").read_text()
    base = Embedder(tiny_bases["embedder"], precision="float32").embed_documents(TEXTS)
    np.testing.assert_allclose(Embedder(str(result.path), precision="float32").embed_documents(TEXTS), base, atol=1e-6)


def test_a_batch_is_told_from_passages_of_the_train_documents(tiny_bases, tmp_path):
    triplets = tiny_triplets()
    aside = {triplets.passages[each.positive].document for each in (*triplets.dev, *triplets.test)}
    base = find_base(tiny_bases["embedder"])
    model = load_model(base, tmp_path, "cpu")
    known = {each.text for each in triplets.passages.values() if each.document not in aside}

    def passages(rivals: int) -> int:
        examples = Examples.of(triplets, "train", base, FitSettings(negatives=0, rivals=rivals))
        assert known <= set(examples.sides[1].inputs)
        return len(collate(examples, model, range(2))["label"]["homes"])

    assert passages(1000) == len(known)
    assert 6 <= passages(6) <= 8


def test_passages_as_near_as_the_answer_are_no_rivals(tiny_bases, tmp_path):
    base = find_base(tiny_bases["embedder"])
    model = load_model(base, tmp_path, "cpu").eval()
    losses = {}
    for alike in (-1.0, 2.0):
        settings = FitSettings(losses={"contrastive": 1.0}, negatives=0, temperature=0.05, alike=alike)
        examples = Examples.of(tiny_triplets(), "train", base, settings)
        examples = examples.with_base(lambda side: outputs(model, base, side, half=False))
        batch = collate(examples, model, range(8))
        labels = batch.pop("label")
        sides = [{k.partition("_")[2]: v for k, v in batch.items() if k.startswith(f"side{n}")} for n in range(2)]
        objective = Objective(model, base.kind, settings)
        objective(sides, labels)
        losses[alike] = objective.parts["contrastive"]
    assert losses[-1.0] == pytest.approx(0, abs=1e-6)  # nothing is left to be told from
    assert losses[2.0] > 0.1


def test_shortened_questions_keep_an_order_two_words_and_the_answer(tiny_bases):
    triplets = tiny_triplets()
    long = replace(triplets.train[0], query="how does one keep the quick brown fox out of the house at night")
    triplets = replace(triplets, train=[long, replace(triplets.train[1], query="three words only")])
    base = find_base(tiny_bases["embedder"])
    examples = Examples.of(triplets, "train", base, FitSettings(shortened=2, negatives=2))
    words = long.query.split()
    assert len(examples) == 4
    for row in (2, 3):
        left = examples.sides[0].inputs[examples.asked[row]].split()
        assert 2 <= len(left) < len(words)
        assert left == [word for word in words if word in left]
        assert examples.own[row].tolist() == [examples.own[0, 0], NONE, NONE]
        assert np.isnan(examples.teacher[row]).all()
    again = Examples.of(triplets, "train", base, FitSettings(shortened=2, negatives=2))
    assert again.sides[0].inputs == examples.sides[0].inputs
    assert len(Examples.of(triplets, "train", base, FitSettings(negatives=2))) == 2
