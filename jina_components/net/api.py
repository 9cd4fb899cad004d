"""Calling a JSON API at an address that the caller configured."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime
from json import dumps, loads
from typing import Any, TypeAlias

import httpx

from jina_components.core.inputs import is_finite_number
from jina_components.errors import ConfigError, HTTPStatusError, InputError, WebError
from jina_components.net.body import ACCEPT_ENCODING
from jina_components.net.client import CONNECT_SECONDS, DEFAULT_USER_AGENT
from jina_components.net.events import as_web_errors, open_events
from jina_components.net.exchange import Fetched, exchange
from jina_components.net.headers import checked, is_sound
from jina_components.net.retry import retry_after
from jina_components.net.transport import Connected, Connections
from jina_components.types import shorten

Params: TypeAlias = Mapping[str, str | int | Sequence[str]]

_API_KEY = re.compile(r"[!-~]+")
_HEADER_NAME = re.compile(r"[a-z0-9-]+")
_MAX_WORDS = 4000


class ApiStatusError(HTTPStatusError):
    """An API answered with an error status.

    Attributes:
        words: The beginning of what it says about that, as it came: up to 4,000 characters.
    """

    words = ""


class ApiClient(Connected):
    """Calls an API that computes or looks up (embeddings, reranking, chat, search) and returns its JSON.

    The URL guard does not apply: the caller chose the address, and `http://localhost:8000` is a good choice.
    Never pass an address that somebody else wrote. Redirects are not followed: the key would go along.
    Proxies of the environment are not used.

    Args:
        base_url: Where the API begins, such as `https://api.example.com/v1`.
        api_key: Sent as a bearer token, or bare in `auth_header`; shown in no repr and no error.
        auth_header: The header that carries the key, such as `X-API-KEY`.
        timeout: Seconds for a whole call, retries and waits included.
        retries: Further attempts on lost connections and on 429, 502, 503 and 504 (see `with_retries`).
            Such endpoints change nothing, so a repeated POST is safe.
        max_bytes: Limit of a response.
        user_agent: Name under which the server is called.

    Raises:
        ConfigError: the URL, the key, its header, the name or a limit makes no sense.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        auth_header: str = "authorization",
        timeout: float = 60.0,
        retries: int = 2,
        max_bytes: int = 200_000_000,
        user_agent: str = DEFAULT_USER_AGENT,
    ) -> None:
        if not is_finite_number(timeout) or min(timeout, max_bytes) <= 0 or retries < 0:
            raise ConfigError("timeout and max_bytes must be positive, retries not negative.")
        if api_key is not None and not _API_KEY.fullmatch(api_key):
            raise ConfigError("api_key must be printable ASCII without spaces; was a line end copied along?")
        if not _HEADER_NAME.fullmatch(auth_header.lower()):
            raise ConfigError(f"auth_header must be the name of a header, got {auth_header!r}.")
        if not isinstance(user_agent, str) or not user_agent or not is_sound(user_agent):
            raise ConfigError(f"user_agent must be printable ASCII without spaces around, got {user_agent!r}.")
        self.base_url = _checked_base(base_url)
        self.timeout = timeout
        self.retries = retries
        self.max_bytes = max_bytes
        self.user_agent = user_agent
        self.auth_header = auth_header.lower()
        self._api_key = api_key
        self._connections = Connections(httpx.AsyncHTTPTransport)

    def __repr__(self) -> str:
        return f"ApiClient({self.base_url!r}, api_key={'***' if self._api_key else None})"

    async def post(
        self, path: str, json: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The JSON object with which `path` under the base URL answers `json`.

        Args:
            path: What follows the base URL.
            json: The body.
            headers: Further request headers.

        Raises:
            InputError: `json` holds something that is not JSON, or `path` or a header is malformed.
            ApiStatusError: an error status; the message quotes what the server says about it.
            FetchTimeoutError: not complete within `timeout`.
            ContentTooLargeError: the response exceeds `max_bytes`.
            WebError: no connection, or an answer that is no JSON object.
        """
        sent = {"content-type": "application/json", **(headers or {})}
        return _object(await self._answer(self._request("POST", path, headers=sent, content=_encoded(path, json))))

    async def stream(
        self, path: str, json: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[str, None]:
        """The data of the server-sent events with which `path` answers `json`, as they come.

        An answer of JSON, from a server that does not stream, is one event. `timeout` bounds the time until the first
        bytes, retries included, and then the time from one event to the next. What has begun is not tried again.
        Closing the generator closes the connection.

        Args:
            path: What follows the base URL.
            json: The body.
            headers: Further request headers.

        Raises:
            InputError, ApiStatusError, FetchTimeoutError, ContentTooLargeError, WebError: as `post`, the last also
                where the connection is lost in the middle.
        """
        sent = {"content-type": "application/json", "accept": "text/event-stream", **(headers or {})}
        request = self._request("POST", path, headers=sent, content=_encoded(path, json), unpacked=True)
        opened = await open_events(
            await self._connections.transport(),
            request,
            deadline=asyncio.get_running_loop().time() + self.timeout,
            retries=self.retries,
            max_bytes=self.max_bytes,
        )
        if isinstance(opened, Fetched):
            raise self._failure(opened)
        try:
            while True:
                with as_web_errors(str(request.url), late="sent nothing more"):
                    async with asyncio.timeout(self.timeout):
                        data = await opened.next_data()
                if data is None:
                    return
                yield data
        finally:
            await opened.aclose()

    async def get(
        self, path: str, *, params: Params | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The JSON object behind `path` under the base URL.

        Args:
            path: What follows the base URL.
            params: The query; a sequence gives its name several times. No secrets: errors show the URL.
            headers: Further request headers.

        Raises:
            InputError: `path` or a header is malformed.
            ApiStatusError, FetchTimeoutError, ContentTooLargeError, WebError: as `post`.
        """
        return _object(await self._answer(self._request("GET", path, headers=headers or {}, params=params or {})))

    async def get_bytes(
        self, path: str, *, params: Params | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """The body behind `path`, for an API that answers in another form than JSON; else like `get`."""
        return (await self.get_response(path, params=params, headers=headers)).content

    async def get_response(
        self, path: str, *, params: Params | None = None, headers: Mapping[str, str] | None = None
    ) -> Fetched:
        """The body behind `path` with its headers, for an API that answers in various forms; else like `get`."""
        sent = {"accept": "*/*", **(headers or {})}
        return await self._answer(self._request("GET", path, headers=sent, params=params or {}))

    def _request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        params: Params | None = None,
        content: bytes = b"",
        unpacked: bool = False,
    ) -> httpx.Request:
        try:
            url = httpx.URL(f"{self.base_url}/{path.lstrip('/')}")
        except (ValueError, httpx.InvalidURL) as error:
            raise InputError(f"{path!r} is not the path of a URL: {error}.") from error
        sent = {"accept": "application/json", "user-agent": self.user_agent, **checked(headers)}
        sent["accept-encoding"] = "identity" if unpacked else ACCEPT_ENCODING
        if self._api_key:
            bearer = self.auth_header == "authorization"
            sent[self.auth_header] = f"Bearer {self._api_key}" if bearer else self._api_key
        return httpx.Request(
            method,
            url.copy_merge_params(params) if params else url,
            headers=sent,
            content=content or None,
            extensions={"timeout": {"connect": min(CONNECT_SECONDS, self.timeout)}},
        )

    async def _answer(self, request: httpx.Request) -> Fetched:
        answer = await exchange(
            await self._connections.transport(),
            request,
            deadline=asyncio.get_running_loop().time() + self.timeout,
            retries=self.retries,
            max_bytes=self.max_bytes,
        )
        if not 200 <= answer.status_code < 300:
            raise self._failure(answer)
        return answer

    def _failure(self, answer: Fetched) -> ApiStatusError:
        text, status = self._without_key(_server_text(answer)), answer.status_code
        says = f": {shorten(text, 300)}" if text else ""
        message = f"{answer.url} answered with status {status}{says} ({_remedy(status)})."
        error = ApiStatusError(message, answer.url, status, retry_after(answer.headers, now=datetime.now(UTC)))
        error.words = self._without_key(answer.content.decode("utf-8", "replace"))[:_MAX_WORDS]
        return error

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "***") if self._api_key else text


def _checked_base(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ConfigError(f"base_url is not a valid URL: {error}.") from error
    if url.scheme not in ("http", "https") or not url.raw_host or url.userinfo or url.query or url.fragment:
        raise ConfigError("base_url must be http(s)://host[:port][/path]; credentials go into api_key.")
    return str(url).rstrip("/")


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "check api_key"
    if 300 <= status < 400:
        return "a redirect, which is not followed; set base_url to where the API is"
    return "try again later" if status == 429 or status >= 500 else "check base_url and the request"


def _server_text(answer: Fetched) -> str:
    """What is wrong: FastAPI's `detail`, OpenAI's `error.message`, Cohere's `message`, or the whole body."""
    if location := answer.headers.get("location"):
        return f"to {location}"
    body = _json(answer.content)
    if not isinstance(body, dict):
        return answer.content.decode("utf-8", "replace")
    error = body.get("error")
    nested = error.get("message") if isinstance(error, dict) else error
    text = body.get("detail") or nested or body.get("message") or body
    return text if isinstance(text, str) else dumps(text, ensure_ascii=False)


def _encoded(path: str, json: Mapping[str, Any]) -> bytes:
    try:
        return dumps(json, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"What goes to {path!r} must be JSON: {error}.") from error


def _object(answer: Fetched) -> dict[str, Any]:
    body = _json(answer.content)
    if not isinstance(body, dict):
        raise WebError(f"{answer.url} did not answer with a JSON object; check base_url.", answer.url)
    return body


def _json(content: bytes) -> object:
    try:
        return loads(content)
    except (ValueError, RecursionError):
        return None
