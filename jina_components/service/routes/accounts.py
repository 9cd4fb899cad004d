"""Keys, balances and usage: `/v1/account`, `/v1/keys`, `/v1/transfers`, `/v1/usage`, `/v1/entries`.

A key shows all that is its owner's, renames and revokes its keys, and moves tokens between them. An admin's key does so
with everybody's; it makes keys, grants tokens and chooses tiers. A service that needs no keys has none of this: 404.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response

from jina_components.errors import UnknownNameError
from jina_components.service.accounts.keys import FREE_GRANT, Key, Keys
from jina_components.service.accounts.usage import entries, usage
from jina_components.service.answers import json_answer
from jina_components.service.calls import Access, Call, Caller, admitted
from jina_components.service.documenting import documented
from jina_components.service.errors import Problem, invalid, problem
from jina_components.service.limits.tiers import Tier
from jina_components.service.settings import ServiceSettings
from jina_components.service.wire import accounts as wire

router = APIRouter(tags=["account"])

P = ParamSpec("P")
T = TypeVar("T")

_LISTED = 100
_admit = admitted("account")


async def _with_key(request: Request) -> Call:
    access: Access = request.app.state.access
    if not access.needs_keys:
        raise problem(404, "This service has no keys, and knows no owners and no usage: it was started without --keys.")
    return await _admit(request)


_Admitted = Annotated[Call, Depends(_with_key)]
_Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
_Once = Annotated[
    wire.Line | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=128,
        description="Any name for the request; one that is sent again with it happens once.",
    ),
]  # fmt: skip
_NO_KEYS = {404: "The service needs no keys, so it has none."}
_MISSING = {404: "No such key, or another owner's; or the service has none."}


@router.get("/v1/account", summary="Show your key", **documented("api", more=_NO_KEYS, ok=wire.Account))
async def account(request: Request, call: _Admitted) -> Response:
    """The key that asks: whose it is, its balance, and what it may ask for."""
    key = await _asked(_keys(request).get, _caller(call).key_id)
    tiers: Mapping[str, Tier] = request.app.state.settings.tiers
    rates = tiers[key.tier].rates if key.tier in tiers else {}
    return json_answer(wire.key_body(key) | {"limits": wire.limits_body(rates)})


@router.post("/v1/keys", summary="Make a key", **documented("api", more=_NO_KEYS, ok=wire.CreatedKey))
async def create(request: Request, asked: wire.KeyRequest, call: _Admitted) -> Response:
    """Make a key; for admins. The key itself is told this once, and kept nowhere."""
    _check_admin(call)
    tier = asked.tier or "free"
    _check_tier(request, tier)
    key, secret = await _asked(
        _keys(request).create,
        name=asked.name,
        owner=asked.owner or "",
        tier=tier,
        is_admin=asked.admin is True,
        grant=FREE_GRANT if asked.grant is None else asked.grant,
    )
    return json_answer(wire.key_body(key) | {"key": secret}, headers={"Cache-Control": "no-store"})


@router.get("/v1/keys", summary="List keys", **documented("api", more=_MISSING, ok=wire.KeyList))
async def list_newest(
    request: Request,
    call: _Admitted,
    owner: Annotated[
        wire.Line | None, Query(description="An admin's to ask for: everybody's, unless it is given.")
    ] = None,
    limit: _Limit = _LISTED,
    after: Annotated[str | None, Query(description="That of the answer before.")] = None,
) -> Response:
    """The owner's keys, the newest first, also those that were revoked."""
    whose = _owner(call, owner)
    if after:
        await _visible(request, call, after)
    keys = await _asked(_keys(request).list, owner=whose, limit=limit + 1, after=after or "")
    last = keys[limit - 1].id if len(keys) > limit else None
    return json_answer({"data": list(map(wire.key_body, keys[:limit])), "after": last})


@router.get("/v1/keys/{key_id}", summary="Show a key", **documented("api", more=_MISSING, ok=wire.KeyInfo))
async def show(request: Request, key_id: str, call: _Admitted) -> Response:
    """One of the owner's keys."""
    return json_answer(wire.key_body(await _visible(request, call, key_id)))


@router.patch("/v1/keys/{key_id}", summary="Change a key", **documented("api", more=_MISSING, ok=wire.KeyInfo))
async def change(request: Request, key_id: str, asked: wire.KeyChange, call: _Admitted) -> Response:
    """Give a key another name, or as an admin another tier."""
    if asked.tier is not None:
        _check_admin(call)
        _check_tier(request, asked.tier)
    await _visible(request, call, key_id)
    return json_answer(wire.key_body(await _asked(_keys(request).change, key_id, name=asked.name, tier=asked.tier)))


@router.delete("/v1/keys/{key_id}", summary="Revoke a key", **documented("api", more=_MISSING, ok=wire.KeyInfo))
async def revoke(request: Request, key_id: str, call: _Admitted) -> Response:
    """End a key for good. What it has left can be transferred to another one of its owner."""
    await _visible(request, call, key_id)
    return json_answer(wire.key_body(await _asked(_keys(request).revoke, key_id)))


@router.post("/v1/keys/{key_id}/grant", summary="Grant tokens", **documented("api", more=_MISSING, ok=wire.KeyInfo))
async def grant(
    request: Request, key_id: str, asked: wire.GrantRequest, call: _Admitted, idempotency_key: _Once = None
) -> Response:
    """Add to the balance of a key; for admins."""
    _check_admin(call)
    reference = _reference(call, idempotency_key)
    key = await _asked(_keys(request).grant, key_id, asked.tokens, note=asked.note or "", reference=reference)
    return json_answer(wire.key_body(key))


@router.post("/v1/transfers", summary="Transfer tokens", **documented("api", more=_MISSING, ok=wire.Transfer))
async def transfer(
    request: Request, asked: wire.TransferRequest, call: _Admitted, idempotency_key: _Once = None
) -> Response:
    """Move tokens from one of the owner's keys to another; as an admin, between any two."""
    for key_id in (asked.source, asked.target):
        await _visible(request, call, key_id)
    reference = _reference(call, idempotency_key)
    source, target = await _asked(
        _keys(request).transfer, asked.source, asked.target, asked.tokens, reference=reference
    )
    return json_answer({"from": wire.key_body(source), "to": wire.key_body(target)})


@router.get("/v1/usage", summary="Show usage", **documented("api", more=_MISSING, ok=wire.UsageAnswer))
async def show_usage(request: Request, asked: Annotated[wire.UsageQuery, Query()], call: _Admitted) -> Response:
    """What the owner's keys used, by day, product, model or key; as an admin, everybody's, also by owner."""
    whose, by, (since, until) = _owner(call, asked.owner), asked.told_by(), asked.days()
    if asked.key:
        await _visible(request, call, asked.key)
    rows = await _asked(
        usage, request.app.state.database, owner=whose, key_id=asked.key or None, since=since, until=until, by=by
    )
    return json_answer({"since": since, "until": until} | wire.usage_rows(rows, by))


@router.get("/v1/entries", summary="Show a statement", **documented("api", more=_MISSING, ok=wire.Statement))
async def statement(
    request: Request,
    call: _Admitted,
    key: Annotated[str | None, Query(description="Id of a key: the one that asks, unless it is given.")] = None,
    limit: _Limit = _LISTED,
    after: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="That of the answer before.")] = None,
) -> Response:
    """What was added to the balance of a key, and taken from it, the newest first."""
    found = await _visible(request, call, key or _caller(call).key_id)
    posted = await _asked(entries, request.app.state.database, found.id, limit=limit + 1, before=after)
    last = posted[limit - 1].number if len(posted) > limit else None
    return json_answer({"key": found.id, "data": list(map(wire.entry_body, posted[:limit])), "after": last})


async def _visible(request: Request, call: Call, key_id: str) -> Key:
    """A key that the caller may see.

    Raises:
        Problem: 404, there is none of this id, or it is another owner's.
    """
    key = await _asked(_keys(request).get, key_id)
    caller = _caller(call)
    if key.owner != caller.owner and not caller.is_admin:
        raise _not_found()
    return key


async def _asked(ask: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What the database answers.

    Raises:
        Problem: 404, there is no such key.
    """
    try:
        return await asyncio.to_thread(ask, *arguments, **named)
    except UnknownNameError as error:
        raise _not_found() from error


def _owner(call: Call, asked: str | None) -> str | None:
    """Whose keys and usage a request is about; None for everybody's.

    Raises:
        Problem: 403, another's than the caller's, who is no admin.
    """
    caller = _caller(call)
    if not caller.is_admin and asked in (None, "", caller.owner):
        return caller.owner
    _check_admin(call)
    return asked or None


def _check_admin(call: Call) -> None:
    if not _caller(call).is_admin:
        raise problem(403, "This takes the key of an admin.", code="AUTHZ_ADMIN_REQUIRED")


def _check_tier(request: Request, tier: str) -> None:
    settings: ServiceSettings = request.app.state.settings
    known = [name for name in settings.tiers if name != "none"]
    if tier not in known:
        raise invalid("body -> tier", f"Input should be one of {', '.join(known)}.", kind="enum", given=tier)


def _reference(call: Call, name: str | None) -> str:
    """The reference of an entry, which another caller's of the same name is not."""
    return f"{_caller(call).key_id}:{name}" if name else ""


def _caller(call: Call) -> Caller:
    assert call.caller is not None  # noqa: S101 (who has a key is known)
    return call.caller


def _keys(request: Request) -> Keys:
    return Keys(request.app.state.database)


def _not_found() -> Problem:
    return problem(404, "There is no such key, or it is another owner's.")
