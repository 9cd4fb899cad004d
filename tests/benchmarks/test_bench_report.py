"""The report is made of the history, and the README's numbers of the report."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from made_up_history import a_run, measured, quality, speed

from benchmarks.cells import gap, value
from benchmarks.history import load_all, save
from benchmarks.report import FILLED, FOLDER, Report, charts, draw, fill, markdown
from benchmarks.table import COMPONENTS, ROWS, ROWS_BY_NAME

PLACE = "before\n<!-- bench: headlines -->\nold\n<!-- /bench -->\nafter\n"


def test_a_report_is_drawn_and_pages_are_filled(tmp_path):
    save(measured(), tmp_path / "history")
    page = tmp_path / "README.md"
    page.write_text(PLACE, "utf-8")
    draw(tmp_path, tmp_path / "history", [page])
    text = (tmp_path / "report.md").read_text("utf-8")
    for component in COMPONENTS:
        assert f"## {component}\n" in text
    for row in ROWS:
        assert row.what in text
    for picture in (tmp_path / "report").iterdir():
        assert picture.stem.partition("-")[0]
        assert ET.parse(picture).getroot().tag.endswith("svg")
    filled = page.read_text("utf-8")
    assert filled.startswith("before\n<!-- bench: headlines -->\n")
    assert filled.endswith("<!-- /bench -->\nafter\n")
    assert "old" not in filled
    draw(tmp_path, tmp_path / "history", [page])
    assert (tmp_path / "report.md").read_text("utf-8") == text
    assert page.read_text("utf-8") == filled


def test_where_we_lose_is_made_of_the_same_rows():
    run = measured()
    assert "Nowhere" in markdown(Report([run]))
    run.results["pdf.speed"] = speed(0.5, "a faster one")
    run.results["pdf.order"] = quality(0.5, 0.7, "a better one")
    losses = markdown(Report([run])).partition("## Where we lose")[2].partition("\n## ")[0]
    assert "| a faster one |" in losses
    assert "0.50 × (0.50–0.50)" in losses
    assert "−.200 (−.200 … −.200)" in losses
    assert losses.count("\n| ") == 4  # a head, its rule and two rows


def test_every_number_names_its_run():
    quick, full = measured(), a_run("2026-01-01T00:00:00Z", "full")
    full.results["pdf.order"] = quality(0.7, 0.5, "pypdfium2")
    report = Report([full, quick])
    text = markdown(report)
    assert "| .700 | pypdfium2 | .500 | +.200 (+.200 … +.200) | **better** | [1](#runs) |" in text
    assert text.count("[2](#runs)") == len(ROWS) - 1
    assert "1. [2026-01-01T000000Z-full](history/2026-01-01T000000Z-full.json)" in text


def test_what_was_not_measured_is_named():
    run = a_run()
    run.results["pdf.order"] = quality(0.7, 0.5, "pypdfium2")
    run.left_out = {"pages": "without --data (it reads reader)", "kreuzberg": "not installed: kreuzberg"}
    left = markdown(Report([run])).partition("## Left out")[2].partition("\n## ")[0]
    assert "Reader, articles, segments, pages, speed: without --data" in left
    assert "kreuzberg: not installed: kreuzberg." in left


def test_a_row_whose_pinned_peer_did_not_run_shows_another():
    run = a_run()
    run.results["pdf.order"] = quality(0.7, 0.5, "another")
    assert "| .700 | another | .500 |" in markdown(Report([run]))


def test_sets_are_told_apart_and_drawn():
    run = a_run()
    run.results["embedder.retrieval"] = quality(
        0.7, 0.5, "all-MiniLM-L6-v2", system=ROWS_BY_NAME["embedder.retrieval"].ours, sets=4
    )
    assert {"embedder-retrieval-light.svg", "embedder-retrieval-dark.svg"} <= charts(Report([run])).keys()
    assert "| by set | set 0 | set 1 | set 2 | set 3 |" in markdown(Report([run]))


def test_an_unknown_place_is_an_error():
    with pytest.raises(KeyError):
        fill(PLACE.replace("headlines", "nothing"), Report([measured()]))


def test_numbers_are_written_short():
    row, other = ROWS_BY_NAME["pdf.order"], ROWS_BY_NAME["pdf.speed"]
    assert [value(row, number) for number in (0.1234, 1.0, 0.0)] == [".123", "1.000", ".000"]
    assert [value(other, number) for number in (0.1234, 12.34, 1234.5)] == ["0.123", "12.3", "1,234"]
    assert gap(other, speed(12.0).peers["peer"]) == "12 × (12–12)"
    assert gap(other, speed(0.01).peers["peer"]) == "0.01 × (0.01–0.01)"


@pytest.mark.parametrize("path", FILLED, ids=lambda path: path.name)
def test_the_numbers_of_pages_are_those_of_the_report(path):
    text = path.read_text("utf-8")
    assert "<!-- bench: " in text
    assert fill(text, Report(load_all())) == text, "python -m benchmarks report fills it"


def test_the_report_is_that_of_the_history():
    assert markdown(Report(load_all())) == (FOLDER / "report.md").read_text("utf-8"), "python -m benchmarks report"
