"""How a comparison looks: bars with intervals, the differences by question, and the questions that changed most."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jina_components.fine_tuner.compare import DECISIVE, LABELS, ranged
from jina_components.types import shorten

if TYPE_CHECKING:
    from jina_components.fine_tuner.bootstrap import Estimate
    from jina_components.fine_tuner.compare import Comparison, Hit, QuestionChange, Verdict

# Okabe and Ito's colours, which the colour-blind tell apart; the text keeps the theme's own, dark or light.
_BEFORE, _AFTER, _LOST = "#888888", "#009E73", "#D55E00"
_LOOKS: dict[Verdict, tuple[str, str]] = {
    "better": ("✓", _AFTER), "no proof": ("?", _BEFORE), "worse": ("✗", _LOST),
}  # fmt: skip
_SHOWN = 5  # questions that gained most, and as many that lost most
_BINS = 20  # of differences, over -1 to 1; those of 0 have a bar of their own
# Pixels.
_WIDTH, _HEIGHT = 900, 246
_TOP, _BOTTOM = 46, 206
_BARS, _INTERVALS, _DIFFERENCES = (34, 366), (456, 606), (652, 884)
_BAR = 27

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>:root{{color-scheme:light dark}}body{{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;\
padding:0 1em}}</style></head>
<body>{body}</body></html>
"""


def comparison_page(comparison: Comparison) -> str:
    """The report as a page that needs nothing else."""
    title = html.escape(f"{comparison.before} → {comparison.after}")
    return _PAGE.format(title=title, body=comparison_html(comparison))


def comparison_html(comparison: Comparison) -> str:
    """The report: verdict, drawing, numbers, and questions."""
    sign, colour = _LOOKS[comparison.verdict]
    drawn = f"{comparison.resamples:,} draws of whole groups, seed {comparison.seed}"
    elsewhere = ""
    if comparison.elsewhere is not None:
        elsewhere = f"<h3>Elsewhere</h3>{comparison_html(comparison.elsewhere)}"
    return (
        "<div style='max-width:60em;line-height:1.45;overflow-wrap:anywhere'>"
        f"<p style='font-size:1.25em;margin:.3em 0'><b style='border-bottom:3px solid {colour}'>"
        f"{sign} {comparison.verdict}</b> · {html.escape(LABELS[DECISIVE])} "
        f"{ranged(comparison.changes[DECISIVE].difference)} points</p>"
        f"<p style='margin:.3em 0'>{html.escape(comparison.reason)}<br><small style='opacity:.75'>"
        f"<bdi>{html.escape(comparison.before)}</bdi> → <bdi>{html.escape(comparison.after)}</bdi> · "
        f"{comparison.about} · 95 % intervals (BCa bootstrap, {drawn})</small></p>"
        f"{comparison_svg(comparison)}{_numbers(comparison)}{_questions(comparison)}</div>{elsewhere}"
    )


def comparison_svg(comparison: Comparison) -> str:
    """The drawing alone: each metric before and after with intervals, and how many questions gained and lost."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {_HEIGHT}' width='{_WIDTH}' "
        f"height='{_HEIGHT}' role='img' "
        f"aria-label='{html.escape(repr(comparison), quote=True)}' font-family='sans-serif' font-size='12' "
        "fill='currentColor' style='display:block;max-width:100%;height:auto'>"
        f"<style>@media(prefers-color-scheme:dark){{svg:root{{color:#ddd;background:#111}}}}</style>"
        f"{_bars(comparison)}{_intervals(comparison)}{_histogram(comparison)}</svg>"
    )


def _bars(comparison: Comparison) -> str:
    left, right = _BARS
    parts = [
        _text(left, 18, "Before and after, of 100", weight="bold"),
        *_legend(left + 160, [(_BEFORE, "before"), (_AFTER, "after")]),
    ]
    for tick in range(0, 101, 20):
        y = _height(tick / 100)
        parts += [_line(left, right, y, 0.15), _text(left - 6, y + 4, str(tick), anchor="end", opacity=0.7)]
    step = (right - left) / len(comparison.changes)
    for place, (name, change) in enumerate(comparison.changes.items()):
        middle = left + (place + 0.5) * step
        parts += [
            _bar(middle - _BAR - 2, change.before, _BEFORE),
            _bar(middle + 2, change.after, _AFTER),
            _text(middle, _BOTTOM + 16, LABELS[name], anchor="middle"),
        ]
    return "".join(parts)


def _bar(left: float, estimate: Estimate, colour: str) -> str:
    top, middle = _height(estimate.value), left + _BAR / 2
    title = f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
    ends = (_height(estimate.low), _height(estimate.high))
    whisker = "".join(
        f"<line x1='{middle - 5:.1f}' x2='{middle + 5:.1f}' y1='{y:.1f}' y2='{y:.1f}' stroke='currentColor'/>"
        for y in ends
    )
    return (
        f"<g><title>{title}</title><rect x='{left:.1f}' y='{top:.1f}' width='{_BAR}' height='{_BOTTOM - top:.1f}' "
        f"fill='{colour}' fill-opacity='.8'/><line x1='{middle:.1f}' x2='{middle:.1f}' y1='{ends[0]:.1f}' "
        f"y2='{ends[1]:.1f}' stroke='currentColor'/>{whisker}"
        f"{_text(middle, min(top, ends[1]) - 4, f'{100 * estimate.value:.1f}', anchor='middle', size=11)}</g>"
    )


def _intervals(comparison: Comparison) -> str:
    """The differences with their intervals, beside a line at 0."""
    left, right = _INTERVALS
    differences = [change.difference for change in comparison.changes.values()]
    reach = max(1e-3, *(abs(end) for each in differences for end in (each.low, each.high))) * 1.05

    def at(value: float) -> float:
        return (left + right) / 2 + value / reach * (right - left) / 2

    zero = at(0)
    parts = [
        _text(left - 64, 18, "Difference, with its interval", weight="bold"),
        f"<line x1='{zero:.1f}' x2='{zero:.1f}' y1='{_TOP}' y2='{_BOTTOM}' stroke='currentColor' stroke-opacity='.4'/>",
        _text(zero, _BOTTOM + 16, "0", anchor="middle", opacity=0.7),
    ]
    step = (_BOTTOM - _TOP) / len(differences)
    for place, (name, each) in enumerate(zip(comparison.changes, differences, strict=True)):
        y = _TOP + (place + 0.5) * step
        colour = _AFTER if each.low > 0 else _LOST if each.high < 0 else _BEFORE
        drawn = (
            f"<g><title>{ranged(each)}</title><line x1='{at(each.low):.1f}' x2='{at(each.high):.1f}' y1='{y:.1f}' "
            f"y2='{y:.1f}' stroke='{colour}' stroke-width='4' stroke-opacity='.8'/>"
            f"<circle cx='{at(each.value):.1f}' cy='{y:.1f}' r='5' fill='{colour}' stroke='currentColor'/></g>"
        )
        parts += [
            drawn,
            _text(left - 64, y + 4, LABELS[name], size=11, opacity=0.8),
            _text(at(each.value), y - 10, f"{100 * each.value:+.1f}", anchor="middle", size=11),
        ]
    return "".join(parts)


def _histogram(comparison: Comparison) -> str:
    left, right = _DIFFERENCES
    differences = np.array([each.difference for each in comparison.questions])
    gained, lost = differences > 1e-12, differences < -1e-12
    counts = np.histogram(differences[gained | lost], _BINS, (-1, 1))[0]
    same = int(len(differences) - gained.sum() - lost.sum())
    told = [
        (_LOST, f"{int(lost.sum()):,} lost"), (_BEFORE, f"{same:,} same"),
        (_AFTER, f"{int(gained.sum()):,} gained"),
    ]  # fmt: skip
    title = f"Questions by their difference in {LABELS[DECISIVE]}"
    parts = [_text(left, 18, title, weight="bold"), *_legend(left, told, top=36)]
    most = max(int(counts.max()), 1)
    width = (right - left) / _BINS
    room = _BOTTOM - _TOP - 16
    for place, count in enumerate(counts.tolist()):
        if count:
            x, height = left + place * width, count / most * room
            colour = _LOST if place < _BINS // 2 else _AFTER
            low = -1 + place * 2 / _BINS
            title = f"{count:,} questions, {100 * low:+.0f} to {100 * (low + 2 / _BINS):+.0f} points"
            parts.append(
                f"<rect x='{x + 1:.1f}' y='{_BOTTOM - height:.1f}' width='{width - 2:.1f}' height='{height:.1f}' "
                f"fill='{colour}' fill-opacity='.8'><title>{title}</title></rect>"
            )
            parts.append(_text(x + width / 2, _BOTTOM - height - 3, f"{count:,}", anchor="middle", size=9, opacity=0.8))
    parts.append(_line(left, right, _BOTTOM, 0.5))
    parts += [
        _text(left + (tick + 1) / 2 * (right - left), _BOTTOM + 16, f"{100 * tick:+.0f}", anchor="middle", opacity=0.7)
        for tick in (-1, -0.5, 0, 0.5, 1)
    ]
    return "".join(parts)


def _height(share: float) -> float:
    return _BOTTOM - min(max(share, 0.0), 1.0) * (_BOTTOM - _TOP)


def _line(left: float, right: float, y: float, opacity: float) -> str:
    return (
        f"<line x1='{left:g}' x2='{right:g}' y1='{y:.1f}' y2='{y:.1f}' stroke='currentColor' "
        f"stroke-opacity='{opacity}'/>"
    )


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, weight: str = "normal", opacity: float = 1
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-size='{size}' font-weight='{weight}' "
        f"opacity='{opacity}'>{html.escape(text)}</text>"
    )


def _legend(left: float, entries: Sequence[tuple[str, str]], *, top: float = 18) -> list[str]:
    parts = []
    for colour, name in entries:
        parts.append(f"<rect x='{left}' y='{top - 9}' width='10' height='10' fill='{colour}' fill-opacity='.8'/>")
        parts.append(_text(left + 14, top, name, size=11))
        left += 26 + 6 * len(name)
    return parts


def _numbers(comparison: Comparison) -> str:
    def cell(estimate: Estimate) -> str:
        return f"{100 * estimate.value:.1f} <small>[{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]</small>"

    rows = "".join(
        f"<tr><td>{LABELS[name]}</td><td>{cell(change.before)}</td><td>{cell(change.after)}</td>"
        f"<td><b>{ranged(change.difference)}</b></td></tr>"
        for name, change in comparison.changes.items()
    )
    heads = "".join(f"<th style='text-align:left'>{each}</th>" for each in ("", "before", "after", "difference"))
    return f"<table style='border-spacing:1em .1em;margin-left:-1em'><tr>{heads}</tr>{rows}</table>"


def _questions(comparison: Comparison) -> str:
    ordered = sorted(comparison.questions, key=lambda each: each.difference)
    lost = [each for each in ordered[:_SHOWN] if each.difference < 0]
    gained = [each for each in ordered[: -_SHOWN - 1 : -1] if each.difference > 0]
    return _most("Gained most", gained) + _most("Lost most", lost)


def _most(title: str, questions: Sequence[QuestionChange]) -> str:
    if not questions:
        return ""
    return f"<h4 style='margin:1em 0 .2em'>{title}</h4>" + "".join(map(_question, questions))


def _question(change: QuestionChange) -> str:
    hits = "".join(
        f"<div style='flex:1 1 20em'><small style='opacity:.75'>{name}</small>"
        f"<ol style='margin:0;padding-left:1.6em'>{''.join(map(_hit, found))}</ol></div>"
        for name, found in (("before", change.hits_before), ("after", change.hits_after))
    )
    return (
        f"<details><summary dir='auto'>{html.escape(shorten(change.query, 200))} <small style='opacity:.75'>"
        f"{100 * change.before:.0f} → {100 * change.after:.0f}</small></summary>"
        f"<div style='display:flex;flex-wrap:wrap;gap:1em;margin:.2em 0 .8em 1em'>{hits}</div></details>"
    )


def _hit(hit: Hit) -> str:
    mark = f"<b style='color:{_AFTER}' title='answers'>✓</b> " if hit.grade > 0 else ""
    return f"<li dir='auto'>{mark}<small>{html.escape(shorten(hit.text, 160))}</small></li>"
