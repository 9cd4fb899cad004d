from __future__ import annotations

import asyncio
import dataclasses
import json
from html.parser import HTMLParser

import pytest

from jina_components.errors import InputError, WebError
from jina_components.grounder import Grounder
from jina_components.testing import FakeChat, FakeEntailmentScorer, FakeSearchProvider
from jina_components.types import ClaimVerdict, Document, GroundedSentence, GroundedText, Grounding, Reference
from jina_components.web_search import WebSearch

TEXT = """\
# Titan & Saturn

Hello! Titan is the largest moon of Saturn. It is not the largest moon of Saturn.

- Bread is <b>blue</b> and loud.
- Who knows?

```
print("Titan")
```
"""
MOONS = Document("Titan is the largest moon of Saturn. It has an atmosphere of nitrogen.", "moons")
GROUNDER = Grounder(entailment=FakeEntailmentScorer())


def shown(text, sentences):
    return [text[each.start : each.end] for each in sentences]


def test_each_sentence_has_its_grounding():
    grounded = GROUNDER.ground_text(TEXT, references=[MOONS])
    assert grounded.text == TEXT
    checked = {TEXT[each.start : each.end]: each.grounding for each in grounded.sentences}
    verdicts = {sentence: grounding and grounding.verdict for sentence, grounding in checked.items()}
    assert verdicts == {
        "Hello!": None,
        "Titan is the largest moon of Saturn.": "supported",
        "It is not the largest moon of Saturn.": "refuted",
        "Bread is <b>blue</b> and loud.": "not enough evidence",
        "Who knows?": None,
        '```\nprint("Titan")\n```': None,
    }
    groundings = [grounding for grounding in checked.values() if grounding]
    assert groundings[1].claims[0].claim == "Titan is not the largest moon of Saturn."
    assert grounded.factuality == pytest.approx(sum(each.factuality for each in groundings) / 3)
    assert grounded.usage.prompt_tokens == sum(each.usage.prompt_tokens for each in groundings) > 0
    assert repr(grounded).startswith("GroundedText(3 of 6 sentences checked, factuality ")


def test_streamed_in_order_and_the_twins_agree():
    grounded = GROUNDER.ground_text(TEXT, references=[MOONS])
    assert tuple(GROUNDER.stream_text(TEXT, references=[MOONS])) == grounded.sentences
    assert asyncio.run(GROUNDER.aground_text(TEXT, references=[MOONS])) == grounded
    stream = GROUNDER.stream_text(TEXT, references=[MOONS])
    assert next(stream).grounding is None
    stream.close()


async def test_nothing_goes_on_when_the_loop_ends_early_or_is_cancelled():
    before = asyncio.all_tasks()
    stream = GROUNDER.astream_text(TEXT * 5, references=[MOONS])
    await anext(stream)
    await stream.aclose()
    assert asyncio.all_tasks() == before
    task = asyncio.create_task(GROUNDER.aground_text(TEXT * 50, references=[MOONS]))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before


def test_progress_is_shown_where_it_is_wanted(capsys):
    GROUNDER.ground_text("Titan is a moon.", references=[MOONS], show_progress=True)
    assert "Grounding" in capsys.readouterr().err


def test_a_text_without_claims():
    grounded = GROUNDER.ground_text("Hello! How are you?", references=[MOONS])
    assert (grounded.factuality, [each.grounding for each in grounded.sentences]) == (None, [None, None])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (None, "must be str"),
        ("x " * 5_000_000, "10,000,000 characters, of 1,000,000 at most: check it in parts"),
        ("Titan \udc00 is.", "lone surrogate"),
    ],
)
def test_what_is_no_text(text, said):
    with pytest.raises(InputError, match=said):
        GROUNDER.ground_text(text, references=[MOONS])
    with pytest.raises(InputError, match=said):
        next(GROUNDER.stream_text(text, references=[MOONS]))


def test_a_sentence_whose_evidence_cannot_be_sought_does_not_lose_the_others():
    class Moody(FakeSearchProvider):
        async def search(self, query, options):
            if "Bread" in query:
                raise WebError("down")
            return []

    grounder = Grounder(WebSearch(Moody(), failures=99), entailment=FakeEntailmentScorer())
    grounded = grounder.ground_text("Titan is a moon of Saturn. Bread is made of flour.")
    assert [each.grounding.verdict for each in grounded.sentences] == ["not enough evidence"] * 2
    assert "could not be sought" in grounded.sentences[1].grounding.reason
    assert [warning for warning in grounded.warnings if "down" in warning]


def test_sentences_that_claim_the_same_are_checked_once():
    asked = []

    class Counting(FakeEntailmentScorer):
        def score(self, pairs, **settings):
            asked.extend(pairs)
            return super().score(pairs, **settings)

    text = (
        "Titan is a moon of Saturn. It is a moon of Saturn. Bread is blue.\n\n" + "Titan is a moon of Saturn.\n\n" * 30
    )
    grounder = Grounder(entailment=Counting())
    once = grounder.ground_text("Titan is a moon of Saturn. Bread is blue.", references=[MOONS])
    alone, asked = len(asked), []
    grounded = grounder.ground_text(text, references=[MOONS])
    assert 0 < len(asked) == alone
    assert grounded.usage == once.usage
    first, again, _, *others = grounded.sentences
    assert (again.grounding.statement, again.grounding.claims[0].end) == ("It is a moon of Saturn.", 23)
    assert again.grounding.claims[0].claim == "Titan is a moon of Saturn."
    assert again.grounding.references == first.grounding.references
    assert len(others) == 30
    for other in others:
        assert dataclasses.replace(other.grounding, usage=first.grounding.usage) == first.grounding
        assert other.grounding.usage.prompt_tokens == 0


def test_a_pronoun_that_may_stand_for_either_is_left_in_place():
    text = "The widget weighs 3 kg. The pro plan costs $12. It was released in Berlin."
    last = GROUNDER.ground_text(text, references=[MOONS]).sentences[-1].grounding
    assert (last.claims[0].claim, last.checked_as) == ("It was released in Berlin.", ())


def test_a_chat_model_is_shown_the_text_before_a_sentence():
    def reply(messages):
        given = json.loads(messages[-1].content)
        claim = {"claim": f"Titan: {given['statement']}", "quote": given["statement"], "queries": []}
        return json.dumps({"claims": [] if given["statement"] == "Wow." else [claim], "reason": "A cry."})

    chat = FakeChat(reply)
    grounder = Grounder(entailment=FakeEntailmentScorer(), chat=chat)
    grounded = grounder.ground_text("Titan is a moon. Wow. It is large.", references=[MOONS])
    assert grounded.sentences[1].grounding is None
    assert grounded.sentences[2].grounding.claims[0].claim == "Titan: It is large."
    before = [json.loads(asked[-1].content)["text before"] for asked in chat.asked]
    assert sorted(before) == ["", "Titan is a moon. ", "Titan is a moon. Wow. "]
    assert grounded.usage.completion_tokens > 0


# --- in notebooks ------------------------------------------------------------------------------------------------

EVIL = "<script>alert('x')</script> \" & '"


class Tags(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


def grounding_of(verdict, factuality, *references):
    claims = (ClaimVerdict(EVIL, verdict, factuality, references),) * 2
    return Grounding(
        EVIL, factuality, verdict == "supported", verdict, f"Because {EVIL}", references, claims, warnings=(EVIL,)
    )


def test_a_text_is_highlighted_by_signs_and_lines_too_and_all_of_it_escaped():
    quote = Reference(f"http://x/{EVIL}", f"Quote {EVIL}", False, 0.91, 3, 40, EVIL)
    groundings = [
        grounding_of("supported", 0.9), grounding_of("refuted", 0.1, quote), grounding_of("not enough evidence", 0.5),
    ]  # fmt: skip
    sentences = [GroundedSentence(n * len(EVIL), (n + 1) * len(EVIL), each) for n, each in enumerate(groundings)]
    page = Tags(GroundedText(EVIL * 3 + "\nEnd.", tuple(sentences), 0.5, warnings=(EVIL,))._repr_html_())
    marks = [attributes for tag, attributes in page.tags if tag == "mark"]
    assert [line for mark in marks for line in ("solid", "double", "dotted") if line in mark["style"]] == [
        "solid", "double", "dotted",
    ]  # fmt: skip
    assert all("color:inherit" in mark["style"] for mark in marks)
    assert f"against: “Quote {EVIL}”" in marks[1]["title"]
    assert "script" not in {tag for tag, _ in page.tags}
    for words in ("✓1", "✗2", "?3", EVIL * 2, f"against (0.91): “Quote {EVIL}”", "characters 3–40", "\nEnd."):
        assert words.replace(EVIL * 2, EVIL) in page.text


def test_a_grounding_is_shown_with_its_quotes_and_escaped():
    quote = Reference("http://x", EVIL, True, 0.8, 0, 5, EVIL)
    page = Tags(grounding_of("supported", 0.9, quote)._repr_html_())
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(EVIL) == 7  # statement, reason, two claims, quote, title, warning
    assert "✓ supported (factuality 0.90)" in page.text


@pytest.mark.parametrize(
    ("url", "linked"),
    [("https://x/?a=1&b='c'", True), ("http://x/<b>", True), ("javascript:alert(1)", False), ("notes.md", False)],
)
def test_pages_of_the_web_are_linked_and_nothing_else(url, linked):
    page = Tags(grounding_of("supported", 0.9, Reference(url, "Quote", True, 0.8, 0, 5))._repr_html_())
    assert [attributes["href"] for tag, attributes in page.tags if tag == "a"] == [url] * linked
    assert url in page.text


def test_what_was_checked_in_other_words_is_shown():
    grounded = GROUNDER.ground_text("Titan is <i>big</i>. It is a moon.", references=[MOONS])
    first, second = (each.grounding for each in grounded.sentences)
    assert (first.checked_as, second.checked_as) == ((), ("Titan is a moon.",))
    assert "checked as" not in Tags(first._repr_html_()).text
    for page in (grounded, second):
        assert Tags(page._repr_html_()).text.count("(checked as: “Titan is a moon.”)") == 1
    several = GROUNDER.ground("Acme was founded in 1990 and was sold in 2001.", references=[MOONS])
    assert several.checked_as == ("Acme was sold in 2001.",)
    assert "checked as" not in several._repr_html_()  # they are listed anyway
    evil = dataclasses.replace(second, claims=(ClaimVerdict(f"Titan {EVIL}", "refuted", 0.1),))
    assert "script" not in {tag for tag, _ in Tags(evil._repr_html_()).tags}
