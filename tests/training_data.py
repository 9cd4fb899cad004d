"""A made-up folder of every set that the recipes train on, beside those that quality is measured on."""

from __future__ import annotations

from pathlib import Path

from quality_data import ARTICLES, WORDS, write_jsonl, write_quality_data


def write_training_data(data: Path) -> Path:
    """Write the folder; sentences are made of `quality_data.WORDS`."""
    write_quality_data(data)
    _write_squad(data / "retrieval" / "squad")
    abstracts = [
        {
            "_id": f"d{i}",
            "title": f"about word{i}",
            "text": f"word{i} word{i + 1}",
            "sentences": [f"word{i}.", "And more."],
        }
        for i in range(12)
    ]
    write_jsonl(data / "retrieval/scifact/corpus.jsonl.gz", abstracts)
    stories = [
        {
            "_id": f"w{i}",
            "title": f"Title{i}",
            "text": f"{WORDS[i].title()} is the first of {i + 3} towns (near here). "
            f"It was built in 19{i:02d} by people of {WORDS[i + 1].title()} and others. They left it, long before now.",
        }
        for i in range(30)
    ]
    write_jsonl(data / "deepsearch/wiki2_passages/passages.jsonl.gz", stories)
    answers = [
        {
            "id": f"m{i}",
            "q": f"What is {WORDS[i]} ?",
            "a": f"The {WORDS[i]} is a common cause of {WORDS[i + 1]} in 10 of us.",
        }
        for i in range(30)
    ]
    write_jsonl(data / "train/medquad/qa.jsonl.gz", answers)
    synsets = [
        {
            "id": f"s{i}",
            "members": [WORDS[i], f"also {WORDS[i]}"],
            "def": [f"a kind of {WORDS[0]} that ends in {i}"],
            "ex": [f"they saw the {WORDS[i]} again today"],
            "hyper": ["s0"] if i else [],
        }
        for i in range(30)
    ]
    write_jsonl(data / "train/oewn/synsets.jsonl.gz", synsets)
    pairs = [{"a": f"a {WORDS[i]} runs", "b": f"one {WORDS[i]} is running", "score": i % 6} for i in range(30)]
    write_jsonl(data / "sts/stsb_multi/en_train.jsonl.gz", pairs)
    statements = [{"table": "t", "statement": f"{WORDS[i]} won {i} games", "label": i % 2} for i in range(10)]
    write_jsonl(data / "grounding/tabfact_val/statements.jsonl.gz", statements)
    return data


def _write_squad(folder: Path) -> None:
    numbers = [(article, paragraph) for article in range(ARTICLES) for paragraph in range(2)]
    paragraphs = [
        {
            "_id": f"article{a}#{p}",
            "title": f"article{a}",
            "text": f"The town of {WORDS[a % 40]} has {a + 7} gates. Its river{p} is named after Saint{a}x{p}. So old.",
        }
        for a, p in numbers
    ]
    questions = []
    for a, p in numbers:
        counted = (f"How many gates does {WORDS[a % 40]} have?", str(a + 7))
        named = (f"Who named river{p} of article{a}?", f"Saint{a}x{p}")
        for n, (text, answer) in enumerate([counted, named]):
            home = f"article{a}#{p}"
            questions.append({"_id": f"{home}/{n}", "text": text, "para": home, "answers": [answer]})
    write_jsonl(folder / "train_paras.jsonl.gz", paragraphs)
    write_jsonl(folder / "train_questions.jsonl.gz", questions)
