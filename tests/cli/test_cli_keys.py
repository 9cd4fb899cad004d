"""`keys` and `usage`, on the database of a service."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from jina_components.service.accounts.entries import Entry, post
from jina_components.service.accounts.keys import FREE_GRANT, Keys
from jina_components.service.database import Database
from jina_components.service.database.tables import KEYS

SECRET = re.compile(r"jina_[0-9A-Za-z]{60}")


@pytest.fixture
def command(run, tmp_path):
    """Runs the command on a database of its own; fails unless it ends as it should."""

    def call(*arguments, code=0):
        ended, out, err = run(*arguments, "--data", tmp_path)
        assert ended == code, err
        return out, err

    return call


@pytest.fixture
def keys(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'service.sqlite3'}")
    yield Keys(database)
    database.close()


@pytest.fixture
def make_key(command):
    def make(*arguments):
        return json.loads(command("keys", "create", *arguments, "--json")[0])

    return make


def test_the_key_alone_is_printed(command, keys):
    out, err = command("keys", "create", "laptop", "--owner", "alice", "--tier", "paid", "--grant", 5)
    assert SECRET.fullmatch(out.strip())
    key = keys.find(out.strip())
    assert (key.name, key.owner, key.tier, key.balance, key.is_admin) == ("laptop", "alice", "paid", 5, False)
    assert key.id in err
    assert not SECRET.search(err)
    assert keys.find(command("keys", "create", "operator", "--admin")[0].strip()).is_admin


def test_making_listing_and_revoking(command, make_key, keys):
    one, other = make_key("laptop", "--owner", "alice"), make_key("phone", "--owner", "alice")
    third = make_key("server")
    assert keys.find(one["key"]).id == one["id"]
    assert (one["balance"], one["tier"], one["admin"], one["revoked_at"]) == (FREE_GRANT, "free", False, None)
    listed = [json.loads(line)["id"] for line in command("keys", "list", "--json")[0].splitlines()]
    assert listed == [third["id"], other["id"], one["id"]]
    out, _ = command("keys", "list", "--owner", "alice")
    assert [line.split()[0] for line in out.splitlines()] == ["id", other["id"], one["id"]]
    command("keys", "revoke", one["id"], "key_0123456789abcdef", code=2)
    assert keys.find(one["key"]).revoked_at is None
    out, _ = command("keys", "revoke", one["id"], other["id"])
    assert out.count("revoked ") == 2
    assert keys.find(one["key"]).revoked_at is not None


def test_revoked_keys_are_listed_where_that_is_asked_for(command, make_key):
    one, other = make_key("laptop"), make_key("phone", "--owner", "bob")
    command("keys", "revoke", one["id"])
    out, err = command("keys", "list", "--json")
    assert [json.loads(line)["id"] for line in out.splitlines()] == [other["id"]]
    assert err == "jina-components: 1 revoked, which --all shows too\n"
    out, err = command("keys", "list", "--all", "--json")
    assert ([json.loads(line)["id"] for line in out.splitlines()], err) == ([other["id"], one["id"]], "")
    command("keys", "revoke", other["id"])
    assert command("keys", "list", code=1) == ("", "jina-components: 2 revoked, which --all shows too\n")


def test_what_is_left_of_a_revoked_key(command, make_key):
    one, other = make_key("laptop", "--grant", 7000), make_key("phone", "--grant", 0)
    _, err = command("keys", "revoke", one["id"], other["id"])
    [told] = err.splitlines()
    assert f"{one['id']} has 7,000 tokens left" in told
    move = told.partition(": jina-components ")[2].replace("TO", other["id"]).split()
    assert "is revoked" in command(*move, code=2)[1]
    assert "is revoked" in command("keys", "grant", one["id"], 5, code=2)[1]
    third = make_key("server", "--grant", 0)
    command(*[third["id"] if each == other["id"] else each for each in move])
    assert json.loads(command("keys", "show", third["id"], "--json")[0])["balance"] == 7000
    assert command("keys", "revoke", one["id"])[1] == f"jina-components: {one['id']} was revoked already\n"


def test_where_nothing_is_the_database_is_told(command, tmp_path):
    place = f"sqlite:///{tmp_path / 'service.sqlite3'}"
    assert command("keys", "list", code=1)[1] == f"jina-components: there are no keys in Database('{place}')\n"
    assert "no keys of alice in" in command("keys", "list", "--owner", "alice", code=1)[1]
    for arguments, code in ((("usage",), 1), (("keys", "show", "key_0123456789abcdef"), 2)):
        assert place in command(*arguments, code=code)[1]


def test_names_and_tiers(command, make_key, tmp_path):
    key = make_key("laptop")
    out, _ = command("keys", "change", key["id"], "--name", "desktop", "--tier", "premium", "--json")
    del key["key"]
    assert json.loads(out) == {**key, "name": "desktop", "tier": "premium"}
    for arguments in (("create", "x"), ("change", key["id"])):
        for tier in ("gold", "none"):
            assert "Unknown tier" in command("keys", *arguments, "--tier", tier, code=2)[1]
    (tmp_path / "tiers.toml").write_text("[tiers.gold.embeddings]\nrequests = 5\n")
    tiers = ("--tiers", tmp_path / "tiers.toml")
    assert json.loads(command("keys", "change", key["id"], "--tier", "gold", *tiers, "--json")[0])["tier"] == "gold"


def test_grants_transfers_and_the_statement(command, make_key):
    one, other = make_key("laptop"), make_key("phone")
    for _ in range(2):
        out, _ = command("keys", "grant", one["id"], 7, "--note", "January", "--reference", "january", "--json")
        assert json.loads(out)["balance"] == FREE_GRANT + 7
    for _ in range(2):
        out, _ = command("keys", "transfer", one["id"], other["id"], 3, "--reference", "a", "--json")
        assert [json.loads(line)["balance"] for line in out.splitlines()] == [FREE_GRANT + 4, FREE_GRANT + 3]
    shown = json.loads(command("keys", "show", one["id"], "--json")[0])
    assert shown["balance"] == FREE_GRANT + 4
    assert [(entry["kind"], entry["tokens"], entry["other"], entry["note"]) for entry in shown["entries"]] == [
        ("transfer", -3, other["id"], ""), ("grant", 7, "", "January"), ("grant", FREE_GRANT, "", ""),
    ]  # fmt: skip
    out, _ = command("keys", "show", one["id"], "--entries", 1)
    assert out.splitlines()[-1].split()[1:4] == ["transfer", "-3", "0"]
    assert "which are less than" in command("keys", "transfer", one["id"], other["id"], 10**12, code=2)[1]
    assert "tokens must be" in command("keys", "grant", one["id"], -5, code=2)[1]


def test_what_is_no_key(command, make_key):
    key = make_key("laptop")
    for arguments in (
        ("show", "key_0123456789abcdef"),
        ("revoke", "x"),
        ("grant", "x", 1),
        ("change", "x", "--name", "y"),
    ):
        assert "Unknown key" in command("keys", *arguments, code=2)[1]
    # Who takes the key itself for its id does not find it in a log.
    _, err = command("keys", "show", key["key"], code=2)
    assert not SECRET.search(err)
    assert "Unknown key" in command("usage", "--key", "key_0123456789abcdef", code=2)[1]


def test_the_audit_finds_what_is_wrong(command, make_key, keys):
    key = make_key("laptop")
    assert command("keys", "audit") == ("Balances and usage are what the ledger says.\n", "")
    assert json.loads(command("keys", "audit", "--json")[0]) == {"is_right": True, "wrong": []}
    with keys.database.transaction() as db:
        db.execute(update(KEYS).where(KEYS.c.id == key["id"]).values(balance=1))
    assert key["id"] in command("keys", "audit", code=1)[0]
    assert json.loads(command("keys", "audit", "--json", code=1)[0])["is_right"] is False


@pytest.fixture
def used(make_key, keys):
    """Two keys, and what they used: today, and 40 days ago."""
    one, other = make_key("laptop", "--owner", "alice"), make_key("phone", "--owner", "bob")
    now = datetime.now(UTC)
    charges = [
        (one, "embeddings", "small", 100, now), (one, "embeddings", "small", 60, now), (one, "segment", "", 0, now),
        (other, "rerank", "large", 40, now), (other, "rerank", "large", 1000, now - timedelta(40)),
        (other, "rerank", "large", 1000, now - timedelta(40)),
    ]  # fmt: skip
    for number, (key, product, model, tokens, at) in enumerate(charges):
        entry = Entry(
            reference=str(number), key_id=key["id"], kind="charge", tokens=-tokens, product=product, model=model,
            requests=1, items=2,
        )  # fmt: skip
        with keys.database.transaction() as db:
            post(db, [entry], at.timestamp())
    return one, other


def test_usage(command, used):
    one, other = used
    today = str(datetime.now(UTC).date())
    rows = [json.loads(line) for line in command("usage", "--json")[0].splitlines()]
    embedded = {"day": today, "product": "embeddings", "model": "small", "requests": 2, "items": 4, "tokens": 160}
    assert rows[0] == embedded
    assert [row["tokens"] for row in rows] == [160, 40, 0]
    by_key = [json.loads(line) for line in command("usage", "--by", "key", "--json")[0].splitlines()]
    assert {(row["key"], row["name"]): row["tokens"] for row in by_key} == {
        (one["id"], "laptop"): 160, (other["id"], "phone"): 40,
    }  # fmt: skip
    by_owner = [json.loads(line) for line in command("usage", "--by", "owner", "--json")[0].splitlines()]
    assert [(row["owner"], row["tokens"]) for row in by_owner] == [("alice", 160), ("bob", 40)]
    for whose in (("--owner", "bob"), ("--key", other["id"])):
        [row] = command("usage", "--by", "product", "--json", *whose)[0].splitlines()
        assert json.loads(row) == {"product": "rerank", "requests": 1, "items": 2, "tokens": 40}
    long_ago = (datetime.now(UTC) - timedelta(60)).date()
    [row] = command("usage", "--by", "product", "--since", long_ago, "--owner", "bob", "--json")[0].splitlines()
    assert json.loads(row)["tokens"] == 2040
    assert "nothing was used" in command("usage", "--until", "2020-01-01", code=1)[1]
    assert "must not be after" in command("usage", "--since", "2020-01-02", "--until", "2020-01-01", code=2)[1]


def test_usage_for_people(command, used, monkeypatch):
    out, _ = command("usage", "--by", "product")
    assert out.splitlines() == [
        "product     requests  items  tokens",
        "embeddings         2      4     160",
        "rerank             1      2      40",
        "segment            1      2       0",
        "total              4      8     200",
    ]
    out, _ = command("usage", "--by", "key,product", "--owner", "bob")
    assert [line.split() for line in out.splitlines()] == [
        ["key", "name", "product", "requests", "items", "tokens"],
        [used[1]["id"], "phone", "rerank", "1", "2", "40"],
    ]
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True)
    out, _ = command("usage", "--by", "product")
    assert [line.count("█") for line in out.splitlines()] == [0, 24, 6, 0, 0]


def test_charges_of_long_ago_are_folded(command, used):
    _, other = used
    before = (datetime.now(UTC) - timedelta(35)).date()
    assert json.loads(command("keys", "fold", "--before", before, "--json")[0]) == {"folded": 1}
    assert command("keys", "fold", "--before", before)[0].startswith("0 ")
    shown = json.loads(command("keys", "show", other["id"], "--json")[0])
    assert (shown["balance"], len(shown["entries"])) == (FREE_GRANT - 2040, 3)
    command("keys", "audit")
    assert "30 days" in command("keys", "fold", "--before", datetime.now(UTC).date(), code=2)[1]


@pytest.mark.parametrize(
    "arguments", [("--by", "hour"), ("--by", ""), ("--since", "monday"), ("--owner", "a", "--key", "b")]
)
def test_usage_that_makes_no_sense(run, arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        run("usage", *arguments)
    assert ended.value.code == 2


def test_the_database_of_the_environment_is_not_shown(run, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("JINA_COMPONENTS_DATABASE", "postgresql://jina:s3cr3t@127.0.0.1:1/jina")
    for group in (("keys", "list"), ("usage",)):
        code, out, err = run(*group)
        assert code == 2
        assert "cannot be used" in err
        with pytest.raises(SystemExit):
            run(*group, "--help")
        assert "s3cr3t" not in f"{out}{err}{''.join(capsys.readouterr())}"
    monkeypatch.setenv("JINA_COMPONENTS_DATABASE", f"sqlite:///{tmp_path / 'other.db'}")
    assert run("keys", "create", "laptop")[0] == 0
    assert (tmp_path / "other.db").exists()
