"""`ground` and `ground-text`: what evidence says of a statement, or of each sentence of a text."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from jina_components.cli.common import (
    Commands,
    add_chat_options,
    add_command,
    add_reading_options,
    make_chat,
    make_reader,
    print_json,
    read_text,
    readable,
    shows_progress,
    tell_failures,
    warn,
    with_flags,
)
from jina_components.cli.searching import PROVIDERS, make_providers
from jina_components.cli.vectors import add_embedder_option, make_embedder
from jina_components.errors import ConfigError, InputError
from jina_components.models.catalog import DEFAULT_ENTAILMENT, DEFAULT_RERANKER
from jina_components.read_options import QUOTABLE
from jina_components.types import GroundedSentence, Grounding, GroundingStep, Page, Reference, shorten

if TYPE_CHECKING:
    from jina_components.grounder import Grounder
    from jina_components.protocols import SupportsRetrieve, SupportsSearch
    from jina_components.reader import Reader

_SIGNS = {"supported": "✓", "refuted": "✗", "not enough evidence": "?"}


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    ground = add_command(
        commands, "ground", _ground,
        help="check a statement against an index, the web, files or URLs, with verbatim quotes",
        examples="""
            jina-components ground "The warranty is two years." --index my.index
            jina-components ground "Titan has no atmosphere." --web ddgs --stream
            jina-components ground "It needs Python 3.11." --reference README.md --reference https://example.com/docs
            jina-components ground "Titan is a moon." --web ddgs --reference nasa.gov --json
        """,
        exit_codes="""
            0  a verdict: supported or refuted; which, standard output says
            1  not enough evidence
            2  wrong usage or input, or a failure
            3  a verdict, but a reference could not be read
        """,
    )  # fmt: skip
    ground.add_argument("statement", metavar="STATEMENT")
    ground.add_argument("--stream", action="store_true", help="tell each step on standard error as it is taken")
    text = add_command(
        commands, "ground-text", _ground_text,
        help="check each sentence of a text, such as an answer of a language model",
        examples="""
            jina-components ground-text answer.md --index my.index
            some-model "Tell me of Titan." | jina-components ground-text - --web ddgs --stream
        """,
        exit_codes="""
            0  a verdict, supported or refuted, for one sentence at least
            1  not enough evidence for any
            2  wrong usage or input, or a failure
            3  as 0, but a reference could not be read
        """,
    )  # fmt: skip
    text.add_argument("file", metavar="FILE", help="file to check; - for standard input")
    text.add_argument("--stream", action="store_true", help="print each sentence as soon as it has been checked")
    for command in (ground, text):
        command.add_argument("--json", action="store_true", help="print what was found as JSON")
        _add_evidence_options(command)


def _add_evidence_options(command: argparse.ArgumentParser) -> None:
    evidence = command.add_mutually_exclusive_group()
    evidence.add_argument("--index", type=Path, metavar="DIR", help="an index made by `jina-components index`")
    evidence.add_argument(
        "--web", action="append", default=[], dest="provider", choices=PROVIDERS, metavar="PROVIDER",
        help=f"a search of the web: {', '.join(PROVIDERS)}; repeat it for others to ask when this one fails",
    )  # fmt: skip
    command.add_argument("--pages", type=Path, metavar="DIR", help="the index of the provider `local`")
    command.add_argument(
        "--reference", action="append", default=[], metavar="SOURCE",
        help="take evidence from this alone: a file, a folder, a URL, or a host to search with --web (may be repeated)",
    )  # fmt: skip
    command.add_argument(
        "--entailment", metavar="MODEL",
        help=f"judges the passages: catalog name, folder or hub id (default: {DEFAULT_ENTAILMENT}, or the chat model)",
    )  # fmt: skip
    command.add_argument(
        "--reranker", default=DEFAULT_RERANKER, metavar="MODEL", help="chooses the passages (default: %(default)s)"
    )
    command.add_argument(
        "--max-pages", type=int, default=10, metavar="N", help="to read a claim (default: %(default)s)"
    )
    command.add_argument(
        "--timeout", type=float, default=60, metavar="SECONDS",
        help="for searching and reading, a statement (default: %(default)s)",
    )  # fmt: skip
    add_chat_options(command, help="let this chat model split the statement and plan the queries, and judge")
    add_embedder_option(command)
    add_reading_options(command)


def _ground(options: argparse.Namespace) -> int:
    with _grounder(options) as (grounder, references, failed):
        for step in grounder.stream(options.statement, references=references):
            if options.stream:
                _tell(step)
            grounding = step.grounding
    assert grounding is not None  # noqa: S101 (the last step has the result)
    warn(grounding.warnings)
    if options.json:
        print_json(asdict(grounding))
    else:
        print(readable(_render(grounding)))
    if grounding.verdict == "not enough evidence":
        return 1
    return 3 if failed else 0


def _ground_text(options: argparse.Namespace) -> int:
    text = read_text(options.file)
    sentences: list[GroundedSentence] = []
    with _grounder(options) as (grounder, references, failed):
        if options.stream:
            for sentence in grounder.stream_text(text, references=references):
                sentences.append(sentence)
                warn(sentence.grounding.warnings if sentence.grounding else ())
                _print_sentence(text, sentence, as_json=options.json)
        else:
            grounded = grounder.ground_text(text, references=references, show_progress=shows_progress())
            sentences += grounded.sentences
            warn(grounded.warnings)
            if options.json:
                print_json(asdict(grounded))
            else:
                for sentence in sentences:
                    _print_sentence(text, sentence, as_json=False)
    decided = [each for each in sentences if each.grounding and each.grounding.verdict != "not enough evidence"]
    if not decided:
        return 1
    return 3 if failed else 0


@contextmanager
def _grounder(options: argparse.Namespace) -> Iterator[tuple[Grounder, list[str | Page] | None, bool]]:
    """The Grounder, its references, and whether a file among them could not be read."""
    from jina_components.entailment import EntailmentScorer
    from jina_components.grounder import Grounder
    from jina_components.reranker import Reranker

    chat = make_chat(options)
    with ExitStack() as closing:
        reader = closing.enter_context(make_reader(options))
        references, failed = _references(options.reference, reader, web=bool(options.provider or options.pages))
        grounder = Grounder(
            _source(options, closing),
            entailment=EntailmentScorer(options.entailment or DEFAULT_ENTAILMENT)
            if options.entailment or chat is None
            else None,
            reranker=Reranker(options.reranker),
            chat=chat,
            reader=reader,
            max_pages=options.max_pages,
            timeout=options.timeout,
        )
        yield grounder, references, failed


def _source(options: argparse.Namespace, closing: ExitStack) -> SupportsRetrieve | SupportsSearch | None:
    from jina_components.retriever import Retriever
    from jina_components.web_search import WebSearch

    if options.index is not None:
        return closing.enter_context(Retriever.open(options.index, make_embedder(options)))
    if options.provider or options.pages is not None:
        return closing.enter_context(WebSearch(make_providers(options)))
    if not options.reference:
        raise ConfigError("There is nothing to take evidence from: give --index DIR, --web PROVIDER or --reference.")
    return None


def _references(named: Sequence[str], reader: Reader, *, web: bool) -> tuple[list[str | Page] | None, bool]:
    """The references, those that are files read; and whether one of these could not be."""
    if not named:
        return None, False
    files = [name for name in named if os.path.exists(name)]  # noqa: PTH110 (of Path, one too long is an error)
    elsewhere = [name for name in named if name not in files]
    for name in elsewhere:
        if "://" not in name and not (web and _is_host(name)):
            hint = ", nor a host" if web else "; to search a host, give --web PROVIDER too"
            raise ConfigError(f"{shorten(name)!r} is no file, no folder and no URL{hint}.")
    references: list[str | Page] = [*elsewhere]
    reading = reader.read_all(files, options=QUOTABLE)
    tell_failures(reading.failures)
    references += [page for page in reading.pages if page.content.strip()]
    if not references:
        raise InputError("None of the references holds anything that could be read.")
    return references, bool(reading.failures)


def _is_host(name: str) -> bool:
    return "." in name and not any(letter.isspace() for letter in name)


def _tell(step: GroundingStep) -> None:
    claim = f" {step.claim}" if step.claim else ""
    print(f"jina-components: {step.stage}{claim}: {readable(with_flags(step.text))}", file=sys.stderr, flush=True)


def _render(grounding: Grounding) -> str:
    lines = [
        f"{_SIGNS[grounding.verdict]} {grounding.verdict} (factuality {grounding.factuality:.2f})",
        grounding.reason,
    ]
    if len(grounding.claims) == 1:
        lines += _checked_as(grounding)
    if len(grounding.claims) > 1:
        lines += ["", *(f"{_SIGNS[each.verdict]} {each.claim} ({each.factuality:.2f})" for each in grounding.claims)]
    quotes = [_quote(number, reference) for number, reference in enumerate(grounding.references, 1)]
    return "\n".join([*lines, *([""] if quotes else []), *quotes])


def _checked_as(grounding: Grounding) -> list[str]:
    """The line that tells the claims whose words are not the statement's, if there are any."""
    claims = "; ".join(f"“{shorten(claim, 300)}”" for claim in grounding.checked_as)
    return [f"checked as: {claims}"] if claims else []


def _quote(number: int, reference: Reference) -> str:
    title = f"{reference.title} — " if reference.title and reference.title != reference.url else ""
    side = "for" if reference.is_supportive else "against"
    place = f"{title}{reference.url}, characters {reference.start}–{reference.end}"
    return f"[{number}] {side} ({reference.confidence:.2f}): {place}\n    “{reference.key_quote}”"


def _print_sentence(text: str, sentence: GroundedSentence, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(sentence))
        return
    words = " ".join(text[sentence.start : sentence.end].split())
    if sentence.grounding is None:
        print(f"  {words}", flush=True)
        return
    grounding = sentence.grounding
    reason = readable(shorten(grounding.reason, 300))
    print(f"{_SIGNS[grounding.verdict]} {words}\n    {grounding.verdict}: {reason}", flush=True)
    for line in _checked_as(grounding):
        print(f"    {line}", flush=True)
    for number, reference in enumerate(grounding.references[:3], 1):
        print("    " + readable(_quote(number, reference)).replace("\n", "\n    "))
