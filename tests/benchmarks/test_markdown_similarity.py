from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import markdown_similarity as similarity

PAGE = "# Rain\n\nIt rains.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n## Fog\n\nIt is *foggy*."
short = st.text("abc", max_size=8)


def plain_levenshtein(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for down, first in enumerate(one, 1):
        above, row = row, [down]
        for across, second in enumerate(other, 1):
            row.append(min(above[across] + 1, row[-1] + 1, above[across - 1] + (first != second)))
    return row[-1]


def plain_subsequence(one: str, other: str) -> int:
    row = [0] * (len(other) + 1)
    for first in one:
        above, row = row, [0]
        for across, second in enumerate(other, 1):
            row.append(above[across - 1] + 1 if first == second else max(above[across], row[-1]))
    return row[-1]


@given(short, short)
def test_edit_distances(one: str, other: str) -> None:
    assert similarity.levenshtein(one, other) == plain_levenshtein(one, other)
    if one and other:
        expected = 2 * plain_subsequence(one, other) / (len(one) + len(other))
        assert similarity.indel_similarity(one, other) == pytest.approx(expected)


trees = st.recursive(
    st.builds(similarity.Node, st.sampled_from([("a", 0, 0), ("b", 0, 0)]), short),
    lambda inner: st.builds(similarity.Node, st.just(("a", 0, 0)), short, st.lists(inner, max_size=3)),
    max_leaves=6,
)


@given(trees, trees)
def test_tree_distance_is_a_distance(one: similarity.Node, other: similarity.Node) -> None:
    assert similarity.tree_distance(one, one) == 0
    there, back = similarity.tree_distance(one, other), similarity.tree_distance(other, one)
    assert there == pytest.approx(back)
    assert (there == 0) == (one == other)


def test_tree_distance_of_a_known_pair() -> None:
    def node(name: str, *children: similarity.Node) -> similarity.Node:
        return similarity.Node((name, 0, 0), children=list(children))

    # The example of Zhang and Shasha (1989), figure 4: one deletion and one insertion.
    one = node("f", node("d", node("a"), node("c", node("b"))), node("e"))
    other = node("f", node("c", node("d", node("a"), node("b"))), node("e"))
    assert similarity.tree_distance(one, other) == 2


def test_a_page_is_like_itself() -> None:
    assert [measure(PAGE, PAGE) for measure in similarity.MEASURES.values()] == [1, 1, 1, 1]


def test_what_counts() -> None:
    html = PAGE.replace(
        "| a | b |\n| --- | --- |\n| 1 | 2 |",
        "<table><tr><td>a</td><td>b</td></tr><tr><td>1</td><td>2</td></tr></table>",
    )
    assert similarity.tables(PAGE, html) == similarity.order(PAGE, html) == 1
    assert similarity.tables(PAGE, "no table") == similarity.headings(PAGE, "no heading") == 0
    assert similarity.tables("no table", PAGE) is similarity.headings("no heading", PAGE) is None
    assert similarity.headings(PAGE, PAGE.replace("## Fog", "# Fog")) == 1
    assert 0 < (similarity.headings(PAGE, PAGE.replace("## Fog", "Fog")) or 0) < 1
    assert similarity.words(PAGE, PAGE.replace("#", "").replace("*", "").replace("---", "")) == 1
    assert similarity.order("[rain](https://example.com)", "rain") == 1
    spans = "<table><tr><td colspan=2>a</td></tr></table>"
    assert similarity.tables(spans, spans.replace("2", "3")) == pytest.approx(2 / 3)
