"""What the recipes would train on in the real data sets holds nothing that quality is measured on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jina_components.fine_tuner.recipes.data import claim_pairs, encoder_texts, relevance_texts, table_texts
from jina_components.fine_tuner.recipes.data.held_back import fever_pairs, scifact_claims, squad_questions
from jina_components.fine_tuner.recipes.data.table_texts import collect
from jina_components.fine_tuner.recipes.quality.labelled_sets import ENTAILMENT, load_entailment
from jina_components.fine_tuner.recipes.quality.retrieval_sets import RETRIEVAL, load_set

DATA = Path(os.environ.get("JINA_COMPONENTS_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "retrieval/squad/train_paras.jsonl.gz").is_file(), reason="JINA_COMPONENTS_DATA has no retrieval/squad"
)


@pytest.fixture(scope="module")
def asked():
    """Queries that retrieval and reranking are measured with."""
    return {query for name in RETRIEVAL for query in load_set(DATA, name).queries}


@pytest.fixture(scope="module")
def judged():
    """Claims that entailment is measured with."""
    return {claim for name in ENTAILMENT for _, claim in load_entailment(DATA, name).pairs}


@pytest.mark.parametrize("sources", [encoder_texts.SOURCES, table_texts.SOURCES], ids=["encoder", "table"])
def test_the_embedders_are_distilled_on_no_query_and_no_claim(asked, judged, sources):
    texts = set(collect(DATA, sources, 0))
    assert len(texts) > 50_000
    assert not texts & (asked | judged)


def test_relevance_is_learned_on_no_query(asked):
    held_back = squad_questions(DATA)
    for source in relevance_texts.SOURCES:
        queries = source.read(DATA).queries
        assert not queries.keys() & held_back
        assert not {text for text, _ in queries.values()} & asked


def test_entailment_is_learned_on_no_claim_that_is_judged(judged):
    held_back = squad_questions(DATA)
    for source in claim_pairs.SOURCES:
        pairs = list(source.read(DATA))
        claims = {pair.claim for pair in pairs}
        assert claims
        assert not claims & judged
        assert not claims & fever_pairs(DATA)
        assert not {pair.id.removeprefix("squad ") for pair in pairs} & held_back
        assert not {pair.id.split()[-1] for pair in pairs if "scifact" in pair.id} & scifact_claims(DATA)
