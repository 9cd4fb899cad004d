import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.core.quotable import quotable_spans

MARKDOWN = """\
# Install guide

Needs Python 3.11, e.g. from python.org. It takes a minute.

- First, get it.
- Then run it
  with care.

1. One. 2. Two.

| Name | Size |
|------|------|
| A    | 1 kB |

> Quoted words.

Install it with:

```sh
pip install x
```

Setext
======

---
Last line"""


def quotes(text):
    return [text[start:end] for start, end in quotable_spans(text)]


def test_sentences_rows_items_and_code_without_marks_and_headings():
    assert quotes(MARKDOWN) == [
        "Needs Python 3.11, e.g. from python.org.",
        "It takes a minute.",
        "First, get it.",
        "Then run it\n  with care.",
        "One.",
        "Two.",
        "| Name | Size |",
        "| A    | 1 kB |",
        "Quoted words.",
        "Install it with:\n\n```sh\npip install x\n```",
        "Setext",
        "Last line",
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# Only a heading", "---", "|--|--|", "-  ", "```\n"])
def test_nothing_to_quote(text):
    assert [quote for quote in quotes(text) if quote != "```"] == []


@given(st.text(st.sampled_from("ab .:!?\n#-|>`*1。\t"), max_size=200))
def test_spans_are_ordered_disjoint_and_trimmed(text):
    last = 0
    for start, end in quotable_spans(text):
        assert last <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        last = end


def test_an_entry_of_a_table_of_contents_is_no_quote():
    assert quotes("- [Install](#install)\n- [Use it](#use) with care.") == ["[Use it](#use) with care."]


def test_code_at_the_very_beginning():
    assert quotes("```\nmake demo\n```\n\nAfter.") == ["```\nmake demo\n```", "After."]


def test_a_long_code_block_is_no_quote():
    assert quotes("Before.\n\n```py\n" + "x = 1\n" * 100 + "```\n\nAfter.") == ["Before.", "After."]


def test_a_long_introduced_block_stays_apart():
    text = "Run:\n\n" + "word " * 200
    assert quotes(text)[0] == "Run:"
