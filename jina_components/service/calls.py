"""What is known of a request while it is answered, and who may ask."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

from starlette.requests import HTTPConnection, Request

from jina_components.service.products import Product

OWNER: ContextVar[str] = ContextVar("owner", default="")
"""Whose models may be asked for besides everybody's, where a request or a batch is worked on; empty for nobody's."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        owner: Whose classifiers, batches and usage these are; never a key itself.
        key_id: The name of the key, which is no secret; empty where there is none.
        is_admin: Whether they may manage the keys of others.
    """

    owner: str
    key_id: str = ""
    is_admin: bool = False


class Permit(Protocol):
    """What a request was let in with, for as long as it is answered."""

    @property
    def caller(self) -> Caller:
        """Who asks."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Headers of the answer: what remains of the caller's limits."""
        ...

    async def settle(self, call: Call) -> None:
        """Charge what the call cost; it is on the disk at the return. Called once, if the call got a result.

        Raises:
            Problem: 503, it cannot be written down, so that there can be no answer.
        """
        ...

    async def release(self) -> None:
        """Give back what the request held of limits. Called once, at the end, whatever became of it."""
        ...


@dataclass(slots=True)
class Call:
    """A request, for its log line, metrics and spans. Routes fill in what they come to know.

    Attributes:
        request_id: 32 hexadecimal digits; a name, no secret.
        product: What was asked for.
        model: The model's name as the client wrote it; only after it was found, so that logs hold no stranger's text.
        items: Inputs, documents or pages.
        tokens: Those to be charged.
        code: Of a failure, its code or name.
        permit: What it was let in with; None before that, or where everybody may ask.
    """

    request_id: str = field(default_factory=lambda: secrets.token_hex(16))
    product: Product = "service"
    model: str = ""
    items: int = 0
    tokens: int = 0
    code: str = ""
    permit: Permit | None = None
    _is_settled: bool = False

    @property
    def caller(self) -> Caller | None:
        """Who asks; None before that is known."""
        return self.permit.caller if self.permit else None

    @property
    def owner(self) -> str:
        """Whose classifiers and batches the request is about."""
        return self.permit.caller.owner if self.permit else ""

    async def settle(self) -> None:
        """Charge the call, once. Streams call it before the event that tells their usage, others need not."""
        if self.permit is not None and not self._is_settled:
            self._is_settled = True
            await self.permit.settle(self)


class Access(Protocol):
    """Who may ask for what; see `OpenAccess`. Opened and closed with the application."""

    @property
    def needs_keys(self) -> bool:
        """Whether strangers are refused, so that a server may listen on more than the loopback interface."""
        ...

    async def admit(self, key: str | None, product: Product, request: HTTPConnection) -> Permit:
        """Let a request in.

        Raises:
            Problem: 401 without a key or with a wrong one, 403 or 402 without balance, 429 over a limit.
        """
        ...

    async def open(self) -> None:
        """Make ready; requests come after this."""
        ...

    async def close(self) -> None:
        """Write down what is left, and give back what was opened; no request comes after this."""
        ...


@dataclass(frozen=True, slots=True)
class OpenPermit:
    """Costs nothing and holds nothing."""

    caller: Caller

    def headers(self) -> Mapping[str, str]:
        """None."""
        return {}

    async def settle(self, call: Call) -> None:
        """Nothing is charged."""

    async def release(self) -> None:
        """Nothing is held."""


class OpenAccess:
    """Everybody may ask for everything. A key is taken for a name: what is made with one is seen with it alone."""

    needs_keys = False

    async def admit(self, key: str | None, product: Product, request: HTTPConnection) -> Permit:  # noqa: ARG002
        """The caller that calls itself so."""
        name = "anyone" if key is None else f"key-{blake2b(key.encode(), digest_size=16).hexdigest()}"
        return OpenPermit(Caller(name))

    async def open(self) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""


def call_of(request: HTTPConnection) -> Call:
    """The call that a request is."""
    call: Call = request.scope["state"]["call"]
    return call


def key_of(request: HTTPConnection) -> str | None:
    """The key that a request carries: `Authorization: Bearer KEY`, or the bare key as some clients send it."""
    given = request.headers.get("authorization", "").strip()
    scheme, _, key = given.partition(" ")
    return (key.strip() if scheme.lower() == "bearer" else given) or None


def admitted(product: Product) -> Callable[[Request], Coroutine[Any, Any, Call]]:
    """Dependency of a route: its call, once the caller is known to be allowed the product."""

    async def admit(request: Request) -> Call:
        call = call_of(request)
        call.product = product
        access: Access = request.app.state.access
        call.permit = await access.admit(key_of(request), product, request)
        OWNER.set(call.owner)
        return call

    return admit
