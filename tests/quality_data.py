"""A made-up folder of every set that quality is measured on, as small as measuring allows."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

WORDS = [f"word{number}" for number in range(40)]
SPLITS = {"scifact": "_train", "cosqa": "_dev", "cranfield": "", "npl": ""}
ARTICLES = 60


def write_quality_data(data: Path) -> Path:
    """Write the folder; in each retrieval set a query is answered by the document that shares its word."""
    for name, split in SPLITS.items():
        _write_judged(data / "retrieval" / name, split)
    _write_squad(data / "retrieval" / "squad")
    _write_docs(data / "retrieval" / "anthropic_docs")
    pairs = [{"a": f"word{i}", "b": f"word{i} word{i + 1}", "score": i} for i in range(5)]
    write_jsonl(data / "sts" / "stsb_multi" / "en_dev.jsonl.gz", pairs)
    _write_classification(data / "classification")
    _write_entailment(data / "grounding")
    return data


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)


def _write_judged(folder: Path, split: str) -> None:
    rows = [{"_id": f"d{i}", "title": "", "text": f"word{i} word{i + 1}"} for i in range(12)]
    documents = [*rows, {"_id": "blank", "title": "", "text": ""}]
    sentences = [{**row, "sentences": [f"{row['text']}.", "And more."]} for row in documents]
    write_jsonl(folder / "corpus.jsonl.gz", sentences)
    texts = {"q3": "word3", "q7": "word7 please", "q8": "word8", "q9": "unjudged"}
    queries = [{"_id": name, "text": text} for name, text in texts.items()]
    write_jsonl(folder / f"queries{split}.jsonl", queries)
    judged = "query-id\tcorpus-id\tscore\nq3\td3\t2\nq3\td2\t1\nq7\td7\t1\nq7\td1\t0\nq8\td8\t1\n"
    (folder / f"qrels{split}.tsv").write_text(judged, encoding="utf-8")


def _write_squad(folder: Path) -> None:
    numbers = [(article, paragraph) for article in range(ARTICLES) for paragraph in range(2)]
    paragraphs = [
        {"_id": f"article{a}#{p}", "title": f"article{a}", "text": f"{WORDS[a % 40]} paragraph{p} article{a}"}
        for a, p in numbers
    ]
    questions = [
        {"_id": f"article{a}#{p}/0", "text": f"which paragraph{p} article{a}", "para": f"article{a}#{p}", "answers": []}
        for a, p in numbers
    ]
    write_jsonl(folder / "train_paras.jsonl.gz", paragraphs)
    write_jsonl(folder / "train_questions.jsonl.gz", questions)


def _write_docs(folder: Path) -> None:
    chunks = [{"chunk_link": f"#{i}", "chunk_heading": "", "text": f"word{i} docs"} for i in range(6)]
    write_jsonl(folder / "chunks.jsonl.gz", chunks)
    asked = [{"id": f"q{i}", "question": f"word{i}", "correct_chunks": [f"#{i}", "#gone"]} for i in range(3)]
    write_jsonl(folder / "queries.jsonl.gz", [*asked, {"id": "lost", "question": "lost", "correct_chunks": ["#gone"]}])


def _write_classification(folder: Path) -> None:
    rows = [{"text": f"{label} {WORDS[i]}", "label": label} for label in ("play_music", "set_alarm") for i in range(12)]
    write_jsonl(folder / "clinc150" / "train.jsonl.gz", rows)
    write_jsonl(folder / "clinc150" / "val.jsonl.gz", rows[::6])
    topics = [{**row, "split": split} for split in ("train", "dev") for row in rows]
    write_jsonl(folder / "sib200" / "eng_Latn.jsonl.gz", topics)
    opinions = [{"text": f"{('bad', 'good')[i % 2]} {WORDS[i]}", "label": i % 2} for i in range(24)]
    for split in ("train", "dev"):
        write_jsonl(folder / "sentconv" / f"stsa.binary.{split}.jsonl.gz", opinions)


def _write_entailment(folder: Path) -> None:
    fever = [
        {"premise": f"premise {i}", "hypothesis": f"claim {i // 2}", "label": ("entailment", "not_entailment")[i % 2]}
        for i in range(200)
    ]
    write_jsonl(folder / "fever_pairs" / "fever_dev_pairs.jsonl.gz", fever)
    viral = [{**row, "hypothesis": f"viral {row['hypothesis']}"} for row in fever[:6]]
    write_jsonl(folder / "covidfact" / "rte_train.jsonl.gz", viral)
    tricky = [
        {"text": f"claim {i}", "label": ("SUPPORTS", "REFUTES")[i % 2], "gold_evidence": [{"text": "a"}, {"text": "b"}]}
        for i in range(6)
    ]
    write_jsonl(folder / "foolmetwice" / "dev.jsonl.gz", tricky)
    evidence = [
        {"doc_id": "d1", "label": "SUPPORT", "sentences": [1]},
        {"doc_id": "d1", "label": "SUPPORT", "sentences": [0]},
        {"doc_id": "d2", "label": "CONTRADICT", "sentences": [0]},
    ]
    claims = [
        {
            "_id": f"q{i}",
            "claim": f"finding {i} is d1",
            "cited_doc_ids": [f"x{i // 2}", "d1"] if i == 1 else [f"x{i // 2}"],
            "evidence": evidence if i % 4 else [],
        }
        for i in range(12)
    ]
    write_jsonl(folder / "scifact" / "claims_train.jsonl", claims)
