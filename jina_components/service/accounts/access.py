"""Who may ask: those with a key, within the limits of its tier, while it has balance."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from ipaddress import ip_address, ip_network

from starlette.requests import HTTPConnection

from jina_components.service.accounts.charges import Charges
from jina_components.service.accounts.entries import Entry
from jina_components.service.accounts.keys import Key, Keys
from jina_components.service.accounts.known import KnownKeys
from jina_components.service.calls import Call, Caller, Permit
from jina_components.service.database import Database
from jina_components.service.errors import SORTS, Problem, problem
from jina_components.service.limits.limiter import Limiter, LimitError, Pass, What
from jina_components.service.limits.storage import make_storage
from jina_components.service.limits.tiers import NO_KEY, OWNED, Rate
from jina_components.service.names import plain_name
from jina_components.service.products import Product
from jina_components.service.settings import ServiceSettings

logger = logging.getLogger(__name__)

# Products whose tokens are charged when they are answered; those of a batch are by its worker. Usage counts their
# requests, those that make batches and those of the segmenter, which is free; looking at something is none.
_CHARGED: frozenset[Product] = frozenset(
    {"embeddings", "rerank", "classify", "train", "deepsearch", "reader", "search", "grounding"}
)
_CHARGED_LATER: frozenset[Product] = frozenset({"batch", "finetune"})
_UNLIMITED = Rate()
# Wrong keys of an address that are told to be wrong.
_WRONG = Rate(requests=30)
# Bits of an IPv6 address that are one customer's; the rest is theirs to choose.
_SITE = 64

_CODES: dict[What, str] = {
    "requests": "RATE_REQUEST_LIMIT_EXCEEDED", "tokens": "RATE_TOKEN_LIMIT_EXCEEDED",
    "concurrent": "RATE_CONCURRENCY_LIMIT_EXCEEDED",
}  # fmt: skip
_OF_ADDRESS = "RATE_IP_LIMIT_EXCEEDED"
_UNITS: dict[What, str] = {
    "requests": "requests a minute", "tokens": "tokens a minute", "concurrent": "requests at once",
}  # fmt: skip


class KeyAccess:
    """Lets in who has a key, and who has none for what is open to addresses.

    Args:
        database: Of the keys and their ledger.
        settings: Those of the service.
        clock: Seconds since 1970.

    Raises:
        ConfigError: the URL for limits is none.
        MissingDependencyError: the client of Redis is not installed.
    """

    needs_keys = True

    def __init__(
        self, database: Database, settings: ServiceSettings, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._tiers = settings.tiers
        self._clock = clock
        self._known = KnownKeys(Keys(database))
        self._charges = Charges(database)
        self._limiter = Limiter(make_storage(settings.limits_url), clock)
        self._told: set[str] = set()

    async def admit(self, key: str | None, product: Product, request: HTTPConnection) -> Permit:
        """Let a request in. Raises as `Access.admit`, and Problem 503 where the database or the limits fail."""
        if key is None:
            return await self._admit_address(product, request)
        found = await self._checked(key, request)
        rate = self._rate(found, product)
        costs = product in _CHARGED or (product in _CHARGED_LATER and request.scope["method"] == "POST")
        if costs and found.balance <= 0:
            told = f"The balance of key {found.id} is used up: have it granted tokens, or use another."
            raise problem(402 if _family(request) in ("rpc", "deepsearch") else 403, told, code=SORTS[402].code)
        try:
            held = await self._limiter.admit(found.id, product, rate, _size(request))
        except LimitError as reached:
            told = f"Key {found.id} may have {reached.limit} {_UNITS[reached.what]} for {product}"
            raise self._too_many(reached, _CODES[reached.what], told, request) from None
        caller = Caller(found.owner, found.id, found.is_admin)
        if not costs and product != "segment":
            return FreePermit(held, caller)
        permit = ChargedPermit(held, caller, self._charges, self._known)
        self._charges.expect(permit)
        return permit

    async def open(self) -> None:
        """Make the database and the limits ready.

        Raises:
            ConfigError: one of them cannot be used.
            MissingDependencyError: there is no driver for it.
        """
        await self._charges.open()
        await self._limiter.open()

    async def close(self) -> None:
        """Write down what is left, and disconnect."""
        await self._charges.close()
        await self._known.close()
        await self._limiter.close()

    async def _admit_address(self, product: Product, request: HTTPConnection) -> Permit:
        tier = self._tiers.get(NO_KEY)
        rate = None if tier is None or product in OWNED else tier.rates.get(product, _UNLIMITED)
        if rate is None:
            raise _unauthorized("AUTH_MISSING_API_KEY", "This takes a key: send it as Authorization: Bearer KEY.")
        name = _address(request)
        try:
            held = await self._limiter.admit(name, product, rate, _size(request))
        except LimitError as reached:
            told = f"Without a key, an address may have {reached.limit} {_UNITS[reached.what]} for {product}"
            raise self._too_many(reached, _OF_ADDRESS, told, request) from None
        return FreePermit(held, Caller(name))

    async def _checked(self, secret: str, request: HTTPConnection) -> Key:
        """The good key that a secret is of. Wrong ones count against an address, which never stops the right ones."""
        if any(map(str.isspace, secret)):
            told = "The header Authorization must be Bearer KEY, or the bare key."
            raise _unauthorized("AUTH_INVALID_FORMAT", told)
        found = await self._known.find(secret)
        if found is not None and found.revoked_at is None:
            return found
        try:
            (await self._limiter.admit(_address(request), "wrong keys", _WRONG)).release()
        except LimitError as reached:
            told = f"Your address sent more than {reached.limit} wrong keys a minute: check the key"
            raise self._too_many(reached, _OF_ADDRESS, told, request) from None
        told = "There is no such key, or it was revoked: check it, or ask for another."
        raise _unauthorized("AUTH_INVALID_API_KEY", told, name="AuthenticationFailedError")

    def _rate(self, key: Key, product: Product) -> Rate:
        tier = self._tiers.get(key.tier)
        if tier is None and product == "account":  # where a key's tier can be seen, and changed
            return _UNLIMITED
        if tier is None:
            if key.id not in self._told:
                self._told.add(key.id)
                logger.warning("Key %s is refused: its tier %r is none of the service.", key.id, key.tier)
            told = f"The service has no tier {key.tier!r}, which key {key.id} is of: ask who runs it for another tier."
            raise problem(403, told)
        rate = tier.rates.get(product, _UNLIMITED)
        if rate is None:
            raise problem(403, f"Keys of tier {key.tier!r} may not use {product}: ask for another tier.")
        return rate

    def _too_many(self, reached: LimitError, code: str, told: str, request: HTTPConnection) -> Problem:
        seconds, fields = reached.seconds, {}
        if _family(request) == "rpc":
            date = datetime.fromtimestamp(self._clock() + seconds, UTC).isoformat(timespec="milliseconds")
            fields = {"retryAfter": seconds, "retryAfterDate": date.replace("+00:00", "Z")}
        headers = {**reached.headers, "Retry-After": str(seconds)}
        return problem(429, f"{told}: come again in {seconds} s.", code=code, headers=headers, fields=fields)


@dataclass(slots=True, eq=False)
class FreePermit:
    """Of a caller that is limited, and not charged."""

    held: Pass
    caller: Caller

    def headers(self) -> Mapping[str, str]:
        """What is left of the limits."""
        return self.held.meter.headers()

    async def settle(self, call: Call) -> None:
        """Count the tokens that it cost."""
        self.held.settle(call.tokens)

    async def release(self) -> None:
        """Give back what it held."""
        self.held.release()


@dataclass(slots=True, eq=False)
class ChargedPermit(FreePermit):
    """Of a caller with a key, to which usage is counted."""

    charges: Charges
    known: KnownKeys

    async def settle(self, call: Call) -> None:
        """Charge the key, and count the tokens that it cost. Raises as `Permit.settle`."""
        self.charges.forget(self)
        cost = call.tokens if call.product in _CHARGED else 0
        await self.charges.add(
            Entry(
                reference=call.request_id,
                key_id=self.caller.key_id,
                kind="charge",
                tokens=-cost,
                product=call.product,
                model=plain_name(call.model),
                requests=1,
                items=call.items,
            )
        )
        self.known.spent(self.caller.key_id, cost)
        self.held.settle(call.tokens)

    async def release(self) -> None:
        """Give back what it held."""
        self.charges.forget(self)
        self.held.release()


def _unauthorized(code: str, told: str, name: str = "") -> Problem:
    return problem(401, told, code=code, name=name, headers={"WWW-Authenticate": "Bearer"})


def _family(request: HTTPConnection) -> str:
    family: str = request.scope["state"].get("family", "api")
    return family


def _size(request: HTTPConnection) -> int | None:
    """Bytes of the body; None of one that came in pieces."""
    headers = request.headers
    return None if "transfer-encoding" in headers else int(headers.get("content-length", 0))


def _address(request: HTTPConnection) -> str:
    return _named(request.client.host if request.client else "")


@lru_cache(maxsize=4096)
def _named(host: str) -> str:
    """A name of who is behind an address, that does not tell it in a database or a log."""
    try:
        address = ip_address(host)
    except ValueError:  # of a Unix socket
        site = host
    else:
        address = getattr(address, "ipv4_mapped", None) or address
        site = str(address if address.version == 4 else ip_network((address, _SITE), strict=False))
    return f"address-{blake2b(site.encode(), digest_size=16).hexdigest()}"
