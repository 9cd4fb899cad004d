from __future__ import annotations

import doctest
import operator
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jina_components.deep_search import calculator
from jina_components.deep_search.calculator import LANGUAGE, MAX_CODE, MAX_RESULT, calculate
from jina_components.deep_search.calculator.functions import FUNCTIONS
from jina_components.errors import InputError

RESULTS = {
    "0.1 + 0.2": "0.3",
    "1 / 3": "0.333333333333333",
    "1 / 7 * 7, 1 / 3 * 3 == 1, floor(1 / 3 * 3), 2 / 3 * 3 // 1": "(1, True, 1, 2)",
    "6 / 2": "3",
    "2 ** 0.5, 16 ** 0.5, 0 ** 0": "(1.4142135623731, 4, 1)",
    "sqrt(2.25), sqrt(16)": "(1.5, 4)",
    "9007199254740993 * 1.0": "9007199254740993",
    "1e22": "10000000000000000000000",
    "2 / 3 * 10 ** -9": "6.66666666666667e-10",
    "round(2.675, 2), round(5, 10 ** 9)": "(2.68, 5)",
    "100 * 1.1": "110",
    "-7 % 3, 7.5 // 2, -7 // 2, 7 % -3, +5, -0": "(2, 3, -4, -2, 5, 0)",
    "1000 * (1 + 5 / 100) ** 2": "1102.5",
    "price = 19.99\nround(price * 1.19, 2)": "23.79",
    "a, (b, c) = 1, [2, 3]\na = b\nb += c\n[a, b]": "[2, 5]",
    "import math\nfrom statistics import mean\nmath.floor(math.pi * mean([1, 2]))": "4",
    "sum(n * n for n in range(101) if n % 2)": "166650",
    "[[m for m in range(n)] for n in range(3)]": "[[], [0], [0, 1]]",
    "{2019: 5.1, 'b': None}[2019], None is None": "(5.1, True)",
    "counts = {}\nfor one in 'abca':\n    counts[one] = (counts[one] if one in counts else 0) + 1\ncounts": (
        "{'a': 2, 'b': 1, 'c': 1}"
    ),
    "kept = [1, 2]\nother = kept\nkept[0] = 5\nkept, other": "([5, 2], [1, 2])",
    "money, years = 1000, 0\nwhile money < 2000:\n    money *= 1.07\n    years += 1\nyears": "11",
    "for n in range(9):\n    if n == 2:\n        continue\n    if n > 3:\n        break\nelse:\n    n = 99\nn": "4",
    "not (1 < 2 <= 2 != 3) or 'b' in 'abc' and 5": "5",
    "'yes' if None else 'no'": "no",
    "2 ** 180, 10 ** 70 / 3": "(1532495540865888858358347027150309183618739122183602176, 3.33333333333333e+69)",
    "f'{1234567.891:,.2f} {1/8} {0.256:.1%} {1/3:g} {7:>3}'": "1,234,567.89 0.125 25.6% 0.333333333333333   7",
    "f'{1/3:,} {2**70:.1f} {\"a\":_<3}'": "0.333333333333333 1180591620717411303424.0 a__",
    "print('x', [1/4, 'a'], (1,))": "x [0.25, 'a'] (1,)",
    "[1, 2, 3, 4][1:-1], 'abc'[::-1], {'a': 1}['a']": "([2, 3], 'cba', 1)",
    "max(3, 1/2), min([4, 5]), max([], default=3), sorted([2, 3, 1], reverse=True)": "(3, 4, 3, [3, 2, 1])",
    "list(zip('ab', [1, 2])), enumerate(['x'], start=1)": ("([('a', 1), ('b', 2)], [(1, 'x')])"),
    "len(set([2, 1, 2])), sorted({'b': 1, 'a': 2}), sum(n > 1 for n in [1, 2, 3])": "(2, ['a', 'b'], 2)",
    "mean([1, 2, 4]), median([3, 1, 2.5, 8]), median([2]), mean([True, False])": "(2.33333333333333, 2.75, 2, 0.5)",
    "stdev([1, 2, 3, 4]), pstdev([2, 4, 4, 4, 5, 5, 7, 9]), prod([1.05, 1.1])": "(1.29099444873581, 2, 1.155)",
    "factorial(20), comb(50, 25), gcd(12, 18)": "(2432902008176640000, 126410606437752, 6)",
    "log10(1000), floor(log(8, 2)), round(log(2), 4), exp(0), round(exp(1), 9)": "(3, 3, 0.6931, 1, 2.718281828)",
    "cos(pi), round(sin(radians(30)), 9), degrees(atan2(1, 1))": "(-1, 0.5, 45)",
    "int('12'), int(-7/2), ceil(-7/2), float(' 3.50'), float('1e3'), round(1234, -2)": "(12, -3, -3, 3.5, 1000, 1200)",
    "days_between('2020-01-01', '2024-05-06')": "1587",
    "years_between('1955-10-28', '2024-05-06'), years_between('2024-05-06', '1955-10-28')": "(68, -68)",
    "add_months('2024-01-31', 1), add_years('2024-02-29', -1), add_days('2024-02-28', 2)": (
        "('2024-02-29', '2023-02-28', '2024-03-01')"
    ),
    "weekday('2024-05-06'), int('2024-05-06'[:4]), months_between('2024-01-31', '2024-05-30')": "('Monday', 2024, 3)",
    "'2019-12-31' < '2020-01-01'": "True",
    "```python\n1 + 1\n```": "2",
    "    1 + 1": "2",
    "+".join(["1"] * 1_900): "1900",
}


@pytest.mark.parametrize("code", RESULTS)
def test_result(code: str) -> None:
    assert calculate(code) == RESULTS[code]


WRONG = {
    "": "nothing was calculated",
    "1 +": "not written as Python",
    "1\n\n2 / 0": "Line 3: something is divided by zero",
    "x + 1": "x was given no value",
    "len": "len is a function: call it",
    "open('/etc/passwd')": "open cannot be called",
    "[].append(1)": "this cannot be called",
    "(1).real": "no attributes and methods: .real is not known",
    "import os": "nothing can be imported",
    "import math as os": "nothing can be imported",
    "lambda: 1": "Lambda is not known",
    "def f(): pass": "FunctionDef is not known",
    "{1, 2}": "Set is not known",
    "1j": "complex is not known",
    "b'a'": "bytes is not known",
    "...": "ellipsis is not known",
    "1 @ 2": "MatMult is not known",
    "1 << 10 ** 12": "LShift is not known",
    "~5": "Invert is not known",
    "max(*[1])": "Starred is not known",
    "{n: n for n in range(3)}": "DictComp is not known",
    "'a' + 1": "a number is needed, got str",
    "'%s' % 1": "a number is needed",
    "sum([[1], [2]], [])": "a number is needed, got list",
    "(-8) ** (1 / 3)": "no number comes",
    "sqrt(-1)": "no number comes",
    "log(-1)": "no number comes",
    "log(0)": "too large, or is none",
    "asin(2)": "math domain error",
    "0 / 0": "no number comes",
    "7 % 0": "no number comes",
    "10 ** 70 // 3": "no number comes",
    "float('nan')": "too large, or is none",
    "float('a')": "'a' is no number",
    "1e999": "too large",
    "10.0 ** 990 * 10 ** 990": "10**1000 or more",
    "9 ** 9 ** 9": "an exponent may be up to 10,000",
    "factorial(10 ** 8)": "from 0 to 1000",
    "factorial(1000)": "10**1000 or more",
    "comb(10 ** 6, 5)": "from 0 to 1000",
    "comb(5, -1)": "from 0 to 1000",
    "prod(range(1, 9000))": "10**1000 or more",
    "int('9' * 2000)": "10**1000 or more",
    "9" * 3999: "10**1000 or more",
    "[1, 2][0.5]": "an integer is needed, got 0.5",
    "'a' * 10 ** 9": "up to 20,000",
    "[0] * 10 ** 9": "up to 20,000",
    "range(10 ** 18)": "up to 20,000",
    "x = [0]\nfor _ in range(60):\n    x = [x, x]\nx == x": "up to 20,000",
    "['a' * 9999 for _ in range(9999)]": "steps",
    "[[n for n in range(9999)] for _ in range(9999)]": "steps",
    "while True:\n    1": "more than 200,000 steps",
    "x = list(range(9000))\nfor _ in x:\n    mean(x)": "more than 200,000 steps",
    "x = list(range(9000))\nfor _ in x:\n    -1 in x": "more than 200,000 steps",
    "for n in range(90000):\n    n": "up to 20,000",
    "while True:\n    exp(0.12345)": "more than 200,000 steps",
    "while True:\n    comb(1000, 500)": "more than 200,000 steps",
    "f'{1:>1000000000}'": "the format '>1000000000' is not known",
    "f'{1:{10 ** 9}}'": "the format '1000000000' is not known",
    "range(2000)": f"of {MAX_RESULT:,} allowed",
    "-" * 60 + "1": "nested more than 40 deep",
    "-" * (MAX_CODE - 1) + "1": "Line 1",
    "(" * 1_500 + "1" + ")" * 1_500: "not written as Python",
    "1 " * MAX_CODE: "4,000 allowed",
    "1, 2 = 3": "not written as Python",
    "a, b = 1, 2, 3": "3 values for 2 names",
    "'abc'[0] = 'd'": "cannot be assigned to",
    "x = 'abc'\nx[0] = 'd'": "str cannot be changed",
    "{1: 2}[5]": "there is no key '5'",
    "[1][1]": "IndexError: list index out of range",
    "for n in 5:\n    n": "a list is needed, got a number",
    "max(**{'a': 1})": "** is not known",
    "{**{}}": "** is not known",
    "min()": "at least 1 argument",
    "mean([])": "at least 1 number is needed",
    "mean(['a'])": "a number is needed, got str",
    "stdev([1])": "at least 2 numbers are needed",
    "days_between('yesterday', '2020-01-01')": "Invalid isoformat string",
    "add_years('2020-01-01', 10 ** 9)": "from 1 to 9999",
    "add_days('2020-01-01', 10 ** 12)": "OverflowError",
}


@pytest.mark.parametrize("code", WRONG)
def test_what_is_wrong_is_said(code: str) -> None:
    with pytest.raises(InputError) as raised:
        calculate(code)
    assert WRONG[code] in str(raised.value)


def test_code_must_be_text() -> None:
    with pytest.raises(InputError, match="must be str, got int"):
        calculate(5)  # type: ignore[arg-type]


def test_example_of_the_docstring() -> None:
    done = doctest.testmod(calculator.calculator)
    assert done.attempted
    assert not done.failed


def test_language_names_all_functions() -> None:
    assert all(name in LANGUAGE for name in FUNCTIONS)


# From what is published of escapes from evaluators of Python: by classes, frames, formats, generators and `reduce`.
ESCAPES = [
    "().__class__.__bases__[0].__subclasses__()",
    "__import__('os').system('id')",
    "__builtins__['eval']('1')",
    "print.__reduce__()[0]",
    "print.__globals__",
    "math.__loader__.load_module('os')",
    "math.__dict__",
    "statistics.sys.modules",
    "import math\nmath",
    "from math import *\nmath",
    "import os.path",
    "'{0.__class__}'.format(1)",
    "f'{().__class__}'",
    "f'{1:{().__class__}}'",
    "str.format('{0.__class__}', 1)",
    "(lambda: (yield))().gi_frame.f_back.f_globals",
    "[f for f in (1 for _ in [1]).gi_frame]",
    "[(x := 1), x]",
    "eval('1')", "exec('1')", "compile('1', '', 'eval')", "getattr(1, 'real')", "vars()", "globals()", "type(1)",
    "open('/etc/passwd').read()", "input()", "breakpoint()", "help()", "memoryview(b'a')", "object()",
    "@print\nclass A: pass",
    "class A(list): pass",
    "async def f(): await 1",
    "try:\n    1/0\nexcept Exception as e:\n    e.__traceback__",
    "with open('a') as f: f",
    "assert False", "raise ValueError", "global x", "del print", "return 1", "yield 1", "await x",
    "match 1:\n    case int(real=x): x",
    "len.__self__", "abs.__self__.open('a')", "(abs or 1)('a')", "[abs][0](-1)", "print = 5\nprint.real",
    "max([1], key=print)", "sorted([1], key=__import__)", "FUNCTIONS", "run", "self._steps",
    "\x00", "\ud800", "1if 1else 2j", "'\\d'.x", "print(" * 50 + ")" * 50,
]  # fmt: skip


@pytest.mark.parametrize("code", ESCAPES)
def test_nothing_outside_can_be_reached(code: str) -> None:
    with pytest.raises(InputError):
        calculate(code)


def _is_harmless(code: str) -> None:
    results = []
    for _ in range(2):
        try:
            results.append(calculate(code))
        except InputError as error:
            results.append(f"refused: {error}")
    assert results[0] == results[1]
    assert len(results[0]) <= (3_000 if results[0].startswith("refused: ") else MAX_RESULT)


PIECES = [
    *FUNCTIONS, "x", "y", "_", "__class__", "0", "1", "2", "10**9", "0.5", "1e300", "'ab'", "''", "[]", "[1, 2]", "{}",
    "()", "None", "True", "+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^", "~", "<", "==", "in", "not",
    "and", "or", "if", "else", "elif", "for", "while", "break", "continue", "=", "+=", ":", ",", ".", "(", ")", "[",
    "]", "{", "}", "\n", "\n    ", "lambda", "f'{x:", "}'", "range(99)", "x for x in ", "*", "**", "import",
    "yield", ":=",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join))
@example("x = 1\nfor _ in range(99):\n    x = x * x + 1 / 3")
def test_any_words_give_a_text_or_an_input_error(code: str) -> None:
    _is_harmless(code)


_LEAVES = st.sampled_from(
    ["0", "-3", "7", "2.5", "10**60", "'ab'", "x", "[1, 2]", "(3, 'a')", "{'a': 1}", "None", "1/3"]
)
_BINARY = ["+", "-", "*", "/", "//", "%", "**", "<<", "&", "<", "==", "in", "and", "or"]


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(_BINARY), inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{} for x in {} if {}]".format, inner, inner, inner),
        st.builds("{{{}: {} for x in {}}}".format, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}[{}:{}]".format, inner, inner, inner),
        st.builds("{}({})".format, st.sampled_from(sorted(FUNCTIONS)), inner),
        st.builds("{}({}, {})".format, st.sampled_from(sorted(FUNCTIONS)), inner, inner),
        st.builds("{}(*{})".format, st.sampled_from(sorted(FUNCTIONS)), inner),
    )


@settings(max_examples=400)
@given(st.recursive(_LEAVES, _larger, max_leaves=12))
def test_any_expression_gives_a_text_or_an_input_error(expression: str) -> None:
    _is_harmless(f"x = 5\nfor _ in range(50):\n    x = {expression}\nx")


@settings(max_examples=200)
@given(
    st.integers(-(10**20), 10**20),
    st.lists(st.tuples(st.sampled_from("+-*/"), st.integers(-(10**6), 10**6).filter(bool)), max_size=5),
)
def test_arithmetic_is_exact_but_for_quotients(first: int, rest: list[tuple[str, int]]) -> None:
    operations = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
    code, wanted = f"x = {first} / 1000", Fraction(first, 1000)
    for sign, other in rest:
        code += f"\nx = x {sign} {other}"
        wanted = operations[sign](wanted, other)
    assert float(calculate(code)) == pytest.approx(float(wanted), rel=1e-14)
    if "/" not in dict(rest):
        assert calculate(f"{code}\nint(x * 1000)") == str(wanted * 1000)
