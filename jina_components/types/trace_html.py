"""How the trace of a search looks in a notebook: its calls and steps on a line of time, and the steps as a list."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jina_components.types.markdown_html import linked, printable
from jina_components.types.texts import shorten

if TYPE_CHECKING:
    from jina_components.types.answered import DeepSearchStep
    from jina_components.types.trace import Trace, TracedCall

# Rows in this order, each of one colour of Okabe and Ito's, which the colour-blind tell apart; the rest is grey.
_COLOURS = {
    "chat": "#0072B2", "search": "#E69F00", "retrieve": "#E69F00", "read": "#009E73", "rerank": "#CC79A7",
    "similarity": "#56B4E9", "verify": "#D55E00",
}  # fmt: skip
_OTHER = "#888888"
# What a step of a kind is shown in the colour of.
_STEPS = {
    "search": "search", "found": "search", "visit": "read", "read": "read", "answer": "chat", "write": "chat",
    "think": "chat", "plan": "chat", "verify": "verify", "evaluate": "verify", "reject": "verify",
}  # fmt: skip
_SCHEME = re.compile(r"^https?://(www\.)?")
_UNSHOWN = ("clock",)
# Pixels.
_WIDTH, _LEFT, _RIGHT = 1000, 120, 26
_LANE, _GAP, _LANES = 13, 6, 8
_TOKENS = 36
_LETTER = 6.2
_LONG, _MANY = 240, 40
_SHORTEST = 0.001  # seconds
# Of a request, what tells best what it is about.
_TELLING = ("query", "url", "question", "statement", "text", "content", "messages", "inputs", "texts")


def trace_html(trace: Trace) -> str:
    """The drawing and the list."""
    failed = sum(call.error is not None for call in trace.calls)
    facts = f"{len(trace.calls):,} calls{f', {failed:,} failed' if failed else ''} · {len(trace.steps):,} steps"
    items = "".join(map(_step, trace.steps))
    is_open = " open" if len(trace.steps) <= _MANY else ""
    steps = (
        f"<details{is_open}><summary>Steps ({len(trace.steps):,})</summary><ol>{items}</ol></details>" if items else ""
    )
    return printable(
        "<div style='max-width:75em;line-height:1.45;overflow-wrap:anywhere'>"
        f"<p><small style='opacity:.75'>{facts}</small></p>{_drawing(trace)}{steps}</div>"
    )


def _drawing(trace: Trace) -> str:
    calls = [call for call in trace.calls if call.kind not in _UNSHOWN]
    if not calls and not trace.steps:
        return ""
    ends = [call.at + call.seconds for call in calls] + [step.at for step in trace.steps]
    scale = _Scale(max(filter(math.isfinite, ends), default=0.0))
    parts: list[str] = []
    top = 20.0
    for member in _members(trace):
        parts.append(_line(top, 0.3))
        for drawn, height in _rows(member, calls, trace.steps, scale, top):
            parts.append(drawn)
            top += height
    drawn, height = _token_curve(trace.steps, scale, top)
    top += height
    return (
        f"<svg viewBox='0 0 {_WIDTH} {top + 4:g}' width='100%' role='img' aria-label='Timeline of the search' "
        f"font-family='sans-serif' font-size='11' fill='currentColor' style='display:block'>"
        f"{scale.axis(top)}{''.join(parts)}{drawn}</svg>"
    )


class _Scale:
    """Places on the line of time."""

    def __init__(self, end: float) -> None:
        self.end = end if end > _SHORTEST else 1.0

    def at(self, seconds: float) -> float:
        share = seconds / self.end if math.isfinite(seconds) else 0.0
        return _LEFT + min(max(share, 0.0), 1.0) * (_WIDTH - _LEFT - _RIGHT)

    def axis(self, bottom: float) -> str:
        """A line for each of 4 to 10 round times."""
        power = 10 ** math.floor(math.log10(self.end))
        tick = next(power * each for each in (0.1, 0.2, 0.5, 1, 2) if self.end / (power * each) <= 10)
        return "".join(
            f"<line x1='{x:.1f}' x2='{x:.1f}' y1='16' y2='{bottom:g}' stroke='currentColor' stroke-opacity='.12'/>"
            f"<text x='{x:.1f}' y='11' text-anchor='middle' opacity='.7'>{number * tick:g} s</text>"
            for number in range(int(self.end / tick + 1e-6) + 1)
            if (x := self.at(number * tick)) is not None
        )


def _members(trace: Trace) -> list[str]:
    found = {step.member for step in trace.steps} | {call.member for call in trace.calls}
    return sorted(found, key=lambda name: (name != "", len(name), name))


def _rows(
    member: str, calls: Sequence[TracedCall], steps: Sequence[DeepSearchStep], scale: _Scale, top: float
) -> Iterator[tuple[str, float]]:
    """Drawing and height of each row of a member: its steps, then its calls by kind."""
    name = f"agent {member}" if member else "main"
    mine = [step for step in steps if step.member == member]
    marks = "".join(_mark(step, scale, top + 9) for step in mine)
    title = f"<text x='4' y='{top + 13:g}' font-weight='bold'>{html.escape(shorten(name, 18))}</text>"
    yield title + marks, 20.0
    top += 20
    kinds = {call.kind for call in calls if call.member == member}
    for kind in sorted(kinds, key=lambda each: (list(_COLOURS).index(each) if each in _COLOURS else 99, each)):
        lanes = _lanes([call for call in calls if (call.member, call.kind) == (member, kind)])
        label = f"<text x='14' y='{top + 10:g}' opacity='.8'>{html.escape(shorten(kind, 16))}</text>"
        bars = (_bar(call, scale, top + place * _LANE) for place, lane in enumerate(lanes) for call in lane)
        height = len(lanes) * _LANE + _GAP
        yield label + "".join(bars), height
        top += height


def _lanes(calls: list[TracedCall]) -> list[list[TracedCall]]:
    """Calls of a row one below the other where they ran at the same time; of more than fit, the last lane takes all."""
    lanes: list[list[TracedCall]] = []
    for call in sorted(calls, key=lambda each: each.at):
        free = next((lane for lane in lanes if lane[-1].at + lane[-1].seconds <= call.at), None)
        if free is None and len(lanes) < _LANES:
            lanes.append(free := [])
        (lanes[-1] if free is None else free).append(call)
    return lanes


def _bar(call: TracedCall, scale: _Scale, top: float) -> str:
    left = scale.at(call.at)
    width = max(scale.at(call.at + call.seconds) - left, 2.0)
    about = _about(call.request)
    came = "" if call.error is None else f"\n{': '.join(str(each) for each in call.error[:2])}"
    title = f"{call.kind}, {call.at:.2f} s, took {call.seconds:.2f} s\n{shorten(about, 300)}{shorten(came, 300)}"
    look = f"fill='{_COLOURS.get(call.kind, _OTHER)}' fill-opacity='.85'"
    if call.error is not None:
        look = f"fill='none' stroke='{_COLOURS.get(call.kind, _OTHER)}' stroke-width='1.5' stroke-dasharray='3 2'"
    room = int((width - 6) / _LETTER)
    words = f"{'✗ ' if call.error is not None else ''}{_SCHEME.sub('', about)}"
    ink = "currentColor" if call.error is not None else "#000" if call.kind in ("search", "retrieve") else "#fff"
    label = ""
    if room >= 4:
        words = html.escape(shorten(words, room))
        label = f"<text x='{left + 3:.1f}' y='{top + 9:g}' font-size='9.5' fill='{ink}'>{words}</text>"
    return (
        f"<g><title>{html.escape(title)}</title>"
        f"<rect x='{left:.1f}' y='{top:g}' width='{width:.1f}' height='{_LANE - 2}' rx='2' {look}/>{label}</g>"
    )


def _mark(step: DeepSearchStep, scale: _Scale, middle: float) -> str:
    x = scale.at(step.at)
    title = html.escape(f"{step.kind}, {step.at:.2f} s\n{shorten(step.text, 300)}")
    size = 5 if step.kind in ("answer", "done", "reject") else 3.2
    return (
        f"<circle cx='{x:.1f}' cy='{middle:g}' r='{size}' fill='{_colour(step)}' stroke='currentColor' "
        f"stroke-opacity='.35'><title>{title}</title></circle>"
    )


def _token_curve(steps: Sequence[DeepSearchStep], scale: _Scale, top: float) -> tuple[str, float]:
    """The tokens spent, as a rising line."""
    most = max((step.tokens for step in steps), default=0)
    if most <= 0:
        return "", 0.0
    bottom = top + _TOKENS
    points: list[tuple[float, float]] = [(scale.at(0), bottom)]
    for step in sorted(steps, key=lambda each: (each.at, each.tokens)):
        before, x = points[-1][1], scale.at(step.at)
        points += [(x, before), (x, min(before, bottom - step.tokens / most * (_TOKENS - 10)))]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    drawn = (
        f"{_line(top, 0.3)}<text x='4' y='{top + 14:g}' font-weight='bold'>tokens</text>"
        f"<text x='14' y='{top + 28:g}' opacity='.8'>{most:,}</text>"
        f"<polygon points='{line} {points[-1][0]:.1f},{bottom:g}' fill='{_COLOURS['chat']}' fill-opacity='.2'/>"
        f"<polyline points='{line}' fill='none' stroke='{_COLOURS['chat']}'/>"
    )
    return drawn, float(_TOKENS)


def _line(y: float, opacity: float) -> str:
    return f"<line x1='0' x2='{_WIDTH}' y1='{y:g}' y2='{y:g}' stroke='currentColor' stroke-opacity='{opacity}'/>"


def _step(step: DeepSearchStep) -> str:
    """An item of the list."""
    who = f" · agent {html.escape(shorten(step.member, 20))}" if step.member else ""
    tokens = f" · {step.tokens:,} tokens" if step.tokens else ""
    text = html.escape(shorten(step.text, _LONG))
    if len(step.text) > _LONG:
        whole = f"<div dir='auto' style='white-space:pre-wrap'>{html.escape(step.text)}</div>"
        text = f"<details><summary dir='auto'>{text}</summary>{whole}</details>"
    question = f"<br><small dir='auto'>for: {html.escape(shorten(step.question, 200))}</small>" if step.question else ""
    asked = [f"<bdi>“{html.escape(shorten(query, 200))}”</bdi>" for query in step.queries]
    named = [f"<bdi>{linked(url, shorten(url, 100))}</bdi>" for url in step.urls]
    about = "".join(f"<li>{each}</li>" for each in (*asked, *named))
    return (
        f"<li style='margin:.3em 0'><b style='border-bottom:2px solid {_colour(step)}'>{html.escape(step.kind)}</b> "
        f"<small style='opacity:.75'>{step.at:,.1f} s{tokens}{who}</small>"
        f"<div dir='auto'>{text}{question}{f'<ul style=margin:0>{about}</ul>' if about else ''}</div></li>"
    )


def _colour(step: DeepSearchStep) -> str:
    return _COLOURS.get(_STEPS.get(step.kind, ""), _OTHER)


def _about(request: Any) -> str:  # noqa: ANN401 (JSON)
    """What a call asked, in a few words."""
    if isinstance(request, dict):
        named = next((request[name] for name in _TELLING if request.get(name)), None)
        return ", ".join(map(str, request.values())) if named is None else _about(named)
    if isinstance(request, list):
        return _about(request[-1]) if request else ""
    return str(request)
