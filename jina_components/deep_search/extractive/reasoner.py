"""ExtractiveReasoner: searches, follows names, quotes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NoReturn

from jina_components.core.origins import origin_of
from jina_components.deep_search.actions import (
    MAX_QUERIES,
    MAX_URLS,
    ActionKind,
    Decision,
    Draft,
    Query,
    Search,
    Visit,
)
from jina_components.deep_search.extractive.parting import part, several
from jina_components.deep_search.extractive.passages import title_of
from jina_components.deep_search.extractive.quotes import (
    Quote,
    best_quote,
    close_quotes,
    compose,
    continuing,
    find_quotes,
    with_subject,
    without_marks,
)
from jina_components.deep_search.extractive.trails import Beliefs, Trail, onwards, ranks_of, weigh
from jina_components.deep_search.extractive.words import content_terms
from jina_components.deep_search.reasoning import Evaluation, Evaluator
from jina_components.deep_search.state import Rejected, State
from jina_components.deep_search.tools import Tools
from jina_components.errors import ConfigError
from jina_components.types import Document, ScoredDocument, shorten

# Searches after the first, at most.
_ROUNDS = 2
# Hits of the question, and of a follow-up query, that count.
_FOUND, _LINKED = 30, 10
# A passage that covers this share of the question is followed no further.
_ENOUGH = 0.8
# From which belief on a passage belongs to the answer.
_MIN_BELIEF = 0.3
# Share of `min_relevance` that a linked sentence needs, which is judged without its document.
_LINKED_SHARE = 0.6
# Where a quote has this share of what is asked, none that is but as relevant is added.
_MOST = 0.75
# After which a thought needs no full stop.
_ENDS = ("…", "?", "!", "。")


class ExtractiveReasoner:
    """Answers without a language model.

    Searches for the question, reads the most promising pages, and follows the names in what it found to further
    passages (`trails`). The answer is sentences, verbatim: the most relevant one, and those linked to it that tell more
    of what is asked; of several questions, the best one of each. It asks nothing but the comparer, and always does the
    same with the same answers of it.

    Args:
        tools: Everything outside; of it, the comparer is used.
        min_relevance: Below this (mean score of a sentence and its document) nothing counts as an answer.
        max_quotes: Quotes in an answer, each a sentence, or two where the first names what the second speaks of. Where
            several questions are asked, each has one.

    Raises:
        ConfigError: `max_quotes` is not positive.
    """

    def __init__(self, tools: Tools, *, min_relevance: float = 0.55, max_quotes: int = 3) -> None:
        if max_quotes < 1:
            raise ConfigError(f"max_quotes must be positive, got {max_quotes!r}.")
        self._comparer = tools.comparer
        self._min_relevance = min_relevance
        self._max_quotes = max_quotes
        self._searches = 0
        self._has_news = False  # a search since the last visit
        self._followed: list[Trail] = []
        self._relevance: dict[tuple[str, str], float] = {}
        self._quotes: tuple[tuple[str, ...], list[Quote]] | None = None

    async def plan(self, state: State, count: int) -> list[str]:
        """The question for each of the things that it compares."""
        return part(state.question)[:count]

    async def criteria(self, state: State, question: str) -> tuple[Evaluator, ...]:  # noqa: ARG002 (protocol)
        """None: quotes are judged as they are chosen."""
        return ()

    async def decide(self, state: State, allowed: frozenset[ActionKind]) -> Decision:
        """Search, read, follow up while that promises something, answer."""
        if not self._searches and "search" in allowed:
            asked = (state.question, *several(state.question))[:MAX_QUERIES]
            return self._search([Query(one) for one in asked], "Looking for passages that answer.")
        if "visit" in allowed and (self._has_news or not state.evidence):
            self._has_news = False
            pages = [url.url for url in state.urls.listed(4 * MAX_URLS) if not state.urls.is_of_corpus(url.url)]
            if pages:
                return Decision(Visit(tuple(pages[:MAX_URLS])), "Reading the most promising pages.")
        if "search" in allowed and self._searches <= _ROUNDS and not await self._is_answered(state):
            ended = {trail.passages[-1] for trail in self._followed}
            trails = onwards(state.question, state.evidence, await self._weigh(state), ended, MAX_QUERIES)
            if trails:
                self._followed += trails
                last = [state.evidence[trail.passages[-1]] for trail in trails]
                queries = [Query(trail.query, is_private=_is_private(trail, state)) for trail in trails]
                return self._search(queries, _follows(last))
        return Decision(await self.conclude(state))

    async def rewrite(self, state: State, queries: Sequence[Query], found: Sequence[str]) -> list[Query]:  # noqa: ARG002 (protocol)
        """The queries as they are."""
        return list(queries)

    async def evaluate(self, state: State, question: str, draft: Draft, evaluator: Evaluator) -> Evaluation:  # noqa: ARG002 (protocol)
        """Passed: quotes are judged as they are chosen."""
        return Evaluation(True)

    async def analyse(self, state: State, rejected: Rejected) -> str:  # noqa: ARG002 (protocol)
        """Nothing."""
        return ""

    async def conclude(self, state: State) -> Draft:
        """The best sentences; empty where none is relevant enough.

        The most relevant one comes first; then those of its passage and of passages that it leads to which tell more of
        what is asked; or else another nearly as relevant, if the first has not all that is asked.
        """
        if firsts := await self._firsts(state):
            return Draft(compose(list({quote.text: quote for quote in firsts}.values())))
        close = close_quotes(await self._find_quotes(state), self._min_relevance)
        if not close:
            return Draft("")
        first = with_subject(close[0], state.evidence[close[0].document_id])
        chosen = [first, *await self._linked(state, first)]
        asked = content_terms(state.question)
        if len(chosen) == 1 and len(asked & first.terms) < _MOST * len(asked):
            further = (with_subject(quote, state.evidence[quote.document_id]) for quote in close[1:])
            fitting = (continuing(quote, chosen) for quote in further)
            chosen += [quote for quote in fitting if quote][:1]
        return Draft(compose(chosen[: self._max_quotes]))

    async def merge(self, state: State, answers: Sequence[tuple[str, str]]) -> Draft:  # noqa: ARG002 (protocol)
        """The answers, one after the other."""
        texts = (without_marks(text).strip() for _, text in answers)
        return Draft("\n\n".join(dict.fromkeys(text for text in texts if text)))

    async def fill(self, state: State, text: str) -> NoReturn:  # noqa: ARG002 (protocol)
        """Cannot be done.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("A schema needs a chat model to fill it: DeepSearchAgent(…, chat=OpenAIChat(…)).")

    async def rank(self, state: State) -> list[ScoredDocument]:
        """The evidence; its score is how far it is believed to bear on the question, 0 to 1."""
        beliefs = await self._weigh(state)
        ranked = [ScoredDocument(state.evidence[one], beliefs.values[one]) for one in beliefs.order]
        return ranked + [ScoredDocument(one, 0.0) for one in state.evidence.values() if one.id not in beliefs.values]

    def _search(self, queries: Sequence[Query], thought: str) -> Decision:
        self._searches += 1
        self._has_news = True
        return Decision(Search(tuple(queries)), thought)

    async def _weigh(self, state: State) -> Beliefs:
        followed = [(trail, await self._linked_by(state, trail.query)) for trail in self._followed]
        return weigh(state.question, state.evidence, await self._found(state), followed)

    async def _found(self, state: State) -> dict[str, float]:
        """1 / rank of the passages that were found, but not by following up, or read; the best of several."""
        follow_ups = {trail.query for trail in self._followed}
        rankings = [hits for query, hits in state.hits.items() if query not in follow_ups]
        best: dict[str, float] = {}
        for ranking in [*rankings, await self._read(state, state.question)]:
            for one, rank in ranks_of(ranking, _FOUND).items():
                best[one] = max(rank, best.get(one, 0.0))
        return best

    async def _linked_by(self, state: State, query: str) -> dict[str, float]:
        """1 / rank of the passages that a follow-up query found, be it on pages."""
        return ranks_of(state.hits.get(query) or await self._read(state, query), _LINKED)

    async def _read(self, state: State, query: str) -> list[str]:
        """The passages that no search found but reading did, or that the user sent, the most relevant first."""
        found = {one for hits in state.hits.values() for one in hits}
        read = [one for one in state.evidence if one not in found]
        new = [one for one in read if (query, one) not in self._relevance]
        scores = await self._comparer.relevance(query, [state.evidence[one] for one in new])
        self._relevance.update(((query, one), score) for one, score in zip(new, scores, strict=True))
        return sorted(read, key=lambda one: -self._relevance[query, one])

    async def _find_quotes(self, state: State) -> list[Quote]:
        """Quotes of what was found for the question itself, most relevant first."""
        found = await self._found(state)
        candidates = tuple(sorted(found, key=lambda one: -found[one])[:_FOUND])
        if self._quotes is None or self._quotes[0] != candidates:
            documents = [state.evidence[one] for one in candidates]
            self._quotes = candidates, await find_quotes(state.question, documents, self._comparer)
        return self._quotes[1]

    async def _firsts(self, state: State) -> list[Quote]:
        """The best quote for each of several questions, where they are asked and answered."""
        firsts: list[Quote] = []
        for asked in several(state.question)[: MAX_QUERIES - 1]:
            found = dict.fromkeys((*state.hits.get(asked, ())[:_FOUND], *await self._read(state, asked)))
            documents = [state.evidence[one] for one in found]
            quotes = close_quotes(await find_quotes(asked, documents, self._comparer), self._min_relevance)
            firsts += [with_subject(quote, state.evidence[quote.document_id]) for quote in quotes[:1]]
        return firsts

    async def _is_answered(self, state: State) -> bool:
        """Whether one passage answers, and speaks of most of what is asked."""
        if await self._firsts(state):
            return True
        close = close_quotes(await self._find_quotes(state), self._min_relevance)
        return bool(close) and (await self._weigh(state)).covers[close[0].document_id] >= _ENOUGH

    async def _linked(self, state: State, first: Quote) -> list[Quote]:
        """The best sentence of each passage that the first quote leads to, if it tells more of what is asked."""
        beliefs = await self._weigh(state)
        chosen = [first]
        for one in (first.document_id, *beliefs.order[: self._max_quotes]):
            if one != first.document_id and not (
                beliefs.values[one] >= _MIN_BELIEF and any(beliefs.are_linked(had.document_id, one) for had in chosen)
            ):
                continue
            query = beliefs.queries.get(one, state.question)
            least = self._min_relevance * _LINKED_SHARE
            # One may be told in other words than the question's: the passage that answers seldom repeats it.
            is_next = len(chosen) == 1 and one != first.document_id
            enough = self._min_relevance if is_next else math.inf
            quote = await best_quote(
                state.question, state.evidence[one], query, self._comparer, chosen, least=least, enough=enough
            )
            if quote is not None:
                chosen.append(quote)
        return chosen[1:]


def _follows(found: Sequence[Document]) -> str:
    """The thought of a search that goes on from what was found."""
    names = "; ".join(dict.fromkeys(shorten(title_of(each) or each.text).rstrip(".") for each in found))
    return f"Following up what was found: {names}{'' if names.endswith(_ENDS) else '.'}"


def _is_private(trail: Trail, state: State) -> bool:
    """Whether a passage that it goes on from is one of a corpus, or of a file that the user sent."""
    return any(
        one in state.files or state.urls.is_of_corpus(origin_of(state.evidence[one]).source) for one in trail.passages
    )
