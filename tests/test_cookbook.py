"""The notebooks of the cookbook as they are stored; test_cookbook_even.py and test_cookbook_odd.py run them."""

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest
from cookbook_facts import FACTS
from executed_notebooks import COOKBOOK, NOTEBOOKS, code_cells, read

DATA = COOKBOOK / "data"
MOST_CODE_LINES = 80
MOST_BYTES = 600_000  # of a notebook; pictures are most of it
MOST_DATA_BYTES = 200_000
# A machine's own paths: /home/…, C:\…
OF_A_MACHINE = re.compile(r"/(?:home|root|tmp|Users|work|mnt|var)/|\b[A-Z]:\\")

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def texts(notebook):
    """All that a reader sees, pictures aside."""
    for cell in notebook.cells:
        yield cell.source
        for output in cell.get("outputs", ()):
            yield output.get("text", "")
            yield from (str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/"))


def test_every_notebook_has_facts_that_are_checked():
    assert set(FACTS) == {path.stem for path in NOTEBOOKS}
    assert all(facts.true for facts in FACTS.values())


def test_their_numbers_differ():
    assert max(Counter(path.name[:2] for path in NOTEBOOKS).values()) == 1


@each
def test_it_is_short(path):
    lines = [line.strip() for cell in code_cells(read(path)) for line in cell.source.splitlines()]
    assert len([line for line in lines if line and not line.startswith("#")]) < MOST_CODE_LINES
    assert path.stat().st_size < MOST_BYTES


@each
def test_it_was_stored_after_one_run_from_top_to_bottom(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == FACTS[path.stem].pictures


@each
def test_it_tells_nothing_of_the_machine_that_ran_it(path):
    notebook = read(path)
    assert not [text for text in texts(notebook) if OF_A_MACHINE.search(text)]
    assert not [cell.metadata for cell in notebook.cells if cell.metadata]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata.language_info) == {"name"}  # no version of Python


@each
def test_it_begins_with_a_title_and_says_what_there_is_to_see(path):
    notebook = read(path)
    assert re.match(r"# \S", notebook.cells[0].source)
    told = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    assert len(told) >= 4
    assert not [cell.source for cell in notebook.cells if not cell.source.strip()]


def test_data_are_small():
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < MOST_DATA_BYTES


def test_each_quote_that_answers_stands_once_in_its_article():
    lines = (DATA / "isles_questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    assert len({question["question"] for question in questions}) == len(questions)
    for question in questions:
        article = (DATA / "isles" / question["source"]).read_text(encoding="utf-8")
        assert article.count(question["quote"]) == 1, question


@pytest.mark.parametrize("call", ["create_connection(('192.0.2.1', 80))", "getaddrinfo('example.com', 80)"])
def test_they_run_where_nothing_leaves_the_machine(call):
    environment = os.environ | {"PYTHONPATH": str(COOKBOOK.parent / "tests" / "loopback_only")}
    done = subprocess.run(
        [sys.executable, "-c", f"import socket; socket.{call}"], env=environment, capture_output=True, text=True
    )
    assert "the cookbook runs without a network" in done.stderr
