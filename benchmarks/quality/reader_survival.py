"""Things that a page can hold and most readers lose, and how to see that they are still there."""

from __future__ import annotations

import re

_FILLER = (
    "<p>"
    + "Rivers carry sand and silt, and where they meet the sea they leave both behind, year after year. " * 4
    + "</p>"
)

# Name: (what stands in the article, what the Markdown must match).
SNIPPETS: dict[str, tuple[str, str]] = {
    "start of an ordered list": (
        "<ol start='7'><li>Seventh step of the way</li><li>Eighth step of the way</li></ol>",
        r"^7[.)]\s+Seventh.*\n+8[.)]\s+Eighth",
    ),
    "nested lists": (
        "<ul><li>Outer item<ul><li>Inner item</li></ul></li><li>Last item</li></ul>",
        r"^[-*+] +Outer item\s*\n+(?: {2,}|\t)[-*+] +Inner item\s*\n+[-*+] +Last item",
    ),
    "pipes in cells": (
        (
            "<table><thead><tr><th>Sign</th><th>Sense</th></tr></thead>"
            "<tbody><tr><td>a|b</td><td>either of them</td></tr></tbody></table>"
        ),
        r"\| *a(?:\\\||&#124;)b *\| *either of them *\|",
    ),
    "row spans": (
        (
            "<table><tr><th>Year</th><th>River</th></tr><tr><td rowspan='2'>1999</td><td>Rhine</td></tr>"
            "<tr><td>Danube</td></tr></table>"
        ),
        r"""rowspan=["']?2|\| *(?:1999)? *\| *Danube *\|""",
    ),
    "language of code": (
        (
            '<div class="highlight highlight-source-python"><pre class="language-python"><code class="language-python">'
            "import os\nprint(os.name)</code></pre></div>"
        ),
        r"```\s*python\n\s*import os\nprint\(os\.name\)",
    ),
    "blank lines in code": (
        "<pre><code>first = 1\n\n\nsecond = 2</code></pre>",
        r"first = 1\n\n\nsecond = 2",
    ),
    "spans of a highlighter": (
        (
            "<pre><code><span class='line'><span class='k'>def</span> <span class='nf'>area</span>(r):</span>\n"
            "<span class='line'>    <span class='k'>return</span> r * r</span></code></pre>"
        ),
        r"def area\(r\):\n    return r \* r",
    ),
    "MathML": (
        "<p>The area is <math><mi>π</mi><msup><mi>r</mi><mn>2</mn></msup></math> as all know.</p>",
        r"\$(?:\\pi|π) ?r\^\{?2\}?\$",
    ),
    "KaTeX": (
        (
            "<p>So <span class='katex'><span class='katex-mathml'><math><semantics><mrow><mi>e</mi></mrow>"
            "<annotation encoding='application/x-tex'>e^{i\\pi}+1=0</annotation></semantics></math></span>"
            "<span class='katex-html' aria-hidden='true'>eiπ+1=0</span></span> holds.</p>"
        ),
        r"\$e\^\{i\\pi\}\+1=0\$",
    ),
    "MathJax": (
        (
            "<p>And <span class='MathJax_Preview'></span><span class='MathJax'>x2</span>"
            "<script type='math/tex'>x^{2}</script> grows.</p>"
        ),
        r"\$x\^\{2\}\$",
    ),
    "late images": (
        "<p><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' data-src='/delta.jpg' alt='The delta'></p>",
        r"!\[[^\]]*The delta\]\([^)]*/delta\.jpg",
    ),
    "`<base>`": (
        "<p>See the <a href='chapters/two.html'>second chapter of the book</a> on silt.</p>",
        r"\(<?https://base\.example/book/chapters/two\.html",
    ),
    "definition lists": (
        "<dl><dt>Silt</dt><dd>Fine grains that water carries</dd></dl>",
        r"Silt\**\s*\n+\s*:?\s*Fine grains",
    ),
    "task lists": (
        (
            "<ul><li><input type='checkbox' checked disabled> Measure the sand</li>"
            "<li><input type='checkbox' disabled> Draw the map</li></ul>"
        ),
        r"^[-*+] +\[[xX]\] +Measure the sand\s*\n+[-*+] +\[ \] +Draw the map",
    ),
    "footnotes": (
        (
            "<p>Deltas sink<sup id='fnref1'><a href='#fn1'>1</a></sup> slowly.</p>"
            "<section class='footnotes'><ol><li id='fn1'>By some millimetres a year. "
            "<a href='#fnref1'>↩</a></li></ol></section>"
        ),
        r"sink\[\^?1\][\s\S]*\[\^?1\]:\s+By some millimetres",
    ),
    "captions of figures": (
        (
            "<figure><img src='/map.png' alt='A map'>"
            "<figcaption>The delta in spring, seen from the west</figcaption></figure>"
        ),
        r"/map\.png[\s\S]*The delta in spring, seen from the west",
    ),
    "quotes": (
        "<blockquote><p>Water finds its way.</p></blockquote>",
        r"^> *Water finds its way",
    ),
    "hard line breaks": (
        "<p>Roses are red,<br>violets are blue.</p>",
        r"red,(?: {2,}|\\)\nviolets",
    ),
    "signs of Markdown in text": (
        "<p>The product 2*3*4 and the name snake_case_name, with [brackets](and) such.</p>",
        r"2\\\*3\\\*4[\s\S]*(?:\\\[brackets|\[brackets\\\])",
    ),
}


def pages() -> list[dict[str, str]]:
    """A page for each, with some text around it."""
    return [{"html": _page(snippet), "url": "https://pages.example/rivers.html"} for snippet, _ in SNIPPETS.values()]


def _page(snippet: str) -> str:
    return (
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Rivers and deltas</title>"
        "<base href='https://base.example/book/'>"
        "<script src='https://cdn.example/mathjax/MathJax.js'></script></head>"
        f"<body><main><article><h1>Rivers and deltas</h1>{_FILLER}{snippet}{_FILLER}</article></main></body></html>"
    )


def survivors(texts: list[str]) -> dict[str, bool]:
    """Which of them are in the Markdown of their pages."""
    wanted = {name: re.compile(pattern, re.MULTILINE) for name, (_, pattern) in SNIPPETS.items()}
    return {name: pattern.search(text) is not None for (name, pattern), text in zip(wanted.items(), texts, strict=True)}
