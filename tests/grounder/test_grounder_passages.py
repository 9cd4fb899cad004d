import time

from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import Reranker
from jina_components.grounder.passages import Pool
from jina_components.grounder.sources import Source, check_quotes
from jina_components.types import Reference

FACTS = (
    "# Tides\n\nThe Bay of Fundy has the highest tides. They reach 16 metres. Who measured them?\n\n"
    "## Moons\n\nHuygens landed on Titan in 2005. Titan is the largest moon of Saturn.\n\n```\n# no heading\n```\n\n"
    "# Bread\n\nBread is baked from flour.\n"
)


def test_a_sentence_comes_with_its_neighbours_and_headings():
    [first, *_], _ = Pool([Source("f", FACTS, "Facts", 100, "All")]).best("Huygens landed on Titan", 3, None)
    assert first.text == "Huygens landed on Titan in 2005. Titan is the largest moon of Saturn."
    assert (first.url, first.title, first.heading) == ("f", "Facts", "Tides > Moons")
    assert FACTS[first.start - 100 : first.end - 100] == first.text


def test_headings_end_with_the_next_of_their_level_and_are_none_in_code():
    [bread, *_], _ = Pool([Source("f", FACTS)]).best("baked bread flour", 3, None)
    assert bread.heading == "Bread"


def test_questions_are_no_passages_of_their_own():
    texts = [passage.text for passage in Pool([Source("f", "Is Titan a moon? Yes, it is.")]).best("Titan", 9, None)[0]]
    assert texts == ["Is Titan a moon? Yes, it is."]


def test_what_shares_no_word_is_left_out_and_a_reranker_may_take_it():
    pool = Pool([Source("f", "A feline rested upon the rug."), Source("g", "Stocks fell on Monday.")])
    assert pool.best("cat mat", 5, None)[0] == []
    [best, _], usage = pool.best("The cat sat on the mat.", 5, Reranker())
    assert best.url == "f"
    assert usage.prompt_tokens > 0


def test_the_same_sentence_of_several_sources_comes_once():
    said = "Titan is the largest moon of Saturn"
    pool = Pool(
        [Source("a", f"{said}."), Source("b", f"{said.upper()}!"), Source("c", f"{said.replace('is', 'is not')}.")]
    )
    assert [passage.url for passage in pool.best(said, 9, None)[0]] == ["a", "c"]
    pool = Pool([Source("a", "Ajax beat Celtic."), Source("b", "Celtic beat Ajax.")])
    assert len(pool.best("Ajax beat Celtic.", 9, None)[0]) == 2


def test_no_source_takes_all_places():
    long = " ".join(
        f"Titan is moon {'x' * number} of Saturn and quite large." + " Filler words go here." * 40
        for number in range(1, 30)
    )
    sources = [
        Source("long", long),
        *(Source(f"s{n}", f"Titan, says witness {n} at length and with care, is a moon.") for n in range(4)),
    ]
    chosen, _ = Pool(sources).best("Titan is a moon of Saturn", 8, None)
    assert len(chosen) == 8
    assert {passage.url for passage in chosen} == {"long", "s0", "s1", "s2", "s3"}


def test_a_sentence_without_end_is_cut():
    passages, _ = Pool([Source("f", "moon " * 2000)]).best("moon", 50, None)
    assert passages
    assert all(len(passage.text) <= 700 for passage in passages)


def test_nothing_to_choose_from():
    assert Pool([]).best("Titan", 3, Reranker())[0] == []
    assert len(Pool([Source("f", "# Only a heading")])) == 0


def test_a_long_source_takes_linear_time():
    text = "".join(f"The fox number {number} jumped over a dog called {number * 7}! " for number in range(20_000))
    began = time.process_time()
    assert Pool([Source("f", text)]).best("fox 77 jumped", 10, None)[0]
    assert time.process_time() - began < 30


@settings(max_examples=80, deadline=None)
@given(
    st.text(st.one_of(st.sampled_from("ab .:!?\n#-|>`é漢。*"), st.characters()), max_size=300),
    st.integers(0, 9), st.text(max_size=10),
)  # fmt: skip
def test_every_passage_is_verbatim(text, start, claim):
    pool = Pool([Source("u", text, start=start)])
    passages, _ = pool.best(f"{claim} a b", 5, None)
    for passage in passages:
        assert passage.text.strip() == passage.text != ""
        assert text[passage.start - start : passage.end - start] == passage.text
    check_quotes(
        [Reference("u", p.text, True, 0.9, p.start, p.end) for p in passages], [Source("u", text, start=start)]
    )


def test_headings_without_end_take_linear_time():
    began = time.process_time()
    Pool([Source("f", "# " * 200_000 + "x\n\nThe end is near.")])
    assert time.process_time() - began < 20
