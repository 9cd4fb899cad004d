"""`keys`: who may use a service; on its database, whether it runs or not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jina_components.cli.common import Commands, add_command, add_data_options, print_json, readable
from jina_components.cli.usage import day, opened_database, print_table, today
from jina_components.errors import ConfigError

if TYPE_CHECKING:
    from jina_components.service.accounts.keys import Key, Keys

_DAYS = 30
_SHOWN_ENTRIES = 20
_PAGE = 1000


def add_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    about = "make keys for a service, list and revoke them, grant and transfer tokens"
    keys = commands.add_parser("keys", help=about, description=f"{about[0].upper()}{about[1:]}.")
    actions = keys.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_making(actions)
    _add_showing(actions)
    _add_tokens(actions)


def _add_making(actions: Commands) -> None:
    create = add_command(
        actions, "create", _create,
        help="make a key: it is printed this once, alone on standard output, and kept nowhere",
        examples="""
            jina-components keys create "search of the shop"
            jina-components keys create laptop --owner alice --tier paid --grant 1000000
            jina-components keys create operator --admin > operator.key
        """,
    )  # fmt: skip
    create.add_argument("name", metavar="NAME", help="what it is called, so that it is told from others")
    create.add_argument(
        "--owner", default="", metavar="OWNER",
        help="whose it is: keys of one owner share classifiers, batches and usage (default: an owner of its own)",
    )  # fmt: skip
    _add_tier(create, default="free", help="whose limits it has (default: %(default)s)")
    create.add_argument("--admin", action="store_true", help="it may manage the keys of everybody over HTTP")
    create.add_argument("--grant", type=int, metavar="TOKENS", help="to begin with (default: 10000000)")
    _add_options(create, json="a JSON object, with the key")

    change = add_command(
        actions, "change", _change,
        help="give a key another name or tier",
        examples="jina-components keys change key_0123456789abcdef --tier premium",
    )  # fmt: skip
    change.add_argument("id", metavar="ID")
    change.add_argument("--name", metavar="NAME")
    _add_tier(change, default=None, help="whose limits it has")
    _add_options(change)

    revoke = add_command(
        actions, "revoke", _revoke,
        help="end keys for good; services notice within seconds, and what is left can be transferred",
        examples="jina-components keys revoke key_0123456789abcdef",
    )  # fmt: skip
    revoke.add_argument("ids", nargs="+", metavar="ID")
    _add_options(revoke, json="one JSON object a key")


def _add_showing(actions: Commands) -> None:
    listing = add_command(
        actions, "list", _list,
        help="list keys, the newest first",
        examples="""
            jina-components keys list --owner alice --all
            jina-components keys list --database postgresql://jina@db/jina --json
        """,
        exit_codes="1  there is none",
    )  # fmt: skip
    listing.add_argument("--owner", metavar="OWNER", help="this owner's (default: everybody's)")
    listing.add_argument("--all", action="store_true", help="also those revoked")
    _add_options(listing, json="one JSON object a key")

    show = add_command(
        actions, "show", _show,
        help="show a key and what was added to its balance and taken from it",
        examples="jina-components keys show key_0123456789abcdef --entries 100",
    )  # fmt: skip
    show.add_argument("id", metavar="ID")
    show.add_argument(
        "--entries", type=int, default=_SHOWN_ENTRIES, metavar="N", help="the last so many (default: %(default)s)"
    )
    _add_options(show)

    audit = add_command(
        actions, "audit", _audit,
        help="check that balances and usage are what the ledger says",
        examples="jina-components keys audit",
        exit_codes="""
            0  they are
            1  they are not; standard output says where
        """,
    )  # fmt: skip
    _add_options(audit, json="a JSON object")


def _add_tokens(actions: Commands) -> None:
    grant = add_command(
        actions, "grant", _grant,
        help="add to the balance of a key",
        examples="jina-components keys grant key_0123456789abcdef 1000000 --note 'January'",
    )  # fmt: skip
    grant.add_argument("id", metavar="ID")
    grant.add_argument("tokens", type=int, metavar="TOKENS")
    grant.add_argument("--note", default="", metavar="TEXT", help="stands in the statement of the key")
    _add_reference(grant)
    _add_options(grant)

    transfer = add_command(
        actions, "transfer", _transfer,
        help="move tokens from one key to another",
        examples="jina-components keys transfer key_0123456789abcdef key_fedcba9876543210 500000",
    )  # fmt: skip
    transfer.add_argument("source", metavar="FROM")
    transfer.add_argument("target", metavar="TO")
    transfer.add_argument("tokens", type=int, metavar="TOKENS")
    _add_reference(transfer)
    _add_options(transfer, json="one JSON object a key")

    fold = add_command(
        actions, "fold", _fold,
        help="make one entry a key of the charges of long ago; balances and usage stay as they are",
        examples="jina-components keys fold --before 2026-01-01",
    )  # fmt: skip
    fold.add_argument("--before", required=True, type=day, metavar="DAY", help="of UTC, a month ago or earlier")
    _add_options(fold, json="a JSON object")


def _add_options(parser: argparse.ArgumentParser, *, json: str = "a JSON object") -> None:
    add_data_options(parser)
    parser.add_argument("--json", action="store_true", help=json)


def _add_tier(parser: argparse.ArgumentParser, *, default: str | None, help: str) -> None:
    parser.add_argument("--tier", default=default, metavar="TIER", help=help)
    parser.add_argument(
        "--tiers", type=Path, metavar="FILE", help="the tiers that there are, as given to `serve` (default: Jina's)"
    )


def _add_reference(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reference", default="", metavar="NAME", help="any name for it: run again with the same, it happens once"
    )


def _create(options: argparse.Namespace) -> int:
    _check_tier(options)
    with _keys(options) as keys:
        grant = {} if options.grant is None else {"grant": options.grant}
        key, secret = keys.create(
            name=options.name, owner=options.owner, tier=options.tier, is_admin=options.admin, **grant
        )
    if options.json:
        print_json({**_body(key), "key": secret})
        return 0
    print(secret)
    told = f"{key.id}, {'an admin key ' if key.is_admin else ''}of {key.owner}, tier {key.tier}, {key.balance:,} tokens"
    print(f"{readable(told)}. It is shown this once: keep it where secrets are kept.", file=sys.stderr)
    return 0


def _change(options: argparse.Namespace) -> int:
    _check_tier(options)
    with _keys(options) as keys:
        _tell_keys([keys.change(options.id, name=options.name, tier=options.tier)], options)
    return 0


def _revoke(options: argparse.Namespace) -> int:
    with _keys(options) as keys:
        before = [keys.get(each) for each in options.ids]
        revoked = [keys.revoke(each) for each in options.ids]
    _tell_keys(revoked, options)
    for was, key in zip(before, revoked, strict=True):
        if was.revoked_at is not None:
            print(f"jina-components: {key.id} was revoked already", file=sys.stderr)
        if key.balance > 0:
            move = f"jina-components keys transfer {key.id} TO {key.balance}"
            print(f"jina-components: {key.id} has {key.balance:,} tokens left; to move them: {move}", file=sys.stderr)
    return 0


def _list(options: argparse.Namespace) -> int:
    with _keys(options) as keys:
        found: list[Key] = []
        while more := keys.list(owner=options.owner, limit=_PAGE, after=found[-1].id if found else ""):
            found += more
    shown = [key for key in found if options.all or key.revoked_at is None]
    if shown:
        _tell_keys(shown, options)
    if not found:
        whose = "keys" if options.owner is None else f"keys of {readable(options.owner)}"
        print(f"jina-components: there are no {whose} in {keys.database!r}", file=sys.stderr)
    if hidden := len(found) - len(shown):
        print(f"jina-components: {hidden:,} revoked, which --all shows too", file=sys.stderr)
    return 0 if shown else 1


def _show(options: argparse.Namespace) -> int:
    with _keys(options) as keys:
        from jina_components.service.accounts.usage import entries
        from jina_components.service.wire.accounts import entry_body

        key = keys.get(options.id)
        posted = list(map(entry_body, entries(keys.database, key.id, limit=options.entries)))
    if options.json:
        print_json({**_body(key), "entries": posted})
        return 0
    _tell_keys([key], options)
    print()
    columns = ("at", "kind", "tokens", "product", "model", "requests", "other", "note")
    print_table(columns, [[each[name] for name in columns] for each in posted])
    return 0


def _grant(options: argparse.Namespace) -> int:
    with _keys(options) as keys:
        _tell_keys([keys.grant(options.id, options.tokens, note=options.note, reference=options.reference)], options)
    return 0


def _transfer(options: argparse.Namespace) -> int:
    with _keys(options) as keys:
        both = keys.transfer(options.source, options.target, options.tokens, reference=options.reference)
    _tell_keys(both, options)
    return 0


def _audit(options: argparse.Namespace) -> int:
    with opened_database(options) as database:
        from jina_components.service.accounts.audit import audit

        wrong = audit(database)
    if options.json:
        print_json({"is_right": not wrong, "wrong": wrong})
    else:
        print("\n".join(wrong) or "Balances and usage are what the ledger says.")
    return 1 if wrong else 0


def _fold(options: argparse.Namespace) -> int:
    if options.before > today() - timedelta(_DAYS):
        raise ConfigError(
            f"--before must be {_DAYS} days ago or earlier, lest a charge that is sent again counts twice."
        )
    with opened_database(options) as database:
        from jina_components.service.accounts.entries import fold

        gone = fold(database, options.before)
    if options.json:
        print_json({"folded": gone})
    else:
        print(f"{gone:,} charges were put into others.")
    return 0


def _tell_keys(keys: Sequence[Key], options: argparse.Namespace) -> None:
    bodies = list(map(_body, keys))
    if options.json:
        for body in bodies:
            print_json(body)
        return
    shown = ("id", "owner", "name", "tier", "balance")
    rows = [[*(body[name] for name in shown), body["created_at"][:10], _state(body)] for body in bodies]
    print_table((*shown, "created", "state"), rows)


def _state(key: Mapping[str, Any]) -> str:
    if key["revoked_at"]:
        return f"revoked {key['revoked_at'][:10]}"
    return "admin" if key["admin"] else "good"


def _body(key: Key) -> dict[str, Any]:
    """A key as the routes show it."""
    from jina_components.service.wire.accounts import key_body

    return key_body(key)


def _check_tier(options: argparse.Namespace) -> None:
    from jina_components.core.names import resolve_name
    from jina_components.service.limits.tiers import NO_KEY, TIERS, read_tiers

    tiers = TIERS if options.tiers is None else read_tiers(options.tiers)
    if options.tier is not None:
        resolve_name({name: tier for name, tier in tiers.items() if name != NO_KEY}, options.tier, what="tier")


@contextmanager
def _keys(options: argparse.Namespace) -> Iterator[Keys]:
    with opened_database(options) as database:
        from jina_components.service.accounts.keys import Keys

        yield Keys(database)
