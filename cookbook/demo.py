"""Ask real documents: a PDF and a web page made here, and this repository's own Markdown.

Run by `make demo`. Every quote is checked against the source, read anew.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jina_components import QUOTABLE, DeepSearchAgent, Embedder, Reader, Reranker, Retriever, Segmenter

REPOSITORY = Path(__file__).parent.parent
DEMO = REPOSITORY / "demo"

QUESTIONS = (
    "How high are the tides in the Bay of Fundy?",
    "Which instrument measured the wind on Titan?",
    "What holds for every citation?",
    "Which command runs the linters and the type checker?",
    "Who won the 1998 football world cup?",  # nothing here says so
)

HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Huygens on Titan</title>
<meta name="description" content="How a probe landed on the largest moon of Saturn."></head>
<body><nav><a href="/">Home</a> <a href="/moons">Moons</a></nav>
<article><h1>Huygens on Titan</h1>
<p>The Huygens probe separated from the Cassini orbiter on 25 December 2004 and landed on Titan, the largest
moon of Saturn, on 14 January 2005. It is still the most distant landing of any spacecraft.</p>
<p>During the descent of two hours and 27 minutes the probe swung under a parachute through a hazy atmosphere
that is mostly nitrogen. The Doppler Wind Experiment measured the wind from the shift of the probe's radio
signal.</p>
<h2>On the ground</h2>
<p>The surface had the consistency of wet sand. Its temperature was about minus 179 degrees Celsius, and rounded
pebbles of water ice lay around the probe.</p></article>
<footer>Imprint · Privacy</footer></body></html>
"""

PDF_PAGES = (
    (
        "The tides of the Bay of Fundy",
        "The Bay of Fundy lies between New Brunswick and Nova Scotia on the Atlantic coast of Canada.",
        "At its head, in the Minas Basin, the tides reach a range of 16 metres, the highest in the world.",
    ),
    (
        "Resonance",
        "The bay is so long that a wave takes about 13 hours to run to its head and back.",
        "That is close to the 12 hours and 25 minutes between two tides: the bay resonates with the ocean.",
    ),
)


def make_pdf(pages: tuple[tuple[str, ...], ...]) -> bytes:
    """A PDF of a heading and some lines a page: the few objects of ISO 32000 that this takes, written out."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, (heading, *lines) in enumerate(pages):
        text = "".join(f"({line}) Tj 0 -16 Td " for line in lines)
        stream = f"BT /F1 18 Tf 60 770 Td ({heading}) Tj /F1 10 Tf 0 -30 Td {text}ET"
        resources = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 595 842]"
        objects.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {5 + 2 * number} 0 R >>")
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode("ascii")


def main() -> int:
    """Index the documents, answer the questions, check the quotes; 1 when a quote is wrong."""
    DEMO.mkdir(exist_ok=True)
    (DEMO / "titan.html").write_text(HTML, encoding="utf-8")
    (DEMO / "fundy.pdf").write_bytes(make_pdf(PDF_PAGES))
    sources = [
        DEMO / "titan.html",
        DEMO / "fundy.pdf",
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
    ]

    reader, segmenter, retriever = Reader(options=QUOTABLE), Segmenter(), Retriever(Embedder())
    pages = reader.read_all(sources).pages
    retriever.add([chunk for page in pages for chunk in segmenter.segment_page(page)])
    agent = DeepSearchAgent(retriever, reranker=Reranker())

    wrong = 0
    for question in QUESTIONS:
        answer = agent.run(question)
        print(f"\n? {question}\n  {answer}")
        for number, citation in enumerate(answer.citations, 1):
            exact = reader.read(citation.source).content[citation.start : citation.end] == citation.quote
            wrong += not exact
            place = f"{Path(citation.source).name}{f', page {citation.page}' if citation.page else ''}"
            print(f"    [^{number}] {place}: {'verbatim' if exact else 'NOT FOUND'}")
    print(f"\n{len(retriever)} chunks of {len(pages)} documents; those made for this demo are in {DEMO}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
