"""PDFs to Markdown: reading order, tables, headings and speed, beside pypdfium2, kreuzberg and pdf_oxide.

    python -m benchmarks.quality.pdf --data DATA [--peers-python PEERS/bin/python] [--to results.json]

DATA holds `reader/docling_pairs/pairs.tar.xz`, an archive with PDFs and their reviewed Markdown, `pdf/NAME.pdf` beside
`pdf/NAME.pdf.md`; `--pdfs FOLDER` reads a folder of such pairs instead. The measures are those of
`benchmarks.quality.markdown_similarity`, averaged over the documents (tables and headings: those that have some).
Pages per CPU-second are the best of three readings (neighbours on the machine slow the others), in a process that is
warm; `ours, workers` is the Reader's own way, each time with new processes and their start.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from benchmarks.quality.markdown_similarity import MEASURES, mean

# Run by the interpreter of the peers: PDFs from the arguments, their Markdown and the CPU-seconds as JSON.
PEER = """
import json, sys, time
def kreuzberg():
    from kreuzberg import ExtractionConfig, extract_file_sync
    config = ExtractionConfig(output_format="markdown", use_cache=False)
    return lambda path: extract_file_sync(path, config=config).content
def pdf_oxide():
    from pdf_oxide import PdfDocument
    return lambda path: PdfDocument(path).to_markdown_all()
def pypdfium2():
    from pypdfium2 import PdfDocument
    return lambda path: "\\n\\n".join(page.get_textpage().get_text_range() for page in PdfDocument(path))
def ours():
    from jina_components.reader.pdf.document import Job, extract
    def read(path):
        with open(path, "rb") as file:
            return "\\n\\n".join(filter(None, extract(file.read(), Job()).texts))
    return read
read = {"kreuzberg": kreuzberg, "pdf_oxide": pdf_oxide, "pypdfium2": pypdfium2, "ours": ours}[sys.argv[1]]()
texts = {path: read(path) for path in sys.argv[2:]}
seconds = []
for _ in range(3):
    begin = time.process_time()
    for path in sys.argv[2:]:
        read(path)
    seconds.append(time.process_time() - begin)
json.dump({"texts": texts, "seconds": min(seconds)}, sys.stdout)
"""
PEERS = ("kreuzberg", "pdf_oxide")


def by_process(system: str, python: str, paths: list[str]) -> tuple[dict[str, str], float]:
    """Markdown by path, and CPU-seconds of reading all once more: the fewest of three times."""
    run = subprocess.run([python, "-c", PEER, system, *paths], capture_output=True, text=True, check=True)
    result = json.loads(run.stdout[run.stdout.index('{"texts"') :])
    return result["texts"], result["seconds"]


def by_workers(paths: list[str]) -> tuple[dict[str, str], float]:
    """As `by_process`, through the processes of the Reader, their start among the CPU-seconds."""
    from jina_components.read_options import ReadOptions
    from jina_components.reader.pdf import PdfWorkers, read_pdf
    from jina_components.reader.sources import Source

    texts: dict[str, str] = {}
    seconds: list[float] = []
    for _ in range(3):
        begin = _cpu_seconds()
        workers = PdfWorkers()
        for path in paths:
            source = Source(path, Path(path).read_bytes())
            texts[path] = read_pdf(source, ReadOptions(), workers=workers).content
        workers.close()
        seconds.append(_cpu_seconds() - begin)
    return texts, min(seconds)


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@contextmanager
def pairs(data: Path) -> Iterator[Path]:
    """A folder of PDFs with their Markdown, for as long as it is needed."""
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(data / "reader/docling_pairs/pairs.tar.xz") as archive:
            archive.extractall(unpacked, filter="data")
        yield Path(unpacked) / "pdf"


def expected_of(folder: Path) -> dict[str, str]:
    """The reviewed Markdown of each PDF of a folder, by its path."""
    return {str(path): Path(f"{path}.md").read_text(encoding="utf-8") for path in sorted(folder.glob("*.pdf"))}


def pages_of(paths: Iterable[str]) -> int:
    """Pages of all PDFs."""
    from pypdfium2 import PdfDocument

    return sum(len(PdfDocument(path)) for path in paths)


def measured(expected: Mapping[str, str], texts: Mapping[str, str]) -> dict[str, dict[str, float | None]]:
    """Each measure by document."""
    return {
        name: {Path(path).name: measure(expected[path], texts[path]) for path in expected}
        for name, measure in MEASURES.items()
    }


def systems(peers_python: str, paths: list[str]) -> dict[str, Callable[[], tuple[dict[str, str], float]]]:
    """How to read all by each system."""
    found: dict[str, Callable[[], tuple[dict[str, str], float]]] = {
        "ours": lambda: by_process("ours", sys.executable, paths),
        "ours, workers": lambda: by_workers(paths),
        "pypdfium2": lambda: by_process("pypdfium2", sys.executable, paths),
    }
    for name in PEERS if peers_python else ():
        found[name] = lambda name=name: by_process(name, peers_python, paths)  # type: ignore[misc]
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder with reader/")
    source.add_argument("--pdfs", type=Path, help="folder with NAME.pdf and NAME.pdf.md")
    parser.add_argument("--peers-python", default="", help="interpreter that has the peers; see benchmarks/peers.txt")
    parser.add_argument("--to", type=Path, help="write the results here as JSON")
    options = parser.parse_args()
    with pairs(options.data) if options.data else nullcontext(options.pdfs) as folder:
        results = report(folder, options.peers_python)
    if options.to:
        options.to.write_text(json.dumps(results, indent=1), encoding="utf-8")


def report(folder: Path, peers_python: str) -> dict[str, dict[str, object]]:
    """Measures every system on the pairs of a folder, and prints a row for each."""
    expected = expected_of(folder)
    pages = pages_of(expected)
    print(f"{len(expected)} documents, {pages} pages")
    print(f"{'':<16}" + "".join(f"{name:>12}" for name in (*MEASURES, "pages/CPU-s")))
    results: dict[str, dict[str, object]] = {}
    for name, read in systems(peers_python, list(expected)).items():
        texts, seconds = read()
        scores = measured(expected, texts)
        averages = {measure: mean(list(values.values())) for measure, values in scores.items()}
        results[name] = {**averages, "pages_per_cpu_second": pages / seconds, "documents": scores}
        shown = "".join(f"{value:>12.3f}" if value is not None else f"{'-':>12}" for value in averages.values())
        print(f"{name:<16}{shown}{pages / seconds:>12.0f}")
    return results


if __name__ == "__main__":
    main()
