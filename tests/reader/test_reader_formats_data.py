from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from office_samples import read

from jina_components.errors import ExtractionError
from jina_components.read_options import MarkdownStyle, ReadOptions
from jina_components.reader.formats import data as data_reader
from jina_components.reader.formats.data import _indented

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def test_json_stays_as_it_is() -> None:
    page = read('{\n "title": "Tides", "description": "of the sea", "high": 1.10\n}\n', "tides.json")
    assert page.content == '```json\n{\n "title": "Tides", "description": "of the sea", "high": 1.10\n}\n```'
    assert (page.title, page.description) == ("Tides", "of the sea")
    assert read('["`````"]', "x.json").content == '``````json\n["`````"]\n``````'
    assert read("[1]", "x.json", options=ReadOptions(format="text")).content == "[1]"


def test_json_on_one_long_line_is_indented_but_no_value_is_written_anew() -> None:
    text = '{"a":[1.10,1e5,{},[]],"b":"x,{y\\"","c":' + "9" * 600 + "}"
    shown = read(text, content_type="application/json").content
    assert shown.startswith(
        '```json\n{\n  "a": [\n    1.10,\n    1e5,\n    {},\n    []\n  ],\n  "b": "x,{y\\"",\n  "c": 999'
    )


@given(JSON)
def test_indented_json_holds_the_same(value: object) -> None:
    assert json.loads(_indented(json.dumps(value))) == value


def test_lines_of_json_and_broken_json_stay() -> None:
    assert read('{"a": 1}\n{"a": 2}\n', "x.jsonl").content == '```json\n{"a": 1}\n{"a": 2}\n```'
    assert read('{"a": ', "x.json").content == '```json\n{"a":\n```'
    assert read("[" * 100_000, "x.json").title == "x.json"
    with pytest.raises(ExtractionError, match="no text"):
        read("\ufeff ", "x.json")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('name,height\nspring,"5,1"\n', "x.csv"),
        ('name;height\nspring;"5,1"\n', "x.csv"),
        ("name\theight\nspring\t5,1\n", "x.tsv"),
        ("sep=|\nname|height\nspring|5,1\n", "x.csv"),
        ("name | height\r\nspring | 5,1\r\n\r\n", "x.csv"),
    ],
)
def test_rows_become_a_table_whatever_divides_them(text: str, name: str) -> None:
    page = read(text, name)
    assert page.content == "| name | height |\n| --- | --- |\n| spring | 5,1 |"
    assert (page.title, page.metadata["rows"], page.metadata["columns"]) == (name, 2, 2)


def test_cells_of_several_lines_and_of_marks() -> None:
    page = read('a,b\n"one\ntwo",x|y\n,<b>z\n', "x.csv", options=ReadOptions(style=MarkdownStyle(escape=False)))
    assert page.content == "| a | b |\n| --- | --- |\n| one<br>two | x\\|y |\n|  | <b>z |"
    html = read("a,b\n1,<2>\n", "x.csv", options=ReadOptions(style=MarkdownStyle(tables="html"))).content
    assert "<td>1</td><td>&lt;2&gt;</td>" in html


def test_too_many_cells_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_reader, "MAX_TABLE_CELLS", 3)
    page = read("a,b\n1,2\n", "x.csv")
    assert page.content == "```csv\na,b\n1,2\n```"
    assert page.warnings == ("More than 3 cells: they are not shown as a table.",)


def test_a_field_beyond_the_limit_of_csv_is_told() -> None:
    page = read('a,b\n"' + "x" * 200_000 + '",2\n', "x.csv")
    assert page.content.startswith("```csv\na,b\n")
    assert "cannot be told apart" in page.warnings[0]


@pytest.mark.parametrize(
    "bomb", ['"' * 300_000, "," * 300_000, "a,b\n" * 100_000, "x," * 300_000, "{" * 300_000, '"\\' * 150_000]
)
@pytest.mark.parametrize("name", ["x.csv", "x.json"])
def test_no_data_takes_long(bomb: str, name: str) -> None:
    begin = time.process_time()
    read("x" + bomb, name)
    assert time.process_time() - begin < 10


def test_xml_of_data_stays_and_of_documents_is_read() -> None:
    data = '<?xml version="1.0"?><tides><tide high="5.1">spring</tide></tides>'
    assert read(data).content == f"```xml\n{data}\n```"
    article = (
        '<?xml version="1.0"?><article xmlns:x="http://www.w3.org/1999/xlink"><title>Tides</title><sec><title>Low</title>'
        '<p>It <italic>ebbs</italic>, see <ext-link x:href="https://h/x">there</ext-link>.</p>'
        "<list><list-item><p>sand</p></list-item></list></sec></article>"
    )
    page = read(article)
    assert page.content == "# Tides\n\n## Low\n\nIt *ebbs*, see [there](https://h/x).\n\n- sand"
    assert (page.title, page.links) == ("Tides", (("there", "https://h/x"),))


def test_long_json_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"title": "Tides", "words": "' + "x" * 600 + '"}'
    assert read(text, "x.json").title == "Tides"
    monkeypatch.setattr(data_reader, "MAX_PARSED", 600)
    page = read(text, "x.json")
    assert (page.title, page.content) == ("x.json", f"```json\n{text}\n```")


def test_a_quotation_mark_is_no_delimiter() -> None:
    assert read('sep="\na,b\n', "x.csv").content.startswith('| sep="')


def test_broken_xml_is_read_with_a_warning() -> None:
    page = read("<?xml version='1.0'?><article><p>one</b><p>two</p></article>")
    assert "two" in page.content
    assert "The XML is broken in line 1" in page.warnings[0]
    assert read("<?xml version='1.0'?><article><x:p>one</x:p><p>two</p></article>").warnings == ()
