from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from jina_components import Embedder, Reranker
from jina_components.errors import BackendError, ConfigError, InputError, UnknownNameError
from jina_components.fine_tuner.compare import FEWEST, evaluate
from jina_components.fine_tuner.judged import JudgedQuestions
from jina_components.fine_tuner.triplets import Passage, Triplet, Triplets

WORDS = "sea lake river rain snow wind cloud storm fog ice dew hail mist sun"
TEXTS = [f"{one} and {other}" for one, other in combinations(WORDS.split(), 2)]


class Letters:
    """Counts letters; the blurred one knows the first half of the alphabet alone."""

    def __init__(self, name, known="abcdefghijklmnopqrstuvwxyz"):
        self.name, self._known = name, known

    def embed_query(self, text):
        return [float(text.count(letter)) + 0.01 for letter in self._known]

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


SHARP, BLURRED = Letters("sharp"), Letters("blurred", "abcdefghijk")


@pytest.fixture(scope="module")
def questions():
    rows = range(len(TEXTS))
    return JudgedQuestions([*TEXTS, " "], [f"{TEXTS[row][::-1]}?" for row in rows], [{row: 1.0} for row in rows])


@pytest.fixture(scope="module")
def comparison(questions):
    return evaluate(BLURRED, SHARP, questions, elsewhere=questions.sample(FEWEST - 5), resamples=500)


def test_what_is_better_is_called_so_and_the_other_way_round_worse(questions, comparison):
    assert comparison.verdict == "better"
    change = comparison.changes["ndcg@10"]
    assert 0 < change.difference.low < change.difference.value < change.difference.high
    assert change.after.value - change.before.value == pytest.approx(change.difference.value)
    assert evaluate(SHARP, BLURRED, questions, resamples=500).verdict == "worse"


def test_a_model_is_not_better_than_itself(questions):
    same = evaluate(SHARP, SHARP, questions, resamples=500)
    assert same.verdict == "no proof"
    assert "changed in 0 groups" in same.reason
    assert same.changes["ndcg@10"].difference.low == same.changes["ndcg@10"].difference.high == 0


def test_a_few_questions_prove_nothing_however_good_they_look(comparison):
    assert comparison.elsewhere.verdict == "no proof"
    assert comparison.elsewhere.changes["ndcg@10"].difference.low > 0
    assert f"a proof takes {FEWEST}" in comparison.elsewhere.reason


def test_chance_is_seldom_called_better():
    random = np.random.default_rng(5)
    corpus = [str(number) for number in range(300)]
    questions = JudgedQuestions(corpus, corpus[:60], [{row: 1.0} for row in range(60)])

    class Guess:
        def embed_documents(self, texts):
            return random.normal(size=(len(texts), 8))

        def embed_query(self, text):
            return random.normal(size=8)

    found = [evaluate(Guess(), Guess(), questions, resamples=300).verdict for _ in range(40)]
    assert found.count("no proof") >= 38


def test_the_numbers_and_the_verdict_are_told(comparison):
    assert re.fullmatch(r"Comparison\(better: nDCG@10 .* points, 91 questions\)", repr(comparison))
    told = str(comparison)
    assert told.startswith("blurred → sharp\n91 questions, in 91 groups")
    assert "Elsewhere:" in told
    difference = comparison.changes["recall@10"].difference
    assert f"{100 * difference.value:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]" in told


def test_embedders_and_rerankers_by_name_folder_or_object(minilm_folder, bundled_embedder):
    corpus = ["The sea is calm today.", "Stocks fell sharply.", "Bread is baked in ovens.", "Ships sail on the ocean."]
    questions = JudgedQuestions(corpus, ["quiet ocean", "the sea and ships"], [{0: 1.0}, {3: 1.0, 0: 1.0}])
    found = evaluate("static-minilm-v1", bundled_embedder, questions, resamples=100)
    assert found.changes["ndcg@10"].difference.value == 0
    assert found.questions[0].hits_before == found.questions[0].hits_after
    assert found.questions[0].hits_after[0].grade == 1.0
    ranked = evaluate("small-cross-encoder-v1", Reranker(), questions, resamples=100)
    assert ranked.before == "small-cross-encoder-v1"
    assert ranked.changes["mrr@10"].after.value > 0
    with pytest.raises(ConfigError, match="an embedder and a reranker"):
        evaluate(Embedder("static-minilm-v1"), "small-cross-encoder-v1", questions)
    with pytest.raises(ConfigError, match="is no model"):
        evaluate(7, bundled_embedder, questions)
    with pytest.raises(UnknownNameError):
        evaluate("no-such-model", bundled_embedder, questions)


def test_triplets_are_measured_with_their_test_questions_which_were_never_trained_with():
    passages = {text: Passage(id=text, text=text, document=text) for text in TEXTS[:8]}
    sea, lake = Triplet(query="sea?", positive=TEXTS[0]), Triplet(query="lake?", positive=TEXTS[1])
    found = evaluate(SHARP, BLURRED, Triplets(passages=passages, train=(sea,), test=(lake,)), resamples=100)
    assert [each.query for each in found.questions] == ["lake?"]
    leaking = Triplets(passages=passages, train=(sea,), test=(lake, replace(sea, positive=TEXTS[2])))
    with pytest.raises(InputError, match="1 of 2 queries were trained with"):
        evaluate(SHARP, BLURRED, leaking)
    with pytest.raises(InputError, match="were trained with"):
        evaluate(SHARP, BLURRED, JudgedQuestions.of(leaking), trained_on=leaking)


def test_there_must_be_something_to_measure_with():
    with pytest.raises(InputError, match="nothing to measure with"):
        evaluate(SHARP, BLURRED, JudgedQuestions(["a"], [], []))
    with pytest.raises(InputError, match="All passages are blank"):
        evaluate(SHARP, BLURRED, JudgedQuestions([" "], ["q"], [{0: 1.0}]))


def test_what_an_embedder_returns_is_checked():
    class Broken(Letters):
        def embed_documents(self, texts):
            return [[float("nan")] * 3 for _ in texts]

    with pytest.raises(BackendError, match="no 1 finite vectors"):
        evaluate(Broken("broken"), SHARP, JudgedQuestions(["a"], ["q"], [{0: 1.0}]))


def test_reports_are_written_in_three_forms(tmp_path, comparison):
    hostile = replace(comparison, before="<script>alert(1)</script>'\"&")
    for suffix in ("html", "svg", "json"):
        hostile.save(tmp_path / f"report.{suffix}")
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")  # it needs nothing from elsewhere
    assert page.count("<svg") == 2
    drawn = ET.parse(tmp_path / "report.svg").getroot()
    told = " ".join(drawn.itertext())
    for name in ("nDCG@10", "recall@100", "gained", "lost"):
        assert name in told
    numbers = json.loads((tmp_path / "report.json").read_text())
    assert numbers["verdict"] == "better"
    assert numbers["metrics"]["ndcg@10"]["difference"]["value"] == comparison.changes["ndcg@10"].difference.value
    assert numbers["elsewhere"]["verdict"] == "no proof"
    with pytest.raises(UnknownNameError, match="Unknown form of a report '.pdf'"):
        comparison.save(tmp_path / "report.pdf")


def test_the_questions_that_changed_most_are_shown_with_what_was_found(comparison):
    shown = comparison._repr_html_()
    best = sorted(comparison.questions, key=lambda each: each.difference)[-1]
    assert f"{best.query} <small" in shown
    assert best.hits_after[0].text in shown
    assert "Lost most" not in shown or any(each.difference < 0 for each in comparison.questions)


def test_every_question_is_in_the_drawing_once(comparison):
    drawn = comparison._repr_html_()
    counts = [int(count) for count in re.findall(r"<title>([\d,]+) questions, ", drawn.split("Elsewhere")[0])]
    same = sum(each.difference == 0 for each in comparison.questions)
    assert sum(counts) + same == len(comparison.questions)
