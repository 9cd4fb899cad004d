import asyncio
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components import Document, EntailmentScorer, Grounder, Reranker
from jina_components.core.locating import locate
from jina_components.core.quotable import quotable_spans
from jina_components.deep_search.citing.addresses import find_addresses
from jina_components.deep_search.citing.attribution import Attributor
from jina_components.deep_search.citing.verbatim import count_words
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.deep_search.state import Knowledge, State
from jina_components.deep_search_options import Budget, DeepSearchOptions
from jina_components.errors import BackendError, ChatError, TraceError

BRIDGE = Document(
    "The bridge opened in 1952. It is 2.5 km long, see https://good.org/a_b for more.[2][17]\n\n- It has three arches\n"
    '- It was painted green\n\n```py\nx[0] = [1]\n```\n| a | b |\n|---|---|\n| 1952 | "five words stand right here" |',
    "bridge",
    {"source": "https://good.org/x", "start": 10, "title": "Bridge", "published_time": "2020-01-02"},
)
SHOP = Document(
    "Boots cost 45 EUR. “A quote that stands here in full.” Returns are free. 東京タワーは1958年に完成した。", "shop"
)
DOCUMENTS = [BRIDGE, SHOP]
QUESTION = "Is good.net in 1999 a host, “as they say in the north”?"
KNOWN = "\n".join([BRIDGE.text, SHOP.text, "https://good.org/x", QUESTION])


def attribute(
    text, documents=DOCUMENTS, *, question=QUESTION, grounder=None, journal=None, known=(), embedder=None, **options
):
    made = DeepSearchOptions(**options)
    journal, meter = journal or Journal({}), Meter(made)
    comparer = Comparer(embedder=embedder, reranker=None, journal=journal, meter=meter)
    attributor = Attributor(comparer=comparer, grounder=grounder, options=made, journal=journal, meter=meter)
    state = State(question, (), made, knowledge=list(known))
    state.add(list(documents))
    return asyncio.run(attributor.attribute(text, state)), state


def parts(answer):
    return [answer.text[one.start : one.end] for one in answer.sentences]


class Judge:
    """A real Grounder whose parts can be made to fail, or to take long."""

    def __init__(self, grounder, error=None):
        self.grounder, self.error, self.asked = grounder, error, []

    async def aground(self, statement, *, references=None):
        self.asked.append(statement)
        if self.error:
            raise self.error
        return await self.grounder.aground(statement, references=references)


@pytest.fixture(scope="module")
def grounder():
    return Grounder(entailment=EntailmentScorer(), reranker=Reranker())


def test_verbatim_sentences_are_cited_without_a_model():
    answer, _ = attribute("The bridge opened in 1952. Boots cost 45 EUR.")
    assert answer.text == "The bridge opened in 1952.[^1] Boots cost 45 EUR.[^2]"
    assert answer.share == 1
    assert answer.unsupported == ()
    first, second = answer.citations
    assert (first.quote, first.source, first.start, first.end) == (
        "The bridge opened in 1952.", "https://good.org/x", 10, 36,
    )  # fmt: skip
    assert (first.title, first.published_time, first.score) == ("Bridge", "2020-01-02", 1.0)
    assert (second.source, second.document_id) == ("shop", "shop")


def test_marks_of_notes_stay_in_the_quote_alone():
    answer, _ = attribute("It is 2.5 km long, see https://good.org/a_b for more.[2][17]")
    assert answer.text == "It is 2.5 km long, see https://good.org/a_b for more.[^1]"
    assert answer.citations[0].quote.endswith("for more.[2][17]")


@pytest.mark.parametrize("between", [" ", "\n\n"])
def test_every_quote_of_the_evidence_goes_through(between):
    quotes = [document.text[start:end] for document in DOCUMENTS for start, end in quotable_spans(document.text)]
    quotes = [quote for quote in quotes if between != " " or "|" not in quote]  # rows have a line of their own
    readable = [re.sub(r"\[\d+\]", "", quote) if "```" not in quote else f"\n{quote}\n" for quote in quotes]
    answer, _ = attribute(between.join(readable))
    assert answer.unsupported == ()
    assert {citation.document_id for citation in answer.citations} == {"bridge", "shop"}


def test_what_is_not_shown_is_marked_or_removed():
    draft = "The bridge opened in 1952. It fell in 1960.\n\n## Price\n\nIt was cheap in Rome."
    answer, _ = attribute(draft)
    assert answer.text.startswith("The bridge opened in 1952.[^1] It fell in 1960. [unverified]\n\n## Price")
    assert [one.supported for one in answer.sentences] == [True, False, True, False]
    assert answer.share == pytest.approx(1 / 3)
    removed, _ = attribute(draft, unsupported="remove")
    assert removed.text == "The bridge opened in 1952.[^1]"
    assert removed.unsupported == ("It fell in 1960.", "It was cheap in Rome.")


def test_paraphrases_are_cited_by_similarity(bundled_embedder):
    draft = "In 1952 the bridge was opened. You can return goods for free."
    for embedder in (None, bundled_embedder):
        answer, _ = attribute(draft, embedder=embedder)
        assert parts(answer)[0] == "In 1952 the bridge was opened.[^1]"
        assert 0 < answer.citations[0].score < 1
    strict, _ = attribute(draft, embedder=bundled_embedder, min_citation_relevance=0.99)
    assert strict.citations == ()


@pytest.mark.parametrize(
    "lie",
    [
        "The bridge opened in 1953.", "The bridge never opened in 1952.", "The bridge opened in Rome in 1952.",
        "The bridge opened in May 1952.", "It has four arches.", "Boots cost 54 EUR.",
        "Lyon is the bridge that opened in 1952.", "It was painted blue.",
    ],
)  # fmt: skip
def test_a_wrong_number_name_or_denial_is_no_paraphrase(lie):
    answer, _ = attribute(lie)
    assert answer.text == f"{lie} [unverified]"
    assert answer.citations == ()


def test_a_part_of_a_sentence_that_denies_it_does_not_show_it():
    hoax = Document("It is a hoax that the bridge in Ulm opened in 1850.", "hoax")
    answer, _ = attribute("The bridge in Ulm opened in 1850.", [hoax])
    assert not answer.sentences[0].supported or answer.citations[0].score < 1


@pytest.mark.parametrize(
    "claim",
    [
        "# The bridge was torn down by aliens.", "Of course, the bridge was torn down.",
        "The sources do not say so, but the bridge was torn down.", "The bridge cost five euros.",
        "The bridge opened on 1953-02-01.",
    ],
)  # fmt: skip
def test_no_form_hides_a_claim(claim):
    answer, _ = attribute(f"{claim}\n\nThe bridge opened in 1952.")
    assert [one.supported for one in answer.sentences] == [False, True]


@pytest.mark.parametrize(
    "honest",
    [
        "# The Price of it All", "Weitere Fakten:", "The sources do not say who built it.", "Gerne!",
        "Die Quellen nennen keinen Preis.", "来源中没有提到价格。",
    ],
)  # fmt: skip
def test_what_claims_nothing_is_not_marked(honest):
    answer, _ = attribute(f"{honest}\n\nThe bridge opened in 1952.")
    assert answer.text == f"{honest}\n\nThe bridge opened in 1952.[^1]"


LANGUAGES = [
    (
        "Le pont est long de 2 460 mètres. Le président a dit : « Ce pont est un emblème de la France. »",
        "Le pont mesure 2460 mètres de long. Il a dit : « Ce pont est un emblème de la France. »",
    ),
    (
        "Der Große Saal hat 2.100 Plätze. Am 11. Januar 2017 wurde er eröffnet.",
        "Der Große Saal bietet 2100 Plätze. Er wurde am 11.01.2017 eröffnet.",
    ),
    (
        "1987年，故宫被列为世界文化遗产。2019年，故宫接待观众超过1900万人次。旺季门票60元，淡季门票40元，每周一闭馆。",
        "1987年被列为世界文化遗产。2019年接待观众超过1900万人次。每周一闭馆。",
    ),
    (
        "The FDA approved Casgevy in December 2023 for patients with anaemia. The MHRA approved it in November 2023.",
        "Casgevy was approved by the MHRA in November 2023 and by the FDA in December 2023.",
    ),
    (
        'The mayor said that it was "a wonder of the north" to her. Vertex made the trial free of harm.',
        "“The mayor said that it was 'a wonder of the north' to her”. **Maker:** Vertex made the trial with no harm.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "draft"), LANGUAGES)
def test_what_an_honest_model_writes_in_other_words_stays(source, draft, bundled_embedder):
    for embedder in (None, bundled_embedder):
        answer, _ = attribute(draft, [Document(source, "source")], embedder=embedder)
        assert re.sub(r"\[\^\d\]", "", answer.text) == draft
        assert answer.unsupported == ()


def test_the_names_of_columns_need_not_stand_in_the_source():
    lab = Document("Base editing, made in the lab of David Liu in 2016, changes letters without a cut.", "lab")
    answer, _ = attribute("| Approach | Since | Inventor |\n|---|---|---|\n| Base editing | 2016 | David Liu |", [lab])
    assert answer.text.endswith("| Base editing | 2016 | David Liu[^1] |")


@pytest.mark.parametrize("lie", ["The ship sank in 1931 at sea.", "The ship was built from 1920 to 1931."])
def test_the_year_of_one_thing_is_not_put_to_another(lie, bundled_embedder):
    ship = Document("The ship was built from 1920 to 1924. The ship sank in 1950 at sea. A film of it is of 1931.", "s")
    for embedder in (None, bundled_embedder):
        answer, _ = attribute(lie, [ship], embedder=embedder)
        assert answer.text == f"{lie} [unverified]"


def test_invented_quotations_are_left_out_always():
    draft = (
        "He said “the bridge is a wonder of the world”. The bridge opened in 1952. He said “a quote that stands here”."
    )
    answer, _ = attribute(draft)
    assert "wonder" not in answer.text
    assert "“A quote that stands here”" in answer.text
    assert answer.unsupported[0].startswith("He said “the bridge")


def test_what_a_calculation_gave_is_supported_by_the_quotes_of_its_numbers():
    known = [Knowledge("calculation", "7 * 45", "315")]
    answer, _ = attribute("The boots cost 315 EUR in all. The bridge cost 316 EUR.", known=known)
    assert parts(answer) == ["The boots cost 315 EUR in all.[^1]", "The bridge cost 316 EUR. [unverified]"]
    assert answer.citations[0].quote == "Boots cost 45 EUR."


@pytest.mark.parametrize("code", ["7 * 44", "300 + 15", "100 * 3 + 12 + 3 * 17", "'The boots cost 315 EUR'"])
def test_a_calculation_with_invented_numbers_shows_nothing(code):
    answer, _ = attribute("The boots cost 315 EUR in all.", known=[Knowledge("calculation", code, "315")])
    assert answer.text == "The boots cost 315 EUR in all. [unverified]"


def test_a_calculation_names_nobody():
    harbour = Document("Marta Olsen was born in 1941. She died in 2009. Jonas Brekke is the harbour master.", "h")
    known = [Knowledge("calculation", "2009 - 1941", "68"), Knowledge("calculation", "'Ingrid Vold'", "Ingrid Vold")]
    draft = "Marta Olsen reached the age of 68 years. Jonas Brekke is 68 years old. Ingrid Vold is 68 years old."
    answer, _ = attribute(draft, [harbour], known=known)
    assert [one.supported for one in answer.sentences] == [True, False, False]
    assert len(answer.citations) == 2


PORT = [
    Document(text, title, {"source": f"{title}.md", "title": title, "heading": title})
    for title, text in {
        "Harbour of Lindvik": "The harbour of Lindvik was rebuilt in 1987 by the engineer Marta Olsen.\n\nThe harbour"
        " master is Jonas Brekke. He has held the office since 2011.",
        "Marta Olsen": "Marta Olsen was born in Tromsø in 1941. She studied engineering in Trondheim.",
        "Staff": "- Jonas Brekke: phone extension 4471, customs house\n- Silje Dahl: phone extension 4480, pier 2\n\n"
        "Silje Dahl is in charge of the cranes.",
        "Ferries": "The ferry Havørn carries 240 passengers. It was built in 2004 in Gdańsk.\n\nThe ferry Terna carries"
        " 310 passengers. It was built in 2016 in Rijeka.",
        "Cranes": "Crane A lifts 25 tonnes, crane B lifts 40 tonnes. Crane B broke down on 3 March 2024 and was"
        " repaired on 19 March 2024.",
        "Rules": "Swimming near the ferries is forbidden.\nFines: speeding costs 1,500 kroner, swimming near the"
        " ferries 800 kroner.",
    }.items()
]


@pytest.mark.parametrize(
    "lie",
    [
        "Jonas Brekke was born in Tromsø in 1941.", "The harbour was rebuilt by Jonas Brekke.",
        "Silje Dahl has the phone extension 4471.", "The ferry Terna was built in Gdańsk.",
        "Crane B was repaired on 3 March 2024.", "Swimming near the ferries is allowed.",
        "Crane A lifts 40 tonnes and crane B lifts 25 tonnes.", "Marta Olsen was born in Trondheim.",
        "The fine for speeding is 800 kroner.", "The Havørn carries more passengers than the Terna.",
    ],
)  # fmt: skip
def test_what_is_said_of_one_is_not_put_to_another(lie, grounder):
    for question in ("What is there to know?", lie.replace(".", "?")):
        answer, _ = attribute(lie, PORT, question=question, grounder=grounder)
        assert not any(one.supported for one in answer.sentences)


@pytest.mark.parametrize(
    "truth",
    [
        "Crane B was repaired on 19 March 2024.", "Havørn was built in Gdańsk in 2004.", "Crane B can lift 40 tonnes.",
        "It is forbidden to swim near the ferries.", "Silje Dahl can be reached at extension 4480.",
        "The Havørn carries 240 passengers, while the Terna carries 310 passengers.",
    ],
)  # fmt: skip
def test_what_a_quote_says_of_the_same_is_cited(truth, grounder):
    answer, _ = attribute(truth, PORT, question="What is there to know?", grounder=grounder)
    assert answer.sentences[0].supported
    assert answer.citations


@pytest.mark.parametrize(
    "pointer",
    [
        "More is told at https://invented.org/x.", "See [the report](http://evil.com/x).",
        "Mehr dazu unter https://invented.org.", "Read more [here](http://evil.com).",
    ],
)  # fmt: skip
def test_a_sentence_that_only_points_to_an_invented_address_is_left_out(pointer):
    answer, _ = attribute(f"{pointer} The bridge opened in 1952.")
    assert answer.text == "The bridge opened in 1952.[^1]"
    assert answer.left_out[0].startswith("it points to an address that no source names: ")
    assert (answer.claims, answer.share) == (1, 1)
    kept, _ = attribute("See the bridge.")
    assert kept.text.startswith("See the bridge.")


def test_what_is_left_out_is_told_without_what_was_invented(grounder):
    draft = "The boots cost 99 EUR. He said to Harald “the bridge is a wonder of the world”. Returns are free."
    answer, _ = attribute(draft, grounder=grounder)
    assert answer.left_out == (
        "the sources say otherwise: The boots cost …",
        "a quotation stands in no source: He said to …",
    )
    assert answer.claims == 3


def test_structure_survives():
    table = '| a | b |\n|---|---|\n| 1952 | "five words stand right here" |\n'
    draft = f"# Bridge\n\nThe facts are:\n\n- The bridge opened in 1952.\n- It was painted blue.\n\n{table}"
    answer, _ = attribute(draft, unsupported="remove")
    assert answer.text == (
        "# Bridge\n\nThe facts are:\n\n- The bridge opened in 1952.[^1]\n\n| a | b |\n|---|---|\n"
        '| 1952 | "five words stand right here"[^2] |'
    )


def test_items_and_rows_are_verified_with_what_introduces_them(grounder):
    table = "| Thing | EUR |\n|---|---|\n| Boots | 45 |\n| Hats | 45 |\n"
    judge = Judge(grounder)
    answer, _ = attribute(f"Prices are:\n- Boots for 45 EUR\n- Hats for 12 EUR\n\n{table}", grounder=judge)
    assert "Prices are: Boots for 45 EUR" in judge.asked
    assert "Thing: Boots; EUR: 45" in judge.asked
    assert "- Boots for 45 EUR[^1]\n- Hats for 12 EUR [unverified]\n" in answer.text
    assert "| Boots | 45[^1] |\n| Hats | 45 [unverified] |" in answer.text


def test_code_is_marked_behind_its_fence():
    answer, _ = attribute("```py\nx[0] = [1]\n```\n\n```\nrm -rf /\n```\n")
    assert answer.text == "```py\nx[0] = [1]\n```\n[^1]\n\n```\nrm -rf /\n```\n[unverified]"


def test_no_more_citations_than_asked_for():
    answer, _ = attribute("The bridge opened in 1952. Boots cost 45 EUR. Returns are free.", max_citations=2)
    assert answer.text == "The bridge opened in 1952.[^1] Boots cost 45 EUR.[^2] Returns are free."
    assert all(one.supported for one in answer.sentences)


def test_a_greeting_and_an_empty_draft_need_no_evidence_and_answer_nothing():
    answer, _ = attribute("Hello! How can I help you?", [])
    assert (answer.text, answer.share) == ("Hello! How can I help you?", 0.0)
    assert attribute(" \n", [])[0].text == ""


def test_the_grounder_judges_what_is_not_verbatim(grounder):
    journal = Journal({})
    draft = (
        "In 1952 the bridge was inaugurated. Boots are given away. The bridge opened in 1952. The bridge is in Peru."
    )
    answer, state = attribute(draft, grounder=grounder, journal=journal)
    assert parts(answer)[0].startswith("In 1952 the bridge was inaugurated.[^1]")
    assert "Boots are given away. [unverified]" in answer.text
    assert "The bridge is in Peru." in answer.unsupported
    assert not state.warnings
    verified = [call.request["statement"] for call in journal.calls if call.kind == "verify"]
    assert "The bridge opened in 1952." not in verified
    replayed, _ = attribute(draft, grounder=grounder, journal=Journal({}, calls=journal.calls, strict=True))
    assert replayed == answer


def test_what_the_sources_refute_is_left_out(grounder):
    answer, _ = attribute("Boots cost 45 EUR. Boots cost 99 EUR.", grounder=grounder)
    assert answer.text == "Boots cost 45 EUR.[^1]"
    assert answer.unsupported == ("Boots cost 99 EUR.",)


def test_a_pronoun_is_verified_with_the_sentence_before(grounder):
    judge = Judge(grounder)
    attribute("The bridge opened in 1952. It measures 2.5 km.", grounder=judge)
    assert judge.asked == ["The bridge opened in 1952. It measures 2.5 km."]


def test_a_grounder_that_fails_supports_nothing(grounder):
    judge = Judge(grounder, BackendError("It is out of memory."))
    answer, state = attribute("The bridge opened in 1952. In 1952 the bridge was opened.", grounder=judge)
    assert [one.supported for one in answer.sentences] == [True, False]
    assert "out of memory" in "".join(state.warnings)


def test_a_replay_that_lacks_a_judgement_is_told(grounder):
    with pytest.raises(TraceError):
        attribute("In 1952 the bridge was opened.", grounder=grounder, journal=Journal({}, strict=True))


def test_no_more_is_verified_than_there_is_time_for(grounder):
    judge = Judge(grounder, BackendError("No."))
    attribute(" ".join(f"The bridge has arch {n} in 1952." for n in range(100, 200)), grounder=judge)
    assert len(judge.asked) == 60
    judge = Judge(grounder)
    draft = " ".join(f"The bridge has arch {n} in 1952." for n in range(100, 110))
    _, state = attribute(draft, grounder=judge, budget=Budget(seconds=1e-9))
    assert len(judge.asked) == 4
    assert "time" in "".join(state.warnings)


def clean(value, schema, known=()):
    options = DeepSearchOptions(schema=schema)
    journal, meter = Journal({}), Meter(options)
    comparer = Comparer(embedder=None, reranker=None, journal=journal, meter=meter)
    attributor = Attributor(comparer=comparer, grounder=None, options=options, journal=journal, meter=meter)
    state = State(QUESTION, (), options, knowledge=list(known))
    state.add(DOCUMENTS)
    return attributor.clean(value, state), " ".join(state.warnings)


def test_a_json_value_keeps_what_its_schema_and_the_sources_say():
    schema = {"properties": {"sources": {}, "kind": {"enum": ["[1]", "https://kinds.org/a"]}}}
    value = {"sources": ["https://good.org/a_b", "x[0] = [1]", 1952, 2.5, 7, True, None], "kind": "[1]"}
    assert clean(value, schema) == (value, "")
    assert clean({"kind": "https://kinds.org/a"}, schema) == ({"kind": "https://kinds.org/a"}, "")


def test_a_json_value_loses_what_was_invented():
    told = "He said “the bridge is a big wonder of all”. It has three arches."
    value, _ = clean({"text": told, "evil.com": ["http://evil.com/", ["See evil.com now."]]}, {})
    assert value == {"text": "It has three arches.", "": ["", ["See now."]]}


def test_invented_values_of_json_are_left_out():
    value, warnings = clean({"year": 1953, "open": 1952, "city": "It is in Lima", "sums": [315, 45]}, {})
    assert value == {"open": 1952, "sums": [45]}
    assert "3 values" in warnings
    assert not re.search("1953|Lima|315", warnings)
    assert clean(315, {}, [Knowledge("calculation", "7 * 45", "315")]) == (315, "")


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"url": "http://evil.com"}, {"properties": {"url": {"minLength": 5}}}),
        ({"year": 1953}, {"required": ["year"]}),
        (315, {"type": "integer"}),
    ],
)
def test_json_that_needs_an_invented_value_is_refused(value, schema):
    with pytest.raises(ChatError, match="no source shows"):
        clean(value, schema)


def test_a_json_value_that_is_nested_too_deeply_is_the_chat_models_fault():
    value = 1
    for _ in range(5000):
        value = [value]
    with pytest.raises(ChatError, match="nested"):
        clean(value, {})


FRAGMENTS = [
    "The bridge opened in 1952.", " ", "\n", "\n\n", "# ", "- ", "1. ", "| ", "|\n|---|---|\n", "> ", "```\n", "~~~",
    "`", "**", '"', "“", "”", "„", "«", "»", "'", "[1]", "[^1]", "[^", "]", "(", ")", "[text](http://evil.com)",
    "![a](http://evil.com/x)", "http://evil.com/", "evil.com", "hxxp://evil[.]com", "evil", ".", " [.] ", "com",
    "dot", "@", "://", "https", "www.", "javascript:alert(1)", "<b>", "</b>", "<!--", "-->", "<script>", "<a href=",
    "&quot;", "&#58;", "&lt;", "\u200b", "\u202e", "[unverified]", "an invented quote of some words",
    "It is 2.5 km long", "The bridge opened in 1850.", "Boots cost 45 EUR.", "A quote that stands here in full",
    "five words stand right here", "as they say in the north", "Paris", "!", "?", ":", "Sources:\n",
    "https://good.org/a_b", "good.org", "good.net", "東京タワーは1958年に完成した。", "「", "」",
    "嘘の引用文はここにあります", "【4†x】", "\\",
    "$", "\r\n", "\t", "---\n", "===\n", "    ", "x[0] = [1]", "…", "1952", "12 345,6", "\ud800", "\x00", "İ", "ﬁ",
    "“The bridge opened in 1952.”", "[a]: http://evil.com\n", "* ", "_", "~~", "data:text/html,x", "evil%2ecom",
]  # fmt: skip
QUOTATIONS = re.compile(r'"([^"]*)"|“([^“”]*)”|«([^«»]*)»|„([^„“”]*)[“”]|「([^「」]*)」')
drafts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), max_size=25).map("".join)


@settings(max_examples=300)
@given(drafts, st.sampled_from(["mark", "remove"]))
def test_nothing_invented_gets_into_an_answer(draft, unsupported):
    answer, _ = attribute(draft, unsupported=unsupported, max_citations=3)
    text = answer.text
    assert all(text[start:end] in KNOWN for start, end in find_addresses(text))
    assert not re.search(r"(?i:evil\.com)(?![^\W_])|(?i:http://evil|javascript:)", text)
    quoted = ["".join(groups) for groups in QUOTATIONS.findall(text)]
    for words in (words for words in quoted if count_words(words) >= 4):
        assert locate(words, KNOWN) or locate(words.replace("'", '"'), KNOWN)
    places = {document.id: document for document in DOCUMENTS}
    for citation in answer.citations:
        offset = 10 if citation.document_id == "bridge" else 0
        document = places[citation.document_id]
        assert document.text[citation.start - offset : citation.end - offset] == citation.quote != ""
    marks = [int(mark) for mark in re.findall(r"\[\^(\d+)\]", text)]
    assert list(dict.fromkeys(marks)) == list(range(1, len(answer.citations) + 1))
    assert len(answer.citations) <= 3
    assert not re.search(r"\[\^(?!\d+\])[^\[\]\n]*\]", text)
    assert 0 <= answer.share <= 1
    assert not any(find_addresses(told) or re.search(r"[\"“”„«»「」\d]", told) for told in answer.left_out)


@settings(max_examples=150)
@given(drafts, st.sampled_from(["mark", "remove"]))
def test_sentences_are_the_text(draft, unsupported):
    answer, _ = attribute(draft, unsupported=unsupported)
    place, between = 0, ""
    for sentence in answer.sentences:
        assert place <= sentence.start < sentence.end <= len(answer.text)
        between += answer.text[place : sentence.start]
        place = sentence.end
        words = answer.text[sentence.start : sentence.end]
        assert tuple(map(int, re.findall(r"\[\^(\d+)\]", words))) == sentence.citations
        assert words.endswith("[unverified]") != sentence.supported
    between += answer.text[place:]
    assert not re.search(r"[^\W\d_]", re.sub(r"\[[xX ]\]", "", between))  # marks of Markdown, and nothing that is said


@pytest.mark.parametrize("unit", ["The bridge is long. ", "- a:\n", '"a b c d" ', "Paris ", "“a b ”c "])
def test_takes_linear_time(unit):
    began = time.process_time()
    attribute(unit * (100_000 // len(unit)))
    assert time.process_time() - began < 20
