"""The Grounder's benchmark on claims few enough to see through."""

from __future__ import annotations

import json

import pytest

from benchmarks.quality.calibration import calibration, curve, page
from benchmarks.quality.grounder import OURS, answer, claims_a_second, main, measure
from benchmarks.quality.grounder_sets import ClaimSet, JudgedClaim
from benchmarks.quality.grounder_systems import Answer, BagOfWords, CachedScorer, GrounderSystem, Majority, Similarity
from jina_components import Document, Embedder, EntailmentScorer
from jina_components.fine_tuner.recipes.data.judged_passages import JudgedPassage
from jina_components.grounder import Grounder
from jina_components.grounder.passages import Passage
from jina_components.types import Reference
from tests.quality_data import write_quality_data

BRIDGE = Document("The Sydney Harbour Bridge was opened in March 1932.", "b", {"title": "Sydney Harbour Bridge"})
CLAIMS = ClaimSet(
    [
        JudgedClaim("1", "The bridge was opened in 1932.", "supported", (BRIDGE,)),
        JudgedClaim("2", "The bridge was opened in 1952.", "refuted", (BRIDGE,)),
    ]
)
TRAIN = [
    JudgedPassage(str(at), f"Claim {at} is made of wood.", Passage(text, "u"), verdict)
    for at, (text, verdict) in enumerate(
        [("It is made of wood.", "supported"), ("It is made of steel.", "refuted"), ("Bread.", "not enough evidence")]
        * 8
    )
]


def test_every_system_answers_and_the_grounder_is_right(tmp_path):
    scorer = CachedScorer(EntailmentScorer(), tmp_path / "scores.json")
    systems = {
        OURS: GrounderSystem(Grounder(entailment=scorer)),
        "similarity": Similarity(Embedder("static-minilm-v1"), TRAIN),
        "bag of words": BagOfWords(TRAIN),
        "majority": Majority(CLAIMS),
    }
    answers = answer(systems, CLAIMS, None)
    measured = {name: measure(found, CLAIMS) for name, found in answers.items()}
    assert measured[OURS].balanced_accuracy == measured[OURS].roc_auc == 1
    assert measured["majority"].balanced_accuracy == 0.5
    assert measured[OURS].low <= 1 <= measured[OURS].high
    scorer.save()
    again = CachedScorer(EntailmentScorer(), tmp_path / "scores.json")
    assert answer({OURS: GrounderSystem(Grounder(entailment=again))}, CLAIMS, None)[OURS] == answers[OURS]
    assert again.score([]).usage.total_tokens == 0
    assert claims_a_second([(claim, claim.sources) for claim in CLAIMS.claims]) > 0


def test_a_quote_that_is_not_verbatim_ends_the_run():
    class Misquoting:
        def ground(self, statement, references):
            reference = Reference(references[0].id, "The bridge", is_supportive=True, confidence=1, start=1, end=11)
            return type("Found", (), {"factuality": 1.0, "verdict": "supported", "references": (reference,)})()

    with pytest.raises(AssertionError, match="Not verbatim"):
        GrounderSystem(Misquoting())(CLAIMS.claims[0], [BRIDGE])


def test_three_ways_count_each():
    claims = ClaimSet([JudgedClaim(v, v, v) for v in ("supported", "refuted", "not enough evidence")], three_way=True)
    found = measure([Answer(0.9, "supported"), Answer(0.4, "not enough evidence"), Answer(0.5, "refuted")], claims)
    assert found.balanced_accuracy == pytest.approx(1 / 3)


def test_support_is_told_from_the_rest_by_the_sureness_of_it_only_where_claims_may_be_left_open():
    def auc(*verdicts):
        claims = ClaimSet([JudgedClaim(v, v, v) for v in verdicts])
        return measure([Answer(0.4, "refuted", support=0.4), Answer(0.5, "supported", support=0.0)], claims).roc_auc

    assert auc("supported", "not enough evidence") == 1
    assert auc("supported", "refuted") == 0


def test_calibration_of_what_is_right_and_of_what_is_too_bold():
    right = calibration([0.25] * 4 + [0.75] * 4, [True, False, False, False, True, True, True, False])
    assert right.error == pytest.approx(0)
    assert right.brier == pytest.approx(0.1875)
    bold = calibration([1.0, 1.0], [True, False])
    assert (bold.error, bold.brier) == (0.5, 0.5)
    drawn = curve({"a <set>": right, "other": bold})
    assert drawn.startswith("<svg")
    assert "a &lt;set&gt;" in drawn
    assert "<td>x</td><td>y</td>" in page({"T": "|  | x | y |\n| --- | --- | --- |\n| s | 1 | 2 |\n"}, {"a": right})


def test_the_command_writes_a_report(tmp_path, capsys):
    data = write_quality_data(tmp_path / "data")
    main(["--data", str(data), "--to", str(tmp_path / "to"), "--sets", "foolmetwice gold", "--timed", "1"])
    assert "verbatim" in capsys.readouterr().out
    found = json.loads((tmp_path / "to" / "results.json").read_text(encoding="utf-8"))
    assert set(found["measured"]) == {"foolmetwice gold"}
    assert "<svg" in (tmp_path / "to" / "report.html").read_text(encoding="utf-8")
