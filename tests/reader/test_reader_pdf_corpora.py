"""Real PDFs; the environment variable JINA_COMPONENTS_DATA names the directory that holds `reader/`."""

from __future__ import annotations

import os
import re
import tarfile
import time
from pathlib import Path

import pytest

from benchmarks.quality.markdown_similarity import MEASURES, mean
from jina_components.errors import ExtractionError
from jina_components.reader.pdf import PdfWorkers, read_pdf
from jina_components.reader.pdf.document import Job, extract
from jina_components.reader.sources import Source

pytestmark = pytest.mark.slow


def members(name: str) -> dict[str, bytes]:
    """The files of an archive, by name."""
    path = Path(os.environ.get("JINA_COMPONENTS_DATA", "no such directory"), "reader", name)
    if not path.exists():
        pytest.skip(f"JINA_COMPONENTS_DATA has no reader/{name}")
    with tarfile.open(path) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive)
        return {name: file.read() for name, file in files if file}


@pytest.mark.parametrize(
    ("archive", "readable"), [("pdfjs_small/pdfs.tar.xz", 150), ("pypdf_samples/samples.tar.xz", 17)]
)
def test_odd_pdfs_never_crash_or_hang(archive: str, readable: int) -> None:
    read, failed = 0, dict[str, str]()
    workers = PdfWorkers(timeout=20)
    for name, data in members(archive).items():
        if not name.endswith(".pdf"):
            continue
        begin = time.perf_counter()
        try:
            page = read_pdf(Source(name, data), workers=workers)
        except ExtractionError as error:
            failed[name] = str(error)
        else:
            read += 1
            assert len(page.page_offsets) == page.metadata["num_pages"]
            assert list(page.page_offsets) == sorted(page.page_offsets)
        assert time.perf_counter() - begin < 10, name
    workers.close()
    assert read > readable
    assert not [text for text in failed.values() if re.search("crash|longer than|cannot be read", text)]


def test_reviewed_markdown_is_met_as_measured() -> None:
    """Floors of `benchmarks.quality.pdf`; the order is at least that of PDFium's bare text."""
    from pypdfium2 import PdfDocument

    files = members("docling_pairs/pairs.tar.xz")
    scores: dict[str, list[float | None]] = {}
    bare: list[float | None] = []
    for name, data in files.items():
        if not name.endswith(".pdf"):
            continue
        expected = files[f"{name}.md"].decode()
        given = "\n\n".join(filter(None, extract(data, Job()).texts))
        text = "\n\n".join(page.get_textpage().get_text_range() for page in PdfDocument(data))
        for measure, score in MEASURES.items():
            scores.setdefault(measure, []).append(score(expected, given))
        bare.append(MEASURES["order"](expected, text))
    averages = {measure: mean(values) or 0.0 for measure, values in scores.items()}
    assert averages["order"] >= (mean(bare) or 0.0)
    assert averages["words"] > 0.96
    assert averages["tables"] > 0.5
    assert averages["headings"] > 0.7
