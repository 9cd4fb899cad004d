from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import DistillKLDivLoss, MultipleNegativesRankingLoss
from tiny_triplets import tiny_triplets

from jina_components.fine_tuner.settings import LOSSES as NAMES
from jina_components.fine_tuner.settings import FitSettings
from jina_components.fine_tuner.training.bases import find_base, load_model
from jina_components.fine_tuner.training.examples import Examples, collate
from jina_components.fine_tuner.training.losses import LOSSES, Objective, Outcome, contrastive, distillation, margin
from jina_components.fine_tuner.training.measure import outputs

ALL = FitSettings(losses=dict.fromkeys(NAMES, 1.0), negatives=2, temperature=0.05)
ROWS = range(8)


@pytest.fixture(params=["embedder", "static", "reranker"])
def given(request, tiny_bases, tmp_path):
    base = find_base(tiny_bases[request.param])
    model = load_model(base, tmp_path, "cpu")
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    examples = Examples.of(tiny_triplets(), "train", base, ALL)
    return base, model, examples.with_base(lambda side: outputs(model, base, side, half=False))


def run(model, base, examples, settings: FitSettings) -> tuple[Objective, torch.Tensor]:
    batch = collate(examples, model, ROWS)
    labels = batch.pop("label")
    sides = [
        {name.partition("_")[2]: value for name, value in batch.items() if name.startswith(f"side{number}")}
        for number in range(len(examples.sides))
    ]
    objective = Objective(model, base.kind, settings, column=base.column)
    return objective, objective(sides, labels)


def test_every_loss_that_settings_know_is_there():
    assert set(LOSSES) == set(NAMES)


def test_the_base_is_close_to_itself(given):
    base, model, examples = given
    objective, _ = run(model, base, examples, ALL)
    assert objective.parts["closeness"] == pytest.approx(0, abs=1e-6)
    assert all(objective.parts[name] > 0 for name in ("contrastive", "distillation", "margin"))


def test_divided_batches_have_the_same_gradients(given):
    base, model, examples = given
    found = []
    for tokens in (20, 100_000):
        model.zero_grad()
        objective, loss = run(model, base, examples, replace(ALL, tokens=tokens))
        loss.backward()
        gradients = [weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]
        found.append((objective.parts, torch.cat(gradients)))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4, abs=1e-6)
    assert float((found[0][1] - found[1][1]).norm() / found[1][1].norm()) < 1e-4


def test_contrastive_and_distillation_are_those_of_sentence_transformers(given):
    base, model, examples = given
    if base.kind == "reranker":
        pytest.skip("an embedder's")
    assert isinstance(model, SentenceTransformer)
    objective, _ = run(model, base, examples, ALL)
    queries, passages = (torch.from_numpy(side.base) for side in examples.sides)
    columns = [torch.from_numpy(examples.own[list(ROWS), place]) for place in range(3)]
    reps = [queries[examples.asked[list(ROWS)]], *(passages[column] for column in columns)]
    if len({int(at) for column in columns for at in column}) == 3 * len(ROWS):  # no passage is shared
        theirs = MultipleNegativesRankingLoss(model).compute_loss_from_embeddings(reps, None)
        assert objective.parts["contrastive"] == pytest.approx(float(theirs), rel=1e-4)
    scores = torch.from_numpy(examples.teacher[list(ROWS)]).logit()
    cosine = torch.nn.CosineSimilarity()
    theirs = DistillKLDivLoss(model, similarity_fct=lambda a, b: cosine(a, b) / 0.05)
    assert objective.parts["distillation"] == pytest.approx(
        float(theirs.compute_loss_from_embeddings(reps, scores)), rel=1e-4
    )


def outcome(own, teacher=None, real=None, rivals=None) -> Outcome:
    own = torch.tensor(own)
    return Outcome(
        own=own,
        real=torch.ones_like(own, dtype=torch.bool) if real is None else torch.tensor(real),
        rivals=own[:, :0] if rivals is None else torch.tensor(rivals),
        teacher=torch.full_like(own, torch.nan) if teacher is None else torch.tensor(teacher),
        now=own,
        base=None,
    )


def test_passages_that_are_not_there_count_for_nothing():
    few = outcome([[2.0, 1.0]], [[3.0, 0.0]])
    padded = outcome([[2.0, 1.0, 9.0]], [[3.0, 0.0, torch.nan]], [[True, True, False]])
    for loss in (contrastive, distillation, margin):
        assert float(loss(padded)) == pytest.approx(float(loss(few)))


def test_without_a_teacher_there_is_nothing_to_distil():
    assert float(distillation(outcome([[2.0, 1.0]]))) == float(margin(outcome([[2.0, 1.0]]))) == 0


def test_margins_that_agree_cost_nothing():
    assert float(margin(outcome([[5.0, 3.0]], [[1.0, -1.0]]))) == 0
    assert float(margin(outcome([[5.0, 3.0]], [[1.0, 0.0]]))) == 1


def test_passages_of_the_document_that_answers_are_no_rivals(tiny_bases, tmp_path):
    triplets = tiny_triplets()
    one = {name: replace(passage, document="same") for name, passage in triplets.passages.items()}
    base = find_base(tiny_bases["static"])
    model = load_model(base, tmp_path, "cpu")
    settings = replace(ALL, losses={"contrastive": 1.0}, negatives=0)
    same = replace(triplets, passages=one, dev=(), test=())
    objective, _ = run(model, base, Examples.of(same, "train", base, settings), settings)
    assert objective.parts["contrastive"] == pytest.approx(0, abs=1e-6)


def test_each_epoch_shows_every_question_once_in_an_order_of_its_own(tiny_bases):
    examples = Examples.of(tiny_triplets(), "train", find_base(tiny_bases["static"]), ALL)
    plan = examples.plan(8, 8, seed=3)
    first, second = (np.concatenate(plan[at : at + 4]) for at in (0, 4))
    assert sorted(first) == sorted(second) == list(range(32))
    assert list(first) != list(second)
    assert plan == examples.plan(8, 8, seed=3)[:8] == examples.plan(20, 8, seed=3)[:8]
    assert plan != examples.plan(8, 8, seed=4)
