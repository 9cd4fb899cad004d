import csv
import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.errors import ConfigError, ReadError, UnknownNameError
from jina_components.scale.rows import BadRow, Columns, Row, identify, parse, raw_rows

COLUMNS = Columns("text", "id")


def read(path, columns=COLUMNS):
    return [parse(raw, columns) for raw in raw_rows(path, columns)]


def reasons(path, columns=COLUMNS):
    return {row.number: row.reason for row in read(path, columns) if isinstance(row, BadRow)}


def test_json_lines(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_bytes('\ufeff{"id": "a", "text": "eins", "more": [1]}\n\n{"text": "zw\u00e4", "id": 2}'.encode())
    assert read(path) == [Row(1, "a", "eins"), Row(3, "2", "zwä")]
    assert read(path, Columns("text")) == [Row(1, "1", "eins"), Row(3, "3", "zwä")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "It is no JSON"),
        (b'"text"', "It is no JSON object but str"),
        (b'{"id": 1}', "It has no 'text'"),
        (b'{"text": "a", "id": null}', "It has no 'id'"),
        (b'{"text": " \\n", "id": 1}', "Its 'text' is blank"),
        (b'{"text": ["a"], "id": 1}', "Its 'text' is list"),
        (b'{"text": "a", "id": 1.5}', "Its 'id' is float"),
        (b'{"text": "a", "id": true}', "Its 'id' is bool"),
        (b'{"text": "\\ud800", "id": 1}', "It is not UTF-8"),
        (b'{"text": "\xff", "id": 1}', "It is no JSON"),
        (b"[" * 100_000, "It is no JSON: maximum recursion depth"),
    ],
)
def test_bad_lines_are_told_apart(tmp_path, line, reason):
    path = tmp_path / "texts.jsonl"
    path.write_bytes(b'{"text": "fine", "id": 0}\n' + line + b"\n")
    [number] = found = reasons(path)
    assert number == 2
    assert reason in found[2]


def test_csv_with_quoted_lines_and_a_number_for_each_row(tmp_path):
    path = tmp_path / "texts.csv"
    path.write_bytes(b'\xef\xbb\xbfid,text\r\n1,"two\nlines, one row"\r\n\r\n2,plain\r\n3\r\n4,\xff\r\n')
    assert read(path)[:2] == [Row(2, "1", "two\nlines, one row"), Row(5, "2", "plain")]
    assert reasons(path) == {6: "It has no 'text'.", 7: "It is not UTF-8."}


@given(st.lists(st.tuples(st.text(min_size=1).filter(str.strip), st.integers()), min_size=1, max_size=8))
def test_csv_gives_back_what_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "texts.csv"
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["id", "text"])
    writer.writerows([number, value] for value, number in rows)
    path.write_bytes(text.getvalue().encode())
    assert [(row.text, row.id) for row in read(path)] == [(value, str(number)) for value, number in rows]


def test_tabs_and_gzip(tmp_path):
    with gzip.open(tmp_path / "texts.tsv.gz", "wb") as file:
        file.write(b"text\tid\nan, apple\t1\n")
    with gzip.open(tmp_path / "texts.jsonl.gz", "wb") as file:
        file.write(json.dumps({"text": "an, apple", "id": 1}).encode())
    assert read(tmp_path / "texts.tsv.gz") == [Row(2, "1", "an, apple")]
    assert read(tmp_path / "texts.jsonl.gz") == [Row(1, "1", "an, apple")]


def test_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "texts.parquet"
    count = 2500
    table = pa.table({"text": [f"text {n}" for n in range(count - 1)] + [None], "id": range(count), "x": [1.5] * count})
    pq.write_table(table, path, row_group_size=700)
    rows = read(path)
    assert rows[:2] == [Row(1, "0", "text 0"), Row(2, "1", "text 1")]
    assert len(rows) == count
    assert rows[-1] == BadRow(count, "It has no 'text'.")
    with pytest.raises(ConfigError, match="no column 'body'; it has 'text', 'id', 'x'"):
        read(path, Columns("body"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ReadError, match=r"\A\S+texts\.parquet is no Parquet file"):
        read(path)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UnknownNameError, match=r"kind of file.*\.docx"):
        read(tmp_path / "texts.docx")
    with pytest.raises(ReadError, match=r"There is no file .*texts\.jsonl"):
        read(tmp_path / "texts.jsonl")
    with pytest.raises(ReadError, match="cannot be read"):
        identify(tmp_path / "texts.jsonl")
    (tmp_path / "texts.csv").write_text("a;b\n1;2\n")
    with pytest.raises(ConfigError, match="no column 'text'; it has 'a;b'"):
        read(tmp_path / "texts.csv")
    (tmp_path / "texts.csv").write_text("")
    with pytest.raises(ReadError, match=r"\A\S+texts\.csv is empty, or its first line is: .* name the columns\.\Z"):
        read(tmp_path / "texts.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ReadError, match=r"folder\.csv is a directory: pass a file\.\Z"):
        read(tmp_path / "folder.csv")
    (tmp_path / "plain.csv.gz").write_text("text,id")
    with pytest.raises(ReadError, match=r"plain\.csv\.gz cannot be read: Not a gzip"):
        read(tmp_path / "plain.csv.gz")
    (tmp_path / "quote.csv").write_text('text,id\na,1\n"b,2\n' + "c,3\n" * 50_000)
    with pytest.raises(ReadError, match=r"past row 2: field larger.*quote that is not closed"):
        read(tmp_path / "quote.csv")
    whole = gzip.compress(b'{"text": "a", "id": 1}\n' * 100_000)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match=r"cut\.jsonl\.gz cannot be read past row \d+"):
        read(tmp_path / "cut.jsonl.gz")


def test_a_file_is_known_by_its_content(tmp_path):
    for name, content in (("a", b"same"), ("b", b"same"), ("c", b"else")):
        (tmp_path / name).write_bytes(content)
    assert identify(tmp_path / "a") == identify(tmp_path / "b") != identify(tmp_path / "c")
