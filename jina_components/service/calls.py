"""What is known of a request while it is answered, and who may ask."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal, Protocol, TypeAlias

from starlette.requests import HTTPConnection, Request

Product: TypeAlias = Literal[
    "embeddings", "rerank", "classify", "train", "segment", "batch", "models", "deepsearch", "reader", "search",
    "grounding", "service",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        owner: Whose classifiers and batches these are; never a key itself.
    """

    owner: str


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
        caller: Who asked; None before that is known.
    """

    request_id: str = field(default_factory=lambda: f"{random.getrandbits(128):032x}")
    product: Product = "service"
    model: str = ""
    items: int = 0
    tokens: int = 0
    code: str = ""
    caller: Caller | None = None

    @property
    def owner(self) -> str:
        """Whose classifiers and batches the request is about."""
        return self.caller.owner if self.caller else ""


class Access(Protocol):
    """Who may ask for what; see `OpenAccess`."""

    @property
    def needs_keys(self) -> bool:
        """Whether strangers are refused, so that a server may listen on more than the loopback interface."""
        ...

    async def admit(self, key: str | None, product: Product, request: HTTPConnection) -> Caller:
        """Who holds this key.

        Raises:
            Problem: 401 without a key or with a wrong one, 403 or 402 without balance, 429 over a limit.
        """
        ...


class OpenAccess:
    """Everybody may ask for everything. A key is taken for a name: what is made with one is seen with it alone."""

    needs_keys = False

    async def admit(self, key: str | None, product: Product, request: HTTPConnection) -> Caller:  # noqa: ARG002
        """The caller that calls itself so."""
        return Caller("anyone" if key is None else f"key-{blake2b(key.encode(), digest_size=16).hexdigest()}")


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
        call.caller = await access.admit(key_of(request), product, request)
        return call

    return admit
