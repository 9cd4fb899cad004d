from __future__ import annotations

import io

import pptx
import pytest
from office_samples import PNG, read, saved
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from jina_components.errors import ExtractionError

BOX = (Inches(1), Inches(1), Inches(3), Inches(2))


def slide_of(deck: pptx.presentation.Presentation, title: str, layout: int = 5) -> pptx.slide.Slide:
    slide = deck.slides.add_slide(deck.slide_layouts[layout])
    slide.shapes.title.text = title
    return slide


def test_titles_lists_notes_and_where_slides_begin() -> None:
    deck = pptx.Presentation()
    slide_of(deck, "Tides", 0).placeholders[1].text = "a talk"
    second = slide_of(deck, "What comes", 1)
    frame = second.placeholders[1].text_frame
    frame.text = "sand"
    inner = frame.add_paragraph()
    inner.text, inner.level = "shells ", 1
    link = inner.add_run()
    link.text = "here"
    link.hyperlink.address = "http://h/x"
    frame.add_paragraph().text = "crabs"
    second.notes_slide.notes_text_frame.text = "Say it slowly"
    page = read(saved(deck), "tides.pptx")
    assert page.content == (
        "## Tides\n\na talk\n\n## What comes\n\n- sand\n  - shells [here](http://h/x)\n- crabs\n\n"
        "### Notes\n\nSay it slowly"
    )
    assert page.page_offsets == (0, page.content.index("## What"))
    assert page.page_at(page.content.index("crabs")) == 2
    assert page.links == (("here", "http://h/x"),)
    assert page.metadata["num_pages"] == 2


def test_tables_charts_and_pictures() -> None:
    deck = pptx.Presentation()
    slide = slide_of(deck, "Numbers")
    table = slide.shapes.add_table(2, 2, *BOX).table
    for row in range(2):
        for column in range(2):
            table.cell(row, column).text = f"{row}{column}"
    chart = CategoryChartData()
    chart.categories = ["spring", "neap"]
    chart.add_series("metres", (5.1, 2.2))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *BOX, chart)
    picture = slide.shapes.add_picture(io.BytesIO(PNG), *BOX)
    picture._element.nvPicPr.cNvPr.set("descr", "a wave")
    page = read(saved(deck))
    assert "| 00 | 01 |\n| --- | --- |\n| 10 | 11 |" in page.content
    assert "|  | metres |\n| --- | --- |\n| spring | 5.1 |\n| neap | 2.2 |" in page.content
    assert "![a wave](blob:" in page.content


def test_groups_are_read_hidden_slides_are_not() -> None:
    deck = pptx.Presentation()
    group = slide_of(deck, "Shown").shapes.add_group_shape()
    group.shapes.add_textbox(*BOX).text_frame.text = "in a group"
    slide_of(deck, "Not shown")._element.set("show", "0")
    page = read(saved(deck))
    assert page.content == "## Shown\n\nin a group"
    assert page.page_offsets == (0,)
    assert page.warnings == ("Not read, because they are hidden: 1 of 2 slides.",)


def test_a_deck_without_words() -> None:
    with pytest.raises(ExtractionError, match="holds no text"):
        read(saved(pptx.Presentation()))
