"""The table of measurements: what `python -m benchmarks` measures of each component, and beside whom.

A row is a number of ours and that of a pinned peer, the one that a user would pick; other peers that are measured in
the same run are shown too. A job measures some rows at once; it is `measure(setting, **size)` of a module in
`benchmarks.jobs`, and gives a `Result` by the row's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.results import Kind


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement.

    Attributes:
        name: Component and what of it, such as "reader.articles".
        component: Its name in the report.
        kind: What it is a measure of.
        what: What is measured, and on what.
        metric: Higher is better, but for memory.
        ours: What ours is called among the systems.
        peer: The pinned peer.
        job: In `JOBS`.
        headline: What the README calls it, which adds the unit; empty where it has no line there.
    """

    name: str
    component: str
    kind: Kind
    what: str
    metric: str
    ours: str
    peer: str
    job: str
    headline: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A measurement of some rows at once.

    Attributes:
        module: In `benchmarks.jobs`, and its function.
        data: Folders of the data sets that it reads; none where it makes its own inputs.
        quick: Sizes of a run of minutes.
        full: Sizes of a whole run; None of `quick` where it is left out there.
        packages: Peers whose versions are told.
    """

    module: str
    data: tuple[str, ...] = ()
    quick: Mapping[str, Any] | None = field(default_factory=dict)
    full: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()


_MINILM = "all-MiniLM-L6-v2"
_ST = "sentence-transformers"
_ST_PACKAGES = ("sentence-transformers", "torch", "transformers")

JOBS: Mapping[str, Job] = {
    "startup": Job("models.startup", quick={"rounds": 3}, full={"rounds": 7}, packages=_ST_PACKAGES),
    "embedding": Job(
        "models.embedding",
        quick={"rounds": 3, "sets": ("short", "mixed"), "scale": 0.5, "every": False},
        full={"rounds": 7, "sets": ("short", "passage", "long", "mixed"), "scale": 1.0, "every": True},
        packages=(*_ST_PACKAGES, "fastembed", "openvino", "infinity-emb"),
    ),
    "reranking": Job(
        "models.reranking",
        quick={"rounds": 3, "sets": ("mixed",), "documents": 40, "every": False},
        full={"rounds": 7, "sets": ("mixed",), "documents": 100, "every": True},
        packages=_ST_PACKAGES,
    ),
    "service": Job(
        "service.measure",
        quick={"rounds": 3, "seconds": 2.0, "bulk": 256},
        full={"rounds": 5, "seconds": 5.0, "bulk": 2048},
        packages=("infinity-emb", "fastapi", "uvicorn"),
    ),
    "similarity": Job("models.similarity", ("sts/stsb_multi", "weights/potion-base-4m-int8"), packages=_ST_PACKAGES),
    "ranking": Job(
        "ranking.measure",
        ("retrieval", "grounding/scifact", "weights/potion-base-4m-int8"),
        quick={"queries": 40, "documents": 200, "reranked": 20, "candidates": 20},
        full={"queries": None, "documents": None, "reranked": 100, "candidates": 100},
        packages=("bm25s",),
    ),
    "words": Job(
        "retriever.words",
        ("retrieval", "deepsearch/wiki2_passages", "train/medquad"),
        quick={"passages": 20_000, "questions": 300, "seconds": 1.0, "rounds": 3, "every": False},
        full={"passages": 100_000, "questions": 1000, "seconds": 5.0, "rounds": 5, "every": True},
        packages=("bm25s", "numba", "tantivy", "rank_bm25"),
    ),
    "vectors": Job(
        "retriever.vectors",
        ("retrieval", "deepsearch", "train", "sts", "classification", "grounding", "segmentation", "rerank"),
        quick={"vectors": 20_000, "rounds": 3, "every": False},
        full={"vectors": 100_000, "rounds": 3, "every": True},
        packages=("faiss-cpu", "hnswlib", "usearch", "chromadb", "lancedb", "qdrant-client"),
    ),
    "pages": Job(
        "reader.pages",
        ("reader",),
        quick={"pages": 30, "rounds": 3, "every": False},
        full={"pages": None, "rounds": 3, "every": True},
        packages=("trafilatura", "readability-lxml", "markdownify", "resiliparse", "markitdown"),
    ),
    "pdf": Job(
        "reader.pdf", ("reader/docling_pairs",), quick={"rounds": 3}, full={"rounds": 5},
        packages=("pypdfium2", "kreuzberg", "pdf_oxide"),
    ),
    "chunks": Job(
        "segmenter.measure",
        ("segmentation/chunking_evaluation", "reader", "retrieval/jsquad"),
        quick={"characters": 400_000, "rounds": 3, "every": False},
        full={"characters": None, "rounds": 3, "every": True},
        packages=(
            "chonkie", "semchunk", "langchain-text-splitters", "llama-index-core", "semantic-text-splitter", "tiktoken",
        ),
    ),
    "labels": Job(
        "classifier.measure",
        ("classification",),
        quick={"sets": ("sib200-en", "sst2"), "shots": (1, 10), "draws": 3},
        full={"sets": ("clinc150", "sib200-en", "sst2"), "shots": (1, 10, 50), "draws": 5},
        packages=("scikit-learn",),
    ),
    "verdicts": Job(
        "grounder.measure",
        ("grounding", "retrieval/scifact"),
        quick={"sets": ("foolmetwice gold", "covidfact"), "claims": 100, "timed": 15, "rounds": 3},
        full={
            "sets": ("scifact", "wice", "foolmetwice gold", "foolmetwice retrieved", "covidfact"),
            "claims": 500, "timed": 20, "rounds": 5,
        },
        packages=("scikit-learn",),
    ),
    "multi-hop": Job("deep_search.measure", ("deepsearch",), quick={"questions": 20}, full={"questions": 100}),
    "local index": Job(
        "web_search.measure",
        ("retrieval/squad",),
        quick={"articles": 30, "questions": 100, "rounds": 3},
        full={"articles": 442, "questions": 1000, "rounds": 5},
        packages=("bm25s",),
    ),
    "domains": Job(
        "fine_tuner.measure", ("train/medquad", "retrieval/cosqa", "retrieval/cranfield"), quick=None,
        packages=_ST_PACKAGES,
    ),
}  # fmt: skip

ROWS: tuple[Row, ...] = (
    Row("embedder.retrieval", "Embedder", "quality", "retrieval by vectors alone, average of six sets", "nDCG@10",
        "small-embedding-v1", _MINILM, "ranking"),
    Row("embedder.similarity", "Embedder", "quality", "likeness of sentences, STS benchmark (English dev)",
        "Spearman's ρ", "small-embedding-v1", _MINILM, "similarity"),
    Row("embedder.default", "Embedder", "speed", "mixed texts, 70 tokens in the mean: `Embedder()` beside "
        "all-MiniLM-L6-v2", "tokens/CPU-s", "small-embedding-v1", _ST, "embedding", "embedding texts, `Embedder()`"),
    Row("embedder.mixed", "Embedder", "speed", "mixed texts, the same weights (all-MiniLM-L6-v2)", "tokens/CPU-s",
        "ours bfloat16", _ST, "embedding", "embedding texts, the same weights (bfloat16)"),
    Row("embedder.short", "Embedder", "speed", "short texts, 12 tokens, the same weights", "tokens/CPU-s",
        "ours bfloat16", _ST, "embedding"),
    Row("embedder.passage", "Embedder", "speed", "passages, 130 tokens, the same weights", "tokens/CPU-s",
        "ours bfloat16", _ST, "embedding"),
    Row("embedder.long", "Embedder", "speed", "long texts, 420 tokens, the same weights", "tokens/CPU-s",
        "ours bfloat16", _ST, "embedding"),
    Row("embedder.startup", "Embedder", "speed", "from the start of a process to the first vector", "starts/s",
        "ours, bundled", _ST, "startup", "start of a process to its first vector"),
    Row("reranker.order", "Reranker", "quality", "the best of BM25 in a new order, average of six sets", "nDCG@10",
        "small-reranker-v1", f"cosine of {_MINILM}", "ranking", "reranking BM25's best"),
    Row("reranker.mixed", "Reranker", "speed", "documents of mixed lengths, a cross-encoder of MiniLM-L6's shape",
        "documents/CPU-s", "ours bfloat16", _ST, "reranking"),
    Row("reranker.default", "Reranker", "speed", "the same documents: `Reranker()` beside that cross-encoder",
        "documents/CPU-s", "small-reranker-v1", _ST, "reranking", "reranking documents, `Reranker()`"),
    Row("retriever.hybrid", "Retriever", "quality", "retrieval as it comes, words and vectors, average of six sets",
        "nDCG@10", "hybrid", _MINILM, "ranking", "retrieval, average of six sets"),
    Row("retriever.lexical", "Retriever", "quality", "retrieval by words alone, average of six sets", "nDCG@10",
        "BM25", "bm25s", "ranking"),
    Row("retriever.words-index", "Retriever", "speed", "indexing passages by words, one thread", "passages/CPU-s",
        "ours", "bm25s numba, all words", "words"),
    Row("retriever.words-queries", "Retriever", "speed", "questions by words, one at a time", "queries/CPU-s",
        "ours", "bm25s numba, all words", "words"),
    Row("retriever.vectors-build", "Retriever", "speed", "building an index of vectors", "vectors/CPU-s",
        "ours auto", "faiss HNSW", "vectors"),
    Row("retriever.vectors-queries", "Retriever", "speed", "nearest ten at recall ≥ .95, one at a time",
        "queries/CPU-s", "ours auto", "faiss HNSW", "vectors", "nearest ten vectors, one query at a time"),
    Row("retriever.vectors-memory", "Retriever", "memory", "an index of vectors of 256 dimensions", "bytes/vector",
        "ours auto", "faiss HNSW", "vectors", "memory of an index of vectors"),
    Row("retriever.store-queries", "Retriever", "speed", "the same from a store on disk, with the documents",
        "queries/CPU-s", "our FaissStore", "Chroma", "vectors"),
    Row("reader.articles", "Reader", "quality", "the body of articles as people marked it", "F1 of runs of four words",
        "ours", "trafilatura precision", "pages", "article extraction"),
    Row("reader.segments", "Reader", "quality", "segments that must and must not be in the text", "F",
        "ours", "trafilatura precision", "pages"),
    Row("reader.pages", "Reader", "quality", "what Mozilla's Readability keeps", "F1 of runs of four words",
        "ours", "readability-lxml + markdownify", "pages"),
    Row("reader.speed", "Reader", "speed", "web pages, from bytes to Markdown", "pages/CPU-s",
        "ours", "trafilatura Markdown", "pages"),
    Row("pdf.order", "Reader of PDFs", "quality", "text in reading order", "NID", "ours", "pypdfium2", "pdf"),
    Row("pdf.tables", "Reader of PDFs", "quality", "tables", "TEDS", "ours", "kreuzberg", "pdf"),
    Row("pdf.headings", "Reader of PDFs", "quality", "headings", "MHS", "ours", "kreuzberg", "pdf"),
    Row("pdf.speed", "Reader of PDFs", "speed", "PDFs to Markdown", "pages/CPU-s", "ours", "kreuzberg", "pdf"),
    Row("segmenter.recall", "Segmenter", "quality", "what the five chunks of 400 tokens nearest to a question hold of "
        "the excerpts that answer it", "recall", "jina_components", "LangChain RecursiveCharacter", "chunks",
        "chunks of 400 tokens, what answers a question"),
    Row("segmenter.sentences", "Segmenter", "quality", "cuts of Markdown that fall between sentences",
        "share of cuts", "jina_components", "LangChain RecursiveCharacter", "chunks"),
    Row("segmenter.blocks", "Segmenter", "quality", "code fences and tables that fit into a chunk and are in one, "
        "headings that stay with their text", "share", "jina_components", "LangChain RecursiveCharacter", "chunks"),
    Row("segmenter.speed", "Segmenter", "speed", "Markdown not seen before, tokens of cl100k_base counted",
        "million characters/CPU-s", "jina_components", "LangChain RecursiveCharacter", "chunks",
        "cutting Markdown into chunks"),
    Row("classifier.examples", "Classifier", "quality", "labels from 10 examples each", "accuracy",
        "ours", "LogisticRegression (batch)", "labels", "labels from ten examples each"),
    Row("classifier.one-example", "Classifier", "quality", "labels from one example each", "accuracy",
        "ours", "LogisticRegression (batch)", "labels"),
    Row("classifier.many-examples", "Classifier", "quality", "labels from 50 examples each", "accuracy",
        "ours", "LogisticRegression (batch)", "labels"),
    Row("classifier.speed", "Classifier", "speed", "learning from 10 examples a label and labelling the test split, "
        "vectors given", "runs/CPU-s", "ours", "LogisticRegression (batch)", "labels"),
    Row("grounder.verdicts", "Grounder", "quality", "claims and their evidence", "balanced accuracy",
        "Grounder", "entailment model alone", "verdicts", "verdicts on claims"),
    Row("grounder.speed", "Grounder", "speed", "claims, evidence given", "claims/CPU-s",
        "Grounder", "entailment model alone", "verdicts"),
    Row("deep_search.passages", "DeepSearchAgent", "quality", "passages that answer a question together, without a "
        "language model (HotpotQA, MuSiQue)", "recall@5", "agent", "one hybrid query", "multi-hop",
        "deep search without a language model"),
    Row("deep_search.speed", "DeepSearchAgent", "speed", "the same questions", "questions/s",
        "agent", "one hybrid query", "multi-hop"),
    Row("web_search.local", "WebSearch", "quality", "pages read before, found by questions about them", "MRR@10",
        "WebSearch", "bm25s", "local index"),
    Row("web_search.speed", "WebSearch", "speed", "the same questions", "queries/s",
        "WebSearch", "bm25s", "local index"),
    Row("service.requests", "Service", "speed", "short texts over HTTP from 16 connections, the same weights",
        "requests/s", "ours auto", "Infinity", "service", "over HTTP, 16 connections, the same weights"),
    Row("service.bulk", "Service", "speed", "256 texts a request as base64, beside one call in the process",
        "texts/s", "ours auto", "in the process", "service"),
    Row("fine_tuner.domains", "FineTuner", "quality", "`small-embedding-v1` tuned on unlabelled documents, questions "
        "that people asked (MedQuAD, CoSQA, Cranfield)", "nDCG@10", "tuned", "untuned", "domains",
        "tuning to a domain without labels"),
)  # fmt: skip
ROWS_BY_NAME: Mapping[str, Row] = {row.name: row for row in ROWS}
COMPONENTS: tuple[str, ...] = tuple(dict.fromkeys(row.component for row in ROWS))

WITHOUT: Mapping[tuple[str, Kind], str] = {
    ("Service", "quality"): "it answers with the vectors of the Embedder, which the runner checks before it measures.",
    ("FineTuner", "speed"): "the trainer is sentence-transformers' own; there is no peer that does the rest.",
}
"""Why a component has no row of a kind."""
