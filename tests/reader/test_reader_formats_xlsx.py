from __future__ import annotations

import datetime as dt

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from office_samples import read, saved

from jina_components.errors import ExtractionError
from jina_components.reader.formats import tables
from jina_components.reader.formats.number_formats import formatter, plain


def workbook(**cells: object) -> openpyxl.Workbook:
    made = openpyxl.Workbook()
    for reference, value in cells.items():
        made.active[reference] = value
    return made


def test_sheets_are_headings_and_tables() -> None:
    book = workbook(A1="Report", A3="region", C3="note", A4="north", C4="a|b")
    book.active["A4"].hyperlink = "https://h/north"
    book.create_sheet("Second")["B2"] = "alone"
    page = read(saved(book), "sales.xlsx")
    assert page.content == (
        "## Sheet\n\nReport\n\n| region | note |\n| --- | --- |\n| [north](https://h/north) | a\\|b |\n\n"
        "## Second\n\n| alone |\n| --- |"
    )
    assert page.title == "sales.xlsx"
    assert page.page_offsets == (0, page.content.index("## Second"))
    assert page.metadata["sheets"] == ["Sheet", "Second"]
    assert page.links == (("north", "https://h/north"),)


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (3.0, "General", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (1234567.5, "#,##0.00", "1234567.5"),
        (0.256, "0.0%", "25.6%"),
        (0.07, "0%", "7%"),
        (dt.date(2024, 3, 5), "yyyy-mm-dd", "2024-03-05"),
        (dt.date(1900, 1, 15), "d.m.yy", "1900-01-15"),
        (dt.datetime(2024, 3, 5, 14, 30), 'dd" day "mmm yy hh:mm', "2024-03-05 14:30"),
        (dt.time(9, 15, 7), "h:mm:ss", "09:15:07"),
        (dt.timedelta(hours=30, minutes=5), "[h]:mm:ss", "30:05:00"),
        (5, '[Red]0" days"', "5"),
        (5, "0.00E+00", "5"),
        (True, "General", "TRUE"),
        ("two\nlines", "General", "two<br>lines"),
        ("#N/A", "General", "#N/A"),
    ],
)
def test_values_as_people_read_them(value: object, number_format: str, shown: str) -> None:
    book = workbook(A1="header", A2=value)
    book.active["A2"].number_format = number_format
    assert read(saved(book)).content.endswith(f"| header |\n| --- |\n| {shown} |")


def test_merged_cells_stand_in_each_row() -> None:
    book = workbook(A1="region", B1="year", A2="north", B2=2023, B3=2024)
    book.active.merge_cells("A2:A3")
    assert read(saved(book)).content.endswith("| north | 2023 |\n| north | 2024 |")


def test_what_is_left_out_is_told() -> None:
    book = workbook(A1="x", A2="=1+1")
    book.create_sheet("Secret")["A1"] = "hidden"
    book["Secret"].sheet_state = "hidden"
    page = read(saved(book))
    assert "hidden" not in page.content
    assert page.warnings == (
        "Not read, because they are hidden: 1 sheets (Secret).",
        "Formulas without a stored value: 1. Save the file in a spreadsheet program.",
    )


def test_a_large_sheet_is_csv_and_a_huge_one_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    book = openpyxl.Workbook()
    for number in range(30):
        book.active.append([number, "a,b"])
    data = saved(book)
    monkeypatch.setattr(tables, "MAX_TABLE_CELLS", 50)
    assert '```csv\n0,"a,b"\n1,"a,b"\n' in read(data).content
    monkeypatch.setattr("jina_components.reader.formats.xlsx.MAX_CELLS", 20)
    page = read(data)
    assert page.content.endswith("| 9 | a,b |")
    assert page.warnings == ("More than 20 cells are not read: 1 sheets were cut (Sheet).",)


def test_cells_far_apart_make_a_small_table() -> None:
    assert read(saved(workbook(A1="a", XFD1="b", A1000000="c"))).content.endswith("| a | b |\n| --- | --- |\n| c |  |")


def test_an_empty_workbook() -> None:
    with pytest.raises(ExtractionError, match="cells are all empty"):
        read(saved(openpyxl.Workbook()))


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12), st.integers(0, 60), st.booleans())
def test_any_number_in_any_format_is_written(number: float, code: str, format_id: int, from_1904: bool) -> None:
    assert formatter(format_id, code, from_1904=from_1904)(number)


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_whole_numbers_are_written_whole(number: int) -> None:
    assert plain(float(number)) == str(number)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("mm:ss", "12:30"),
        ("mm:ss.0", "12:30"),
        ("hh:mm:ss.00", "12:30"),
        ("yyyy-mm-dd hh:mm:ss.000", "2023-03-15 12:30"),
        ("d/m h:mm", "2023-03-15 12:30"),
        ("0.0", "45000.5208333333"),
    ],
)
def test_codes_of_times(code: str, wanted: str) -> None:
    assert formatter(164, code, from_1904=False)(45000.5208333333) == wanted
