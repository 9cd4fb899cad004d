"""What the commands share: adding a command, JSON lines, reading sources."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from jina_components.core.controls import RULING
from jina_components.errors import ConfigError, MissingDependencyError
from jina_components.read_options import QUOTABLE

if TYPE_CHECKING:
    from jina_components.net import URLGuard
    from jina_components.protocols import ChatModel, SupportsConvert
    from jina_components.reader import Reader
    from jina_components.segmenter import Segmenter
    from jina_components.types import Document, Reading, SourceFailure

NOTHING_TO_READ = "There is nothing to search: none of the sources could be read, or they hold no text."
NOTHING_INDEXED = "Nothing was indexed: none of the sources could be read, or they hold no text."
_CHAT_URL = "https://api.openai.com/v1"
# Characters of a default chunk, which has no more tokens than that.
_CHUNK = 1000

# What the library tells a program to pass, and the flag that passes it here.
_FLAGS = {
    "URLGuard(allow_networks=…)": "--allow-network",
    "pass it to the Reader as html_converter=": "name it with --reader-lm",
    "with accept_errors": "with --accept-errors",
    "pass skip_bad=True": "pass --skip-bad",
    "pass truncate=True": "pass --truncate",
    "gpus_per_worker is for Ray: pass ray_address too": "--gpus-per-worker is for Ray: pass --ray too",
    "pass a file, or all of it to read_all": "name a file of it",
    "the path must be a directory": "--to must be a folder",
    "train() with others, or pass labels=": "train it on others too, or name --labels",
    "several sets of labels are for classify_groups": "run classify once for each set of labels",
    "gpus_per_worker=": "--gpus-per-worker ",
    "DeepSearchAgent(…, chat=OpenAIChat(…))": "name one with --chat-model",
    "pass chat=OpenAIChat(…)": "name one with --chat-model",
    "pass Budget(money=…, prices=Prices(prompt=…, completion=…))": "pass --price-prompt and --price-completion",
    "a search (FineTuner(search=WebSearch(…, reader=Reader()))) or a chat model (FineTuner(chat=…)); or give a URL, or "
    "documents": "--web PROVIDER or --chat-model; or name files, folders or URLs instead",
    "Leave them out: questions.without(triplets)": "Leave them out: --leave-out-seen",
    "must be a tuple of host names": "must be host names",
    "boost_hostnames": "--boost-host",
    "bad_hostnames": "--bad-host",
    "only_hostnames": "--only-host",
    "max_attempts": "--max-attempts",
    "max_citations": "--max-citations",
    "team_size": "--team-size",
    "search_language": "--search-language",
    "budget.tokens": "--budget-tokens",
    "budget.": "--max-",
    "ServiceSettings.aliases": "--alias",
    "ServiceSettings.": "--",
    "limits_url": "--limits",
    "database_url": "--database",
    "prices.": "--price-",
    'Send long texts along as files: ChatMessage("user", question, files=(Path("text.txt"),))': "Send long texts along "
    "with --file",
    "Put larger ones into a Retriever, and search that": "Pass it as a PATH instead",
}
# Where a message of the library finds a file that was sent along.
_SENT_FILE = re.compile(r"messages\[\d+\]\.files\[\d+\]")

# Characters that tell the reasons of failures apart.
_REASON = 60

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 (it has no public name)


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    help: str,
    examples: str,
    exit_codes: str = "",
) -> argparse.ArgumentParser:
    """A command with its examples at the end of `--help`, and what its exit codes mean where that is special."""
    parser = commands.add_parser(
        name,
        help=help,
        description=help[0].upper() + help[1:] + ".",
        epilog=_section("examples", examples) + (f"\n\n{_section('exit codes', exit_codes)}" if exit_codes else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _section(title: str, lines: str) -> str:
    return "\n".join([f"{title}:", *(f"  {line.strip()}" for line in lines.strip().splitlines())])


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Options of commands that fetch URLs."""
    parser.add_argument(
        "--allow-network", action="append", default=[], metavar="CIDR",
        help="let URLs reach this network although it is not public, such as 10.0.0.0/8 (may be repeated)",
    )  # fmt: skip
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="keep fetched pages here and use those younger than --cache-tolerance",
    )
    parser.add_argument("--cache-tolerance", type=float, default=3600, metavar="SECONDS", help="(default: %(default)s)")


@contextmanager
def make_reader(
    options: argparse.Namespace,
    *,
    html_converter: SupportsConvert | None = None,
    captioner: ChatModel | None = None,
    extractor: ChatModel | None = None,
) -> Iterator[Reader]:
    """A reader with the options of `add_reading_options`, closed with its fetcher."""
    from jina_components.core.background import run_sync
    from jina_components.net import Fetcher, ResponseCache
    from jina_components.reader import Reader

    cache = ResponseCache(options.cache, tolerance=options.cache_tolerance) if options.cache else None
    fetcher = Fetcher(guard=make_guard(options.allow_network), cache=cache)
    with Reader(fetcher=fetcher, html_converter=html_converter, captioner=captioner, extractor=extractor) as reader:
        try:
            yield reader
        finally:
            run_sync(fetcher.aclose())


def make_guard(networks: Sequence[str]) -> URLGuard:
    """The guard of `--allow-network`.

    Raises:
        ConfigError: one is no network.
    """
    from jina_components.net import URLGuard

    try:
        return URLGuard(allow_networks=tuple(networks))
    except ConfigError as error:
        given = ", ".join(map(repr, networks))
        raise ConfigError(
            f"--allow-network takes CIDR networks, such as 10.0.0.0/8, or 127.0.0.0/8 for localhost; got {given}."
        ) from error


def with_flags(message: object) -> str:
    """A message of the library in the words of the command line."""
    text = str(message)
    for words, flag in _FLAGS.items():
        text = text.replace(words, flag)
    return _SENT_FILE.sub("--file", text)


@contextmanager
def needing_service() -> Iterator[None]:
    """Imports of what serves.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingDependencyError(f"This needs {error.name}: pip install 'jina-components[service]'.") from error


def add_data_options(parser: argparse._ActionsContainer) -> None:
    """Where a service keeps what lasts: `data` and `database`, empty for a file in `data`."""
    parser.add_argument(
        "--data", type=Path, default=_data_folder(), metavar="DIR", help="what lasts is here (default: %(default)s)"
    )
    parser.add_argument(
        "--database", default=os.environ.get("JINA_COMPONENTS_DATABASE", ""), metavar="URL",
        help="keys, usage and batches are here: postgresql://USER:PASSWORD@HOST:PORT/NAME, which several machines may "
        "share, or sqlite:///FILE (default: $JINA_COMPONENTS_DATABASE, which other users of the machine cannot see as "
        "they can a command line; or a file in --data)",
    )  # fmt: skip


def _data_folder() -> Path:
    """Where programs keep what lasts: `jina_components` in `$XDG_DATA_HOME`, or else in `~/.local/share`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "jina_components"


def add_chat_options(parser: argparse._ActionsContainer, *, help: str) -> None:
    """Options of commands that may ask a chat model."""
    parser.add_argument("--chat-model", metavar="NAME", help=help)
    parser.add_argument(
        "--chat-url", metavar="URL",
        help="its OpenAI-compatible API (default: $OPENAI_BASE_URL, else OpenAI's); the key is $OPENAI_API_KEY",
    )  # fmt: skip


def make_chat(options: argparse.Namespace) -> ChatModel | None:
    """The model of `add_chat_options`, or None.

    Raises:
        ConfigError: only its URL is given, or it makes no sense.
    """
    if not options.chat_model:
        if options.chat_url is not None:
            raise ConfigError("--chat-url needs the name of the model that it serves: pass --chat-model NAME too.")
        return None
    from jina_components.chat import OpenAIChat

    url = os.environ.get("OPENAI_BASE_URL", _CHAT_URL) if options.chat_url is None else options.chat_url
    return OpenAIChat(options.chat_model, base_url=url, api_key=os.environ.get("OPENAI_API_KEY"))


def fitting_segmenter(context: int | None) -> Segmenter:
    """A segmenter whose chunks fit a context of so many tokens, with room for another model's way to count them."""
    from jina_components.segmenter import Segmenter

    if context is None or context >= _CHUNK:
        return Segmenter()
    return Segmenter(length_unit="tokens", max_chunk_length=max(context * 3 // 4, 1))


def read_sources(
    sources: Sequence[str], options: argparse.Namespace, *, context: int | None
) -> tuple[Reading, list[Document]]:
    """Pages of the sources and their chunks, fit for a context of so many tokens; failures go to standard error."""
    segmenter = fitting_segmenter(context)
    with make_reader(options) as reader:
        reading = reader.read_all(sources, options=QUOTABLE, show_progress=shows_progress())
    tell_failures(reading.failures)
    chunks = [chunk for page in reading.pages for chunk in segmenter.segment_page(page)]
    return reading, chunks


def tell_failures(failures: Sequence[SourceFailure]) -> None:
    """Name on standard error each source that could not be read, once, and why."""
    for failure in failures:
        reason = with_flags(failure.error)
        named = reason if reason.startswith(failure.source) else f"{failure.source}: {reason}"
        print(f"jina-components: not read: {named}", file=sys.stderr)


def tell(options: argparse.Namespace, what: str) -> None:
    """Say on standard error what is done now: of commands with --quiet unless it is given, else to a person."""
    is_told = not options.quiet if "quiet" in options else shows_progress()
    if is_told and sys.stderr is not None:
        print(f"jina-components: {readable(what)}", file=sys.stderr, flush=True)


def counted(number: int, what: str) -> str:
    """A number of things, such as `1 source` or `2 sources`."""
    return f"{number} {what}{'s' * (number != 1)}"


def shows_progress() -> bool:
    """Bars only where a person sees them."""
    return sys.stderr is not None and sys.stderr.isatty()


def readable(text: str) -> str:
    """A text from elsewhere as a terminal may show it: without control characters but for tabs and line ends."""
    return RULING.sub("", text)


class Known:
    """The reasons of failures that were told already."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()

    def shortened(self, text: str) -> str:
        """A text in which `… failed: REASON` is `… failed as before` where the reason was told by an earlier text."""
        before = frozenset(self._reasons)
        return "; ".join(self._once(part, before) for part in text.split("; "))

    def _once(self, part: str, before: frozenset[str]) -> str:
        what, failed, why = part.rpartition(" failed: ")
        if not failed:
            return part
        reason = why[:_REASON]  # the rest may be cut off
        self._reasons.add(reason)
        return f"{what} failed as before" if reason in before else part


def warn(warnings: Sequence[str]) -> None:
    """Tell warnings of the library on standard error, one a line, in the words of the command line."""
    known = Known()
    for warning in dict.fromkeys(warnings):
        print(f"jina-components: {known.shortened(readable(' '.join(with_flags(warning).split())))}", file=sys.stderr)


def print_json(value: Any) -> None:  # noqa: ANN401 (JSON has no type)
    """One JSON value on one line, which a terminal may show."""
    line = json.dumps(value, ensure_ascii=False)
    print(RULING.sub(lambda match: f"\\u{ord(match[0]):04x}", line))


def read_schema(path: Path) -> Mapping[str, Any]:
    """The JSON Schema in a file.

    Raises:
        ConfigError: there is none.
    """
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{path} is no JSON Schema: {why}.") from error
    if not isinstance(schema, dict):
        raise ConfigError(f"{path} is no JSON Schema: it holds no object.")
    return schema


def read_text(path: str) -> str:
    """Text of a file, or of standard input for `-`.

    Raises:
        InputError: no text is there.
    """
    from jina_components.reader import Reader

    if path == "-":
        return Reader().read(sys.stdin.buffer.read(), content_type="text/plain").content
    return Reader().read(path).content
