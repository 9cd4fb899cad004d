from __future__ import annotations

import io

import docx
import pytest
from docx.oxml.ns import nsdecls
from office_samples import PNG, changed, read, saved, word

from jina_components.errors import ExtractionError
from jina_components.read_options import MarkdownStyle, ReadOptions


def p(text: str, properties: str = "", *, run: str = "") -> str:
    return (
        f'<w:p><w:pPr>{properties}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'
    )


def test_headings_emphasis_links_lists_and_facts() -> None:
    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "The tide", "Ada Marsh"
    document.core_properties.language = "en-GB"
    document.add_heading("Tides", 1)
    paragraph = document.add_paragraph("It is ")
    paragraph.add_run("very ").bold = True
    paragraph.add_run("wet").bold = True
    paragraph.add_run(" by ")
    paragraph.add_run("noon").italic = True
    document.add_heading("Low tide", 2)
    for text in ("sand", "shells"):
        document.add_paragraph(text, "List Bullet")
    document.add_paragraph("a crab", "List Bullet 2")
    for text in ("wait", "walk"):
        document.add_paragraph(text, "List Number")
    page = read(saved(document), "tide.docx")
    assert page.content == (
        "# Tides\n\nIt is **very wet** by *noon*\n\n## Low tide\n\n- sand\n- shells\n  - a crab\n\n1. wait\n2. walk"
    )
    assert (page.title, page.metadata["author"], page.language) == ("The tide", "Ada Marsh", "en-GB")


def numbered(levels: str, *more: str) -> bytes:
    numbering = (
        f'<w:numbering {nsdecls("w")}><w:abstractNum w:abstractNumId="1">{levels}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/>'
        "</w:lvlOverride></w:num></w:numbering>"
    )
    relation = (
        '<Relationship Id="n" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/numbering" '
        'Target="numbering.xml"/>'
    )
    return word("".join(more), extra={"word/numbering.xml": numbering}, relations=relation)


def level(number: int, form: str, label: str) -> str:
    return (
        f'<w:lvl w:ilvl="{number}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{label}"/></w:lvl>'
    )


def item(text: str, at: int = 0, number: int = 1) -> str:
    return p(text, f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{number}"/></w:numPr>')


def test_lists_go_on_after_what_interrupts_them_and_start_where_they_say() -> None:
    data = numbered(
        level(0, "decimal", "%1.") + level(1, "bullet", "o"),
        item("one"), item("inner", 1), p(""), item("two"), p("between"), item("three"), item("seven", number=2),
    )  # fmt: skip
    assert read(data).content == "1. one\n   - inner\n2. two\n\nbetween\n\n3. three\n\n7) seven"


def test_labels_that_markdown_lacks_are_words() -> None:
    data = numbered(
        level(0, "upperRoman", "%1)") + level(1, "lowerLetter", "%1.%2"),
        item("first"), item("inner", 1), item("again", 1), item("second"),
    )  # fmt: skip
    assert read(data).content == "- I) first\n  - I.a inner\n  - I.b again\n- II) second"


def test_numbers_of_headings() -> None:
    style = '<w:outlineLvl w:val="{}"/><w:numPr><w:ilvl w:val="{}"/><w:numId w:val="1"/></w:numPr>'
    data = numbered(
        level(0, "decimal", "%1") + level(1, "decimal", "%1.%2"),
        *(p(text, style.format(at, at)) for text, at in (("A", 0), ("B", 1), ("C", 1), ("D", 0))),
    )
    assert read(data).content == "# 1 A\n\n## 1.1 B\n\n## 1.2 C\n\n# 2 D"


def test_tables_keep_spans_lines_and_nested_blocks() -> None:
    document = docx.Document()
    table = document.add_table(2, 2)
    for row in range(2):
        for column in range(2):
            table.cell(row, column).text = f"{row}{column}|"
    table.cell(1, 1).add_paragraph("more")
    merged = document.add_table(2, 3)
    merged.cell(0, 0).merge(merged.cell(0, 1)).text = "wide"
    merged.cell(0, 2).merge(merged.cell(1, 2)).text = "tall"
    frame = document.add_table(1, 1)
    frame.cell(0, 0).text = "framed"
    content = read(saved(document)).content
    assert "| 00\\| | 01\\| |\n| --- | --- |\n| 10\\| | 11\\|<br>more |" in content
    assert '<th colspan="2">wide</th><th rowspan="2">tall</th>' in content
    assert content.endswith("framed")
    assert "| framed" not in content


def test_notes_stand_at_the_end() -> None:
    notes = f'<w:footnotes {nsdecls("w")}><w:footnote w:id="2">{p("the note")}</w:footnote></w:footnotes>'
    relation = (
        '<Relationship Id="n" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes" '
        'Target="footnotes.xml"/>'
    )
    body = '<w:p><w:r><w:t>Word</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    content = read(word(body, extra={"word/footnotes.xml": notes}, relations=relation)).content
    assert content == "Word[^1]\n\n[^1]: the note"


def test_deleted_hidden_and_commented_text_is_not_read() -> None:
    body = (
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:commentReference w:id='0'/></w:r></w:p>"
    )
    assert read(word(body)).content == "new"


def test_fields_show_their_result_and_link() -> None:
    body = (
        '<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> HYPERLINK "http://h/x" </w:instrText>'
        '</w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>there</w:t></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r><w:r><w:t> and </w:t></w:r>'
        '<w:fldSimple w:instr="PAGE"><w:r><w:t>7</w:t></w:r></w:fldSimple></w:p>'
    )
    page = read(word(body))
    assert page.content == "[there](http://h/x) and 7"
    assert page.links == (("there", "http://h/x"),)


def test_code_by_style_and_by_font() -> None:
    mono = '<w:rFonts w:ascii="Consolas"/>'
    styles = (
        f'<w:styles {nsdecls("w")}><w:style w:type="paragraph" w:styleId="c"><w:name w:val="Source Code"/></w:style>'
        "</w:styles>"
    )
    relation = (
        '<Relationship Id="s" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" '
        'Target="styles.xml"/>'
    )
    body = (
        p("if x:", '<w:pStyle w:val="c"/>')
        + p("    *y*", '<w:pStyle w:val="c"/>')
        + p("A letter, typed by hand", run=mono)
        + p("f(x);", run=mono)
    )
    content = read(word(body, extra={"word/styles.xml": styles}, relations=relation)).content
    assert "```\nif x:\n    *y*\n```" in content
    assert "```\nf(x);\n```" in content
    assert "```\nA letter" not in content


def test_check_boxes() -> None:
    box = '<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val="{}"/></w14:checkbox></w:sdtPr></w:sdt>'
    body = "".join(
        f"<w:p>{box.format(on)}<w:r><w:t> {text}</w:t></w:r></w:p>" for on, text in ((1, "done"), (0, "open"))
    )
    assert read(word(body)).content == "- [x] done\n- [ ] open"


def equation(inner: str) -> str:
    return f"<w:p><w:r><w:t>So </w:t></w:r><m:oMath>{inner}</m:oMath></w:p>"


def m(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("omml", "parts"),
    [
        (f"<m:f><m:num>{m('a')}</m:num><m:den>{m('b')}</m:den></m:f>", [r"\frac{a}{b}"]),
        (f"<m:sSup><m:e>{m('x')}</m:e><m:sup>{m('2')}</m:sup></m:sSup>", ["x^", "2"]),
        (f"<m:rad><m:radPr><m:degHide m:val='1'/></m:radPr><m:deg/><m:e>{m('x')}</m:e></m:rad>", [r"\sqrt{x}"]),
        (
            f"<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{m('i')}</m:sub><m:e>{m('i')}</m:e></m:nary>",
            [r"\sum", "_"],
        ),
        (f"<m:d><m:e>{m('x')}</m:e></m:d>", ["(", "x", ")"]),
        (f"<m:m><m:mr><m:e>{m('a')}</m:e><m:e>{m('b')}</m:e></m:mr></m:m>", ["a", "&", "b"]),
    ],
)
def test_equations_become_latex(omml: str, parts: list[str]) -> None:
    content = read(word(equation(omml))).content
    assert content.startswith("So $")
    assert all(part in content for part in parts)


def test_images_are_shown_by_a_digest_or_their_data_or_their_words() -> None:
    document = docx.Document()
    shape = document.add_paragraph("Before").add_run().add_picture(io.BytesIO(PNG))
    shape._inline.docPr.set("descr", "a grey dot")
    data = saved(document)
    page = read(data)
    ((alt, url),) = page.images
    assert (alt, url.startswith("blob:")) == ("a grey dot", True)
    assert f"![a grey dot]({url})" in page.content
    assert "data:image/png;base64," in read(data, options=ReadOptions(keep_data_urls=True)).content
    assert "a grey dot" in read(data, options=ReadOptions(images="alt")).content
    assert '<img alt="a grey dot">' in read(data, options=ReadOptions(format="html")).content
    assert read(data, options=ReadOptions(images="none")).content == "Before"


def test_text_boxes_follow_their_paragraph() -> None:
    box = (
        "<w:r><mc:AlternateContent><mc:Choice><w:pict><w:txbxContent>{}</w:txbxContent></w:pict></mc:Choice>"
        "<mc:Fallback><w:pict><w:txbxContent>{}</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    ).format(p("boxed"), p("boxed"))
    assert read(word(f"<w:p><w:r><w:t>Around</w:t></w:r>{box}</w:p>{p('after')}")).content == "Around\n\nboxed\n\nafter"


def test_options_rule_how_it_is_written() -> None:
    document = docx.Document()
    document.add_heading("Tides", 1)
    document.add_paragraph("sand", "List Bullet")
    data = saved(document)
    styled = ReadOptions(style=MarkdownStyle(heading="setext", bullet="*"))
    assert read(data, options=styled).content == "Tides\n=====\n\n* sand"
    assert read(data, options=ReadOptions(format="text")).content == "Tides\n\nsand"
    assert "<h1>Tides</h1>" in read(data, options=ReadOptions(format="html")).content


def test_strict_documents() -> None:
    document = docx.Document()
    document.add_heading("Tides", 1)
    data = saved(document)
    from zipfile import ZipFile

    with ZipFile(io.BytesIO(data)) as archive:
        xml = archive.read("word/document.xml")
    strict = xml.replace(
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        b"http://purl.oclc.org/ooxml/wordprocessingml/main",
    )
    assert read(changed(data, {"word/document.xml": strict})).content == "# Tides"


def test_a_document_without_words() -> None:
    with pytest.raises(ExtractionError, match=r"empty\.docx holds no text"):
        read(saved(docx.Document()), "empty.docx")


def test_missing_parts_are_told() -> None:
    data = word(p("x"))
    broken = changed(data, {"_rels/.rels": "<Relationships/>"})
    with pytest.raises(ExtractionError, match="names no main part"):
        read(broken)
