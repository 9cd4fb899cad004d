from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.errors import BudgetExceededError
from jina_components.read_options import ReadOptions
from jina_components.reader.finishing import finish
from jina_components.types import Page, Usage

TEXT = """Lead.

# One

a

## One A

b

```sh
# no heading
```

### Deep

c

## One B

d

# Two

e"""


def page(content: str = TEXT, **facts: object) -> Page:
    return Page("https://h.example/", "T", content, **facts)  # type: ignore[arg-type]


def test_nothing_asked_changes_nothing_but_usage() -> None:
    finished = finish(page(" It rains.\n"), ReadOptions())
    assert finished == page(" It rains.\n", usage=Usage(completion_tokens=3))


def test_usage_adds_to_what_a_model_took() -> None:
    finished = finish(page("It rains.", usage=Usage(10, 5)), ReadOptions())
    assert finished.usage == Usage(10, 8)


def test_content_is_cut_to_max_tokens_and_says_so() -> None:
    finished = finish(page("one two three four", page_offsets=(0, 8, 14)), ReadOptions(max_tokens=3))
    assert finished.content == "one two three"
    assert finished.page_offsets == (0, 8)
    assert finished.warnings == ("The content was cut after 3 of its 4 tokens.",)
    assert finished.usage.completion_tokens == 3
    assert finish(page("one two three four"), ReadOptions(max_tokens=4)).content == "one two three four"


def test_over_the_budget_is_an_error_unless_cut_below_it() -> None:
    with pytest.raises(BudgetExceededError, match=r"https://h.example/ has 4 tokens, over the budget of 3") as caught:
        finish(page("one two three four"), ReadOptions(token_budget=3))
    assert caught.value.tokens == 4
    assert finish(page("one two three four"), ReadOptions(token_budget=3, max_tokens=3)).content == "one two three"


LINKS = (("A", "https://h.example/a"), ("again\nA", "https://h.example/a"), ("", "https://h.example/b"),
         ("no", "javascript:x()"))  # fmt: skip


def test_a_summary_of_links() -> None:
    unique = finish(page("x", links=LINKS), ReadOptions(links_summary="unique")).content
    assert unique == "x\n\nLinks/Buttons:\n- [A](https://h.example/a)\n- [https://h.example/b](https://h.example/b)"
    every = finish(page("x", links=LINKS), ReadOptions(links_summary="all")).content
    assert "- [again A](https://h.example/a)" in every
    none = finish(page("x"), ReadOptions(links_summary="all")).content
    assert none.endswith("Links/Buttons:\nThis page does not seem to contain any buttons/links.")


def test_brackets_and_spaces_break_no_summary() -> None:
    links = (("a [b] c", "https://h.example/x)y"),)
    content = finish(page("x", links=links), ReadOptions(links_summary="all")).content
    assert content.endswith(r"- [a \[b\] c](<https://h.example/x)y>)")


def test_a_summary_of_images_before_that_of_links() -> None:
    images = (("cat", "https://h.example/c.png"), ("", "https://h.example/d.png"), ("cat", "https://h.example/c.png"))
    options = ReadOptions(images_summary=True, links_summary="all")
    content = finish(page("x", images=images, links=LINKS), options).content
    assert "Images:\n- ![cat](https://h.example/c.png)\n- ![Image 2](https://h.example/d.png)\n\nLinks/" in content
    assert "any images." in finish(page("x"), options).content


def test_no_summary_follows_html_or_text() -> None:
    assert finish(page("<p>x"), ReadOptions(format="html", links_summary="all")).content == "<p>x"


def test_chunks_begin_at_headings_of_a_level_and_above() -> None:
    assert [chunk.split("\n")[0] for chunk in finish(page(), ReadOptions(chunking="h1")).chunks] == [
        "Lead.", "# One", "# Two",
    ]  # fmt: skip
    assert [chunk.split("\n")[0] for chunk in finish(page(), ReadOptions(chunking="h2")).chunks] == [
        "Lead.", "# One", "## One A", "## One B", "# Two",
    ]  # fmt: skip
    assert "# no heading" in finish(page(), ReadOptions(chunking="h2")).chunks[2]
    assert finish(page(), ReadOptions()).chunks == ()


def test_structured_chunks_repeat_the_headings_they_stand_under() -> None:
    chunks = finish(page(), ReadOptions(chunking="s3")).chunks
    assert chunks[3] == "# One\n\n## One A\n\n### Deep\n\nc"
    assert chunks[4] == "# One\n\n## One B\n\nd"
    assert chunks[5] == "# Two\n\ne"


def test_setext_headings_part_too_and_rules_do_not() -> None:
    content = "One\n===\n\na\n\n---\n\nb\n\nTwo\n---\n\n- item\n---\n\n| a |\n| --- |\n"
    assert [chunk.split("\n")[0] for chunk in finish(page(content), ReadOptions(chunking="h2")).chunks] == [
        "One",
        "Two",
    ]


@given(st.text(alphabet="#=-`~ >ab1.\n\u2028\x0c", max_size=80), st.sampled_from(["h1", "h3", "s2"]))
def test_chunks_lose_no_word(content: str, chunking: str) -> None:
    chunks = finish(page(content), ReadOptions(chunking=chunking)).chunks
    joined = "".join("".join(chunk.split()) for chunk in chunks)
    if chunking[0] == "h":
        assert joined == "".join(content.split())
    else:
        assert len(joined) >= len("".join(content.split()))
