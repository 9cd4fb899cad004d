from hypothesis import given
from hypothesis import strategies as st

from jina_components.core.overlap import Overlap, terms

TEXTS = ["The tide of the sea.", "The sea is calm, the sea is blue.", "Bread and salt.", "東京タワーは高い"]


def test_rare_words_count_most_and_forms_of_a_word_alike():
    scores = Overlap(TEXTS).scores("tides of seas")
    assert max(range(4), key=scores.__getitem__) == 0
    assert scores[1] == scores[2] == scores[3] == 0  # "seas" is another stem than "sea", "of" stands in the first alone
    assert Overlap(["increasing", "falling"]).scores("increases")[0] > 0


def test_scripts_without_spaces():
    assert list(terms("東京タワー, 3.5 ÜBER")) == ["東京", "京タ", "タワ", "ワー", "3.5", "über"]
    assert Overlap(TEXTS).scores("東京")[3] > 0


def test_nothing_to_score():
    assert Overlap([]).scores("sea") == []
    assert Overlap(["", "…"]).scores("sea") == [0, 0]


@given(st.lists(st.text(st.characters(), max_size=20), max_size=6), st.text(st.characters(), max_size=20))
def test_a_score_for_each_text_of_any_script(texts, query):
    scores = Overlap(texts).scores(query)
    assert len(scores) == len(texts)
    shared = set(terms(query))
    assert [score > 0 for score in scores] == [not shared.isdisjoint(terms(text)) for text in texts]
