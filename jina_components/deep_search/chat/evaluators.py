"""What an answer is evaluated by: what the model is asked, and what code makes of its reply.

A model is asked what it can see (which aspects, how many items, which subject); what can be counted is decided by code.
The evaluators, the ages and the kinds of plurality are those of Jina's DeepSearch
(https://github.com/jina-ai/node-DeepResearch).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from jina_components.deep_search.chat.forms import FLAG, TEXT, Form, Schema, fields, line, one_of, several
from jina_components.deep_search.reasoning import Evaluation, Evaluator
from jina_components.types import Document

_MAX_REASON = 1000
_MAX_ITEMS = 1_000_000

AGES: dict[str, float | None] = {
    "finance": 0.1,
    "news": 1, "weather": 1, "sport": 1, "security": 1,
    "technology": 7, "politics": 7, "elections": 7,
    "entertainment": 14, "product launch": 14, "market": 14,
    "competitors": 21,
    "recalls": 30, "industry": 30, "software": 30, "law": 30, "economy": 30,
    "consumer": 45,
    "science": 60, "health": 60, "environment": 60,
    "best practice": 90, "API documentation": 90,
    "tutorial": 180, "product": 180, "statistics": 180, "reference": 180,
    "history": 365,
    "culture": 730,
    "facts that do not change": None,
}  # fmt: skip
"""Days after which sources on a subject are too old for what is asked of the present; None for never."""

PLURALITY: dict[str, tuple[int, str]] = {
    "one": (1, "one thing, or a text that has no items"),
    "number": (0, "a number of items: `asked`"),
    "few": (2, "a few, a couple"),
    "several": (3, "several, some, various"),
    "many": (7, "many, a lot"),
    "most important": (3, "the main, key or most important ones, without a number"),
    "examples": (3, "examples, without a number"),
    "pros and cons": (4, "both sides of something; count the points of both"),
    "comparison": (3, "a comparison; count its points"),
    "overview": (3, "an overview or a summary; count its points"),
    "thorough": (7, "a thorough or detailed list"),
    "comprehensive": (10, "a comprehensive or exhaustive list"),
    "all": (1, "all there are, or the steps of something, however many"),
    "plural": (2, "things, in a plural that says nothing more"),
}
"""How a question asks for items: the least that its answer has, and what the wording is like."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How one evaluator asks a chat model.

    Attributes:
        when: When a question needs it, for the model that chooses evaluators; empty for one that it cannot choose.
        task: What the model is told to do.
        form: The reply, and what comes of it.
        sees_sources: Whether it is shown the documents, and the user's images.
    """

    when: str
    task: str
    form: Form[Evaluation]
    sees_sources: bool = False


def _reason(reply: Mapping[str, Any], *names: str) -> str:
    return " ".join(told for name in names if (told := line(reply.get(name) or "", _MAX_REASON)))


def _verdict(reply: dict[str, Any]) -> Evaluation:
    return Evaluation(reply["passed"], _reason(reply, "reason"))


def _reviewed(reply: dict[str, Any]) -> Evaluation:
    told = ("reason",) if reply["passed"] else ("reason", "plan")
    return Evaluation(reply["passed"], _reason(reply, *told))


def _covered(reply: dict[str, Any]) -> Evaluation:
    missing = [line(one["aspect"], 200) for one in reply["aspects"] if not one["covered"]]
    return Evaluation(not missing, f"It says nothing of: {'; '.join(missing)}." if missing else "")


def _counted(reply: dict[str, Any]) -> Evaluation:
    wording, given = reply["wording"], _count(reply["given"])
    least = max(_count(reply.get("asked") or 0), 1) if wording == "number" else PLURALITY[wording][0]
    return Evaluation(given >= least, f"Items in it: {given}; asked for: at least {least} ({wording}).")


def _count(number: int) -> int:
    if not 0 <= number <= _MAX_ITEMS:
        raise ValueError(f"{number} is no number of items.")
    return int(number)


_VERDICT = fields({"reason": TEXT, "passed": FLAG})
_ASPECT: Schema = fields({"aspect": TEXT, "covered": FLAG})
_NUMBER: Schema = {"type": "integer"}
_WORDINGS = "\n".join(f"- {name}: {told}" for name, (_, told) in PLURALITY.items())

JUDGING: dict[Evaluator, Judging] = {
    "definitive": Judging(
        "The question wants a clear answer; not so for small talk, or for opinions and creative texts.",
        "Does the answer settle the question? It does not where it says that it does not know or that information is "
        "missing, or hedges until no claim is left. That something is not so, does not exist, or is disputed, and how, "
        "does settle it where it is said outright. Judge this alone, not whether it is true. "
        "`reason`: why, in a sentence or two; `passed`: whether it does.",
        Form(_VERDICT, _verdict),
    ),
    "plurality": Judging(
        "The question asks for several items, or for a number of them.",
        "How many items does the question ask for, and how many different ones does the answer give? `wording`: how "
        f"the question asks for them, one of these:\n{_WORDINGS}\n`asked`: the number that it names, or 0; `given`: "
        "how many the answer gives.",
        Form(fields({"wording": one_of(PLURALITY), "given": _NUMBER}, optional={"asked": _NUMBER}), _counted),
    ),
    "completeness": Judging(
        "The question names several aspects, things, persons, places or times, each of which must be dealt with.",
        "List the aspects that the question names outright: things, persons, places, times, measures, parts of it. "
        "What it only implies is none. `covered`: whether the answer says anything of substance about it.",
        Form(fields({"aspects": several(_ASPECT, 20)}), _covered),
    ),
    "strict": Judging(
        "",
        "Review the answer as an expert who wants it turned down: look for what the documents do not show, what is "
        "vague, missing, one-sided, out of date or beside the question. Pass it only if it could be published as it "
        "is. `reason`: the worst that you found; `passed`; `plan`: if it did not pass, what to look for and to change.",
        Form(fields({"reason": TEXT, "passed": FLAG}, optional={"plan": TEXT}), _reviewed),
        sees_sources=True,
    ),
}  # fmt: skip

FRESHNESS_WHEN = "The answer changes with time, and the question is about the present or about something recent."
SUBJECT_TASK = (
    "`subject`: which of those in the form below the question belongs to, as far as the age of its sources matters."
)
SUBJECT: Form[str] = Form(fields({"subject": one_of(AGES)}), lambda reply: reply["subject"])

CHOSEN: dict[Evaluator, str] = {
    "definitive": JUDGING["definitive"].when,
    "freshness": FRESHNESS_WHEN,
    "plurality": JUDGING["plurality"].when,
    "completeness": JUDGING["completeness"].when,
}
"""When a question needs which of the evaluators that a model chooses from, in the order in which they judge."""

CRITERIA_TASK = "Which checks does an answer to this question need?\n" + "\n".join(
    f"- `{name}`: {when}" for name, when in CHOSEN.items()
)
CRITERIA: Form[tuple[Evaluator, ...]] = Form(
    fields(dict.fromkeys(CHOSEN, FLAG)), lambda reply: tuple(name for name in CHOSEN if reply[name])
)


def freshness(subject: str, documents: Iterable[Document], today: str) -> Evaluation:
    """Whether the newest of the documents is young enough for its subject, by what they say of their dates.

    Args:
        subject: One of `AGES`.
        documents: What the answer rests on.
        today: ISO date.
    """
    most = AGES[subject]
    if most is None:
        return Evaluation(True, "What is asked does not change with time.")
    now = date.fromisoformat(today)
    ages = [age for document in documents if (age := _age(document, now)) is not None]
    if not ages:
        return Evaluation(True, "No source says when it was published.")
    told = f"The newest source that it rests on is {min(ages)} days old; {most:g} are the most for {subject}."
    return Evaluation(min(ages) <= most, told)


def _age(document: Document, now: date) -> int | None:
    """Days since a document was published; None where it does not say, or names a day to come."""
    told = document.metadata.get("published_time")
    if not isinstance(told, str):
        return None
    days = (now - published).days if (published := _as_date(told.strip())) else -2
    return max(days, 0) if days >= -1 else None  # it may be tomorrow elsewhere


def _as_date(told: str) -> date | None:
    """The day of an ISO 8601 date in any precision from a month; None of anything else."""
    try:
        return datetime.fromisoformat(f"{told}-28" if len(told) == len("2026-01") else told).date()
    except ValueError:
        return None
