"""Parsing, dispatch and exit codes of the `jina-components` command."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from jina_components import __version__
from jina_components.cli import (
    answering,
    classifying,
    deep_searching,
    finetuning,
    grounding,
    indexing,
    keys,
    mcp,
    reading,
    scaling,
    searching,
    segmenting,
    serving,
    usage,
    vectors,
)
from jina_components.cli.common import with_flags
from jina_components.errors import JinaComponentsError

_EPILOG = """\
exit codes:
  0  done
  1  nothing found: no result, no answer
  2  wrong usage or input, or a failure; standard error says what
  3  done, but some sources could not be read; standard error lists them
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser; each group of commands adds its own."""
    parser = argparse.ArgumentParser(
        prog="jina-components",
        description="Read, segment, embed, index, search and answer: offline, with verified citations.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (
        reading,
        segmenting,
        vectors,
        scaling,
        indexing,
        searching,
        answering,
        deep_searching,
        classifying,
        grounding,
        finetuning,
        serving,
        mcp,
        keys,
        usage,
    ):
        group.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal of another encoding shows what it can
        sys.stdout.reconfigure(errors="backslashreplace")
    options = build_parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        if sys.stdout is not None:  # which it is where the caller closed it
            sys.stdout.flush()
    except JinaComponentsError as error:
        print(f"jina-components: {with_flags(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the pipe (head, less) has gone; what Python flushes at exit must not fail again.
        _discard_output()
        return 0
    except OSError as error:
        print(f"jina-components: {error.strerror or error}", file=sys.stderr)
        _discard_output()
        return 2
    return code


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
