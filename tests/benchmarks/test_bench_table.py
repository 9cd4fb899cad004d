"""The table of measurements is whole."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from benchmarks import jobs
from benchmarks.table import COMPONENTS, JOBS, ROWS, ROWS_BY_NAME, WITHOUT

FOLDER = Path(jobs.__file__).parent
PRODUCTS = {"Embedder", "Reranker", "Retriever", "Reader", "WebSearch", "Grounder", "Classifier", "Segmenter",
            "DeepSearchAgent", "FineTuner", "Service"}  # fmt: skip


def test_every_component_has_rows():
    assert set(COMPONENTS) >= PRODUCTS


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("kind", ["quality", "speed"])
def test_every_component_has_rows_of_either_kind_or_says_why_not(component, kind):
    has = any((row.component, row.kind) == (component, kind) for row in ROWS)
    assert has is ((component, kind) not in WITHOUT)


def test_names_are_distinct_and_jobs_known():
    assert len(ROWS_BY_NAME) == len(ROWS)
    assert {row.job for row in ROWS} == set(JOBS)


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_a_function_that_takes_its_sizes_and_gives_its_rows(name):
    job = JOBS[name]
    module, _, function = job.module.partition(".")
    text = (FOLDER / f"{module}.py").read_text("utf-8")
    [made] = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == function]
    taken = {argument.arg for argument in made.args.kwonlyargs}
    assert taken == set(job.full)
    assert job.quick is None or set(job.quick) == taken
    for row in (row for row in ROWS if row.job == name and row.job not in ("embedding", "reranking")):
        assert f'"{row.name}"' in text or '"pdf.{measure}"' in text, row.name


def test_nothing_heavy_is_imported_for_the_report_and_the_gate():
    from benchmarks import gate, report

    for module in (gate, report):
        names = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.ImportFrom)]
        assert not [node.module for node in names if node.module and node.module.startswith("benchmarks.jobs")]
