"""Documents to read, made on the spot."""

from __future__ import annotations

import io
from collections.abc import Sequence

from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

ARTICLE = (
    "The lighthouse keeper wrote down the weather every evening for forty years, and nobody read it. "
    "When the station was closed, a historian found the ledgers and understood what they were worth."
)

PAGE = f"""<!doctype html><html lang="en-GB"><head>
<title>The Ledgers | Coast Daily</title>
<meta name="description" content="Forty years of weather.">
<meta property="article:published_time" content="2024-03-05T08:00:00+01:00">
<meta name="author" content="Ada Marsh"><meta property="og:site_name" content="Coast Daily">
<base href="/news/">
</head><body>
<nav><a href="/">Home</a> <a href="/sport">Sport</a></nav>
<article><h1>The Ledgers</h1>
<p>{ARTICLE} See <a href="more.html">the archive</a>.</p>
<h2>What was found</h2><p>{ARTICLE.replace("forty", "four")} <img src="/i/a.png" alt="ledger"></p>
<ul><li>rain on 61% of days</li><li>fog on the rest</li></ul>
<table><tr><th>year</th><th>storms</th></tr><tr><td>1901</td><td>7 | 8</td></tr></table>
<pre>def storm(year):
    return ledger[year]</pre>
<blockquote><p>It blew all night.</p></blockquote>
<p>{ARTICLE.replace("evening", "morning")}</p></article>
<footer>All rights reserved. <a href="/imprint">Imprint</a></footer></body></html>"""


def pdf(
    pages: Sequence[Sequence[str] | None],
    *,
    title: str = "",
    author: str = "",
    password: str = "",
    size: float = 11,
) -> bytes:
    """A PDF of the given lines; a page of None holds only a drawing."""
    out = io.BytesIO()
    canvas = Canvas(out, encrypt=StandardEncryption(password) if password else None, invariant=1)
    canvas.setTitle(title)
    canvas.setAuthor(author)
    for lines in pages:
        canvas.setFont("Helvetica", size)
        if lines is None:
            canvas.rect(100, 100, 200, 200, fill=1)
        for number, line in enumerate(lines or ()):
            canvas.drawString(72, 760 - 1.2 * size * number, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()
