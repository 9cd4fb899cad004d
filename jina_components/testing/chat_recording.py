"""Conversations with a real chat server, kept in a file of JSON lines and served from it."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jina_components.core.background import run_sync
from jina_components.errors import ReadError, WebError
from jina_components.net.api import ApiClient, ApiStatusError
from jina_components.testing.chat_wire import ScriptedReply
from jina_components.types import shorten

_NOT_OF_THE_CONTENT = frozenset({"stream", "stream_options"})


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a server answered, whether it was to stream it or not: a completion."""

    completion: Mapping[str, Any]


class Recorder:
    """Passes requests on to a server and keeps them with their answers; a file that is there is replaced.

    Kept are bodies alone, no headers and so no keys. Streams are asked for whole.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, upstream: str, api_key: str | None = None, timeout: float = 120.0
    ) -> None:
        self._path = Path(path)
        self._api = ApiClient(upstream, api_key=api_key, timeout=timeout, retries=0)
        self._lock = threading.Lock()
        self._is_begun = False

    def answer(self, request: Mapping[str, Any]) -> Recorded | ScriptedReply:
        """The upstream's answer; it is in the file when this returns, unless there was none."""
        asked = _content(request)
        try:
            body = run_sync(self._api.post("chat/completions", asked))
        except ApiStatusError as error:
            status, wait = error.status_code, error.retry_after
            self._keep({"request": asked, "status": status, "retry_after": wait, "body": error.words})
            return ScriptedReply(status=status, retry_after=wait, body=error.words)
        except WebError as error:
            return ScriptedReply(status=502, message=f"Nothing was recorded: {error}")
        self._keep({"request": asked, "response": body})
        return _served(body)

    def close(self) -> None:
        """Close the connections."""
        run_sync(self._api.aclose())

    def _keep(self, exchanged: Mapping[str, Any]) -> None:
        try:
            with self._lock, self._path.open("a" if self._is_begun else "w", encoding="utf-8") as file:
                file.write(json.dumps(exchanged) + "\n")
                self._is_begun = True
        except OSError as error:
            raise ReadError(f"{self._path} cannot be written ({error}).", str(self._path)) from error


class Recording:
    """What a `Recorder` has kept: the n-th time that a request comes, its n-th answer."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._times: Counter[str] = Counter()
        self._answers: dict[str, list[Recorded | ScriptedReply]] | None = None

    def answer(self, request: Mapping[str, Any]) -> Recorded | ScriptedReply:
        """The answer that was recorded; else an error 404 that names what was asked."""
        key = _key(request)
        with self._lock:
            if self._answers is None:
                self._answers = self._read()
            time = self._times[key]
            self._times[key] += 1
        known = self._answers.get(key, [])
        if time < len(known):
            return known[time]
        times = f"is recorded {len(known)} times and asked for once more" if known else "is not recorded"
        message = f"{_shown(request)} {times} in {self._path}: record it again."
        return ScriptedReply(status=404, code="not_recorded", message=message)

    def close(self) -> None:
        """Nothing is open."""

    def _read(self) -> dict[str, list[Recorded | ScriptedReply]]:
        answers: dict[str, list[Recorded | ScriptedReply]] = defaultdict(list)
        number = 0
        try:
            for line in self._path.read_text(encoding="utf-8").split("\n"):
                number += 1
                if not line:
                    continue
                exchanged = json.loads(line)
                answers[_key(exchanged.pop("request"))].append(
                    _served(exchanged["response"]) if "response" in exchanged else ScriptedReply(**exchanged)
                )
        except OSError as error:
            raise ReadError(f"{self._path} cannot be read ({error}).", str(self._path)) from error
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise ReadError(
                f"{self._path} is no recording of a chat server (line {number}); record it again.", str(self._path)
            ) from error
        return answers


def _served(body: dict[str, Any]) -> Recorded | ScriptedReply:
    """A completion; what else a server answered with status 200 is served as it is."""
    try:
        is_completion = isinstance(body["choices"][0]["message"], dict)
    except (LookupError, TypeError):
        is_completion = False
    return (
        Recorded({"id": "", "created": 0, "model": "", **body})
        if is_completion
        else ScriptedReply(body=json.dumps(body))
    )


def _content(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in _NOT_OF_THE_CONTENT}


def _key(request: Mapping[str, Any]) -> str:
    return json.dumps(_content(request), sort_keys=True)


def _shown(request: Mapping[str, Any]) -> str:
    last = (request.get("messages") or [{}])[-1].get("content")
    return f"The request to {request.get('model')!r} that ends with {shorten(str(last), 120)!r}"
