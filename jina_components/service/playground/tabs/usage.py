"""Key and usage: what a key may ask for, what is left on it, and what was used day by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import gradio as gr

from jina_components.service.playground.asking import Answer
from jina_components.service.playground.code import Asked
from jina_components.service.playground.drawing import note, table, text
from jina_components.service.playground.page import Page

_DAYS = (7, 30, 90)
_ASKING = "account"  # the product of what this tab itself asks for
_WIDTH, _HEIGHT = 720, 150
# Colours that there are (`--series-1` …); products beyond share the last.
_SERIES = 8


def add(page: Page) -> None:
    """Put the tab on the page."""
    if not page.needs_keys:
        gr.HTML(
            note(
                "This service has no keys: whoever reaches it may ask for everything, and nothing is counted by whom. "
                "Started with --keys, it has keys with balances and limits, and their usage is shown here.",
                "empty",
            )
        )
        return
    with gr.Row(elem_classes="pg-sides"):
        days = gr.Dropdown([(f"{each} days", each) for each in _DAYS], value=_DAYS[1], label="Period", scale=1)
        with gr.Column(scale=3):
            button = page.button("Show usage")
    drawn = gr.HTML(note("Enter your key at the top to see its balance, limits and usage.", "empty"))
    page.product(button, inputs=(days,), asked=_asked, outputs=(drawn,), draw=_draw)


def _asked(days: int) -> tuple[Asked, ...]:
    since = _today() - timedelta(days=days - 1)
    return (
        Asked("/v1/account", method="GET"),
        Asked(f"/v1/usage?since={since}&by=day,product", method="GET"),
    )


def _today() -> date:
    return datetime.now(UTC).date()


def _draw(answers: Sequence[Answer], _: int) -> str:
    account, usage = (each.content for each in answers)
    rows = [row for row in usage["data"] if row["product"] != _ASKING]
    if not rows:
        return f"{_key(account)}{note('Nothing was used in this time.', 'empty')}{_limits(account)}"
    products = sorted({row["product"] for row in rows})
    first, last = date.fromisoformat(usage["since"]), date.fromisoformat(usage["until"])
    days = [str(first + timedelta(days=number)) for number in range((last - first).days + 1)]
    charts = "".join(_chart(what, rows, days, products) for what in ("tokens", "requests"))
    return f"{_key(account)}{_legend(products)}{charts}{_table(rows)}{_limits(account)}"


def _key(account: Mapping[str, Any]) -> str:
    facts = {
        "Key": account["name"],
        "Owner": account["owner"],
        "Tier": account["tier"],
        "Balance": f"{account['balance']:,} tokens",
    }
    listed = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts.items())
    return f'<dl class="pg-facts">{listed}</dl>'


def _legend(products: Sequence[str]) -> str:
    items = "".join(
        f'<li><i class="pg-s{_series(number)}"></i>{text(name)}</li>' for number, name in enumerate(products)
    )
    return f'<ul class="pg-legend" aria-label="Products">{items}</ul>'


def _chart(what: str, rows: Sequence[Mapping[str, Any]], days: Sequence[str], products: Sequence[str]) -> str:
    """A bar a day, of its products one above the other."""
    amounts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        amounts[row["day"]][row["product"]] = row[what]
    most = max((sum(day.values()) for day in amounts.values()), default=0) or 1
    step, bars = _WIDTH / len(days), list[str]()
    for place, day in enumerate(days):
        below = 0.0
        for number, product in enumerate(products):
            if amount := amounts[day].get(product, 0):
                height = amount / most * _HEIGHT
                below += height
                bars.append(
                    f'<rect class="pg-s{_series(number)}" x="{place * step + step * 0.1:.1f}" '
                    f'y="{_HEIGHT - below:.1f}" width="{step * 0.8:.1f}" height="{height:.1f}">'
                    f"<title>{text(f'{day}, {product}: {amount:,} {what}')}</title></rect>"
                )
    told = f"{what.capitalize()} a day, at most {most:,}"
    return (
        f'<figure class="pg-chart"><figcaption>{text(told)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{text(told)}">'
        f"{''.join(bars)}</svg>"
        f'<div class="pg-line"><span>{text(days[0])}</span><span>{text(days[-1])}</span></div></figure>'
    )


def _series(number: int) -> int:
    return min(number + 1, _SERIES)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = ("requests", "items", "tokens")
    lines = [
        [row["day"], row["product"], *(f"{row[name]:,}" for name in names)]
        for row in sorted(rows, key=lambda row: (row["day"], row["product"]), reverse=True)
    ]
    lines.append(["Total", "", *(f"{sum(row[name] for row in rows):,}" for name in names)])
    return table("Usage", ["Day", "Product", "Requests", "Items", "Tokens"], lines, kind="pg-products")


def _limits(account: Mapping[str, Any]) -> str:
    names = ("requests_per_minute", "tokens_per_minute", "concurrent")
    rows = [[product, *(_limit(limits, name) for name in names)] for product, limits in account["limits"].items()]
    return table("Limits", ["Product", "Requests a minute", "Tokens a minute", "At once"], rows)


def _limit(limits: Mapping[str, int | None] | None, name: str) -> str:
    if limits is None:
        return "not in this tier"
    most = limits[name]
    return "no limit" if most is None else f"{most:,}"
