"""A chat model that thinks what a test wants it to, behind the real wire."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from jina_components.testing import ScriptedReply

# What tells each form of reply from the others: a property that it alone has.
_FORMS = {
    "decide": {"action"}, "rewrite": {"queries"}, "criteria": {"definitive", "freshness"}, "plan": {"questions"},
    "conclude": {"answered"}, "completeness": {"aspects"}, "plurality": {"wording"}, "freshness": {"subject"},
    "analyse": {"blame"}, "strict": {"plan"}, "definitive": {"passed"},
}  # fmt: skip
_USUAL: dict[str, Any] = {
    "rewrite": {"queries": []},
    "criteria": {"definitive": True, "freshness": False, "plurality": False, "completeness": False},
    "plan": {"think": "", "questions": []},
    "completeness": {"aspects": []},
    "plurality": {"wording": "one", "given": 1},
    "freshness": {"subject": "facts that do not change"},
    "analyse": {"recap": "r", "blame": "b", "improvement": "i"},
    "strict": {"reason": "", "passed": True},
    "definitive": {"reason": "", "passed": True},
}


def search(*queries: str) -> dict[str, Any]:
    """A decision to search."""
    return {"think": "I need sources.", "action": "search", "queries": [{"text": query} for query in queries]}


def answer(text: str) -> dict[str, Any]:
    """A decision to answer."""
    return {"think": "I know.", "action": "answer", "answer": text}


def visit(*pages: int) -> dict[str, Any]:
    """A decision to read pages."""
    return {"think": "I read.", "action": "visit", "pages": list(pages)}


def reflect(*questions: str) -> dict[str, Any]:
    """A decision to ask something else first."""
    return {"think": "First.", "action": "reflect", "questions": list(questions)}


def calculate(code: str) -> dict[str, Any]:
    """A decision to calculate."""
    return {"think": "I count.", "action": "calculate", "code": code}


class Mind:
    """Script of a `ScriptedChatServer`: replies by the form that is asked for.

    Args:
        replies: For each form (`decide`, `rewrite`, `criteria`, `strict`, `conclude`, `value` …) the replies in turn,
            the last one again and again. Forms without replies get the usual: a plain one that lets pass.
    """

    def __init__(self, **replies: Sequence[Any]) -> None:
        self.replies = replies
        self.asked: defaultdict[str, list[str]] = defaultdict(list)
        self._times: Counter[str] = Counter()

    def __call__(self, request: Mapping[str, Any]) -> Any:
        form = self._form(request)
        self.asked[form].append("\n".join(_text(message["content"]) for message in request["messages"]))
        given = self.replies.get(form, [_USUAL.get(form, ScriptedReply(status=500))])
        self._times[form] += 1
        return given[min(self._times[form], len(given)) - 1]

    def _form(self, request: Mapping[str, Any]) -> str:
        properties = set(request["response_format"]["json_schema"]["schema"].get("properties", ()))
        return next((name for name, marks in _FORMS.items() if marks <= properties), "value")


def _text(content: Any) -> str:
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
