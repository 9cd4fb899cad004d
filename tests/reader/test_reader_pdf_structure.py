"""What the layout of a PDF means, on documents that reportlab makes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    ListFlowable,
    ListItem,
    PageTemplate,
    Paragraph,
    Preformatted,
    SimpleDocTemplate,
    Table,
    TableStyle,
)

from jina_components.read_options import PLAIN, MarkdownStyle, ReadOptions
from jina_components.reader.pdf import read_pdf
from jina_components.reader.pdf.blocks import Block, blocks_of
from jina_components.reader.pdf.document import _Sheet, _structured
from jina_components.reader.pdf.lines import Table as FoundTable
from jina_components.reader.pdf.lines import lines_of
from jina_components.reader.pdf.order import in_reading_order
from jina_components.reader.pdf.rules import Rule, Rules
from jina_components.reader.pdf.words import Font, Word
from jina_components.reader.sources import Source
from jina_components.types import Page

STYLES = getSampleStyleSheet()
BODY = STYLES["BodyText"]
SENTENCES = (
    "The keeper of the lighthouse wrote down the weather every evening for forty years without a break. "
    "When the station was closed at last, a historian found the ledgers and understood what they were worth. "
    "Rain fell on most of the days, and fog on the rest of them, as everybody on the coast had always said. "
)
Draw = Callable[[Canvas], None]


def drawn(*pages: Draw) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    for draw in pages:
        canvas.setFont("Helvetica", 10)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def flowing(*story: Flowable) -> bytes:
    out = io.BytesIO()
    SimpleDocTemplate(out, invariant=1).build(list(story))
    return out.getvalue()


def read(data: bytes, **options: object) -> Page:
    return read_pdf(Source("made.pdf", data), ReadOptions(**options))  # type: ignore[arg-type]


def content(data: bytes, **options: object) -> str:
    return read(data, **options).content


def paragraph(text: str = SENTENCES, style: str = "BodyText") -> Paragraph:
    return Paragraph(text, STYLES[style])


def lines(canvas: Canvas, texts: Sequence[str], *, left: float = 72, top: float = 760, leading: float = 13) -> None:
    for number, text in enumerate(texts):
        canvas.drawString(left, top - leading * number, text)


def test_paragraphs_are_whole() -> None:
    assert content(flowing(paragraph(), paragraph("A second one. " + SENTENCES))) == (
        f"{SENTENCES.strip()}\n\nA second one. {SENTENCES.strip()}"
    )


def test_columns_are_read_one_after_the_other() -> None:
    out = io.BytesIO()
    frames = [Frame(left, 72, 220, 400, id=str(left)) for left in (60, 310)]
    document = BaseDocTemplate(out, invariant=1, pageTemplates=[PageTemplate(frames=frames)])
    document.build([Paragraph(f"Part {number}. {SENTENCES}", BODY) for number in range(8)])
    parts = content(out.getvalue()).split("\n\n")
    assert parts == [f"Part {number}. {SENTENCES}".strip() for number in range(8)]


def test_what_is_drawn_late_is_read_where_it_stands() -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, ["The first line of the text, which goes on below,", "ends here."], top=600)
        lines(canvas, ["And this is drawn next, at the end of the page."], top=300)
        canvas.setFont("Helvetica-Bold", 20)
        canvas.drawString(72, 700, "The Title Comes Last")

    assert content(drawn(draw)).startswith("# The Title Comes Last\n\nThe first line of the text, which goes")


def test_headings_by_size_and_weight() -> None:
    text = content(
        flowing(
            paragraph("The Whole", "Title"), paragraph(), paragraph("A Part", "Heading1"), paragraph(),
            paragraph("A Part of a Part", "Heading2"), paragraph(), Paragraph("<b>Bold alone</b>", BODY), paragraph(),
        )
    )  # fmt: skip
    headings = [line for line in text.split("\n") if line.startswith("#")]
    assert [heading.lstrip("# ") for heading in headings] == ["The Whole", "A Part", "A Part of a Part", "Bold alone"]
    levels = [heading.count("#") for heading in headings]
    assert levels == sorted(levels)
    assert levels[0] == 1


def test_a_bold_beginning_stays_in_its_paragraph() -> None:
    text = content(flowing(Paragraph(f"<b>Weather.</b> {SENTENCES}", BODY), paragraph()))
    assert text.startswith("**Weather.** The keeper of the lighthouse")
    assert content(flowing(Paragraph(f"<b>Weather.</b> {SENTENCES}", BODY)), style=PLAIN).startswith("Weather. The")


def test_bookmarks_say_what_is_a_heading() -> None:
    def draw(canvas: Canvas) -> None:
        for number, (title, level) in enumerate((("Rain", 0), ("Drizzle", 1))):
            canvas.bookmarkPage(title)
            canvas.addOutlineEntry(title, title, level)
            lines(canvas, [title], top=760 - 120 * number)
            lines(canvas, ["A text of some words that", "goes on in a second line."], top=720 - 120 * number)

    text = content(drawn(draw))
    assert text.startswith("# Rain\n\nA text of some words that goes on in a second line.\n\n## Drizzle\n\n")


CELLS = [
    ["Year", "Storms", "Remark"],
    ["1901", "7", "the pier broke"],
    ["1902", "11 | 12", "rain"],
    ["1903", "3", "fog"],
]
PIPES = (
    "| Year | Storms | Remark |\n| --- | --- | --- |\n| 1901 | 7 | the pier broke |\n"
    "| 1902 | 11 \\| 12 | rain |\n| 1903 | 3 | fog |"
)


@pytest.mark.parametrize(
    "style",
    [
        pytest.param([("GRID", (0, 0), (-1, -1), 0.5, colors.black)], id="grid"),
        pytest.param([("INNERGRID", (0, 0), (-1, -1), 0.5, colors.black)], id="open at the sides"),
        pytest.param([("BACKGROUND", (0, row), (-1, row), colors.lightgrey) for row in (0, 2)]
                     + [("LINEBEFORE", (1, 0), (-1, -1), 0.5, colors.black)], id="shaded rows"),
        pytest.param([("LINEABOVE", (0, 0), (-1, 1), 1, colors.black),
                      ("LINEBELOW", (0, -1), (-1, -1), 1, colors.black)], id="lines above and below"),
        pytest.param([], id="aligned"),
    ],
)  # fmt: skip
def test_tables(style: list[object]) -> None:
    table = Table(CELLS, colWidths=[90, 90, 160], style=TableStyle(style))
    assert content(flowing(paragraph(), table, paragraph())) == f"{SENTENCES.strip()}\n\n{PIPES}\n\n{SENTENCES.strip()}"


@pytest.mark.parametrize(
    "style",
    [
        pytest.param([("LINEBELOW", (0, 0), (-1, -1), 0.5, colors.black)], id="a line under each row"),
        pytest.param(
            [("BACKGROUND", (0, row), (-1, row), colors.lightgrey) for row in (2, 4)], id="every second shaded"
        ),
        pytest.param([("VALIGN", (0, 0), (-1, -1), "TOP")], id="cells at the top"),
        pytest.param([], id="cells in the middle"),
    ],
)
def test_cells_of_several_lines(style: list[object]) -> None:
    long = "a remark that is too long for one line, and for two"
    cells = [
        ["Method", "Accuracy", "Remark"],
        *([name, ".7", Paragraph(long, BODY)] for name in ("Old", "New", "Own", "Last")),
    ]
    text = content(flowing(paragraph(), Table(cells, colWidths=[90, 60, 110], style=TableStyle(style)), paragraph()))
    rows = "".join(f"\n| {name} | .7 | {long} |" for name in ("Old", "New", "Own", "Last"))
    assert text.split("\n\n")[1] == f"| Method | Accuracy | Remark |\n| --- | --- | --- |{rows}"


def test_lines_of_several_widths_do_not_repeat_the_text_between_them() -> None:
    def draw(canvas: Canvas) -> None:
        for row, cells in enumerate(
            (["Name", "Wind", "Rain"], ["May", "7", "12"], ["June", "8", "13"], ["July", "9", "14"])
        ):
            for left, text in zip((72, 172, 272), cells, strict=True):
                canvas.drawString(left, 700 - 14 * row, text)
        for height in (712, 696, 654):
            canvas.line(70, height, 320, height)
            canvas.line(70, height - 1, 330, height - 1)
        canvas.line(170, 711, 320, 711)
        canvas.line(170, 655, 320, 655)

    assert content(drawn(draw)) == (
        "| Name | Wind | Rain |\n| --- | --- | --- |\n| May | 7 | 12 |\n| June | 8 | 13 |\n| July | 9 | 14 |"
    )


def test_cells_that_span_make_a_table_of_html() -> None:
    style = [("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("SPAN", (0, 0), (1, 0)), ("SPAN", (2, 0), (2, 1))]
    cells = [["Both", "", "Tall"], ["a", "b", ""], ["c", "d & e", "f"]]
    assert content(flowing(Table(cells, colWidths=90, style=TableStyle(style)))) == (
        '<table>\n<tr><td colspan="2">Both</td><td rowspan="2">Tall</td></tr>\n'
        "<tr><td>a</td><td>b</td></tr>\n<tr><td>c</td><td>d &amp; e</td><td>f</td></tr>\n</table>"
    )


def test_tables_may_all_be_html() -> None:
    table = Table(CELLS, style=TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]))
    for style in (MarkdownStyle(tables="html"), MarkdownStyle(gfm=False)):
        assert content(flowing(table), style=style).startswith("<table>\n<tr><td>Year</td><td>Storms</td>")


def test_columns_of_prose_drawn_side_by_side_are_no_table() -> None:
    left = [
        "the rain went on for days",
        "and nobody left the house",
        "until the wind had turned",
        "to the north again.",
    ]
    right = ["The fog was worse, for it", "hid the rocks from ships", "that came in late and in", "a hurry to be home."]

    def draw(canvas: Canvas) -> None:
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            lines(canvas, [one], top=700 - 13 * number)
            lines(canvas, [other], left=300, top=700 - 13 * number)

    assert content(drawn(draw)) == f"{' '.join(left)}\n\n{' '.join(right)}"


def test_a_box_around_text_is_no_table() -> None:
    box = Table([[paragraph()]], style=TableStyle([("BOX", (0, 0), (-1, -1), 1, colors.black)]))
    assert content(flowing(box)) == SENTENCES.strip()


def test_lists_are_nested_and_keep_their_numbers() -> None:
    inner = ListFlowable(
        [ListItem(Paragraph(text, BODY)) for text in ("drizzle", "downpour")], bulletType="bullet", start="•"
    )
    outer = [ListItem([Paragraph("Rain", BODY), inner]), ListItem(Paragraph("Fog", BODY))]
    text = content(
        flowing(paragraph("There are these:"), ListFlowable(outer, bulletType="1", start=3, bulletFormat="%s."))
    )
    assert text == "There are these:\n\n3. Rain\n    - drizzle\n    - downpour\n4. Fog"


@pytest.mark.parametrize("bullet", ["-", "*", "+"])
def test_bullets_are_those_asked_for(bullet: str) -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, ["• the first of the points", "• the second"])

    text = content(drawn(draw), style=MarkdownStyle(bullet=bullet))  # type: ignore[arg-type]
    assert text == f"{bullet} the first of the points\n{bullet} the second"


LINKED = (
    'Read <a href="https://example.com/a_(b)">the archive</a> and <a href="mailto:a@example.com">write</a>. '
    + SENTENCES
)


def test_links_are_inline_and_listed() -> None:
    page = read(flowing(Paragraph(LINKED, BODY)))
    assert page.content.startswith(
        "Read [the archive](https://example.com/a_%28b%29) and [write](mailto:a@example.com). The keeper"
    )
    assert page.links == (("the archive", "https://example.com/a_(b)"), ("write", "mailto:a@example.com"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"links": "text"}, "Read the archive and write. The"),
        ({"links": "none"}, "Read and . The"),
        ({"links": "referenced"}, "Read [the archive][1] and [write][2]. The"),
        ({"style": MarkdownStyle(links="cited")}, "Read 【1†the archive】 and 【2†write】. The"),
        ({"style": MarkdownStyle(links="discarded")}, "Read the archive and write. The"),
        (
            {"style": MarkdownStyle(links="referenced", references="collapsed")},
            "Read [the archive][] and [write][]. The",
        ),
    ],
)
def test_links_as_asked_for(options: dict[str, object], expected: str) -> None:
    page = read(flowing(Paragraph(LINKED, BODY)), **options)
    assert " ".join(page.content.split()).startswith(expected)
    assert len(page.links) == 2
    if "referenced" in str(options):
        assert page.content.endswith("]: mailto:a@example.com")


def test_links_to_scripts_and_files_are_none() -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, ["Click here now"])
        canvas.linkURL("javascript:alert(1)", (72, 755, 200, 775))
        canvas.linkURL("file:///etc/passwd", (72, 755, 200, 775))

    page = read(drawn(draw))
    assert (page.content, page.links) == ("Click here now", ())


def test_headers_footers_and_page_numbers_go() -> None:
    def page(number: int) -> Draw:
        def draw(canvas: Canvas) -> None:
            lines(canvas, ["Annals of the Coast", f"Volume 7, page {number}"], top=810, leading=12)
            lines(canvas, [f"Page {number} says something of its own, and", "it goes on to the second line."], top=700)
            lines(canvas, [str(number)], left=290, top=30)

        return draw

    text = content(drawn(*map(page, range(1, 6))))
    assert text == "\n\n".join(
        f"Page {number} says something of its own, and it goes on to the second line." for number in range(1, 6)
    )


def test_a_page_of_nothing_but_what_repeats_keeps_it() -> None:
    def page(number: int) -> Draw:
        return lambda canvas: lines(canvas, [f"Slide {number}"], top=800)

    assert content(drawn(*map(page, range(4)))) == "Slide 0\n\nSlide 1\n\nSlide 2\n\nSlide 3"


def test_what_repeats_within_the_text_stays() -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, ["The same words on every page."], top=500)

    assert content(drawn(*[draw] * 5)).count("The same words") == 5


def test_hyphenated_words_are_whole_unless_the_text_has_the_hyphen_elsewhere() -> None:
    def draw(canvas: Canvas) -> None:
        lines(
            canvas,
            ["It was an auto-", "matic gauge of the well-", "known kind, well-known to all, of COVID-", "19 times."],
        )

    assert (
        content(drawn(draw))
        == "It was an automatic gauge of the well-known kind, well-known to all, of COVID-19 times."
    )


def test_code_keeps_its_lines_and_indents() -> None:
    code = "def storm(year):\n    if year:\n        return ledger[year]\n    return None"
    text = content(flowing(paragraph(), Preformatted(code, STYLES["Code"]), paragraph()))
    assert f"\n\n```\n{code}\n```\n\n" in text


def test_what_reads_as_markdown_is_escaped_unless_it_must_not_be() -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, ["# 5 of *these* cost <b>2</b> and `one` snake_case_word"])

    assert content(drawn(draw)) == r"\# 5 of \*these\* cost \<b>2\</b> and \`one\` snake_case_word"
    assert content(drawn(draw), style=PLAIN) == "# 5 of *these* cost <b>2</b> and `one` snake_case_word"


def test_setext_headings() -> None:
    text = content(flowing(paragraph("Rain", "Title"), paragraph()), style=MarkdownStyle(heading="setext"))
    assert text.startswith("Rain\n====\n\nThe keeper")


def test_plain_text_has_no_marks() -> None:
    grid = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("SPAN", (0, 0), (1, 0))])
    code = "def storm(year):\n    return ledger[year]"
    items = ListFlowable(
        [ListItem(Paragraph(text, BODY)) for text in ("*rain*", "fog")], bulletType="bullet", start="•"
    )
    data = flowing(
        paragraph("The Whole", "Title"), Paragraph(f"<b>Weather.</b> {LINKED}", BODY), items,
        Table([["Both", "", "Third"], ["a | b", "c", "d"]], colWidths=90, style=grid),
        Preformatted(code, STYLES["Code"]),
    )  # fmt: skip
    page = read(data, format="text")
    assert page.content == (
        f"The Whole\n\nWeather. Read the archive and write. {SENTENCES.strip()}\n\n• *rain*\n• fog\n\n"
        f"Both Third\na | b c d\n\n{code}"
    )
    assert page.title == "The Whole"
    assert len(page.links) == 2
    assert "Read and . The keeper" in " ".join(content(data, format="text", links="none").split())


def test_what_a_pdf_does_not_have_is_told() -> None:
    data = flowing(paragraph("The Whole", "Title"), paragraph())
    page = read(data, format="html", target_selector="main", remove_selector=".ad")
    assert page.content == content(data)
    assert page.warnings == (
        "A PDF has no HTML: the content is Markdown.",
        "A PDF has no elements to select: target_selector and remove_selector did nothing.",
    )


def test_the_title_is_text() -> None:
    code = "# Rain is measured here\nand = 'there'"
    page = read(
        flowing(
            Preformatted(code, STYLES["Code"]),
            Paragraph('On <a href="https://e.org">rain</a>*', STYLES["Title"]),
            paragraph(),
        )
    )
    assert page.title == "On rain*"


def test_a_fence_is_longer_than_those_in_the_code() -> None:
    code = "````\nrain = 7\n````"
    assert content(flowing(Preformatted(code, STYLES["Code"]), paragraph())).startswith(f"`````\n{code}\n`````\n\n")


def test_an_item_does_not_begin_what_it_is_not() -> None:
    def draw(canvas: Canvas) -> None:
        lines(canvas, ["• # of storms", "• 7. of May"])

    assert content(drawn(draw)) == "- \\# of storms\n- 7\\. of May"


def test_labels_of_links_keep_their_brackets() -> None:
    link = '<a href="https://example.com/">{}</a>'
    text = " and ".join(map(link.format, ("one ]", "[2]")))
    assert content(flowing(Paragraph(text, BODY))) == (
        r"[one \]](https://example.com/) and [[2]](https://example.com/)"
    )


def test_a_label_stands_for_one_url() -> None:
    texts = (("2", "a"), ("Rain", "b"), ("rain", "c"), ("2", "a"), ("2", "d"))
    data = flowing(Paragraph(", ".join(f'<a href="https://e.org/{url}">{text}</a>' for text, url in texts), BODY))
    style = MarkdownStyle(links="referenced", references="shortcut")
    body, definitions = content(data, style=style).split("\n\n")
    assert body == "[2], [Rain], [rain][1], [2], [2][3]"
    assert definitions.split("\n") == [
        "[2]: https://e.org/a", "[Rain]: https://e.org/b", "[1]: https://e.org/c", "[3]: https://e.org/d",
    ]  # fmt: skip


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_rotated_pages_are_read_as_they_are_shown(angle: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(angle)
        canvas.saveState()
        width, height = A4
        canvas.translate(*{90: (width, 0), 180: (width, height), 270: (0, height)}[angle])
        canvas.rotate(angle)
        canvas.setFont("Helvetica-Bold", 18)
        canvas.drawString(72, 500, "Turned")
        canvas.setFont("Helvetica", 10)
        lines(canvas, ["A line of text that goes on to the next", "line of it, where it ends."], top=470)
        canvas.restoreState()

    assert content(drawn(draw)) == "# Turned\n\nA line of text that goes on to the next line of it, where it ends."


numbers = st.floats(-2000, 2000)
words = st.builds(
    Word,
    st.text("abc12-.•\u00ad字א", min_size=1, max_size=6),
    numbers, numbers, numbers, numbers, st.floats(0, 50),
    st.sampled_from([Font(), Font("B", is_bold=True), Font("M", is_mono=True)]),
    st.integers(0, 8),
)  # fmt: skip


@given(st.lists(words, max_size=30))
def test_no_letter_is_lost_or_added(made: list[Word]) -> None:
    def letters(text: str) -> list[str]:
        return sorted(filter(str.isalpha, text))

    blocks = blocks_of(in_reading_order(lines_of(made)), set())
    found = "".join(block.text for block in blocks if isinstance(block, Block))
    assert letters(found) == letters("".join(word.text for word in made))


places = st.integers(0, 12).map(lambda number: 30.0 * number)


def cell(text: str, left: float, bottom: float) -> Word:
    return Word(text, left, left + 20, bottom, bottom + 10, 10.0, Font(), int(bottom))


cells = st.builds(
    cell,
    st.sampled_from(["a", "bc", "12", "•"]), places, st.integers(0, 12).map(lambda number: 13.0 * number),
)  # fmt: skip
rules = st.lists(st.builds(lambda at, ends: Rule(at, min(ends), max(ends) + 60), places, st.tuples(places, places)))


@settings(max_examples=40)
@given(st.lists(cells, min_size=1, max_size=30), rules, rules)
@example([cell("a", 0, 26), cell("b", 30, 26)], [Rule(0, 0, 120), Rule(30, 0, 120)], [])  # a row on a line
@example(  # cells of several fields that would lie over one another
    [cell("a", 0, 0), cell("b", 180, 0)], [Rule(0, 0, 210), Rule(30, 0, 180)], [Rule(30, 0, 60), Rule(180, 30, 90)]
)
def test_no_letter_is_lost_or_added_by_tables(made: list[Word], across: list[Rule], down: list[Rule]) -> None:
    sheet = _Sheet(lines_of(made), Rules(tuple(across), tuple(down)))
    (page,) = _structured([sheet], {})
    found = [block.text if isinstance(block, Block) else cell_texts(block) for block in page]
    assert sorted(filter(str.isalpha, "".join(found))) == sorted(
        filter(str.isalpha, "".join(word.text for word in made))
    )


def cell_texts(table: FoundTable) -> str:
    return "".join(cell.text for row in table.rows for cell in row)
