"""The DOM to Markdown, element by element and option by option."""

# ruff: noqa: ISC004 (pages of HTML)
from __future__ import annotations

from typing import Any

import pytest
from lxml.html import HtmlElement, document_fromstring

from jina_components.read_options import PLAIN, MarkdownStyle, ReadOptions
from jina_components.reader.markdown import Rendered, to_markdown

BASE = "http://h/d/page.html"
ORIGIN = "http://h"


def body(html: str) -> HtmlElement:
    return document_fromstring(f"<html><body>{html}</body></html>").find("body")


def written(html: str, *, base: str = BASE, **options: Any) -> Rendered:
    return to_markdown(body(html), ReadOptions(**options), base)


def markdown(html: str, **style: Any) -> str:
    return written(html, style=MarkdownStyle(**style)).text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one\n two</p><p>three</p>", "one two\n\nthree"),
        ("loose <p>block</p> tail", "loose\n\nblock\n\ntail"),
        ("<div>a<div>b</div>c</div>", "a\n\nb\n\nc"),
        ("<p>a&nbsp;b \u200bc\u00add \u200fe</p>", "a b cd \u200fe"),
        ("<p>a<br>b <br> c</p>", "a  \nb  \nc"),
        ("<p>a<br><br>b</p>", "a\n\nb"),
        ("<p>a<script>x</script><style>y</style>b</p>", "ab"),
        ("<h1>T</h1><h6>U</h6><h2> </h2>", "# T\n\n###### U"),
        ("<h2>A <strong>title</strong><br>here #</h2>", "## A title here \\#"),
        ("<h2><div>A</div><div>b</div></h2>", "## A b"),
        ("<h2>A<ul><li>b</li></ul></h2>", "## A\n\n- b"),
        ("a<hr>b", "a\n\n---\n\nb"),
        ("<hr>a<hr><hr>b<hr>", "a\n\n---\n\nb"),
        ("<h1>1. A</h1><h2>- b</h2><h3># c</h3><h4>[x] d</h4>", "# 1. A\n\n## - b\n\n### # c\n\n#### [x] d"),
        ("<h1>A<pre>b</pre>1. c</h1>", "# A\n\n```\nb\n```\n\n1\\. c"),
        ("<h2>A<h3>b</h3>c</h2>", "## A b c"),
        ("<dl><dt>T</dt><dd>a</dd><dd>b</dd></dl>", "T\n: a\n: b"),
        ("<blockquote><p>a</p><p>b</p><blockquote>c</blockquote></blockquote>", "> a\n>\n> b\n>\n> > c"),
        (
            "<blockquote>a<ul><li>b</li></ul><pre>c\n\nd</pre></blockquote>",
            "> a\n>\n> - b\n>\n> ```\n> c\n>\n> d\n> ```",
        ),
        ("<figure><img src=a.png alt=A><figcaption>Cap</figcaption></figure>", "![A](http://h/d/a.png)\n\nCap"),
        ("<details><summary>S</summary>d</details>", "**S**\n\nd"),
    ],
)
def test_blocks(html: str, expected: str) -> None:
    assert markdown(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("<ul><li>a<ul><li>b<ol><li>c</ol></ul><li>d</ul>", "- a\n  - b\n    1. c\n- d"),
        ("<ul><li>a<ol start=3><li>b</ol></ul>", "- a\n\n  3. b"),
        ("<ul><li><p>a</p><p>b</p><li>c</ul>", "- a\n\n  b\n\n- c"),
        ("<ul><li><p>a</p></li><li><p>b</p></li></ul>", "- a\n- b"),
        ("<ol start=9><li>a<li>b<ul><li>c</ul></ol>", "9. a\n10. b\n    - c"),
        ("<ol reversed><li>a<li>b</ol>", "2. a\n1. b"),
        ("<ol><li>a<li value=7>b<li>c</ol>", "1. a\n7. b\n8. c"),
        ("<ol start=-3><li>a</ol>", "1. a"),
        ("<ul><li></li><li>a</ul>", "- a"),
        ("<ol><li></li><li>a</ol>", "1.\n2. a"),
        ("<ul><li>a</ul><ul><li>b</ul><ol><li>c</ol><ol><li>d</ol>", "- a\n\n+ b\n\n1. c\n\n1) d"),
        ("<ul><li>a</li><ul><li>b</li></ul></ul>", "- a\n  - b"),
        ("<div><li>a</li><li>b</li></div>", "- a\n- b"),
        ("<ul><li>a<pre>x\n\ny</pre></ul>", "- a\n\n  ```\n  x\n\n  y\n  ```"),
        ("<ul><li><input type=checkbox checked> a<li><input type=checkbox>b</ul>", "- [x] a\n- [ ] b"),
        (
            "<dl><dt>T</dt><dt>U</dt><dd>a</dd><dd><p>b</p><p>c</p></dd><dt>V</dt><dd><ul><li>d</ul></dd></dl>",
            "T\nU\n: a\n: b\n\n  c\n\nV\n\n- d",
        ),
    ],
)
def test_lists(html: str, expected: str) -> None:
    assert markdown(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("a <b> bold </b>move, <i>it</i>", "a **bold** move, *it*"),
        ("<b>a</b> <b>b</b><b>c</b>", "**a bc**"),
        ("<b>a <strong>b</strong> <i>c</i></b>", "**a b *c***"),
        ("<b><div>a</div><div>b</div></b>", "**a**\n\n**b**"),
        ("中<b>“文”</b>字", "中“**文**”字"),
        ("x<b>(y)</b>z", "x(**y**)z"),
        ("<b>a</b><i>b</i>", "**a**b"),
        ("<del>a</del> <s>b</s>", "~~a b~~"),
        ("H<sub>2</sub>O x<sup>2</sup> 1<sup>st</sup>", "H<sub>2</sub>O x<sup>2</sup> 1st"),
        ("<mark>m</mark> <u>u</u> <small>s</small>", "<mark>m</mark> u s"),
        ("<q>a <q>b</q></q>", "“a “b””"),
        ("<abbr title='World Health'>WH</abbr> <abbr title='World Health'>WH</abbr>", "WH (World Health) WH"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "漢(kan)"),
        ("<code>a_b*c</code> <kbd>Ctrl</kbd> <tt>t</tt> <code>`</code>", "`a_b*c` `Ctrl` `t` `` ` ``"),
        ("<code>a</code><code>b</code>", "`ab`"),
        ("<code>f(<i>x</i>: <a href=t>T</a>)</code>", "`f(x:` [`T`](http://h/d/t)`)`"),
        ("<span class='jc-math' data-display='inline'>x_1</span>,", "$x_1$,"),
        ("a<span class='jc-math' data-display='block'>x\n\ny</span>b", "a\n\n$$\nx\ny\n$$\n\nb"),
    ],
)
def test_inline(html: str, expected: str) -> None:
    assert markdown(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<pre>\n  a\n\n\tb  c\n\n</pre>", "```\n  a\n\n\tb  c\n```"),
        ("<pre><code class='x language-py y'>a</code></pre>", "```py\na\n```"),
        ("<pre class='lang-c'>a<br>b</pre>", "```c\na\nb\n```"),
        ("<pre>```\n````</pre>", "`````\n```\n````\n`````"),
        ("<pre data-lang='x` y'>a</pre>", "```\na\n```"),
        ("<pre> </pre>", ""),
    ],
)
def test_code_blocks(html: str, expected: str) -> None:
    assert markdown(html) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<tr><th>A<th align=right>B<tr><td>x|y<td style='x:y'>z<br>w",
            "| A | B |\n| --- | ---: |\n| x\\|y | z<br>w |",
        ),
        ("<tr><td>a<td>b<tr><td>c", "| a | b |\n| --- | --- |\n| c |  |"),
        ("<caption>C</caption><tr><td>a<td><p>b</p><p>c</p>", "C\n\n| a | b<br>c |\n| --- | --- |"),
        ("<tr><td><code>a|b</code><td>*", "| `a\\|b` | * |\n| --- | --- |"),
        (
            "<tr><td colspan=2 style='x'>a<tr><td>b &amp; c<td><b>d</b> <a href=e>f</a>",
            '<table>\n<tr><td colspan="2">a</td></tr>\n<tr><td>b &amp; c</td>'
            '<td><b>d</b> <a href="http://h/d/e">f</a></td></tr>\n</table>',
        ),
        (
            "<tr><th>a<th>b<tr><td><ul><li>c</ul><td><pre>d\n\ne</pre>",
            "<table>\n<tr><th>a</th><th>b</th></tr>\n<tr><td><ul><li>c</li></ul></td>"
            "<td><pre>d&#10;&#10;e</pre></td></tr>\n</table>",
        ),
        ("<tr><td><h2>Part</h2><p>a<td><p>b", "## Part\n\na\n\nb"),
        ("<tr><td>only", "only"),
        ("<tr><td><table><tr><td>a<td>b<tr><td>c<td>d</table><td>e", "| a | b |\n| --- | --- |\n| c | d |\n\ne"),
        ("<tr><td> <td></td>", ""),
        ("<tr><td>1. a<td>-<tr><td>#<td>---", "| 1. a | - |\n| --- | --- |\n| # | --- |"),
        ("<tr><td>a\\<br>b<td><p>c\\</p><p>d", "| a\\\\<br>b | c\\\\<br>d |\n| --- | --- |"),
        (
            "<tr><th>a<th>b<tr><td><li>c</li></td><td>d",
            "<table>\n<tr><th>a</th><th>b</th></tr>\n<tr><td><li>c</li></td><td>d</td></tr>\n</table>",
        ),
        (
            "<tr><th>a<th>b<tr><td><video src=v></video><td><iframe src=w title=W></iframe>",
            "| a | b |\n| --- | --- |\n| [Video](http://h/d/v) | [W](http://h/d/w) |",
        ),
        (
            "<tr><td colspan=2><audio><source src=v></audio><tr><td>a<td>b",
            '<table>\n<tr><td colspan="2"><a href="http://h/d/v">Audio</a></td></tr>\n<tr><td>a</td><td>b</td></tr>\n</table>',
        ),
    ],
)
def test_tables(html: str, expected: str) -> None:
    assert markdown(f"<table>{html}</table>") == expected


def test_preformatted_text_full_of_links_keeps_them() -> None:
    links = "".join(f"<a href={name}>{name}</a>\n\n" for name in "abc")
    html = f"<pre>  &lt; {links}end\n</pre>"
    assert (
        markdown(html)
        == "<pre>  &lt; "
        + links.replace("href=", 'href="http://h/d/')
        .replace(">a<", '">a<')
        .replace(">b<", '">b<')
        .replace(">c<", '">c<')
        + "end</pre>"
    )
    assert markdown(f"<pre><code>{links}</code></pre>").startswith("```\na\n\nb")


def test_a_table_for_presentation_is_no_table() -> None:
    assert markdown("<table role=presentation><tr><td>a<td>b</table>") == "a\n\nb"


@pytest.mark.parametrize(
    "text",
    [
        "snake_case and 5 * 3, a*, 2 < 3 & more, [1] {x} $5 | # no - x 1. y",
        "C:\\dir ~ about ~5 and ~6 (see) http://x/a_b_c",
        "1.5 of it",
    ],
)
def test_plain_prose_is_not_escaped(text: str) -> None:
    element = body("<p></p>")
    element[0].text = text
    assert to_markdown(element, ReadOptions(), "").text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*a* _b_", "\\*a\\* \\_b\\_"),
        ("__init__", "\\_\\_init\\_\\_"),
        ("~~a~~", "\\~\\~a\\~\\~"),
        ("# a", "\\# a"),
        ("- a", "\\- a"),
        ("+ a", "\\+ a"),
        ("* a", "\\* a"),
        ("1. a", "1\\. a"),
        ("2) a", "2\\) a"),
        ("> a", "\\> a"),
        ("---", "\\---"),
        ("[a](b)", "[a\\](b)"),
        ("[a]: b", "\\[a]: b"),
        ("[x] a", "\\[x] a"),
        ("[^1]", "\\[^1]"),
        ("`a`", "\\`a\\`"),
        ("<b> &lt;", "\\<b> \\&lt;"),
        ("\\*", "\\\\*"),
    ],
)
def test_what_would_read_as_markup_is_escaped(text: str, expected: str) -> None:
    element = body("<p></p>")
    element[0].text = text
    assert to_markdown(element, ReadOptions(), "").text == expected
    assert to_markdown(element, ReadOptions(style=MarkdownStyle(escape=False)), "").text == text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<a href='x y'>a</a>", "[a](http://h/d/x%20y)"),
        ("<a href='/a(b)'>a</a> <a href='/a(b'>b</a>", "[a](http://h/a(b)) [b](<http://h/a(b>)"),
        ("<a href='mailto:a@b'>m</a> <a href='tel:1'>t</a>", "[m](mailto:a@b) [t](tel:1)"),
        ("<a href='javascript:x'>a</a> <a>b</a> <a href=''>c</a> <a href='#'>d</a>", "a b c d"),
        ("<a href='#s'>a</a><h2>T<a href='#s'>¶</a></h2>", "[a](http://h/d/page.html#s)\n\n## T"),
        ("<a href=x>[a] b</a>", "[\\[a\\] b](http://h/d/x)"),
        ("Hi!<a href=x>a</a>", "Hi\\![a](http://h/d/x)"),
        ("<a href=x><h3>T</h3><p>more</p></a>", "### [T](http://h/d/x)\n\nmore"),
        ("<a href=x><div><img src=i></div><h3>T</h3></a>", "![](http://h/d/i)\n\n### [T](http://h/d/x)"),
        ("<a href=x><img src=i alt=A></a>", "[![A](http://h/d/i)](http://h/d/x)"),
        ("<img src=i alt='a [b]' title='t \"u\"'>", '![a \\[b\\]](http://h/d/i "t \\"u\\"")'),
        ("<img src=i width=1 height=1><img alt=x>", ""),
        (
            "<iframe src='//v/1' title=V></iframe><video><source src=m></video>",
            "[V](http://v/1)\n\n[Video](http://h/d/m)",
        ),
    ],
)
def test_links_and_images(html: str, expected: str) -> None:
    assert markdown(html) == expected


def test_links_and_images_are_listed_whatever_is_shown() -> None:
    html = (
        "<p><a href=a><b>One</b> two</a> <a href='#x'>in</a> <a href=i><img src=i alt=A></a><a href=mailto:x>m</a></p>"
    )
    shown = written(html)
    assert shown.links == (("One two", "http://h/d/a"), ("A", "http://h/d/i"))
    assert shown.images == (("A", "http://h/d/i"),)
    hidden = written(html, links="none", images="none")
    assert (hidden.links, hidden.images) == (shown.links, shown.images)
    assert hidden.text == ""
    assert written(html, links="text", images="alt").text == "**One** two in A m"


def test_invisible_characters_hide_no_space() -> None:
    assert markdown("<p>a \u2060<a href=x>b</a>\u200b c</p>") == "a [b](http://h/d/x) c"
    table = "<table><tr><td colspan=2>a \u2060<b>b</b><tr><td>c<td>\u200b</table>"
    assert '<td colspan="2">a <b>b</b></td>' in markdown(table)


def test_players_are_links_where_links_are_wanted() -> None:
    page = "<p>a</p><video src=v title=V></video>"
    assert written(page).text == "a\n\n[V](http://h/d/v)"
    assert written(page, links="text").text == written(page, links="none").text == "a"
    assert written(page, links="text").links == (("V", "http://h/d/v"),)


def test_footnotes_of_a_table_stand_before_it() -> None:
    note = "<p>x<sup><a href='#fn1'>1</a></sup></p><table><tr><th>a<th>b<tr><td><p id=fn1>n</p><td>c</table>"
    assert markdown(note) == "x[^1]\n\n[^1]: n\n\n| a | b |\n| --- | --- |\n|  | c |"


def test_marks_that_go_leave_no_broken_code_or_signs() -> None:
    assert markdown("<p>1<b><code>a</code></b><code>b`</code></p>") == "1`` ab` ``"
    assert markdown("<p>1<del><b>2</b></del> y <del><b>3</b></del></p>") == "12 y ~~**3**~~"


def test_without_a_base_links_stay_relative() -> None:
    assert written("<a href='x'>a</a> <a href='#y'>b</a>", base="").text == "[a](x) b"


def test_referenced_links() -> None:
    html = "<p><a href=x>a</a> [1] <a href=y>b</a> <a href=x>c</a> <a href=z>a</a></p>"
    text = written(html, links="referenced").text
    assert text == ("[a][1] \\[1] [b][2] [c][1] [a][3]\n\n[1]: http://h/d/x\n[2]: http://h/d/y\n[3]: http://h/d/z")
    assert markdown(html, links="referenced", references="shortcut").startswith("[a] \\[1] [b] [c] [a][1]\n\n[a]: ")
    assert markdown(html, links="referenced", references="collapsed").startswith("[a][] \\[1] [b][] [c][]")
    assert markdown(html, links="discarded") == "a [1] b c a"


def test_cited_links_are_numbered_by_their_place_among_the_different_urls() -> None:
    html = '<p><a href="/a">one</a> <a href="/b"><b>two</b></a> <a href="/a">three</a> <a href="mailto:a@b.c">mail</a>'
    rendered = written(html, style=MarkdownStyle(links="cited"))
    assert rendered.text == "【1†one】 【2†**two**】 【1†three】 mail"
    assert list(dict.fromkeys(url for _, url in rendered.links)) == [f"{ORIGIN}/a", f"{ORIGIN}/b"]
    assert written(html, style=MarkdownStyle(links="cited"), links="text").text == "one **two** three mail"


def test_images_can_be_numbered() -> None:
    html = '<p>A <img src="/a.png" alt="cat"> <img src="/b.png"> <img src="/a.png" alt="dog">'
    numbered = MarkdownStyle(numbered_images=True)
    assert written(html, style=numbered).text == (
        f"A ![Image 1: cat]({ORIGIN}/a.png) ![Image 2]({ORIGIN}/b.png) ![Image 3: dog]({ORIGIN}/a.png)"
    )
    assert written(html, style=numbered, images="alt").text == "A (Image 1: cat) (Image 3: dog)"
    assert written(html, style=numbered).images[1] == ("", f"{ORIGIN}/b.png")


def test_what_follows_a_shortcut_is_not_its_target() -> None:
    html = "<p><a href=/a>x</a>(y)</p><p><a href=/b>z</a>: w</p>"
    assert markdown(html, links="referenced", references="shortcut").startswith("[x]\\(y)\n\n[z]\\: w\n\n[x]: ")


def test_data_urls_are_kept_or_shortened() -> None:
    html = "<img alt=a src='data:image/png;base64,AAAA'>"
    short = written(html)
    assert short.text.startswith("![a](blob:")
    assert short.images[0][1] in short.text
    assert written(html, keep_data_urls=True).text == "![a](data:image/png;base64,AAAA)"


def test_of_an_image_of_its_own_tab_only_the_alternative_text_is_left() -> None:
    html = "<p>a <img alt=':mad:' src='blob:http://h/1-2'> b</p>"
    assert written(html) == Rendered("a :mad: b", (), ())
    table = f"<table><tr><td colspan=2>{html}<tr><td>c<td>d</table>"
    assert ":mad:" in markdown(table)
    assert "blob:" not in markdown(table)
    assert written(html, images="none").text == "a b"


def test_footnotes() -> None:
    html = (
        "<p>a<sup id=r1><a href='#fn1'>1</a></sup>, b<sup><a href='#gone'>2</a></sup></p><h2>Notes</h2>"
        "<ol><li id=fn1><p>Note <a href='#r1'>back</a></p><p>more</p></li></ol>"
    )
    assert markdown(html) == "a[^1], b2\n\n## Notes\n\n[^1]: Note\n\n    more"
    assert markdown(html, gfm=False).endswith("more")
    assert "[^" not in markdown(html, gfm=False)


def test_style() -> None:
    html = "<h1>Title</h1><h3>Sub</h3><ul><li>a</ul><hr><b>b</b> <i>i</i>"
    style = MarkdownStyle(heading="setext", bullet="*", emphasis="_", strong="__", rule="* * *")
    text = to_markdown(body(html), ReadOptions(style=style), "").text
    assert text == "Title\n=====\n\n### Sub\n\n* a\n\n* * *\n\n__b__ _i_"


def test_without_gfm_and_tables_as_html() -> None:
    table = "<table><tr><th>a<th>b<tr><td>c<td>d</table>"
    as_html = "<table>\n<tr><th>a</th><th>b</th></tr>\n<tr><td>c</td><td>d</td></tr>\n</table>"
    assert markdown(table, tables="html") == as_html
    html = f"{table}<del>x</del><ul><li><input type=checkbox>y</ul>"
    assert markdown(html, gfm=False) == f"{as_html}\n\n<del>x</del>\n\n- y"


def test_plain_style_leaves_sentences_in_one_piece() -> None:
    html = "<h2>T</h2><p>A <b>bold</b> <code>a_b</code> *x*<sup><a href='#n'>1</a></sup> H<sub>2</sub>O <s>no</s>.</p>"
    assert written(html, style=PLAIN, links="text").text == "## T\n\nA bold a_b *x*1 H2O no."


def test_depth_and_size_are_bounded() -> None:
    deep = to_markdown(body("<ul><li><blockquote>x" * 70), ReadOptions(), "").text
    assert deep.count("x") == 70
    assert max(len(line) - len(line.lstrip(" >-")) for line in deep.split("\n")) < 120
    for unclosed in ("<ul>", "<dl><dd>", "<dl><dt>t<dd>"):
        assert len(markdown(unclosed * 500 + "<p>y</p>" * 1000)) < 150_000
    notes = "".join(f"<sup><a href='#fn{i}'>{i}</a></sup>" for i in range(500))
    assert len(markdown(notes + "".join(f"<div id=fn{i}>x" for i in range(500)))) < 20_000
    short = "<table><tr>" + "<td>x" * 1000 + "</tr>" + "<tr><td>y" * 1000 + "</table>"
    assert len(markdown(short)) < 400_000
    wide = "<table>" + "<tr><td colspan=100000000 rowspan=99999999>x</td></tr>" * 50 + "</table>"
    assert len(markdown(f"{wide}<p>y")) < 5000
