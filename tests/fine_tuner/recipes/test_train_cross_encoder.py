"""The recipe end to end on a tiny random encoder."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from jina_components.entailment import EntailmentScorer  # noqa: E402
from jina_components.fine_tuner.recipes import train_cross_encoder  # noqa: E402
from jina_components.fine_tuner.recipes.data import claim_pairs  # noqa: E402
from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, squad_questions  # noqa: E402
from jina_components.fine_tuner.recipes.train_cross_encoder import (  # noqa: E402
    Judge,
    claim_loss,
    logits_of,
    main,
    pair_tokenizer,
)
from jina_components.reranker import Reranker  # noqa: E402


@pytest.fixture(scope="module")
def run(training_data, teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    arguments = ["--encoder", teacher, "--teacher", teacher, "--data", training_data]
    main(
        [
            *map(str, [*arguments, "--work", folder / "work", "--to", folder / "tiny"]),
            "--steps",
            "30",
            "--rate",
            "0.003",
        ]
    )
    return folder


def test_dev_metrics_are_noted(run):
    noted = [json.loads(line) for line in (run / "work" / "log.jsonl").read_text().splitlines()]
    dev = [entry["dev"] for entry in noted if "dev" in entry][-1]
    assert {"scifact", "average", "fever", "foolmetwice"} <= set(dev)


def test_what_it_trained_on_is_written_down_and_holds_nothing_held_back(run, training_data):
    ids = json.loads((run / "work" / "trained_on.json").read_text())
    named = {name for names in ids.values() for name in names}
    assert "claims" in ids
    assert len(ids) > 5
    assert not {name.removeprefix("squad ") for name in named} & squad_questions(training_data)
    held_back = fever_pairs(training_data)
    assert not any(name.endswith(f" {claim}") for name in named for claim in held_back)


def test_the_folder_reranks_and_scores_entailment_as_it_was_trained(run):
    pairs = [("word1 word2", "word2 word3 hello"), ("hello", "world word9")]
    judge = Judge(run / "tiny").eval()
    wanted = logits_of(judge, pair_tokenizer(run / "tiny"), pairs)
    with Reranker(str(run / "tiny"), precision="float32") as reranker:
        for (query, document), row in zip(pairs, wanted, strict=True):
            [found] = reranker.rerank(query, [document])
            assert found.score == pytest.approx(1 / (1 + np.exp(-row[0])), abs=0.01)
    with EntailmentScorer(str(run / "tiny"), precision="float32") as scorer:
        found = [result.entailment for result in scorer.score(pairs)]
    np.testing.assert_allclose(found, train_cross_encoder.entailing(wanted), atol=0.01)


def test_either_way_of_not_being_entailed_satisfies_that_label(teacher):
    judge = Judge(teacher).eval()
    [pair] = pair_tokenizer(teacher).encode_batch([("word1", "word2")])
    losses = {
        label: float(claim_loss(judge, [(claim_pairs.ClaimPair("", "", "", label), pair)])["claims"].detach())
        for label in ("entailment", "neutral", "contradiction", "not_entailment")
    }
    chances = {label: np.exp(-loss) for label, loss in losses.items()}
    assert chances["not_entailment"] == pytest.approx(chances["neutral"] + chances["contradiction"], rel=1e-4)
    assert chances["entailment"] + chances["not_entailment"] == pytest.approx(1, rel=1e-4)
