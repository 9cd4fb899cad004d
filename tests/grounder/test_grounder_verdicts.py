"""From judgements to verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.grounder.claims import Claim
from jina_components.grounder.judging import Judged, Judgement
from jina_components.grounder.passages import Passage
from jina_components.grounder.verdicts import combine, judge_claim
from jina_components.types import ClaimVerdict, Reference, Usage

CLAIM = Claim("The bridge was opened in 1952.", 3, 33)


def says(support, refute, text="It opened in 1932.", url="a", start=100):
    quote = (0, len(text)) if support + refute else (0, 0)
    return Judgement(Passage(text, url, "Bridge", start), support, refute, 1 - support - refute, quote)


def verdict_on(*judgements):
    return judge_claim(CLAIM, Judged(judgements))


def test_without_evidence_nothing_is_said():
    for found in (verdict_on(), verdict_on(says(0, 0)), verdict_on(says(0.05, 0.02))):
        assert found.verdict == "not enough evidence"
        assert found.factuality == pytest.approx(0.5, abs=0.05)
        assert found.references == ()


def test_the_decisive_passage_decides_whatever_the_others_mutter():
    found = verdict_on(*[says(0.25, 0.1, url=str(number)) for number in range(10)], says(0.05, 0.9, url="z"))
    assert found.verdict == "refuted"
    assert found.factuality < 0.2
    assert [one.url for one in found.references] == ["z"]


def test_strong_evidence_either_way_is_not_enough_and_the_reason_says_so():
    found = verdict_on(says(0.9, 0.02, "It opened in 1952."), says(0.02, 0.9, url="b"))
    assert found.verdict == "not enough evidence"
    assert found.factuality == pytest.approx(0.5, abs=0.05)
    assert {one.is_supportive for one in found.references} == {True, False}
    reason = combine("s", [found]).reason
    assert "divided" in reason
    assert "1952" in reason
    assert "1932" in reason


def test_a_weaker_voice_against_is_told():
    found = verdict_on(says(0.95, 0.01, "It opened in 1952."), says(0.1, 0.55, url="b"))
    assert found.verdict == "supported"
    assert "less decisive" in combine("s", [found]).reason


def test_the_reason_names_what_differs():
    reason = combine("s", [verdict_on(says(0.02, 0.9))]).reason
    assert "1952 in the claim, 1932 in the source" in reason
    assert "Bridge: “It opened in 1932.”" in reason


def test_references_are_placed_in_the_source_and_given_once_most_decisive_first():
    found = verdict_on(says(0.5, 0.1), says(0.1, 0.6), says(0.9, 0.02, url="b"))
    assert [(one.url, one.is_supportive) for one in found.references] == [("b", True), ("a", False)]
    assert (found.references[1].start, found.references[1].end) == (100, 118)
    assert found.references[1].confidence == 0.6
    assert (found.claim, found.start, found.end) == (CLAIM.text, 3, 33)


def claim(verdict, factuality, *references):
    return ClaimVerdict("One of them.", verdict, factuality, references)


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ([], "not enough evidence"),
        (["supported", "supported"], "supported"),
        (["supported", "refuted", "not enough evidence"], "refuted"),
        (["supported", "not enough evidence"], "not enough evidence"),
    ],
)
def test_a_statement_is_as_true_as_its_least_true_claim(verdicts, verdict):
    chances = {"supported": 0.9, "refuted": 0.1, "not enough evidence": 0.5}
    found = combine("s", [claim(one, chances[one]) for one in verdicts], usage=Usage(3), warnings=["w"])
    assert found.verdict == verdict
    assert found.result == (verdict == "supported")
    assert found.factuality == min([chances[one] for one in verdicts], default=0.5)
    assert (found.usage, found.warnings) == (Usage(3), ("w",))
    assert found.reason


def test_references_of_several_claims_are_merged_and_limited():
    twice, weak = Reference("a", "x", True, 0.9, 0, 1), Reference("b", "y", False, 0.4, 0, 1)
    found = combine("s", [claim("supported", 0.9, weak, twice), claim("supported", 0.9, twice)])
    assert found.references == (twice, weak)
    assert combine("s", [claim("supported", 0.9, weak, twice)], max_references=1).references == (twice,)
    assert found.reason.count("One of them.") == 2


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=8))
def test_any_judgements_give_a_probability_and_more_support_never_harms_one_alone(pairs):
    judgements = [
        says(support * share, support * (1 - share), url=str(at)) for at, (support, share) in enumerate(pairs)
    ]
    found = verdict_on(*judgements)
    assert 0 <= found.factuality <= 1
    assert (found.verdict == "supported") <= (found.factuality > 0.5)
    assert (found.verdict == "refuted") <= (found.factuality < 0.5)
    for support, share in pairs:
        less, more = (verdict_on(says(support * part, support * (1 - part))) for part in (share / 2, share))
        assert less.factuality <= more.factuality + 1e-9
