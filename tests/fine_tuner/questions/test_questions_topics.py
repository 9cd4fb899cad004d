from __future__ import annotations

import pytest

from jina_components.fine_tuner.questions import LANGUAGES, Corpus, language_of, opening_title, topic_of
from jina_components.fine_tuner.questions.topics import subject_of

ENGLISH = LANGUAGES["en"]
CORPUS = Corpus(
    [
        "The prevalence of gout is known. Many cases of gout have been seen.",
        "The prevalence of measles is low and it causes a rash in most cases.",
        "In all cases the company provides a service and causes a stir.",
        "It causes a fire in some cases. The prevalence of fires is high.",
        "Frost causes the cases of broken pipes in the diagnosis of plumbers.",
    ]
)


@pytest.mark.parametrize(
    ("text", "title", "topic"),
    [
        ("The prevalence of Wilson disease is unknown.", "", "Wilson disease"),
        ("Most cases of Prader-Willi syndrome are not inherited.", "", "Prader-Willi syndrome"),
        ("How is sclerosis diagnosed? The diagnosis of sclerosis takes an image of the spinal cord.", "", "sclerosis"),
        ("It rains.", "Wilson disease - Medical Site", "Wilson disease"),
        ("It rains.", "An introduction to the copper kettle", "copper kettle"),
        ("", "", ""),
    ],
)
def test_the_topic_is_what_tells_a_text_from_others(text, title, topic):
    assert topic_of(text, title=title, language=ENGLISH, corpus=CORPUS) == topic


def test_words_before_articles_are_verbs():
    assert CORPUS.is_verb("causes")
    assert not CORPUS.is_verb("prevalence")


def test_idf_falls_with_the_number_of_texts():
    assert CORPUS.rarest == pytest.approx(CORPUS.idf("gout"))
    assert CORPUS.idf("gout") > CORPUS.idf("prevalence") >= CORPUS.idf("the") >= 0
    assert Corpus([]).rarest == 0


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("supersonic flow past cones . the flow past cones is computed .", "supersonic flow past cones"),
        ("Supersonic flow past cones\nThe flow past cones is computed.", "Supersonic flow past cones"),
        ("Supersonic flow past cones. The flow past cones is computed.", ""),  # a sentence, it says
        ("The flow is computed. It is steady.", ""),
        ("What flows? Water.", ""),
        ("Supersonic flow past cones", ""),
    ],
)
def test_titles_that_texts_begin_with(text, title):
    assert opening_title(text, ENGLISH) == title


@pytest.mark.parametrize(
    ("text", "subject", "language"),
    [
        ("Old trams are slow.", "Old trams", "en"),
        ("北京是中国的首都。", "北京", "zh"),
        ("東京は日本の首都である。", "東京", "ja"),
    ],
)
def test_subjects_of_first_sentences(text, subject, language):
    assert subject_of(text, LANGUAGES[language]) == subject


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("This is how the old machine was built by them.", "en"),
        ("Die alte Maschine wurde von einem Schmied gebaut und ist nicht mehr da.", "de"),
        ("La machine a été construite par un forgeron et elle est dans le musée.", "fr"),
        ("La máquina fue construida por un herrero y está en el museo.", "es"),
        ("La macchina è stata costruita da un fabbro e si trova nel museo.", "it"),
        ("A máquina foi construída por um ferreiro e não está no museu.", "pt"),
        ("De machine is door een smid gebouwd en staat nog in het museum.", "nl"),
        ("Машина была построена кузнецом и находится в музее.", "ru"),
        ("这台机器是由铁匠制造的。", "zh"),
        ("この機械は鍛冶屋によって作られた。", "ja"),
        ("이 기계는 대장장이가 만들었다.", ""),
        ("η μηχανή είναι παλιά", ""),
        ("", ""),
    ],
)
def test_languages_are_told_by_script_and_stop_words(text, language):
    assert language_of(text) == language
