from hypothesis import given
from hypothesis import strategies as st

from jina_components.grounder.queries import distinct, plan_queries


def test_the_claim_its_names_and_a_doubt():
    claim = "The Eiffel Tower was completed in 1889 in Paris."
    assert plan_queries(claim, limit=3, web=True) == [
        "The Eiffel Tower was completed in 1889 in Paris",
        "The Eiffel Tower Paris",
        "fact check: The Eiffel Tower was completed in 1889 in Paris",
    ]
    assert len(plan_queries(claim, limit=3, web=False)) == 2
    assert len(plan_queries(claim, limit=1, web=True)) == 1


def test_of_a_negated_claim_what_it_denies():
    queries = plan_queries("Einstein didn't win the Nobel Prize in 1921.", limit=3, web=True)
    assert queries[-1] == "Einstein win the Nobel Prize in 1921"


def test_queries_that_say_the_same_come_once():
    assert distinct(["Rain falls", "rain  FALLS", "falls rain", "", "…", "snow"], 9) == ["Rain falls", "snow"]


@given(st.text(st.characters(), max_size=60), st.integers(1, 4), st.booleans())
def test_any_claim(claim, limit, web):
    queries = plan_queries(claim, limit=limit, web=web)
    assert len(queries) <= limit
    assert all(query.strip() for query in queries)
