from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.fine_tuner.questions import LANGUAGES, Corpus, questions_of

OTHERS = [
    "Rain falls from clouds in the mountains of the north.",
    "The train leaves the old station at noon for the coast.",
    "Bread is baked from flour, water and salt in an oven.",
    "A river flows to the sea and carries sand with it.",
    "The museum shows paintings of the last two centuries.",
    "Cats sleep most of the day and hunt at night.",
]
ASTHMA = (
    "Asthma is a disease of the airways. Asthma is caused by inflammation of the bronchi. Symptoms of asthma include "
    "wheezing and a tight chest. Asthma is treated with an inhaler."
)


def asked(text, **settings):
    """Questions by kind, of some wordings."""
    corpus = Corpus([text, *OTHERS])
    found = {}
    for seed in range(12):
        for each in questions_of(text, corpus=corpus, seed=seed, **settings):
            found.setdefault(each.kind, set()).add(each.text.lower().strip("¿?？ "))
    return found


def test_what_a_passage_defines_is_asked_for():
    assert {"what is asthma", "asthma definition"} <= asked(ASTHMA)["definition"]
    assert "what is a web browser" in asked("A web browser is a program that shows pages.")["definition"]


def test_cues_become_questions_about_the_topic():
    found = asked(ASTHMA)["cue"]
    assert {"what are the symptoms of asthma", "asthma symptoms"} & found
    assert {"how is asthma treated", "what are the treatments for asthma", "asthma treatment"} & found


def test_a_passage_of_another_domain_has_no_cues_of_medicine():
    text = "The steel plate shows signs of stress. Treatment of the steel plate by heat is common in steel mills."
    assert not asked(text).get("cue")


def test_what_a_sentence_says_is_asked_with_its_own_words():
    text = (
        "The effect of salt on iron bridges is well known. To protect an iron bridge, engineers paint its girders. "
        "The Tay Bridge was opened in 1878."
    )
    found = asked(text)
    told = found["clause"] | found["statement"]
    assert {"what is the effect of salt on iron bridges", "how does salt affect iron bridges"} & told
    assert {"how to protect an iron bridge", "how do i protect an iron bridge"} & told
    assert "when was the tay bridge opened" in told


def test_sentences_that_lean_on_others_are_not_asked():
    text = "They carry heavy loads across the viaduct every day. Granite viaducts carry heavy freight trains daily."
    assert asked(text)["sentence"] == {"granite viaducts carry heavy freight trains daily."[:-1]}


def test_questions_of_the_text_itself_are_taken():
    (found,) = asked("How do I reset the thermostat? Press the red knob for five seconds.")["asked"]
    assert found == "how do i reset the thermostat"


def test_titles_and_headings():
    found = asked(
        "Press the red knob for five seconds.",
        title="Thermostat T9 | Heating Shop",
        headings=("Thermostat T9", "Factory reset"),
    )
    assert found["title"] == {"thermostat t9"}
    assert found["heading"] == {"thermostat t9 factory reset"}


def test_a_first_line_without_a_verb_is_a_title():
    found = asked("On the buckling of thin conical shells\nThe shells are loaded by their own weight.")
    assert "on the buckling of thin conical shells" in found["title"]
    assert any(text.endswith("buckling of thin conical shells") and "known" in text for text in found["title"])


def test_what_many_passages_would_answer_is_not_asked():
    text = "The weather is the state of the air. Signs of rain are clouds."
    corpus = Corpus([text.replace("air", f"air {number}") for number in range(30)])
    assert not [each for each in questions_of(text, corpus=corpus) if each.kind == "definition"]


def test_sentences_that_several_texts_have_tell_nothing():
    boiler = "See the medical dictionary for further definitions of terms."
    corpus = Corpus([f"{other} {boiler}" for other in OTHERS])
    text = f"Granite viaducts carry heavy freight trains daily. {boiler}"
    assert {each.text for each in questions_of(text, corpus=corpus) if each.kind == "sentence"} == {
        "Granite viaducts carry heavy freight trains daily"
    }


EXAMPLES = {
    "de": ("Ein Dachstuhl ist ein Tragwerk aus Holz. Die Ursachen von Schäden sind Feuchte.", "was ist ein dachstuhl"),
    "fr": ("L'aspirine est un médicament contre la douleur et la fièvre.", "qu'est-ce que l'aspirine"),
    "es": ("La fotosíntesis es un proceso químico que convierte la luz.", "qué es la fotosíntesis"),
    "it": ("Il Colosseo è un anfiteatro nel centro della città di Roma.", "che cos'è il colosseo"),
    "pt": ("A dengue é uma doença viral que não tem cura para todos.", "o que é a dengue"),
    "nl": ("Astma is een chronische ontsteking van de luchtwegen.", "wat is astma"),
    "ru": ("Гипертония — это хроническое заболевание, при котором повышено давление.", "что такое гипертония"),
    "zh": ("糖尿病是一种慢性疾病，其特征是血糖升高。常见的症状有口渴。", "什么是糖尿病"),
    "ja": ("光合成とは、植物が光を使って養分を作る反応のことである。", "光合成とは何ですか"),
}


@pytest.mark.parametrize("language", EXAMPLES)
def test_every_language_asks_in_its_own_words(language):
    text, question = EXAMPLES[language]
    assert question in asked(text)["definition"]


@pytest.mark.parametrize("row", LANGUAGES.values(), ids=LANGUAGES)
def test_rows_of_languages_hold_together(row):
    parts = {"t": "topic", "d": "the topic"}
    for templates in (row.defines, row.titles, *(templates for _, templates, _ in row.cued)):
        assert all(template.format(**parts) for template in templates)
    for pattern, templates in (*row.stated, *row.phrased):
        assert all(template.format(*["x"] * pattern.groups) for template in templates)


TEXTS = st.one_of(
    st.text(max_size=300), st.lists(st.sampled_from([*ASTHMA.split(), "def f(x):\n", "。"])).map(" ".join)
)


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.text(max_size=30), st.sampled_from(["", *LANGUAGES]))
def test_any_text_has_questions_each_once_from_within(text, title, language):
    corpus = Corpus([text, *OTHERS])
    found = questions_of(text, corpus=corpus, title=title, headings=(title,), language=language)
    assert found == questions_of(text, corpus=corpus, title=title, headings=(title,), language=language)
    assert len({each.text for each in found}) == len(found)
    for each in found:
        assert each.text.strip()
        assert each.span is None or 0 <= each.span[0] < each.span[1] <= len(text)
