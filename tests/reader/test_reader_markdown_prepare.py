"""What pages draw with scripts and styles, made plain."""

# ruff: noqa: E501, ISC004 (pages of HTML)
from __future__ import annotations

import time

import pytest
from lxml.html import HtmlElement, HTMLParser, document_fromstring, tostring

from jina_components.read_options import ReadOptions
from jina_components.reader.markdown import prepare, to_markdown

BASE = "http://h/d/page.html"


def prepared(html: str) -> HtmlElement:
    parser = HTMLParser(encoding="utf-8", huge_tree=True)
    tree = document_fromstring(f"<html><head></head><body>{html}</body></html>".encode(), parser=parser)
    prepare(tree, BASE)
    return tree


def markdown(html: str) -> str:
    return to_markdown(prepared(html), ReadOptions(), BASE).text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("a <script type='math/tex'>x_1</script> b", "a $x_1$ b"),
        ("<span class=MathJax_Preview>p</span><span class=MathJax>d</span><script type='math/tex'>y</script>", "$y$"),
        ("<script type='math/tex; mode=display'>y</script>", "$$\ny\n$$"),
        (
            "<span class=katex><span class=katex-mathml><math><semantics><mrow><mi>a</mi></mrow>"
            "<annotation encoding='application/x-tex'>\\alpha</annotation></semantics></math></span>"
            "<span class=katex-html aria-hidden=true>α</span></span>.",
            "$\\alpha$.",
        ),
        (
            "<span class=katex-display><span class=katex><span class=katex-mathml><math><semantics><mi>a</mi>"
            "<annotation encoding='application/x-tex'>a</annotation></semantics></math></span></span></span>",
            "$$\na\n$$",
        ),
        (
            "<mjx-container display=true><mjx-assistive-mml><math><mi>x</mi></math></mjx-assistive-mml></mjx-container>",
            "$$\nx\n$$",
        ),
        (
            "<span class=mwe-math-element><span class=mwe-math-mathml-inline><math alttext='{\\displaystyle E=mc^{2}}'>"
            "<mi>E</mi></math></span><img class=mwe-math-fallback-image-inline alt='{\\displaystyle E}' src=x></span>,",
            "$E=mc^{2}$,",
        ),
        ("<img class=latex alt='\\pi' src=x>", "$\\pi$"),
        ("<p>so \\(x_i\\) and \\[y\\] end</p>", "so $x_i$ and\n\n$$\ny\n$$\n\nend"),
        ("<p>\\begin{align}a&amp;b\\end{align}</p>", "$$\n\\begin{align}a&b\\end{align}\n$$"),
        ("<script src=/MathJax.js></script><p>a $x$ b</p>", "a $x$ b"),
        ("<p>$5 and $6 <code>\\(x\\)</code></p>", "$5 and $6 `\\(x\\)`"),
    ],
)
def test_formulas(html: str, expected: str) -> None:
    assert markdown(html) == expected


@pytest.mark.parametrize(
    ("mathml", "expected"),
    [
        ("<mfrac><mn>1</mn><mrow><mi>x</mi><mo>+</mo><mi>α</mi></mrow></mfrac>", "\\frac{1}{x+\\alpha}"),
        ("<msup><mi>x</mi><mn>2</mn></msup><msub><mi>y</mi><mi>ij</mi></msub>", "x^2y_{\\mathrm{ij}}"),
        ("<msubsup><mi>x</mi><mi>i</mi><mn>10</mn></msubsup>", "x_i^{10}"),
        ("<msqrt><mi>a</mi><mi>b</mi></msqrt><mroot><mi>x</mi><mn>3</mn></mroot>", "\\sqrt{ab}\\sqrt[3]{x}"),
        ("<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover>", "\\sum_i^n"),
        ("<munder><mo>lim</mo><mi>x</mi></munder>", "\\lim_x"),
        ("<mover><mi>x</mi><mo>^</mo></mover><munder><mi>y</mi><mo>_</mo></munder>", "\\hat{x}\\underline{y}"),
        ("<mfenced open='[' close='['><mi>a</mi><mi>b</mi></mfenced>", "\\left[a, b\\right["),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr></mtable>", "\\begin{matrix}1 & 2\\end{matrix}"),
        ("<mo>(</mo><mfrac linethickness=0><mi>n</mi><mi>k</mi></mfrac><mo>)</mo>", "\\binom{n}{k}"),
        ("<mi>θ</mi><mi>x</mi><mo>≤</mo><mi>sin</mi><mi>y</mi>", "\\theta x\\leq \\sin y"),
        ("<mi mathvariant='bold'>v</mi><mtext>if a_b</mtext><mi>ℝ</mi>", "\\mathbf{v}\\text{if a\\_b}\\mathbb{R}"),
    ],
)
def test_presentation_mathml(mathml: str, expected: str) -> None:
    assert markdown(f"<math>{mathml}</math>") == f"${expected}$"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<div class='highlight-python notranslate'><div class=highlight><pre>a\n\n  b</pre></div></div>",
            "python|a\n\n  b",
        ),
        ("<div class='highlight highlight-source-shell'><pre>ls</pre></div>", "shell|ls"),
        ("<pre class='brush: js; gutter: true'>x</pre>", "js|x"),
        ("<pre><code class='hljs rust'>x</code></pre>", "rust|x"),
        ("<div class='language-ruby highlighter-rouge'><div class=highlight><pre>x</pre></div></div>", "ruby|x"),
        ("<div class='mw-highlight mw-highlight-lang-lua'><pre>x</pre></div>", "lua|x"),
        ("<pre class='sourceCode haskell'><code class='sourceCode haskell'>x</code></pre>", "haskell|x"),
        ("<pre class=EnlighterJSRAW data-enlighter-language=php>x</pre>", "php|x"),
        ("<pre class='language-text'>x</pre>", "|x"),
        (
            "<table class=highlighttable><tr><td class=linenos><div class=linenodiv><pre>1\n2</pre></div></td>"
            "<td class=code><div class='highlight language-go'><pre>a\n b</pre></div></td></tr></table>",
            "go|a\n b",
        ),
        (
            "<figure class='highlight js'><table><tr><td class=gutter><pre>1<br>2<br></pre></td><td class=code><pre>"
            "<span class=line>a</span><br><span class=line></span><br><span class=line> b</span><br></pre></td></table></figure>",
            "js|a\n\n b",
        ),
        (
            "<div class='syntaxhighlighter  jscript'><table><tr><td class=gutter><div class=line>1</div></td><td class=code>"
            "<div class=container><div class=line><code>a</code></div><div class=line><code>&nbsp;</code>b</div></div></table></div>",
            "javascript|a\n b",
        ),
        (
            "<table class=highlight><tr><td class=blob-num data-line-number=1></td><td class=blob-code>a</td></tr>"
            "<tr><td class=blob-num data-line-number=2></td><td class=blob-code>  b</td></tr></table>",
            "|a\n  b",
        ),
        ("<pre class='prettyprint lang-c'><ol class=linenums><li>a;</li><li> b;</li></ol></pre>", "c|a;\n b;"),
        (
            "<pre class=shiki><code class=language-ts><span class=line>a</span><span class=line></span>"
            "<span class=line> b</span></code></pre>",
            "ts|a\n\n b",
        ),
        (
            "<div class=crayon-syntax><span class=crayon-language>Python</span><textarea class=crayon-plain>a\n b</textarea>"
            "<table><tr><td class=crayon-nums><div>1</div></td><td class=crayon-code><div>a</div></td></tr></table></div>",
            "python|a\n b",
        ),
        (
            "<pre class=line-numbers><code class='language-css'>a<span class=line-numbers-rows><span></span></span></code></pre>",
            "css|a",
        ),
        ("<pre><button>Copy</button><code>a</code></pre>", "|a"),
        ("<p><code>a<br>  b</code></p>", "|a\n  b"),
    ],
)
def test_highlighted_code(html: str, expected: str) -> None:
    language, _, text = expected.partition("|")
    assert markdown(html) == f"```{language}\n{text}\n```"


def test_a_gutter_of_words_is_no_gutter() -> None:
    assert markdown("<table><tr><td class=gutter>News<td class=code>Text</table>").startswith("| News | Text |")


EMPTY = "data:image/svg+xml,%3Csvg/%3E"


@pytest.mark.parametrize(
    ("html", "source"),
    [
        ("<img src=a.jpg>", "a.jpg"),
        ("<img src='data:image/gif;base64,R0' data-src=b.jpg>", "b.jpg"),
        ("<img src=small.jpg data-original=big.jpg>", "big.jpg"),
        ("<img data-lazy-src=/b>", "/b"),
        ("<img src=/img/blank.gif srcset='a.jpg 1x, b.jpg 2x'>", "b.jpg"),
        ("<img data-srcset='a.jpg 100w, b,c.jpg 900w, d.jpg 200w'>", "b,c.jpg"),
        ("<img src=a.jpg srcset='b.jpg 900w'>", "a.jpg"),
        ("<img src=a.jpg data-src='{width}.jpg'>", "a.jpg"),
        ("<picture><source srcset='a.webp 1x'><img></picture>", "a.webp"),
        ("<picture><source srcset='a.webp'></picture>", "a.webp"),
        ("<div><img src=lazyload.png alt=x></div><noscript><img src=b.jpg></noscript>", "b.jpg"),
        ("<div><img src=a.jpg></div><noscript><img src=b.jpg></noscript>", "a.jpg"),
        ("<p>x</p><noscript><img src=b.jpg></noscript>", "b.jpg"),
        ("<img src=blob:http://h/1 srcset='b.jpg 2x'>", "b.jpg"),
        (f"<noscript><img src=b.jpg></noscript><img src='{EMPTY}' data-src=b.jpg>", "b.jpg"),
        (f"<img src='{EMPTY}' data-src=b.jpg><noscript><img src=b.jpg></noscript>", "b.jpg"),
        (
            "<noscript><img src=/c/b.jpg></noscript> <picture><img data-src=//h/c/b.jpg?w=9></picture>",
            "//h/c/b.jpg?w=9",
        ),
        ("<noscript><img src=b srcset='a 1x, b 2x'></noscript><img data-src=a>", "b"),
        (
            f"<noscript><img src='{EMPTY}' srcset='b.jpg 9w'></noscript><img src='{EMPTY}' data-srcset='b.jpg 9w'>",
            "b.jpg",
        ),
        (f"<noscript><img src=b.jpg></noscript><div><img src='{EMPTY}'></div>", "b.jpg"),
        (
            "<div><img src=/max/60/1*b.png?q=20></div><img><noscript><img src=/max/900/1*b.png></noscript>",
            "/max/900/1*b.png",
        ),
        ("<div><img src=/60/1*b></div><img src=/900/1*b><noscript><img src=/900/1*b></noscript>", "/900/1*b"),
        ("<noscript><img src=a.jpg></noscript><img data-srcset='a.jpg 1x, b.jpg 2x'>", "b.jpg"),
        ("<img src=/60/1*b><noscript><img src=/900/1*b></noscript>", "/900/1*b"),
    ],
)
def test_the_picture_stands_for_what_holds_its_place(html: str, source: str) -> None:
    assert [image.get("src") for image in prepared(html).iter("img")] == [source]


@pytest.mark.parametrize(
    "html",
    [
        "<noscript><img src=x/{0}></noscript><img data-src=x/{0}>",
        "<img data-src=x/{0}><noscript><img src=x/{0}></noscript>",
        "<noscript><img src={0}.png></noscript><img src=blank.gif>",
        "<img src=blank.gif><noscript><img src={0}.png></noscript>",
    ],
)
def test_each_picture_of_a_row_is_there_once(html: str) -> None:
    row = "".join(html.format(name) for name in "abc")
    sources = [image.get("src") or "" for image in prepared(row).iter("img")]
    assert [source.removeprefix("x/").removesuffix(".png") for source in sources] == ["a", "b", "c"]


def test_a_pixel_that_counts_visits_takes_no_place() -> None:
    html = "<noscript><img src=/tr width=1 height=1></noscript><img src=blank.gif>"
    assert [image.get("src") for image in prepared(html).iter("img")] == ["/tr", "blank.gif"]


def test_tasks_comments_and_places() -> None:
    tree = prepared(
        "<!-- c --><ul><li><label><input type=checkbox checked> a</label></ul><a href='http://h/d/page.html#s'>b</a>"
    )
    assert b"<!--" not in tostring(tree)
    box = tree.find(".//span")
    assert (box.get("class"), box.get("data-checked"), box.text) == ("jc-task", "true", "☑")
    assert tree.find(".//a").get("href") == "#s"


@pytest.mark.slow
@pytest.mark.parametrize(
    "html",
    [
        "<p>x</p>" * 50_000,
        "<p>" + "x<b>!</b>" * 30_000,
        "<b><i>x" * 30_000,
        "<ul><li>x" * 30_000,
        "<blockquote>" * 1000 + "x<br>" * 30_000,
        "<table><tr><td>x" * 30_000,
        "<table><tr>" + "<td>x" * 2000 + "<tr><td>y" * 2000 + "</table>",
        "<table>" + "<tr><td class=gutter>1<td class=code>x" * 10_000,
        "<p>" + "*a _b " * 50_000,
        "<p>" + "[" * 500_000,
        "<p>" + "\\(a " * 100_000,
        "<p>" + "\\(a\\) " * 20_000,
        "<p>" + "\\begin{align}" * 20_000,
        "<math>" + "<mrow><msqrt><mi>x" * 10_000,
        "<math>" + "<mi>x</mi>" * 50_000,
        "<span>" * 1900 + "<math><mi>x</mi></math>" * 3000,
        "<code>a<br>" * 10_000,
        "<div class=crayon-syntax>a" * 5000,
        "<a href=x>" + "<p>y</p>" * 20_000,
        "<img srcset='" + "a 1w 1w " * 50_000 + "'>",
        "<h1>" + "#" * 300_000,
        "<h1>" * 1000 + "<p>y</p>" * 20_000,
        "<math>" * 1000 + "<b>y</b>z" * 20_000,
        "<noscript>" * 1000 + "<img src=x>" * 20_000,
        "<dl><dt>t<dd>" * 500 + "<p>y</p>" * 20_000,
        "<abbr title='aaa bbb ccc'>" * 1000 + "<img src=x>" * 20_000,
        "<table><tr><td class=gutter>1<td class=code>" * 500 + "<b>y</b>z" * 20_000,
    ],
    ids=lambda html: html[:24],
)
def test_hostile_pages_take_linear_time(html: str) -> None:
    start = time.process_time()
    markdown(html)
    assert time.process_time() - start < 20
