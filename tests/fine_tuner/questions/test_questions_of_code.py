from __future__ import annotations

import pytest

from jina_components.fine_tuner.questions import Corpus, code_language, questions_of
from jina_components.fine_tuner.questions.code import functions

PYTHON = '''async def readCsv_rows(path, *, delimiter=","):
    """Returns the rows of a CSV file.

    Args:
        path: Where it is.
    """
    with open(path) as file:
        return list(parse(file, delimiter))
'''
OTHERS = [
    "def add(a, b):\n    return a + b",
    "def hello():\n    print('hi')",
    "def area(radius):\n    return 3 * radius ** 2",
    "class Box:\n    def size(self):\n        return self.n",
]


def asked(text, seeds=16):
    corpus = Corpus([text, *OTHERS])
    return {
        kind: {
            each.text
            for seed in range(seeds)
            for each in questions_of(text, corpus=corpus, seed=seed)
            if each.kind == kind
        }
        for kind in ("docstring", "name", "keywords")
    }


def test_a_docstring_is_asked_for_as_it_would_be_typed():
    found = asked(PYTHON)["docstring"]
    assert any("return the rows of a csv file" in each for each in found)
    assert any("get rows of csv file" in each for each in found)
    assert any(each.startswith("how to ") for each in found)
    assert any("python" in each for each in found)


def test_a_name_is_split_into_words():
    assert any("read csv rows" in each for each in asked(PYTHON)["name"])
    assert any(
        "check if file is" in each or "check if open" in each for each in asked("def is_open(x):\n  pass")["name"]
    )


def test_the_span_is_that_of_the_docstring():
    corpus = Corpus([PYTHON, *OTHERS])
    spans = {PYTHON[slice(*each.span)].strip() for each in questions_of(PYTHON, corpus=corpus) if each.span}
    (docstring,) = spans
    assert docstring.startswith("Returns the rows")


@pytest.mark.parametrize(
    ("language", "text", "name", "does"),
    [
        ("javascript", "/** Sorts a list. */\nexport function sortList(a) {\n}", "sortList", "Sorts a list"),
        ("javascript", "// Sorts it.\nconst sortIt = (a) => a.sort();", "sortIt", "Sorts it"),
        ("go", "// Open opens a file.\nfunc (f *File) Open(name string) error {", "Open", "Open opens a file"),
        ("rust", "/// Parses a date.\npub fn parse_date(text: &str) -> Date {", "parse_date", "Parses a date"),
        (
            "java",
            "/**\n * Counts words.\n * @param s text\n */\npublic int countWords(String s) {",
            "countWords",
            "Counts words",
        ),
        ("ruby", "# Finds a user.\ndef find_user(id)\n  id\nend", "find_user", "Finds a user"),
        ("php", "// Sends mail.\npublic function sendMail($to) {", "sendMail", "Sends mail"),
        ("c", "/* Adds. */\nstatic int add(int a, int b) {", "add", "Adds"),
        ("swift", "/// Draws a line.\nfunc drawLine(from a: Point) {", "drawLine", "Draws a line"),
        ("kotlin", "// Reads all.\nfun readAll(path: String): String {", "readAll", "Reads all"),
    ],
)
def test_functions_of_many_languages(language, text, name, does):
    (found,) = functions(text)
    assert (found.language, found.name, found.does) == (language, name, does)
    assert code_language(text) == language


@pytest.mark.parametrize(
    "text", ["We define functions (of x) here.", "Use it:\n```python\ndef f(x):\n    pass\n```", ""]
)
def test_prose_is_no_code(text):
    assert code_language(text) == ""
    assert not list(functions(text))
