from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.errors import ConfigError
from jina_components.fine_tuner.recipes.data.held_back import (
    fever_pairs,
    is_held_back,
    scifact_claims,
    squad_questions,
)
from jina_components.fine_tuner.recipes.data.jsonl import read_jsonl
from jina_components.fine_tuner.recipes.quality.labelled_sets import load_entailment
from jina_components.fine_tuner.recipes.quality.retrieval_sets import load_set
from jina_components.fine_tuner.sampling import place


def test_no_article_has_both_held_back_and_other_questions(quality_data):
    held_back = squad_questions(quality_data)
    rows = list(read_jsonl(quality_data / "retrieval/squad/train_questions.jsonl.gz"))
    inside = {row["para"].split("#")[0] for row in rows if row["_id"] in held_back}
    outside = {row["para"].split("#")[0] for row in rows if row["_id"] not in held_back}
    assert inside
    assert outside
    assert not inside & outside


def test_squad_is_measured_on_held_back_questions_alone(quality_data):
    held_back = squad_questions(quality_data)
    rows = read_jsonl(quality_data / "retrieval/squad/train_questions.jsonl.gz")
    trainable = {row["text"] for row in rows if row["_id"] not in held_back}
    task = load_set(quality_data, "squad")
    assert len(task.queries) == len(held_back)
    assert not trainable & set(task.queries)


def test_fever_is_measured_on_held_back_claims_alone_with_all_their_pairs(quality_data):
    held_back = fever_pairs(quality_data)
    task = load_entailment(quality_data, "fever")
    assert {claim for _, claim in task.pairs} == held_back
    assert len(task.pairs) == 2 * len(held_back)
    assert sum(task.entailed) == len(held_back)
    assert 0 < len(held_back) < 30


def test_what_is_held_back_stays_the_same():
    kept = [number for number in range(60) if is_held_back(f"article{number}")]
    assert kept == [6, 7, 29, 31, 36, 48, 52, 54]


@given(st.text())
def test_places_are_within_0_and_1(key):
    assert 0 <= place(key) < 1


def test_places_are_even():
    places = sorted(place(str(number)) for number in range(4000))
    assert max(abs(found - rank / 4000) for rank, found in enumerate(places)) < 0.04


def test_a_missing_set_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"train_paras\.jsonl\.gz is missing"):
        squad_questions(tmp_path)


def test_no_text_of_a_held_back_pair_stands_in_another(quality_data):
    held_back = fever_pairs(quality_data)
    rows = list(read_jsonl(quality_data / "grounding/fever_pairs/fever_dev_pairs.jsonl.gz"))
    inside = {row[key] for row in rows if row["hypothesis"] in held_back for key in ("premise", "hypothesis")}
    outside = {row[key] for row in rows if row["hypothesis"] not in held_back for key in ("premise", "hypothesis")}
    assert inside
    assert not inside & outside


def test_scifact_is_measured_on_held_back_claims_alone_in_retrieval_and_entailment(quality_data):
    held_back = scifact_claims(quality_data)
    claims = {row["_id"]: row for row in read_jsonl(quality_data / "grounding/scifact/claims_train.jsonl")}
    assert held_back == {f"q{number}" for number in (0, 1, 2, 3, 4, 5, 6, 7, 10, 11)}
    assert load_set(quality_data, "scifact").queries == ["word3", "word7 please"]
    judged = {claims[name]["claim"] for name in held_back if claims[name]["evidence"]}
    assert {claim for _, claim in load_entailment(quality_data, "scifact_claims").pairs} == judged


def test_no_abstract_is_cited_by_both_held_back_and_other_claims(quality_data):
    held_back = scifact_claims(quality_data)
    inside, outside = set(), set()
    for row in read_jsonl(quality_data / "grounding/scifact/claims_train.jsonl"):
        (inside if row["_id"] in held_back else outside).update(row["cited_doc_ids"])
    assert inside
    assert outside
    assert not inside & outside
