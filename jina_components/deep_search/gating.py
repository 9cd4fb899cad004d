"""Which actions a step may take, and what an action bars the next step from."""

from __future__ import annotations

from collections.abc import Callable

from jina_components.deep_search.actions import Action, ActionKind, Calculate, Draft, Reflect, Search, Visit
from jina_components.deep_search.state import State

# As in Jina's DeepSearch: who has that much to read need not search, and who has that many questions need not ask.
_ENOUGH_URLS = 50
_MAX_OPEN = 3

_POSSIBLE: dict[ActionKind, Callable[[State], bool]] = {
    "search": lambda state: state.urls.waiting < _ENOUGH_URLS,
    "visit": lambda state: bool(state.urls.unread),
    "reflect": lambda state: len(state.open) < _MAX_OPEN,
    "answer": lambda state: state.step > 1 or not state.options.no_direct_answer or bool(state.evidence),
    "calculate": lambda _: True,
}


def allowed_actions(state: State) -> frozenset[ActionKind]:
    """What the step may do; where all of that is barred for this one step, nothing is."""
    possible = frozenset(kind for kind, is_possible in _POSSIBLE.items() if is_possible(state))
    return possible - state.barred or possible


def barred_after(action: Action, *, found_pages_alone: bool) -> frozenset[ActionKind]:
    """What the next step may not do: the same again; and after a search that found but pages, anything before reading.

    A search that brought evidence, as that of a corpus does, may be followed by any action.
    """
    if isinstance(action, Search):
        return frozenset({"search", "answer"}) if found_pages_alone else frozenset()
    return _BARRED[type(action)]


_BARRED: dict[type, frozenset[ActionKind]] = {
    Visit: frozenset({"visit"}),
    Reflect: frozenset({"reflect"}),
    Calculate: frozenset({"calculate"}),
    Draft: frozenset({"answer"}),
}
