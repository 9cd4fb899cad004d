"""Keys, balances and usage on the wire. Times are UTC in ISO 8601; tokens are whole numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from jina_components.service.accounts.keys import FREE_GRANT, MAX_TOKENS, Key
from jina_components.service.accounts.usage import By, Posted, Row, told_by
from jina_components.service.errors import invalid
from jina_components.service.limits.tiers import Rate
from jina_components.service.logs import moment
from jina_components.service.products import Product

MOST_DAYS = 366
"""Of a history of usage."""
_DAYS = 30
_LONGEST = 200
_BY: Mapping[str, By] = {"key": "key_id", "owner": "owner", "day": "day", "product": "product", "model": "model"}


def _printable(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("value_error", "Input should be one line of printable characters.")
    return text


Line = Annotated[str, Field(max_length=_LONGEST), AfterValidator(_printable)]
"""A text that a log or a terminal may show."""
Tokens = Annotated[int, Field(ge=1, le=MAX_TOKENS)]


class KeyRequest(BaseModel):
    """A key to be made."""

    name: Line = Field(min_length=1, description="What it is called, so that it is told from others.")
    owner: Line | None = Field(None, description="Whose it is; one of its own, unless it is given.")
    tier: Line | None = Field(None, description="Whose limits it has: free, unless it is given.")
    admin: bool | None = Field(None, description="Whether it may manage the keys of everybody: false.")
    grant: int | None = Field(None, ge=0, le=MAX_TOKENS, description=f"Tokens to begin with: {FREE_GRANT:,}.")


class KeyChange(BaseModel):
    """What is to be different about a key."""

    name: Annotated[Line, Field(min_length=1)] | None = None
    tier: Line | None = Field(None, description="An admin's to change.")


class GrantRequest(BaseModel):
    """Tokens to be added to a balance."""

    tokens: Tokens
    note: Line | None = Field(None, description="Stands in the statement of the key.")


class TransferRequest(BaseModel):
    """Tokens to be moved from one key to another."""

    source: str = Field(alias="from", description="Id of the key that gives.")
    target: str = Field(alias="to", description="Id of the key that gets.")
    tokens: Tokens


class KeyInfo(BaseModel):
    """What is known of a key; the key itself is kept nowhere."""

    id: str
    owner: str
    name: str
    tier: str
    admin: bool
    balance: int
    created_at: str
    revoked_at: str | None


class CreatedKey(KeyInfo):
    """A key that was made."""

    key: str = Field(description="The key itself, told this once.")


class KeyList(BaseModel):
    """Keys, the newest first."""

    data: list[KeyInfo]
    after: str | None = Field(description="To be sent for those that follow; null at the end.")


class Transfer(BaseModel):
    """Both keys, after tokens were moved."""

    source: KeyInfo = Field(alias="from")
    target: KeyInfo = Field(alias="to")


class ProductLimits(BaseModel):
    """How often, how much and how much at once; null for no limit."""

    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent: int | None


class Account(KeyInfo):
    """The key that asks, and what it may ask for."""

    limits: dict[str, ProductLimits | None] = Field(description="By product; null for one that its tier has not.")


class UsageTotal(BaseModel):
    """What was used."""

    requests: int = Field(description="Answered with a result.")
    items: int = Field(description="Inputs, documents or pages.")
    tokens: int = Field(description="Charged.")


class UsageRow(UsageTotal):
    """What was used of what the request tells apart."""

    model_config = ConfigDict(json_schema_extra={"required": ["requests", "items", "tokens"]})

    key: str = ""
    name: str = Field("", description="What the key is called.")
    owner: str = ""
    day: str = Field("", description="Of UTC, such as 2026-01-31.")
    product: str = ""
    model: str = ""


class UsageAnswer(BaseModel):
    """The history of usage."""

    since: date
    until: date
    data: list[UsageRow]
    total: UsageTotal


class EntryInfo(BaseModel):
    """What was added to a balance, and why."""

    id: int
    at: str
    kind: str = Field(description="grant, charge or transfer.")
    tokens: int = Field(description="Below zero where they were taken.")
    product: str
    model: str
    requests: int
    items: int
    other: str = Field(description="The other key of a transfer.")
    note: str


class Statement(BaseModel):
    """Entries of a key, the newest first."""

    key: str
    data: list[EntryInfo]
    after: int | None = Field(description="To be sent for those that follow; null at the end.")


class UsageQuery(BaseModel):
    """What usage is asked for."""

    since: date | None = Field(None, description=f"First day, of UTC: {_DAYS} days up to the last, unless it is given.")
    until: date | None = Field(None, description="Last day: today.")
    by: str = Field("day,product,model", description=f"What rows tell apart, of {', '.join(_BY)}; commas between.")
    owner: Line | None = Field(None, description="An admin's to ask for: everybody's usage, unless it is given.")
    key: str | None = Field(None, description="Id of one key.")

    def days(self) -> tuple[date, date]:
        """The first and the last.

        Raises:
            Problem: 422, they are in another order, or too far apart.
        """
        until = self.until or datetime.now(UTC).date()
        since = self.since or date.fromordinal(max(until.toordinal() - _DAYS + 1, 1))
        if not timedelta(0) <= until - since < timedelta(MOST_DAYS):
            raise invalid("query -> since", f"Input should be up to {MOST_DAYS} days before until, got {since}.")
        return since, until

    def told_by(self) -> list[By]:
        """What rows tell apart.

        Raises:
            Problem: 422, there is no such thing.
        """
        names = [name.strip() for name in self.by.split(",") if name.strip()]
        if unknown := [name for name in names if name not in _BY]:
            raise invalid("query -> by", f"Input should be of {', '.join(_BY)}.", kind="enum", given=unknown[0])
        return [_BY[name] for name in dict.fromkeys(names)]


def key_body(key: Key) -> dict[str, Any]:
    """A `KeyInfo`."""
    return {
        "id": key.id, "owner": key.owner, "name": key.name, "tier": key.tier, "admin": key.is_admin,
        "balance": key.balance, "created_at": moment(key.created_at),
        "revoked_at": None if key.revoked_at is None else moment(key.revoked_at),
    }  # fmt: skip


def limits_body(rates: Mapping[Product, Rate | None]) -> dict[str, Any]:
    """`Account.limits`."""
    return {
        product: rate
        and {
            "requests_per_minute": rate.requests,
            "tokens_per_minute": rate.tokens,
            "concurrent": rate.concurrent,
        }
        for product, rate in rates.items()
    }


def usage_rows(rows: Sequence[Row], by: Sequence[By]) -> dict[str, Any]:
    """`data` and `total` of a `UsageAnswer`."""
    shown = {"key" if name == "key_id" else name: name for name in told_by(by)}
    return {
        "data": [{told: getattr(row, name) for told, name in shown.items()} | _numbers([row]) for row in rows],
        "total": _numbers(rows),
    }


def entry_body(posted: Posted) -> dict[str, Any]:
    """An `EntryInfo`."""
    shown = ("kind", "tokens", "product", "model", "requests", "items", "other", "note")
    return {"id": posted.number, "at": moment(posted.at)} | {name: getattr(posted.entry, name) for name in shown}


def _numbers(rows: Sequence[Row]) -> dict[str, int]:
    return {name: sum(getattr(row, name) for row in rows) for name in UsageTotal.model_fields}
