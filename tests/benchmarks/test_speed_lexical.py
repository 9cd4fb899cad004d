import gzip
import json

from benchmarks.speed.lexical import _SOURCES, cut, measure, passages, questions


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def make_data(folder):
    sentence = "The {} of number {} is long enough to fill a line. "
    paragraphs = [
        {"_id": f"p{n}", "text": sentence.format("river", n) * 12 + f"Its mouth is at place{n}."} for n in range(9)
    ]
    asked = [{"text": f"Where is the mouth of river {n}?", "para": f"p{n}", "answers": [f"place{n}"]} for n in range(9)]
    write(folder / "retrieval/squad/train_paras.jsonl.gz", paragraphs)
    write(folder / "retrieval/squad/train_questions.jsonl.gz", asked)
    for source in _SOURCES:
        write(folder / source, [{"title": "A title", "text": "Some words."}])
    return folder


def test_cut_at_sentences():
    text = "One sentence. " * 100 + "x" * 900
    pieces = cut(text)
    assert " ".join(pieces) == text
    assert all(len(piece) <= 500 for piece in pieces[:-1])
    assert cut("") == [""]


def test_passages_and_questions(tmp_path):
    data = make_data(tmp_path)
    texts, names = passages(data, 1000)
    assert (names[0], names[-1], texts[-1]) == ("p0", "", "A title Some words.")
    assert passages(data, 3)[0] == texts[:3]
    asked = questions(data, texts, names, 4)
    assert len(asked) == 4
    for question, right in asked:
        number = question[-2]
        assert [names[position] for position in right] == [f"p{number}"]
        assert f"place{number}" in texts[right[0]]


def test_engines_on_a_small_set(tmp_path):
    texts, names = passages(make_data(tmp_path), 1000)
    file = tmp_path / "texts.json"
    file.write_text(json.dumps({"texts": texts * 40, "questions": questions(tmp_path, texts, names, 9)}), "utf-8")
    ours = measure("ours", file, 0.05)
    assert {"index s", "queries/s", "hit@10", "1k adds", "1k deletes"} <= set(ours)
    assert measure("SQLite FTS5", file, 0.05)["queries/s"] > 0
