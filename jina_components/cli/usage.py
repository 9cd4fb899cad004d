"""`usage`: what the keys of a service used; on its database, whether it runs or not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from jina_components.cli.common import Commands, add_command, add_data_options, print_json, readable
from jina_components.errors import ConfigError, MissingDependencyError, UnknownNameError

if TYPE_CHECKING:
    from jina_components.service.accounts.usage import By
    from jina_components.service.database import Database

_DAYS = 30
_BAR = 24  # characters of the longest
_BY: Mapping[str, By] = {"day": "day", "product": "product", "model": "model", "key": "key_id", "owner": "owner"}


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    usage = add_command(
        commands, "usage", _usage,
        help="show what the keys of a service used, by day, product, model, key or owner",
        examples="""
            jina-components usage
            jina-components usage --by key --since 2026-01-01 --until 2026-01-31
            jina-components usage --by day,product --owner alice --json
        """,
    )  # fmt: skip
    usage.add_argument(
        "--by", type=_told_by, default=["day", "product", "model"], metavar="A,B,…",
        help=f"what rows tell apart, of {', '.join(_BY)} (default: day,product,model)",
    )  # fmt: skip
    usage.add_argument(
        "--since", type=day, metavar="DAY", help=f"first day, of UTC (default: {_DAYS} days up to the last)"
    )
    usage.add_argument("--until", type=day, metavar="DAY", help="last day, which counts (default: today)")
    whose = usage.add_mutually_exclusive_group()
    whose.add_argument("--owner", metavar="OWNER", help="of this owner's keys (default: everybody's)")
    whose.add_argument("--key", metavar="ID", help="of this key")
    add_data_options(usage)
    usage.add_argument("--json", action="store_true", help="one JSON object a row")


def _usage(options: argparse.Namespace) -> int:
    until = options.until or today()
    since = options.since or until - timedelta(_DAYS - 1)
    if since > until:
        raise ConfigError(f"--since {since} must not be after --until {until}.")
    with opened_database(options) as database:
        from jina_components.service.accounts.keys import Keys
        from jina_components.service.accounts.usage import usage
        from jina_components.service.wire.accounts import usage_rows

        if options.key is not None:
            Keys(database).get(options.key)
        by = [_BY[name] for name in options.by]
        rows = usage(database, owner=options.owner, key_id=options.key, since=since, until=until, by=by)
    told = usage_rows(rows, by)
    if options.json:
        for each in told["data"]:
            print_json(each)
    elif rows:
        _print_usage(told["data"], told["total"])
    if not rows:
        print(f"jina-components: nothing was used from {since} to {until} in {database!r}", file=sys.stderr)
    return 0 if rows else 1


def _print_usage(rows: Sequence[Mapping[str, Any]], total: Mapping[str, int]) -> None:
    columns = list(rows[0])
    cells = [list(row.values()) for row in rows]
    if len(rows) > 1:
        cells.append(["total", *[""] * (len(columns) - len(total) - 1), *total.values()])
    most = max(row["tokens"] for row in rows)
    bars = [_BAR * row["tokens"] / most if most else 0 for row in rows]
    print_table(columns, cells, bars if sys.stdout.isatty() else ())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], bars: Sequence[float] = ()) -> None:
    """Columns as wide as they must be, numbers to the right; beside the rows, bars of so many characters."""
    cells = [[f"{each:,}" if isinstance(each, int) else readable(str(each)) for each in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    numeric = {place for row in rows for place, each in enumerate(row) if isinstance(each, int)}
    drawn = ["█" * max(round(bar), bar > 0) for bar in bars]
    for row, bar in zip_longest([columns, *cells], ["", *drawn], fillvalue=""):
        placed = [
            cell.rjust(width) if place in numeric else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join([*placed, bar]).rstrip())


@contextmanager
def opened_database(options: argparse.Namespace) -> Iterator[Database]:
    """The database of the service.

    Raises:
        MissingDependencyError: the extra `service` is not installed.
        ConfigError: it cannot be used.
        UnknownNameError: what was asked of it is of no key there.
    """
    try:
        from jina_components.service.database import Database
        from jina_components.service.errors import Problem
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"Keys and usage need {error.name}: pip install 'jina-components[service]'."
        ) from error
    from jina_components.service.settings import ServiceSettings

    database = Database(ServiceSettings(data=options.data, database_url=options.database).database)
    try:
        yield database
    except Problem as problem:
        raise ConfigError(problem.detail) from problem
    except UnknownNameError as error:  # a wrong path looks like lost keys
        raise UnknownNameError(f"{error.message} Asked was {database!r}.") from error
    finally:
        database.close()


def day(text: str) -> date:
    """A day of an option."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-01-31") from None


def today() -> date:
    """Of UTC."""
    return datetime.now(UTC).date()


def _told_by(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or any(name not in _BY for name in names):
        raise argparse.ArgumentTypeError(f"{text!r} is not of {', '.join(_BY)}")
    return list(dict.fromkeys(names))
