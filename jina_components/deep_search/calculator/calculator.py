"""Calculations that a chat model writes, run without harm.

An interpreter of its own walks the syntax tree and knows nothing but the nodes, operators and functions of its tables:
it never looks up an attribute and never hands code to Python. asteval guards real attribute access by a list of what
is forbidden, which was got around (its issue 86), simpleeval was too where it was given an object
(its issue 138), and neither counts the steps of all that it runs, nor computes with decimal numbers.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, DecimalException, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Any, ClassVar, TypeAlias

from jina_components.deep_search.calculator.functions import CONSTANTS, FUNCTIONS
from jina_components.deep_search.calculator.numbers import (
    COMPARISONS,
    CONTEXT,
    OPERATORS,
    UNARY,
    Value,
    formatted,
    integer,
    items_of,
    measured,
    number,
    text_of,
)
from jina_components.errors import InputError
from jina_components.types import shorten

MAX_CODE = 4_000
MAX_STEPS = 200_000
MAX_RESULT = 2_000
_MAX_DEPTH = 40
_SIZE_OF_A_STEP = 8
_COST = 24  # steps that a power or a call takes
_FENCE = re.compile(r"\A\s*```[a-z]*[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_MODULES = frozenset({"math", "statistics"})

LANGUAGE = (
    "Known is a small part of Python: assignments, if, for, while, arithmetic, comparisons, lists, tuples, dicts, "
    f"list comprehensions, f-strings, the functions {', '.join(FUNCTIONS)}, and {', '.join(CONSTANTS)}. Dates are "
    "texts like '2024-05-06'. No imports, methods, lambda or def. The value of the last expression is the result."
)
"""The language of `calculate`, in words for a model."""

_Signal: TypeAlias = ast.Break | ast.Continue | None
_Table: TypeAlias = Mapping[Any, Callable[..., Any]]
_NO_RESULT = object()
_FAULTS: Mapping[type, str] = {
    DivisionByZero: "something is divided by zero",
    InvalidOperation: (
        "no number comes of this: a root or logarithm of a negative one, zero by zero, or a quotient of over 60 digits"
    ),
    Overflow: "a number is 10**1000 or more",
}


def calculate(code: str) -> str:
    r"""The value of the last expression or assignment that is executed in `code`, as a text.

    `LANGUAGE` says what the code may be. Numbers are decimal, of 60 digits: `0.1 + 0.2` is 0.3. What is not whole and
    has more than 20 digits is written with 15. Lists are values: to change one does not change another name for it.
    `math.` and `statistics.` before a function are overlooked, as are their imports and a code fence around it all.
    Nothing outside of the code has a say in its result.

    Args:
        code: Up to 4,000 characters, which take up to 200,000 steps: a step a part of an expression, more for powers,
            calls, and long lists and texts (20,000 items and characters at most).

    Raises:
        InputError: it is something else, or fails; the message is for the model: what is wrong, in which line.

    Example:
        >>> calculate("price = 19.99\nround(price * 1.19, 2)")
        '23.79'
    """
    if not isinstance(code, str):
        raise InputError(f"code must be str, got {type(code).__name__}.")
    if len(code) > MAX_CODE:
        raise InputError(f"The code has {len(code):,} characters, of {MAX_CODE:,} allowed: calculate less at a time.")
    run = _Run()
    try:
        with localcontext(CONTEXT):
            run.block(_parsed(code))
            return run.text()
    except DecimalException as error:
        raise InputError(f"Line {run.line}: {_FAULTS[type(error)]}.") from error
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        name = "" if type(error) in (TypeError, ValueError) else f"{type(error).__name__}: "
        raise InputError(f"Line {run.line}: {name}{shorten(str(error), 300)}.") from error


def _parsed(code: str) -> list[ast.stmt]:
    fenced = _FENCE.match(code)
    try:
        return ast.parse(textwrap.dedent(fenced[1] if fenced else code).strip()).body
    except SyntaxError as error:
        raise ValueError(f"this is not written as Python is ({error.msg}, in line {error.lineno})") from error


class _Run:
    """One run of some code."""

    def __init__(self) -> None:
        self.names: dict[str, Value] = dict(CONSTANTS)
        self.line = 1
        self._steps = 0
        self._depth = 0
        self._result: Value = _NO_RESULT

    def text(self) -> str:
        """The result."""
        if self._result is _NO_RESULT:
            raise ValueError("nothing was calculated: end with an expression")
        text = text_of(self._result)
        if len(text) > MAX_RESULT:
            raise ValueError(f"the result has {len(text):,} characters, of {MAX_RESULT:,} allowed: end with less of it")
        return text

    def block(self, statements: list[ast.stmt]) -> _Signal:
        """Execute statements; what ended them early."""
        for statement in statements:
            self.line = statement.lineno
            self._enter()
            signal = _known(self._statements, statement)(self, statement)
            self._depth -= 1
            if signal is not None:
                return signal
        return None

    def value(self, node: ast.expr) -> Value:
        """The value of an expression."""
        self._enter()
        value = _known(self._expressions, node)(self, node)
        self._depth -= 1
        return value

    def _enter(self) -> None:
        self._spend(1)
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError(f"the code is nested more than {_MAX_DEPTH} deep: use more lines")

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise ValueError(f"the code takes more than {MAX_STEPS:,} steps: use a formula, or shorter loops")

    def _made(self, value: Value) -> Value:
        """A new value, once it is known to be one and not too large."""
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            return number(value)
        self._spend(measured(value) // _SIZE_OF_A_STEP)
        return value

    def _read(self, values: Iterable[Value], share: int) -> None:
        """Count a share of the sizes of values that are gone through."""
        for value in values:
            if isinstance(value, str | list | tuple | dict):
                self._spend(measured(value) // share)

    def _iterated(self, node: ast.expr) -> list[Value]:
        value = self.value(node)
        self._read([value], _SIZE_OF_A_STEP)
        return items_of(value)

    def _keep(self, value: Value) -> None:
        self._result = value

    def _expression(self, node: ast.Expr) -> None:
        self._keep(self.value(node.value))

    def _assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        for target in node.targets:
            self._store(target, value)
        self._keep(value)

    def _augment(self, node: ast.AugAssign) -> None:
        operator = _known(OPERATORS, node.op)
        value = self._made(operator(self.value(node.target), self.value(node.value)))
        self._store(node.target, value)
        self._keep(value)

    def _store(self, target: ast.expr, value: Value) -> None:
        self._spend(1)
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            parts = items_of(value)
            if len(parts) != len(target.elts):
                raise ValueError(f"{len(parts)} values for {len(target.elts)} names")
            for one, part in zip(target.elts, parts, strict=True):
                self._store(one, part)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            changed = self.value(target.value)
            if not isinstance(changed, list | dict):
                raise TypeError(f"{type(changed).__name__} cannot be changed")
            changed = changed.copy()
            changed[self._place(changed, target.slice)] = value
            self.names[target.value.id] = self._made(changed)
        else:
            raise TypeError("this cannot be assigned to")

    def _if(self, node: ast.If) -> _Signal:
        return self.block(node.body if self.value(node.test) else node.orelse)

    def _for(self, node: ast.For) -> _Signal:
        for item in self._iterated(node.iter):
            self._store(node.target, item)
            if isinstance(self.block(node.body), ast.Break):
                return None
        return self.block(node.orelse)

    def _while(self, node: ast.While) -> _Signal:
        while self.value(node.test):
            if isinstance(self.block(node.body), ast.Break):
                return None
        return self.block(node.orelse)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        named = [node.module] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
        if not _MODULES.issuperset(named) or any(name.asname for name in node.names):
            raise ValueError("nothing can be imported")

    def _constant(self, node: ast.Constant) -> Value:
        value = node.value
        if not isinstance(value, int | float | str | None):
            raise TypeError(f"{type(value).__name__} is not known")
        return self._made(Decimal(repr(value)) if isinstance(value, float) else value)  # as it is written

    def _name(self, node: ast.Name) -> Value:
        if node.id not in self.names:
            what = "is a function: call it" if node.id in FUNCTIONS else "was given no value"
            raise ValueError(f"{node.id} {what}")
        return self.names[node.id]

    def _attribute(self, node: ast.Attribute) -> Value:
        if _plain_name(node) not in CONSTANTS:
            raise ValueError(f"there are no attributes and methods: .{node.attr} is not known")
        return CONSTANTS[node.attr]

    def _binary(self, node: ast.BinOp) -> Value:
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):  # a long sum is no deep one
            chain.append(chain[-1].left)
        value = self.value(chain[-1].left)
        for one in reversed(chain):
            self._spend(_COST if isinstance(one.op, ast.Pow) else 1)
            value = self._made(_known(OPERATORS, one.op)(value, self.value(one.right)))
        return value

    def _unary(self, node: ast.UnaryOp) -> Value:
        return self._made(_known(UNARY, node.op)(self.value(node.operand)))

    def _boolean(self, node: ast.BoolOp) -> Value:
        value, stop = None, isinstance(node.op, ast.Or)
        for one in node.values:
            value = self.value(one)
            if bool(value) is stop:
                break
        return value

    def _compare(self, node: ast.Compare) -> bool:
        left = self.value(node.left)
        for operator, other in zip(node.ops, node.comparators, strict=True):
            right = self.value(other)
            self._read([left, right], _SIZE_OF_A_STEP)
            if not _known(COMPARISONS, operator)(left, right):
                return False
            left = right
        return True

    def _choice(self, node: ast.IfExp) -> Value:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _call(self, node: ast.Call) -> Value:
        name = _plain_name(node.func)
        if name not in FUNCTIONS:
            raise ValueError(f"{name or 'this'} cannot be called: there are no methods and no other functions")
        self._spend(_COST)
        given = [self.value(argument) for argument in node.args]
        named = {keyword.arg: self.value(keyword.value) for keyword in node.keywords if keyword.arg}
        if len(named) < len(node.keywords):
            raise ValueError("** is not known: write the arguments out")
        self._read([given], 2)
        return self._made(FUNCTIONS[name](*given, **named))

    def _list(self, node: ast.List) -> Value:
        return self._made([self.value(one) for one in node.elts])

    def _tuple(self, node: ast.Tuple) -> Value:
        return self._made(tuple(self.value(one) for one in node.elts))

    def _dict(self, node: ast.Dict) -> Value:
        if None in node.keys:
            raise ValueError("** is not known: write the items out")
        items = zip(node.keys, node.values, strict=True)
        return self._made({self.value(key): self.value(one) for key, one in items if key})

    def _subscript(self, node: ast.Subscript) -> Value:
        held = self.value(node.value)
        if not isinstance(held, str | list | tuple | dict):
            raise TypeError(f"{type(held).__name__} has no items")
        place = self._place(held, node.slice)
        if isinstance(held, dict) and place not in held:
            raise ValueError(f"there is no key {shorten(text_of(place))!r}")
        return self._made(held[place])

    def _place(self, held: Value, node: ast.expr) -> Value:
        """A key of a dict; an integer or a slice of anything else."""
        if isinstance(held, dict):
            return self.value(node)
        if not isinstance(node, ast.Slice):
            return integer(self.value(node))
        bounds = (node.lower, node.upper, node.step)
        return slice(*(None if bound is None else integer(self.value(bound)) for bound in bounds))

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> Value:
        outside = self.names.copy()
        self._spend(len(outside) // _SIZE_OF_A_STEP)
        found: list[Value] = []
        self._within(node.generators, lambda: found.append(self.value(node.elt)))
        self.names = outside  # those within are gone
        return self._made(found)

    def _within(self, generators: list[ast.comprehension], use: Callable[[], None]) -> None:
        if not generators:
            use()
            return
        self._enter()
        for item in self._iterated(generators[0].iter):
            self._store(generators[0].target, item)
            if all(self.value(test) for test in generators[0].ifs):
                self._within(generators[1:], use)
        self._depth -= 1

    def _joined(self, node: ast.JoinedStr) -> Value:
        return self._made("".join(self.value(part) for part in node.values))

    def _formatted(self, node: ast.FormattedValue) -> Value:
        spec = "" if node.format_spec is None else self.value(node.format_spec)
        return self._made(formatted(self.value(node.value), spec))

    def _signal(self, node: ast.Break | ast.Continue) -> _Signal:
        return node

    _statements: ClassVar[_Table] = {
        ast.Expr: _expression, ast.Assign: _assign, ast.AugAssign: _augment, ast.If: _if, ast.For: _for,
        ast.While: _while, ast.Break: _signal, ast.Continue: _signal, ast.Import: _import, ast.ImportFrom: _import,
    }  # fmt: skip
    _expressions: ClassVar[_Table] = {
        ast.Constant: _constant, ast.Name: _name, ast.Attribute: _attribute, ast.BinOp: _binary, ast.UnaryOp: _unary,
        ast.BoolOp: _boolean, ast.Compare: _compare, ast.IfExp: _choice, ast.Call: _call, ast.List: _list,
        ast.Tuple: _tuple, ast.Dict: _dict, ast.Subscript: _subscript, ast.ListComp: _comprehension,
        ast.GeneratorExp: _comprehension, ast.JoinedStr: _joined, ast.FormattedValue: _formatted,
    }  # fmt: skip


def _plain_name(node: ast.expr) -> str:
    """A name, also behind the module that Python has it in; empty for anything else."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _MODULES:
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _known(table: _Table, node: ast.AST) -> Callable[..., Any]:
    if type(node) not in table:
        raise ValueError(f"{type(node).__name__} is not known")
    return table[type(node)]
