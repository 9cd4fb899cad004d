"""Source code, cut by its syntax."""

import sys
import time
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segmenter_texts import texts

from jina_components.errors import ConfigError, MissingDependencyError, UnknownNameError
from jina_components.segmenter import Segmenter
from jina_components.segmenter.languages import LANGUAGES
from jina_components.types import Chunk


@cache
def segmenter(language: str, limit: int = 1000, unit: str = "characters") -> Segmenter:
    return Segmenter(language=language, max_chunk_length=limit, length_unit=unit)


def chunks(text: str, language: str, limit: int = 1000) -> list[Chunk]:
    return list(segmenter(language, limit).segment(text).chunks)


PYTHON = '''\
import os

LIMIT = 3


# Counts.
@cached
def count(text):
    """How many."""
    return len(text)


class Cutter:
    """Cuts."""

    def first(self, text):
        where = text.find(",")
        return where

    @property
    def second(self):
        # Twice as far.
        return self.first("a, b") * 2


def last():
    return None
'''


def test_functions_that_fit_are_whole_with_what_stands_above_them_and_know_their_scope() -> None:
    found = chunks(PYTHON, "python", 100)
    assert [(chunk.heading, chunk.text.strip().splitlines()[0]) for chunk in found] == [
        ("", "import os"),
        ("class Cutter", "class Cutter:"),
        ("class Cutter > def first", "def first(self, text):"),
        ("class Cutter > def second", "@property"),
        ("def last", "def last():"),
    ]
    assert found[0].text.rstrip().endswith("    return len(text)")
    assert found[3].text.startswith("    @property")


def test_a_function_too_long_is_cut_between_statements_and_keeps_its_head() -> None:
    text = "def long(a):\n" + "".join(f"    call_{number}(\n        a,\n    )\n" for number in range(20))
    found = chunks(text, "python", 100)
    assert found[0].text.startswith("def long(a):\n    call_0(\n")
    assert all(chunk.text.startswith("    call_") and chunk.text.endswith("    )\n") for chunk in found[1:])
    assert {chunk.heading for chunk in found} == {"def long"}


SCOPES = {
    "javascript": (
        "class A {\n  run() {\n    go();\n  }\n}\nconst f = (x) => {\n  return x;\n};\n",
        "class A > run",
        "const f",
    ),
    "typescript": (
        "export class A {\n  run(): void {\n    go();\n  }\n}\ninterface B {\n  x: number;\n}\n",
        "class A > run",
        "interface B",
    ),
    "tsx": (
        "class A {\n  run() {\n    return <b/>;\n  }\n}\nfunction f() {\n  return 1;\n}\n",
        "class A > run",
        "function f",
    ),
    "java": (
        "class A {\n  void run() {\n    go();\n  }\n}\ninterface B {\n  int x();\n}\n",
        "class A > void run",
        "interface B",
    ),
    "kotlin": ("class A {\n  fun run() {\n    go()\n  }\n}\nfun f() {\n  go()\n}\n", "class A > fun run", "fun f"),
    "csharp": ("class A {\n  void Run() {\n    Go();\n  }\n}\nenum B {\n  One,\n}\n", "class A > void Run", "enum B"),
    "cpp": (
        "class A {\n  void run() {\n    go();\n  }\n};\nint f(int x) {\n  return x;\n}\n",
        "class A > void run",
        "int f",
    ),
    "c": (
        "struct a {\n  int x;\n};\nstatic int *run(void) {\n  return 0;\n}\nint f(int x) {\n  return x;\n}\n",
        "static int *run",
        "int f",
    ),
    "go": ("func (a *A) Run() {\n\tgo()\n}\n\nfunc f() int {\n\treturn 1\n}\n", "func (a *A) Run", "func f"),
    "rust": ("impl A {\n  pub fn run() {\n    go();\n  }\n}\nfn f() -> u8 {\n  1\n}\n", "impl A > pub fn run", "fn f"),
    "ruby": ("class A\n  def run\n    go\n  end\nend\ndef f\n  1 + 1 + 1\nend\n", "class A > def run", "def f"),
    "php": (
        "<?php\nclass A {\n  function run() {\n    go();\n  }\n}\nfunction f() {\n  return 1+1;\n}\n",
        "class A > function run",
        "function f",
    ),
    "scala": (
        "class A {\n  def run() = {\n    go()\n  }\n}\nobject B {\n  val x = 1 + 1\n}\n",
        "class A > def run",
        "object B",
    ),
    "swift": (
        "class A {\n  func run() {\n    go()\n  }\n}\nfunc f() -> Int {\n  return 1\n}\n",
        "class A > func run",
        "func f",
    ),
    "lua": (
        "function a.run()\n  go()\n  go()\nend\nfunction f()\n  return 1\nend\n",
        "function a.run",
        "function f",
    ),
    "bash": ("run() {\n  go\n  go\n  go\n}\nf() {\n  echo 1\n}\n", "run", "f"),
}


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"python"}))
def test_every_language_tells_its_scopes(language: str) -> None:
    text, *scopes = SCOPES[language]
    found = chunks(text, language, 32)
    assert "".join(chunk.text for chunk in found) == text
    headings = [chunk.heading for chunk in found]
    assert all(scope in headings for scope in scopes), headings


def test_what_cannot_be_parsed_is_cut_all_the_same() -> None:
    broken = "def f(:\n    return ((\n" + PYTHON + "\n}}}} else <?php\n"
    found = chunks(broken, "python", 120)
    assert "".join(chunk.text for chunk in found) == broken
    assert any("return len(text)" in chunk.text and "def count" in chunk.text for chunk in found)


def test_minified_code_is_cut_between_its_statements() -> None:
    text = ";".join(f"function f{number}(a,b){{return a+b*{number}}}" for number in range(100))
    found = chunks(text, "javascript", 120)
    assert all(chunk.text.startswith("function f") for chunk in found)


@given(text=texts, language=st.sampled_from([*LANGUAGES, "markdown"]), data=st.data())
def test_chunks_join_to_the_text_and_keep_the_limit(text: str, language: str, data: st.DataObject) -> None:
    unit, limit = data.draw(st.sampled_from([("characters", 9), ("characters", 40), ("tokens", 12)]))
    found = segmenter(language, limit, unit).segment(text).chunks
    assert "".join(chunk.text for chunk in found) == text
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in found)
    assert all((len(chunk.text) if unit == "characters" else chunk.num_tokens) <= limit for chunk in found)
    assert [before.end for before, _ in pairwise(found)] == [after.start for _, after in pairwise(found)]


@pytest.mark.parametrize(
    ("language", "unit"),
    [
        ("python", "("), ("python", "if x:\n"), ("python", "x = 1\n"), ("python", "a\n  "), ("python", "'"),
        ("python", "# a\n"), ("python", "a|"), ("javascript", "{"), ("javascript", "a=>"), ("javascript", "a;"),
        ("javascript", "/*"),
        ("javascript", "f(function(){"), ("c", "/**/\n"), ("rust", "fn f(){"), ("markdown", "```py\n"),
        ("java", "\x00"),
    ],
)  # fmt: skip
def test_deep_nesting_overflows_no_stack_and_takes_linear_time(language: str, unit: str) -> None:
    text = unit * (100_000 // len(unit))
    began = time.process_time()
    found = chunks(text, language)
    assert "".join(chunk.text for chunk in found) == text
    assert time.process_time() - began < 60  # quadratic work would take far longer


def test_code_whose_errors_the_parser_cannot_mend_in_time_is_cut_between_lines() -> None:
    text = "x = 1\n" + "<!--\n" * 4000  # of which tree-sitter's time grows with the square
    found = chunks(text, "python", 102)
    assert "".join(chunk.text for chunk in found) == text
    assert all(chunk.text.endswith("<!--\n") for chunk in found)
    assert len(found) < len(text) / 90
    fence = chunks(f"Text.\n\n```py\n{text}```\n", "markdown", 102)
    assert all(chunk.text.endswith("\n") for chunk in fence)


FENCE = "Text before.\n\n## Use\n\n~~~ PY\n" + PYTHON + "~~~\n\nText behind.\n"


def test_long_fenced_code_is_cut_by_its_syntax_where_markdown_is_asked_for() -> None:
    found = chunks(FENCE, "markdown", 160)
    assert "".join(chunk.text for chunk in found) == FENCE
    (function,) = [chunk for chunk in found if "def count" in chunk.text]
    assert "# Counts." in function.text
    assert "return len(text)" in function.text
    assert all(chunk.heading == "Use" for chunk in found if chunk.start > FENCE.index("## Use"))
    (method,) = [chunk for chunk in found if "def second" in chunk.text]
    assert "@property" in method.text
    assert "* 2" in method.text


def test_fenced_code_that_fits_and_unknown_languages_are_cut_as_ever() -> None:
    unknown = FENCE.replace("PY", "cobol85")
    assert chunks(unknown, "markdown", 160) == list(Segmenter(max_chunk_length=160).segment(unknown).chunks)
    short = "Text.\n\n```py\nx = 1\n```\n"
    assert [chunk.text for chunk in chunks(short, "markdown")] == [short]


def test_names_of_languages() -> None:
    assert Segmenter(language="js").segment("f();").chunks[0].text == "f();"
    with pytest.raises(UnknownNameError, match=r"Unknown language 'pyton'.*Did you mean 'python'.*rust"):
        Segmenter(language="pyton")
    with pytest.raises(UnknownNameError, match="Unknown language ''"):
        Segmenter(language="")


@pytest.mark.parametrize("language", ["python", "markdown"])
def test_what_is_not_installed_is_said_with_the_remedy(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from jina_components.segmenter.languages import load_grammar

    load_grammar.cache_clear()
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'jina-components\[code\]'"):
        Segmenter(language=language).segment("x = 1")


def test_an_embedder_and_a_programming_language_exclude_each_other(bundled_embedder: object) -> None:
    with pytest.raises(ConfigError, match="embedder is for prose"):
        Segmenter(language="python", embedder=bundled_embedder)


@pytest.mark.slow
def test_four_megabytes_of_code() -> None:
    text = PYTHON * (4_000_000 // len(PYTHON))
    found = chunks(text, "python")
    assert sum(len(chunk.text) for chunk in found) == len(text)
    assert max(len(chunk.text) for chunk in found) <= 1000
