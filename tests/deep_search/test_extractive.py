import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import DeepSearchAgent, Document, Reranker, Retriever
from jina_components.deep_search.actions import Draft, Search, Visit
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.extractive import ExtractiveReasoner
from jina_components.deep_search.extractive.parting import part
from jina_components.deep_search.extractive.passages import Passages, follow_up
from jina_components.deep_search.extractive.quotes import Quote, continuing, with_subject
from jina_components.deep_search.extractive.trails import Trail, onwards, ranks_of, weigh
from jina_components.deep_search.extractive.words import names, refers_back
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.deep_search.state import State
from jina_components.deep_search.tools import Tools
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.errors import ConfigError

FILM = Document("Silent Harbour is a 1961 film. It was directed by Mara Velk.", "film", {"title": "Silent Harbour"})
DIRECTOR = Document(
    "Mara Velk (1920-1988) made nine films. She was born in Ostrava.", "director", {"title": "Mara Velk"}
)
TOWN = Document("Ostrava is a city in Moravia, on four rivers.", "town", {"title": "Ostrava"})
OTHERS = [
    Document("Lena Moss painted harbours, and directed a choir.", "moss", {"title": "Lena Moss"}),
    Document("A town lies where two rivers meet.", "river", {"title": "Riverton"}),
    Document("Bread is baked from flour, water and salt.", "bread", {"title": "Bread"}),
    Document("The director of a school leads its teachers.", "school", {"title": "School"}),
]
QUESTION = "In which town was the director of Silent Harbour born?"
ALLOWED = frozenset({"search", "visit", "answer"})


@pytest.fixture(scope="module")
def agent(bundled_embedder):
    retriever = Retriever(bundled_embedder)
    retriever.add([FILM, DIRECTOR, TOWN, *OTHERS])
    return DeepSearchAgent(
        retriever, reranker=Reranker("static-minilm-v1-maxsim"), embedder=bundled_embedder, min_relevance=0.5, top_k=3
    )


@pytest.fixture
def reasoner():
    options = DeepSearchOptions()
    journal, meter = Journal({}), Meter(options)
    comparer = Comparer(embedder=None, reranker=None, journal=journal, meter=meter)
    unused = object()
    tools = Tools(
        asker=None, gatherer=unused, comparer=comparer, attributor=unused, journal=journal, meter=meter
    )  # fmt: skip
    return ExtractiveReasoner(tools, min_relevance=0.2)


def state_of(question):
    return State(question, (), DeepSearchOptions(), open=[question], asked=[question], step=1)


def found(state, query, documents):
    state.add(documents)
    state.queries.append(query)
    state.hits[query] = tuple(document.id for document in documents)


def test_names_lead_from_passage_to_passage(agent):
    answer = agent.run(QUESTION)
    assert {hit.document.id for hit in answer.passages[:2]} == {"film", "director"}
    assert [citation.quote for citation in answer.citations] == [
        "Silent Harbour is a 1961 film.",
        "It was directed by Mara Velk.",
        "Mara Velk (1920-1988) made nine films.",
        "She was born in Ostrava.",
    ]
    assert 2 <= answer.spent.steps <= 4
    assert answer.spent.tokens == 0


def test_a_search_replays(agent):
    answer = agent.run(QUESTION)
    assert agent.replay(answer.trace) == answer


def test_a_question_that_one_passage_answers_is_searched_for_once(agent):
    answer = agent.run("What is bread baked from?")
    assert [citation.quote for citation in answer.citations] == ["Bread is baked from flour, water and salt."]
    assert [step.queries for step in answer.trace.steps if step.kind == "search"] == [("What is bread baked from?",)]


def test_several_questions_are_searched_for_and_answered_one_by_one(agent):
    answer = agent.run("What is bread baked from? Who painted harbours?")
    assert [citation.document_id for citation in answer.citations] == ["bread", "moss"]
    [search] = [step.queries for step in answer.trace.steps if step.kind == "search"]
    assert search[1:] == ("What is bread baked from?", "Who painted harbours?")


def test_what_nothing_is_relevant_for_is_not_answered(agent):
    answer = agent.run("How do I renew my passport?")
    assert not answer.answered
    assert answer.passages


def test_a_follow_up_asks_what_is_open_of_what_is_named():
    query = follow_up(QUESTION, [f"{FILM.metadata['title']}\n{FILM.text}"])
    words = query.split()
    assert {"town", "born", "Mara", "Velk"} <= set(words)
    assert not {"Silent", "Harbour", "film", "1961"} & set(words)
    further = follow_up(QUESTION, [FILM.text, DIRECTOR.text]).split()
    assert "Ostrava" in further
    assert "Velk" not in further


def test_a_passage_that_names_nothing_new_is_not_followed():
    assert follow_up("Where is Bread baked?", ["it is baked at home. Bread is."]) == ""


def test_words_that_begin_sentences_are_no_names():
    words = ["In", "It", "He", "The", "Er", "Die"]
    text = "".join(f"{word} was here with Ada. " for word in words) + "Crane A stood. (We sang.) We heard The Who."
    assert list(dict.fromkeys(names(text))) == ["Ada", "Crane", "A", "The", "Who"]


@pytest.mark.parametrize(
    ("sentence", "does"),
    [
        ("He has held the office since 2011.", True),
        ("In 1995 she received a prize.", True),
        ("Sie wohnt in Bodø.", True),
        ("Ada said that she was tired.", False),
        ("In Paris he sang.", False),
        ("", False),
    ],
)
def test_sentences_refer_back_by_their_first_pronoun(sentence, does):
    assert refers_back(sentence) is does


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("Ada leads it. She came in May.", "Ada leads it. She came in May."),
        ("It rained. She came in May.", "She came in May."),
        ("Ada leads it.\n\nShe came in May.", "She came in May."),
        (f"Ada {'never ' * 80}leads it. She came in May.", "She came in May."),
        ("She came in May.", "She came in May."),
    ],
)
def test_a_pronoun_is_quoted_with_the_sentence_that_names_it(text, quoted):
    quote = with_subject(Quote("She came in May.", "a", 1.0), Document(text, "a"))
    assert quote.text == quoted


def test_a_quote_that_continues_neither_repeats_nor_speaks_of_something_else():
    ada, she = Quote("Ada leads it.", "a", 1.0), Quote("She came in May.", "a", 1.0)
    both = Quote("Ada leads it. She came in May.", "a", 1.0)
    assert continuing(both, [ada]) == she
    assert continuing(both, [she]) is None
    assert continuing(she, [ada]) is None
    assert continuing(ada, [she]) == ada


def test_scripts_without_capitals_are_followed_by_their_words():
    assert "東京" in follow_up("首都はどこですか", ["日本の首都は 東京 である"]).split()


def test_the_passage_that_is_named_and_adds_is_believed():
    evidence = {one.id: one for one in [FILM, DIRECTOR, *OTHERS]}
    question_hits = ranks_of(["film", "moss", "river"], 10)
    before = weigh(QUESTION, evidence, question_hits, [])
    assert before.order[0] == "film"
    [trail, *_] = onwards(QUESTION, evidence, before, set(), 5)
    assert trail.passages == ("film",)
    after = weigh(QUESTION, evidence, question_hits, [(trail, ranks_of(["director", "school"], 10))])
    assert after.order[:2] == ["film", "director"]
    assert after.trails["director"] == ("film", "director")
    assert after.queries["director"] == trail.query
    assert onwards(QUESTION, evidence, after, {"film", "director", "moss", "river"}, 5) == []


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_beliefs_are_probabilities_of_all_that_was_found(data):
    documents = [FILM, DIRECTOR, TOWN, *OTHERS]
    evidence = {one.id: one for one in documents}
    ids = list(evidence)
    rankings = st.lists(st.sampled_from(ids), unique=True, min_size=1)
    first = ranks_of(data.draw(rankings), 10)
    starts = data.draw(st.lists(st.sampled_from(list(first)), unique=True))
    followed = [(Trail((start,), f"query {start}"), ranks_of(data.draw(rankings), 10)) for start in starts]
    beliefs = weigh(QUESTION, evidence, first, followed)
    assert all(0 <= value <= 1 for value in beliefs.values.values())
    assert sorted(beliefs.order) == sorted({*first, *(one for _, ranks in followed for one in ranks)})
    assert all(path[-1] == one for one, path in beliefs.trails.items())


def test_words_that_few_passages_have_cover_more():
    passages = Passages("Which town has four rivers?")
    passages.add([TOWN, *OTHERS])
    assert passages.covers("town") > passages.covers("bread")
    assert passages.adds("town", ["town"]) == 0
    assert passages.named_in("bread", "bread")
    assert not passages.asked_by_name("town")


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Which is larger, Titan or Triton?", ["Which is larger, Titan?", "Which is larger, Triton?"]),
        ("Are both Titan and Triton moons?", ["Are Titan moons?", "Are Triton moons?"]),
        ("Who wrote War and Peace?", []),
        ("What is bread baked from?", []),
        ("Who wrote it? What does bread cost? Who bakes it here?", []),
        ("Where was Ada born? Who is Bo?", ["Where was Ada born?", "Who is Bo?"]),
        (
            "How much does it cost, how many are there, and who pays?",
            [],
        ),
        (
            "How much is bread, how many towns are there, and who is Ada?",
            ["How much is bread?", "how many towns are there?", "who is Ada?"],
        ),
        ("Where does the man live who leads the school and who bakes bread?", []),
    ],
)
def test_questions_are_parted_where_they_can_be_asked_alone(question, parts):
    assert part(question) == parts


def test_found_pages_are_read_before_more_is_searched(reasoner):
    state = state_of(QUESTION)
    first = asyncio.run(reasoner.decide(state, ALLOWED))
    assert isinstance(first.action, Search)
    found(state, QUESTION, [])
    state.urls.add_hit("https://films.org/harbour", title="Silent Harbour")
    second = asyncio.run(reasoner.decide(state, frozenset({"visit"})))
    assert second.action == Visit(("https://films.org/harbour",))
    state.urls.mark_read("https://films.org/harbour")
    state.add([FILM])
    third = asyncio.run(reasoner.decide(state, ALLOWED - {"visit"}))
    assert isinstance(third.action, Search)
    assert "Velk" in third.action.queries[0].text
    state.add([DIRECTOR])
    found(state, third.action.queries[0].text, [])
    ranked = asyncio.run(reasoner.rank(state))
    assert {hit.document.id for hit in ranked} == {"film", "director"}


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (["Ostrel\nIt was founded by Anna Karg.", "Ostrel\nIt was sold to Bela Moor."], "Ostrel."),
        (
            ["Ostrel was founded in Ulm in 1952.", "Ostrel\nIt was sold to Bela Moor."],
            "Ostrel; Ostrel was founded in Ulm in 1952.",
        ),
        (
            ["Ostrel was founded by Anna Karg" + " and others" * 9],
            f"Ostrel was founded by Anna Karg{' and others' * 9}"[:59] + "…",
        ),
    ],
)
def test_what_is_followed_up_is_named_once_and_in_a_sentence(reasoner, texts, named):
    question = "Who founded Ostrel?"
    state = state_of(question)
    asyncio.run(reasoner.decide(state, ALLOWED - {"visit"}))
    found(state, question, [Document(text, str(place)) for place, text in enumerate(texts)])
    decision = asyncio.run(reasoner.decide(state, ALLOWED - {"visit"}))
    assert decision.thought == f"Following up what was found: {named}"


def test_without_evidence_there_is_no_draft(reasoner):
    state = state_of(QUESTION)
    asyncio.run(reasoner.decide(state, ALLOWED))
    found(state, QUESTION, [])
    assert asyncio.run(reasoner.decide(state, ALLOWED)).action == Draft("")
    assert asyncio.run(reasoner.rank(state)) == []


def test_quotes_without_an_end_stand_apart(reasoner):
    state = state_of("How high are tides?")
    found(
        state, state.question, [Document("Tides are as high as 16 metres", "a"), Document("How high are tides?", "b")]
    )
    assert asyncio.run(reasoner.conclude(state)).text == "Tides are as high as 16 metres"


def test_a_teams_answers_are_joined_without_their_marks(reasoner):
    state = state_of(QUESTION)
    draft = asyncio.run(reasoner.merge(state, [("a", "One.[^1]"), ("b", ""), ("c", "Two.[^2]"), ("d", "One.[^1]")]))
    assert draft.text == "One.\n\nTwo."


def test_a_schema_needs_a_chat_model(reasoner):
    with pytest.raises(ConfigError, match="chat model"):
        asyncio.run(reasoner.fill(state_of(QUESTION), "text"))
