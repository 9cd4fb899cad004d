"""`segment`: chunks and tokens of a file or of standard input."""

import io
import json

import pytest

GUIDE = "# Guide\n\nBoil water for three minutes.\n\n## Storage\n\nKeep it cool 🚀. Use it soon.\n"


@pytest.fixture
def guide(tmp_path):
    path = tmp_path / "guide.md"
    path.write_text(GUIDE, encoding="utf-8")
    return path


def lines(out):
    return [json.loads(line) for line in out.splitlines()]


def test_chunks_are_shown_with_their_places_tokens_and_headings(run, guide):
    code, out, err = run("segment", guide, "--max-length", 50)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "--- 1: 0 to 40, 8 tokens, Guide"
    assert "--- 2: 40 to 81, 12 tokens, Guide > Storage" in out
    assert out.endswith("--- 2 chunks, 20 tokens (bundled)\n")
    assert "## Storage\n\nKeep it cool 🚀. Use it soon.\n---" in out


def test_json_has_both_kinds_of_offsets(run, guide):
    code, out, _ = run("segment", guide, "--max-chunk-length", 30, "--json")
    assert code == 0
    units = GUIDE.encode("utf-16-le")
    for chunk in lines(out):
        assert GUIDE[chunk["start"] : chunk["end"]] == chunk["text"]
        start, end = chunk["utf16"]
        assert units[2 * start : 2 * end].decode("utf-16-le") == chunk["text"]
    assert lines(out)[-1]["heading"] == "Guide > Storage"


def test_lengths_in_tokens_overlap_and_pieces(run, guide):
    found = lines(run("segment", guide, "--unit", "tokens", "--max-length", 8, "--overlap", 3, "--json")[1])
    assert all(chunk["num_tokens"] <= 8 for chunk in found)
    found = lines(run("segment", guide, "--pieces", "--json")[1])
    assert [chunk["text"].strip() for chunk in found] == [line for line in GUIDE.split("\n") if line]
    assert len(lines(run("segment", guide, "--min-length", 60, "--max-length", 90, "--json")[1])) == 1


def test_code_is_cut_by_its_syntax(run, tmp_path):
    path = tmp_path / "app.py"
    path.write_text("def one():\n    return 1\n\n\ndef two():\n    return 2\n")
    found = lines(run("segment", path, "--language", "python", "--max-length", 30, "--json")[1])
    assert [chunk["heading"] for chunk in found] == ["def one", "def two"]


def test_code_is_taken_as_it_stands(run, tmp_path):
    path = tmp_path / "app.rb"
    path.write_text("---\nversion: 3\n---\nputs 1\n")
    (chunk,) = lines(run("segment", path, "--language", "ruby", "--json")[1])
    assert chunk["text"] == "---\nversion: 3\n---\nputs 1\n"
    code, _, err = run("segment", tmp_path / "absent.rb", "--language", "ruby")
    assert code == 2
    assert "absent.rb cannot be read: No such file" in err


def test_an_embedder_may_help(run, guide):
    code, out, _ = run("segment", guide, "--embedder", "static-minilm-v1", "--json")
    assert code == 0
    assert "".join(chunk["text"] for chunk in lines(out)) == GUIDE


def test_tokens_are_counted_and_shown(run, monkeypatch):
    def standard_input():
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("Hi 🚀".encode())))

    standard_input()
    assert run("segment", "-", "--count", "--tokenizer", "cl100k_base") == (0, "4\n", "")
    standard_input()
    _, out, _ = run("segment", "-", "--tokens", "--tokenizer", "cl100k_base", "--json")
    assert [row["ids"] for row in lines(out)] == [[13347], [11410], [248, 222]]
    standard_input()
    assert run("segment", "-", "--tokens", "--tokenizer", "cl100k_base")[1].splitlines()[-1] == "     248 222  '🚀'"


def test_head_and_tail(run, guide):
    assert run("segment", guide, "--head", 2)[1] == "# Guide\n"
    assert lines(run("segment", guide, "--tail", 2, "--json")[1]) == [{"text": "soon.\n"}]
    assert lines(run("segment", guide, "--count", "--json")[1]) == [{"num_tokens": 20, "tokenizer": "bundled"}]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--count", "--overlap", "0"], "--overlap is about chunks"),
        (["--head", "-1"], "0 or more"),
        (["--tokenizer", "cl100k"], "cl100k_base"),
        (["--language", "pyton"], "python"),
        (["--pieces", "--overlap", "5"], "pack=False"),
        (["--max-length", "0"], "max_chunk_length"),
        (["--min-length", "2000"], "min_chunk_length"),
    ],
)
def test_errors_are_one_clear_line(run, guide, arguments, says):
    code, out, err = run("segment", guide, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_actions_exclude_each_other(run, guide):
    with pytest.raises(SystemExit):
        run("segment", guide, "--count", "--tokens")
