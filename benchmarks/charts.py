"""Charts of the report as SVG, each in a light and a dark version, the same bytes for the same numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.results import EVEN, Kind, Peer, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHADES = ("light", "dark")
# Okabe and Ito's colours, which the colour-blind tell apart; the shape of the marks says the same.
_COLOURS: Mapping[str, Mapping[str, str]] = {
    "light": {"ink": "#1f2328", "soft": "#d0d7de", "better": "#0072b2", "level": "#6e7781", "worse": "#d55e00"},
    "dark": {"ink": "#e6edf3", "soft": "#3d444d", "better": "#56b4e9", "level": "#9198a1", "worse": "#f0883e"},
}
_MARKS: Mapping[Verdict, str] = {"better": "o", "level": "D", "worse": "s"}
_PEERS = ("#e69f00", "#009e73", "#cc79a7", "#8250df", "#9a6700", "#6e7781", "#bf3989")
_PEER_MARKS = "sD^vP*X"
_MANY_STEPS = 200  # a wider axis of ratios is marked at powers of ten alone
_WIDTH, _LINE, _EDGE = 8.6, 0.30, 1.1  # inches; of a line, and of what is around them


class Gap(NamedTuple):
    """A line of an overview: what is compared, and how far ours is from the peer."""

    label: str
    kind: Kind
    peer: Peer


def overview(gaps: Sequence[Gap], title: str, axis: str) -> dict[str, str]:
    """Every gap with its interval, a line each, as SVG by shade; to the right of the middle line ours is better."""
    kind = gaps[0].kind
    drawn = {}
    for shade in SHADES:
        colours = _COLOURS[shade]
        with _axes(shade, len(gaps), title) as (axes, done):
            axes.axvline(EVEN[kind], color=colours["ink"], linewidth=1)
            for line, gap in enumerate(gaps):
                peer, verdict = gap.peer, gap.peer.verdict(kind)
                axes.plot((peer.low, peer.high), (line, line), color=colours[verdict], linewidth=2.4, alpha=0.55)
                axes.plot(peer.gap, line, _MARKS[verdict], color=colours[verdict], markersize=6)
            axes.set_yticks(range(len(gaps)), [gap.label for gap in gaps])
            axes.set_ylim(len(gaps) - 0.4, -0.6)
            axes.set_xlabel(axis)
            if kind != "quality":
                _log(axes, [end for gap in gaps for end in (gap.peer.low, gap.peer.high)])
            drawn[shade] = done()
    return drawn


def by_set(parts: Mapping[str, Mapping[str, float]], systems: Sequence[str], title: str, axis: str) -> dict[str, str]:
    """What each system reached on each set, as SVG by shade; the first system is ours."""
    drawn = {}
    for shade in SHADES:
        colours = _COLOURS[shade]
        with _axes(shade, len(parts) + 2, title) as (axes, done):
            for line, row in enumerate(parts.values()):
                axes.plot((min(row[name] for name in systems), max(row[name] for name in systems)), (line, line),
                          color=colours["soft"], linewidth=2, zorder=1)  # fmt: skip
            for number, system in enumerate(systems):
                colour = colours["better"] if number == 0 else _PEERS[(number - 1) % len(_PEERS)]
                mark = "o" if number == 0 else _PEER_MARKS[(number - 1) % len(_PEER_MARKS)]
                values = [row[system] for row in parts.values()]
                axes.plot(values, range(len(parts)), mark, color=colour, markersize=8 if number == 0 else 5.5,
                          label=system, zorder=3 if number == 0 else 2)  # fmt: skip
            axes.set_yticks(range(len(parts)), list(parts))
            axes.set_ylim(len(parts) - 0.4, -0.6)
            axes.set_xlabel(axis)
            legend = axes.legend(frameon=False, fontsize=9, loc="upper center", bbox_to_anchor=(0.4, -0.28), ncols=4)
            for text in legend.get_texts():
                text.set_color(colours["ink"])
            drawn[shade] = done()
    return drawn


def _log(axes: Axes, ends: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    axes.set_xscale("log")
    steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    low, high = min(*ends, 0.5), max(*ends, 2)
    if high / low > _MANY_STEPS:
        steps = [0.001, 0.01, 0.1, 1, 10, 100, 1000]
    axes.xaxis.set_major_locator(FixedLocator([step for step in steps if low / 2 <= step <= high * 2]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} ×")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


@contextmanager
def _axes(shade: str, lines: int, title: str) -> Iterator[tuple[Axes, Any]]:
    """Empty axes for so many lines, and what gives their SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    colours = _COLOURS[shade]
    looks: dict[Any, Any] = {
        "font.family": "DejaVu Sans", "font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "benchmarks",
        "text.color": colours["ink"], "axes.labelcolor": colours["ink"], "axes.edgecolor": colours["soft"],
        "xtick.color": colours["ink"], "ytick.color": colours["ink"], "grid.color": colours["soft"],
    }  # fmt: skip
    with mpl.rc_context(looks):
        figure = Figure(figsize=(_WIDTH, lines * _LINE + _EDGE), layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        axes.grid(visible=True, axis="x", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)

        def done() -> str:
            file = io.StringIO()
            figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
            text = file.getvalue().replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
            return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"

        yield axes, done
