"""RemoteGrounder: a statement into a verdict, as a server checks it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from typing import Any, cast, get_args

from jina_components.core.background import iterate_sync, run_sync
from jina_components.core.inputs import as_list, check_query
from jina_components.errors import InputError, WebError
from jina_components.remote.address import Remote
from jina_components.remote.component import RemoteComponent
from jina_components.remote.fields import Fields
from jina_components.types import Grounding, GroundingStep, Reference, Usage
from jina_components.types.grounded import Verdict

MAX_STATEMENT = 10_000
"""Characters of the longest statement."""

_NAMED = re.compile(r"https?://\S+|[^\s/.][^\s/]*\.[^\s/]+(/\S*)?", re.IGNORECASE)


class RemoteGrounder(RemoteComponent):
    """Checks statements as a `Grounder` does, on a server: Jina's Grounding, or one of `jina-components serve`.

    The wire tells less than a `Grounder` knows: there are no `claims`; where a quote stands is not told (`start` and
    `end` are 0), nor how sure it is (`confidence` is 1). It takes no documents as evidence, and so cannot verify the
    answers of a `DeepSearchAgent`.

    Args:
        remote: The server; a statement may take it half a minute.
        deepdive: Whether it is to read twice as many pages.

    Example:
        >>> grounder = RemoteGrounder(Remote("http://localhost:8000"))
        >>> grounder.ground("The bridge was opened in 1952.").verdict  # doctest: +SKIP
        'refuted'
    """

    product = "grounding"

    def __init__(self, remote: Remote, *, deepdive: bool = False) -> None:
        super().__init__(remote)
        self._more = {"deepdive": True} if deepdive else {}

    def ground(self, statement: str, *, references: Sequence[object] | None = None) -> Grounding:
        """What the evidence says of a statement.

        Args:
            statement: One or a few sentences, of up to 10,000 characters.
            references: What to take evidence from, in place of all that the server finds: URLs, which it reads, and
                hosts, to which its search is restricted. Texts, documents and files are for a `Grounder`.

        Raises:
            InputError: the statement is empty or too long; `references` is no list, or holds what is neither URL nor
                host (`.index` names it); or the server refuses them.
            WebError: the server cannot be reached, could read nothing, or answers out of form.
        """
        return run_sync(self.aground(statement, references=references))

    async def aground(self, statement: str, *, references: Sequence[object] | None = None) -> Grounding:
        """Like `ground`, for event loops, which it does not block."""
        answer = Fields(await self._post("", self._body(statement, references)), self._api.base_url)
        return _grounding(statement, answer.fields("data"))

    def stream(
        self, statement: str, *, references: Sequence[object] | None = None
    ) -> Generator[GroundingStep, None, None]:
        """`ground`, watched: the steps that the server tells, the last one `done`, with the result.

        Ending the loop early cancels the rest. Arguments and errors as `ground`.
        """
        yield from iterate_sync(self.astream(statement, references=references))

    async def astream(
        self, statement: str, *, references: Sequence[object] | None = None
    ) -> AsyncGenerator[GroundingStep, None]:
        """Like `stream`, for event loops, which it does not block."""
        body, url = self._body(statement, references), self._api.base_url
        async with aclosing(self._stream("", body)) as events:
            async for data in events:
                told = Fields.parse(data, url)
                if "stage" in told:
                    yield _step(told)
                    continue
                if "readableMessage" in told:
                    raise WebError(f"{url}: {told.text('readableMessage')}", url)
                found = _grounding(statement, told.fields("data") if "data" in told else told)
                yield GroundingStep("done", found.reason, urls=_urls(found), grounding=found)
                return
        raise WebError(f"{url} ended without a verdict; try again.", url)

    def _body(self, statement: str, references: Sequence[object] | None) -> dict[str, Any]:
        check_query(statement, what="statement")
        if len(statement) > MAX_STATEMENT:
            raise InputError(f"statement has {len(statement):,} characters; the most is {MAX_STATEMENT:,}.")
        if references is None:
            return {"statement": statement, **self._more}
        named = [_named(index, item) for index, item in enumerate(as_list(references, what="references"))]
        if not named:
            raise InputError("references is empty: name a URL or a host, or leave it out to search everywhere.")
        return {"statement": statement, "references": named, **self._more}


def _named(index: int, item: object) -> str:
    if isinstance(item, str) and _NAMED.fullmatch(named := item.strip()):
        return named
    raise InputError(
        f"references[{index}] must be a URL or a host: texts, documents and files of one's own are for a Grounder, "
        "which runs here.",
        index,
    )


def _grounding(statement: str, data: Fields) -> Grounding:
    result = data.flag("result")
    references = tuple(
        Reference(row.text("url"), row.text("keyQuote"), row.flag("isSupportive"), confidence=1.0, start=0, end=0)
        for row in data.rows("references")
    )
    return Grounding(
        statement=statement,
        factuality=min(max(data.number("factuality"), 0.0), 1.0),
        result=result,
        verdict=_verdict(data, references, supported=result),
        reason=data.text("reason"),
        references=references,
        usage=Usage(data.fields("usage").count("tokens")),
        warnings=tuple(data.text("warning").splitlines()),
    )


def _verdict(data: Fields, references: Sequence[Reference], *, supported: bool) -> Verdict:
    """As the server tells it; where it does not, by its yes or no and by its quotes."""
    if (told := data.text("verdict")) in get_args(Verdict):
        return cast("Verdict", told)
    if supported:
        return "supported"
    against = any(not reference.is_supportive for reference in references)
    return "refuted" if against else "not enough evidence"


def _step(told: Fields) -> GroundingStep:
    stage = told.text("stage")
    if stage not in _STAGES:
        raise told.wrong("stage", f"one of {', '.join(_STAGES)}")
    claim = told.count("claim") if "claim" in told else None
    return GroundingStep(cast("Any", stage), told.text("text"), claim, told.texts("urls"))


_STAGES = ("claims", "queries", "search", "read", "passages", "judge")


def _urls(found: Grounding) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reference.url for reference in found.references))
