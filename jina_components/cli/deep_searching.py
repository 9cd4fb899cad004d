"""`deepsearch`: a question into the best answer that searching, reading and reasoning find, watched live."""

from __future__ import annotations

import argparse
import html
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jina_components.cli.answering import (
    EXIT_CODES,
    add_corpus_options,
    exit_code,
    make_grounder,
    open_corpus,
    print_answer,
    relevance_bar,
)
from jina_components.cli.common import (
    Commands,
    add_chat_options,
    add_command,
    add_reading_options,
    make_chat,
    make_reader,
    read_schema,
)
from jina_components.cli.replaying import replayed
from jina_components.cli.searching import PROVIDERS, make_providers
from jina_components.cli.vectors import make_embedder
from jina_components.cli.watching import Watcher
from jina_components.core.durable import write_file
from jina_components.errors import ConfigError
from jina_components.protocols import ChatMessage
from jina_components.types import Answer, DeepSearchStep, Image

if TYPE_CHECKING:
    from jina_components.deep_search import DeepSearchAgent
    from jina_components.deep_search_options import DeepSearchOptions
    from jina_components.embedder import Embedder
    from jina_components.protocols import SupportsRetrieve, SupportsSearch

_EFFORTS = ("low", "medium", "high")
_PRICES = {
    "prompt": "a million tokens that the chat model reads",
    "completion": "a million tokens that it writes",
    "search": "a query to the web",
    "read": "a page read",
}
_PAGE = """\
<!doctype html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}</style>
</head><body>
{answer}
</body></html>
"""


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    deep = add_command(
        commands, "deepsearch", _deepsearch,
        help="search, read and reason until the best answer is found, with verbatim quotes and within a budget",
        examples="""
            jina-components deepsearch "How do I install it?" README.md docs/
            jina-components deepsearch "Who maintains what broke?" --index my.index --chat-model llama3.1 --chat-url URL
            jina-components deepsearch "What changed in 2024?" --web ddgs --only-host python.org --effort high
            jina-components deepsearch "What does it cost a year?" --file deal.pdf --schema sums.json --chat-model NAME
            jina-components deepsearch "Who built it?" docs/ --checkpoint search.jsonl --html answer.html
            jina-components deepsearch --replay search.jsonl
        """,
        exit_codes=EXIT_CODES + "    130  interrupted; with --checkpoint the same command goes on from there",
    )  # fmt: skip
    deep.add_argument("question", nargs="?", metavar="QUESTION")
    add_corpus_options(deep)
    deep.add_argument(
        "--web", action="append", default=[], dest="provider", choices=PROVIDERS, metavar="PROVIDER",
        help=f"search the web too: {', '.join(PROVIDERS)}; repeat it for others to ask when this one fails",
    )  # fmt: skip
    deep.add_argument(
        "--pages", type=Path, metavar="DIR",
        help="the index of the provider `local`, in which what is read is kept; for one of `jina-components index` "
        "take --index",
    )  # fmt: skip
    deep.add_argument(
        "--file", action="append", default=[], type=Path, metavar="PATH",
        help="send this text or PDF along with the question (may be repeated)",
    )  # fmt: skip
    deep.add_argument(
        "--image", action="append", default=[], type=Path, metavar="PATH",
        help="show this picture to the chat model (may be repeated)",
    )  # fmt: skip
    add_chat_options(deep, help="let this chat model decide, write and judge; without one, quotes are the answer")
    _add_budget_options(deep)
    _add_answer_options(deep)
    _add_output_options(deep)
    add_reading_options(deep)


def _add_budget_options(deep: argparse.ArgumentParser) -> None:
    budget = deep.add_argument_group("budget")
    budget.add_argument("--effort", choices=_EFFORTS, default="medium", help="how much to spend (default: %(default)s)")
    budget.add_argument(
        "--budget-tokens", type=int, metavar="N", help="tokens of the chat model, at most (default: by --effort)"
    )
    budget.add_argument(
        "--max-steps", type=int, metavar="N", help="searches, visits, drafts …, at most (default: by --effort)"
    )
    budget.add_argument("--max-seconds", type=float, metavar="S", help="time, at most")
    budget.add_argument("--max-money", type=float, metavar="SUM", help="what it may cost by these prices, at most")
    for name, what in _PRICES.items():
        budget.add_argument(f"--price-{name}", type=float, default=0.0, metavar="SUM", help=f"price of {what}")
    budget.add_argument(
        "--max-attempts", type=int, metavar="N", help="answers that each check may reject (default: by --effort)"
    )
    budget.add_argument(
        "--team-size",
        type=int,
        default=1,
        metavar="N",
        help="agents that work on parts of the question at the same time (default: %(default)s)",
    )


def _add_answer_options(deep: argparse.ArgumentParser) -> None:
    answer = deep.add_argument_group("answer")
    answer.add_argument("--no-direct-answer", action="store_true", help="search even where no sources seem needed")
    answer.add_argument("--schema", type=Path, metavar="FILE", help="JSON Schema of the answer, which then is JSON")
    answer.add_argument(
        "--language",
        default="",
        metavar="TAG",
        help="to answer in, such as en or pt-BR (default: that of the question)",
    )
    answer.add_argument(
        "--search-language", default="", metavar="TAG", help="to search in (default: that of the question)"
    )
    for name, what in {
        "boost": "pages of it come first", "bad": "never search, read or cite it", "only": "read nothing but its pages",
    }.items():  # fmt: skip
        answer.add_argument(
            f"--{name}-host", action="append", default=[], metavar="HOST", help=f"{what} (may be repeated)"
        )
    answer.add_argument(
        "--max-citations", type=int, default=10, metavar="N", help="quotes to give (default: %(default)s)"
    )
    answer.add_argument(
        "--unsupported", choices=("mark", "remove"), default="mark",
        help="what becomes of sentences that no source shows (default: %(default)s)",
    )  # fmt: skip


def _add_output_options(deep: argparse.ArgumentParser) -> None:
    output = deep.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print the answer with its citations as JSON")
    output.add_argument("--quiet", action="store_true", help="do not tell the steps on standard error")
    output.add_argument("--html", type=Path, metavar="FILE", help="write the answer and its way there as a page")
    output.add_argument("--save-trace", type=Path, metavar="FILE", help="write all that was done, for --replay")
    output.add_argument("--checkpoint", type=Path, metavar="FILE", help="keep the search here, to go on after a stop")
    output.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="find the answer of a trace or checkpoint again, without asking or fetching anything",
    )


def _deepsearch(options: argparse.Namespace) -> int:
    _check(options)
    if options.replay is not None:
        return _finish(replayed(options.replay, _asked(options)), options, failed=False)
    try:
        answer, failed = _searched(options)
    except KeyboardInterrupt:
        print(f"jina-components: interrupted; {_hint(options)}", file=sys.stderr)
        return 130
    return _finish(answer, options, failed=failed)


def _check(options: argparse.Namespace) -> None:
    """Refuse early what would fail late."""
    if options.replay is None:
        _check_search(options)
    for path in filter(None, (options.html, options.save_trace, options.checkpoint)):
        if not path.absolute().parent.is_dir():
            raise ConfigError(f"{path} cannot be written: there is no folder {path.parent}.")
        if path.is_dir():
            raise ConfigError(f"{path} cannot be written: it is a folder.")


def _check_search(options: argparse.Namespace) -> None:
    if options.question is None:
        raise ConfigError('deepsearch needs a question: jina-components deepsearch "QUESTION" README.md docs/.')
    if not (options.sources or options.index or options.provider or options.pages or options.file):
        raise ConfigError(
            "deepsearch needs something to search: give files, folders or URLs, --index DIR, --web PROVIDER or --file."
        )
    if options.schema is not None:
        read_schema(options.schema)
        if not options.chat_model:
            raise ConfigError("--schema needs a chat model to fill it: name one with --chat-model.")
    for name, paths in (("--file", options.file), ("--image", options.image)):
        for path in paths:
            if not path.is_file():
                raise ConfigError(f"{name} {path}: there is no such file.")


def _asked(options: argparse.Namespace) -> str | list[ChatMessage] | None:
    if options.question is None or not (options.file or options.image):
        return options.question
    images = tuple(Image(path) for path in options.image)
    return [ChatMessage("user", options.question, images=images, files=tuple(options.file))]


def _searched(options: argparse.Namespace) -> tuple[Answer, bool]:
    """The answer, and whether a source could not be read."""
    from jina_components.deep_search.conversation import read_conversation

    how, asked = _how(options), _asked(options)
    assert asked is not None  # noqa: S101 (checked)
    read_conversation(asked)  # before anything slow
    watcher = None if options.quiet or sys.stderr is None else Watcher(options.question, sys.stderr)
    with _agent(options, how) as (agent, failed), closing(agent.stream(asked, checkpoint=options.checkpoint)) as steps:
        return _watched(steps, watcher), failed


def _watched(steps: Generator[DeepSearchStep, None, None], watcher: Watcher | None) -> Answer:
    answer = None
    for step in steps:
        answer = step.answer
        if watcher is not None:
            watcher.tell(step)
    assert answer is not None  # noqa: S101 (the last step has the result)
    return answer


def _how(options: argparse.Namespace) -> DeepSearchOptions:
    from jina_components.deep_search_options import Budget, DeepSearchOptions, Prices

    return DeepSearchOptions(
        reasoning_effort=options.effort,
        budget=Budget(
            tokens=options.budget_tokens,
            steps=options.max_steps,
            seconds=options.max_seconds,
            money=options.max_money,
            prices=Prices(
                prompt=options.price_prompt,
                completion=options.price_completion,
                search=options.price_search,
                read=options.price_read,
            ),
        ),
        max_attempts=options.max_attempts,
        no_direct_answer=options.no_direct_answer,
        schema=None if options.schema is None else read_schema(options.schema),
        language=options.language,
        search_language=options.search_language,
        boost_hostnames=tuple(options.boost_host),
        bad_hostnames=tuple(options.bad_host),
        only_hostnames=tuple(options.only_host),
        max_citations=options.max_citations,
        unsupported=options.unsupported,
        team_size=options.team_size,
    )


@contextmanager
def _agent(options: argparse.Namespace, how: DeepSearchOptions) -> Iterator[tuple[DeepSearchAgent, bool]]:
    """The agent, and whether a source of its corpus could not be read."""
    from jina_components.deep_search import DeepSearchAgent
    from jina_components.reranker import Reranker

    chat, embedder, reranker = make_chat(options), make_embedder(options), Reranker(options.reranker)
    with ExitStack() as held:
        reader = held.enter_context(make_reader(options))
        sources, failed = _sources(options, embedder, held)
        agent = DeepSearchAgent(
            sources,
            reader=reader,
            reranker=reranker,
            embedder=embedder,
            grounder=make_grounder(chat, reranker),
            chat=chat,
            options=how,
            min_relevance=relevance_bar(options),
        )
        yield agent, failed


def _sources(
    options: argparse.Namespace, embedder: Embedder, held: ExitStack
) -> tuple[list[SupportsSearch | SupportsRetrieve], bool]:
    from jina_components.deep_search.gathering.file_search import FileSearch
    from jina_components.web_search import WebSearch

    sources: list[SupportsSearch | SupportsRetrieve] = []
    failed = False
    if options.provider or options.pages is not None:
        sources.append(held.enter_context(WebSearch(make_providers(options, flag="--web"))))
    if options.sources or options.index is not None:
        retriever, failed = held.enter_context(open_corpus(options, embedder))
        sources.append(retriever)
    return sources or [FileSearch([])], failed  # files sent along are all there is


def _finish(answer: Answer, options: argparse.Namespace, *, failed: bool) -> int:
    print_answer(answer, as_json=options.json)
    if options.save_trace is not None and answer.trace is not None:
        answer.trace.save(options.save_trace)
    if options.html is not None:
        page = _PAGE.format(title=html.escape(answer.question), answer=answer._repr_html_())
        data = page.encode("utf-8", "replace")
        write_file(options.html, lambda file: file.write(data))
    return exit_code(answer, failed=failed)


def _hint(options: argparse.Namespace) -> str:
    if options.checkpoint is None:
        return "with --checkpoint FILE the same command would go on from where it was."
    return f"what was done is in {options.checkpoint}, and the same command goes on from there."
