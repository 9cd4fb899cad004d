import pytest

from jina_components.deep_search.citing.figures import Shown, find_names, find_numbers, missing


@pytest.mark.parametrize(
    ("sentence", "quote"),
    [
        ("It cost 1,234,567 euros.", "It cost 1.234.567 euros"),
        ("It has 3.2 million inhabitants.", "It has 3,214,567 inhabitants"),
        ("About 5,900 came.", "5,889 came"),
        ("It has 12 rooms.", "twelve rooms"),
        ("It has twenty-one rooms.", "21 rooms"),
        ("In the 1990s it grew.", "in 1994"),
        ("In the 19th century it grew.", "in 1855"),
        ("On 14 January 2005 it landed.", "2005-01-14"),
        ("On 14 January 2005 it landed.", "14.01.2005"),
        ("On 2005-01-14 it landed.", "14 January 2005"),
        ("On 01/14/2005 it landed.", "14 January 2005"),
        ("Price: Huygens sells it.", "Huygens"),
        ("3 of them came.", "three came"),
        ("The two of them came.", "They came"),
        ("It may be so.", "It is so"),
        ("The EU grew.", "the European Union grew"),
        ("It was made by French engineers.", "made by engineers of France"),
        ("Curie's work.", "the work of Curie"),
        ("Der Turm steht in der Stadt.", "stehen"),
    ],
)
def test_what_stands_in_the_quote_is_not_missing(sentence, quote):
    assert not missing(sentence, Shown([quote]))


@pytest.mark.parametrize(
    ("sentence", "quote", "written"),
    [
        ("It opened in 1950.", "It opened in 1952", "1950"),
        ("It has 3.4 million inhabitants.", "3,214,567 inhabitants", "3.4 million"),
        ("It has 5,900 rooms.", "5,889 rooms", "5,900 rooms"),
        ("It lasts five days.", "It lasts three days", "day"),
        ("It has twelve rooms.", "It has 14 rooms", "twelve"),
        ("It lasts three days.", "It lasts four years", "day"),
    ],
)
def test_another_number_is_missing(sentence, quote, written):
    assert written in [number.written for number in missing(sentence, Shown([quote])).numbers]


def test_another_month_or_name_is_missing():
    assert missing("It landed in May 2005.", Shown(["landed on 14 January 2005"])).months == (5,)
    assert missing("Lyon is the capital of France.", Shown(["Paris is the capital of France"])).names == ("Lyon",)
    assert missing("It was found by Galileo.", Shown(["found by Huygens"])).names == ("Galileo",)


def test_a_word_that_begins_a_sentence_is_no_name():
    assert list(find_names("Engineers built it. However, Titan is far.")) == ["Titan"]


def test_an_ambiguous_number_has_both_readings():
    assert [number.values for number in find_numbers("1.234 and 1,234.5 and 2.5")] == [
        (1234.0, 1.234),
        (1234.5,),
        (2.5,),
    ]
