"""A chat server that answers by a script, over real HTTP."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

from jina_components.errors import ConfigError
from jina_components.testing.chat_recording import Recorded, Recorder, Recording
from jina_components.testing.chat_wire import Scripted, ScriptedReply, as_reply, chunks, completion, error_body

Script: TypeAlias = Sequence[Scripted] | Callable[[Mapping[str, Any]], Scripted]

_PATH = "/v1/chat/completions"
_MAX_BYTES = 100_000_000


class _Answers(Protocol):
    def answer(self, request: Mapping[str, Any]) -> Recorded | ScriptedReply: ...
    def close(self) -> None: ...


class ScriptedChatServer:
    """A server of OpenAI's chat-completions wire on the loopback interface, which says what it was told to say.

    It answers `POST /v1/chat/completions`, whole or as a stream, and `GET /v1/models`, to several clients at a time.
    Tokens are counted by words. It runs within a `with` statement; at its end the connections that are still open are
    cut, and what a script's function has raised is raised, or noted at the error that is on its way.

    Args:
        script: What to say: a list, a reply a request in the order in which they come; or a function of the request's
            body. A reply is a text, an object to be sent as JSON text, or a `ScriptedReply` for what goes wrong.
        model: The name that requests must give.
        response_formats: Types of `response_format` that it knows; others are answered with status 400, and take no
            reply of a list.

    Attributes:
        requests: The bodies of the requests so far.

    Raises:
        ConfigError: `script` is one text.

    Example:
        >>> script = [ScriptedReply(status=429, retry_after=0.1), "Hello!"]
        >>> with ScriptedChatServer(script) as server:
        ...     chat = OpenAIChat("scripted", base_url=server.base_url)
        ...     print(chat.chat([ChatMessage("user", "Say hello.")]).text, len(server.requests))
        ...     chat.close()
        Hello! 2

        A `DeepSearchAgent` asks for several forms of reply, so its script is a function, which tells them apart by the
        properties that are asked for: `action` is a decision what to do, `passed` a verdict on a draft.

        >>> def script(request):
        ...     asked = request["response_format"]["json_schema"]["schema"]["properties"]
        ...     if "action" not in asked:
        ...         replies = {"queries": [], "reason": "", "passed": True, "plan": ""}
        ...         return {name: replies.get(name, False) for name in asked}
        ...     if "Searched for" not in str(request["messages"]):
        ...         return {"think": "I look.", "action": "search", "queries": [{"text": "tides"}]}
        ...     return {"think": "I know.", "action": "answer", "answer": "The moon causes the tides."}
        >>> with ScriptedChatServer(script) as server:
        ...     chat = OpenAIChat("scripted", base_url=server.base_url)
        ...     answer = DeepSearchAgent(retriever, chat=chat).run("What causes the tides?")
        ...     print(answer.text, answer.ended, answer.warnings)
        ...     chat.close()
        The moon causes the tides.[^1] answered ()
    """

    def __init__(
        self,
        script: Script,
        *,
        model: str = "scripted",
        response_formats: Iterable[str] = ("json_object", "json_schema"),
    ) -> None:
        if isinstance(script, str | Mapping | ScriptedReply):
            raise ConfigError(f"script must be a list or a function, got {type(script).__name__}: put it in a list.")
        self.requests: list[dict[str, Any]] = []
        self._answers: _Answers = _Script(script, model, frozenset({"text", *response_formats}))
        self._models = [model]
        self._server: _Server | None = None

    @classmethod
    def record(
        cls, path: str | os.PathLike[str], *, upstream: str, api_key: str | None = None, timeout: float = 120.0
    ) -> Self:
        """A server that passes each request on to another one and keeps both sides in a file, for `replay`.

        Args:
            path: The file, of JSON lines; one that is there is replaced. Keys are not kept.
            upstream: Where the API of the other server begins, such as `https://api.openai.com/v1`.
            api_key: Bearer token for it.
            timeout: Seconds for each of its answers.

        Raises:
            ConfigError: the address, the key or the timeout makes no sense.
        """
        return cls._answering(Recorder(path, upstream=upstream, api_key=api_key, timeout=timeout))

    @classmethod
    def replay(cls, path: str | os.PathLike[str]) -> Self:
        """A server of what `record` kept: the n-th time that a request comes, its n-th answer.

        Requests count as the same where their bodies are, but for `stream`. One that was not recorded is answered with
        status 404 and what was asked. A file that cannot be read raises ReadError at the end.
        """
        return cls._answering(Recording(path))

    @classmethod
    def _answering(cls, answers: _Answers) -> Self:
        made = cls([])
        made._answers, made._models = answers, []
        return made

    @property
    def base_url(self) -> str:
        """Where the API begins, with `/v1`.

        Raises:
            ConfigError: it is not running.
        """
        return f"http://127.0.0.1:{self._running().server_address[1]}/v1"

    def __enter__(self) -> Self:
        if self._server is not None:
            raise ConfigError("The server is running already.")
        self._server = _Server(self._answers, self.requests, self._models)
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        server, self._server = self._running(), None
        server.stop()
        self._answers.close()
        if server.failure is not None and error is not None:
            error.add_note(f"The script of the chat server had failed: {server.failure!r}")
        elif server.failure is not None:
            raise server.failure

    def _running(self) -> _Server:
        if self._server is None:
            raise ConfigError("The server runs within `with ScriptedChatServer(...) as server:` only.")
        return self._server

    def __repr__(self) -> str:
        where = self.base_url if self._server else "not running"
        return f"ScriptedChatServer({where}, {len(self.requests)} requests)"


class _Script:
    """The answers of a list or a function."""

    def __init__(self, script: Script, model: str, response_formats: frozenset[str]) -> None:
        self._script = script
        self._model = model
        self._response_formats = response_formats
        self._lock = threading.Lock()
        self._next = 0

    def answer(self, request: Mapping[str, Any]) -> ScriptedReply:
        if request.get("model") != self._model:
            message = f"The model {request.get('model')!r} does not exist; {self._model!r} does."
            return ScriptedReply(status=404, message=message)
        wanted = (request.get("response_format") or {}).get("type", "text")
        if wanted not in self._response_formats:
            return ScriptedReply(status=400, message=f"response_format of type {wanted!r} is not supported.")
        if callable(self._script):
            return as_reply(self._script(request))
        with self._lock:
            number, self._next = self._next, self._next + 1
        if number < len(self._script):
            return as_reply(self._script[number])
        message = f"The script has {len(self._script)} replies, and is asked for one more."
        return ScriptedReply(status=400, code="end_of_script", message=message)

    def close(self) -> None:
        """Nothing is open."""


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A thread a connection, all of which end with `stop`."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, answers: _Answers, requests: list[dict[str, Any]], models: Sequence[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.requests = requests
        self.models = models
        self.stopping = threading.Event()
        self.failure: Exception | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="scripted-chat-server")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        with self._lock:
            left = list(self._open)
        for connection in left:
            with suppress(OSError):  # closed in this moment
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (as the base class)
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 (as the base class)
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 (as the base class)
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, OSError):  # such is a client that went away
            self.failure = self.failure or error

    def answer(self, request: dict[str, Any]) -> tuple[int, Recorded | ScriptedReply]:
        """The number of a request, and the answer to it."""
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        try:
            return number, self.answers.answer(request)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is raised in the caller's thread)
            self.failure = self.failure or error
            return number, ScriptedReply(status=400, code="script_failed", message=f"The script failed: {error!r}")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path != "/v1/models":
            self._refuse(404, f"There is no GET {self.path}.")
            return
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "script"} for name in self.server.models]
        self._send(200, json.dumps({"object": "list", "data": models}))

    def do_POST(self) -> None:
        request = self._request()
        if self.path != _PATH:
            self._refuse(404, f"There is no POST {self.path}; there is {_PATH}.")
        elif not isinstance(request, dict) or not isinstance(request.get("messages"), list):
            self._refuse(400, "The body must be a JSON object with messages.")
        else:
            self._answer(request, *self.server.answer(request))

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _request(self) -> object:
        length = min(int(self.headers.get("content-length") or 0), _MAX_BYTES)
        try:
            return json.loads(self.rfile.read(length))
        except ValueError:
            return None

    def _answer(self, request: dict[str, Any], number: int, answer: Recorded | ScriptedReply) -> None:
        reply = answer if isinstance(answer, ScriptedReply) else ScriptedReply()
        if self.server.stopping.wait(reply.delay) or reply.broken == "before":
            self.close_connection = True
            return
        if reply.status != 200:
            self._fail(reply)
            return
        recorded = answer.completion if isinstance(answer, Recorded) else None
        body = completion(reply, request, number=number) if recorded is None else recorded
        if request.get("stream"):
            with_usage = bool((request.get("stream_options") or {}).get("include_usage"))
            self._stream([json.dumps(chunk) for chunk in chunks(body, with_usage=with_usage)], reply)
        elif reply.broken == "error":
            self._send(200, json.dumps(error_body(reply)))
        else:
            self._send(200, json.dumps(body) if reply.body is None else reply.body, cut=reply.broken == "within")

    def _refuse(self, status: int, message: str) -> None:
        self._fail(ScriptedReply(status=status, message=message))

    def _fail(self, reply: ScriptedReply) -> None:
        wait = {} if reply.retry_after is None else {"Retry-After": f"{reply.retry_after:g}"}
        self._send(reply.status, json.dumps(error_body(reply)) if reply.body is None else reply.body, headers=wait)

    def _send(self, status: int, body: str, *, headers: Mapping[str, str] | None = None, cut: bool = False) -> None:
        content = body.encode(errors="surrogatepass")
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(content)), **(headers or {})})
        self.wfile.write(content[: len(content) // 2] if cut else content)

    def _stream(self, events: list[str], reply: ScriptedReply) -> None:
        """Server-sent events, of which those in the middle go wrong as the reply says."""
        middle = len(events) // 2
        if reply.body is not None:
            events.insert(middle, reply.body)
        elif reply.broken:
            events = [*events[:middle], *([json.dumps(error_body(reply))] if reply.broken == "error" else [])]
        self._head(200, {"Content-Type": "text/event-stream; charset=utf-8", "Transfer-Encoding": "chunked"})
        for event in [*events, *([] if reply.broken else ["[DONE]"])]:
            self._chunk(f"data: {event}\n\n")
            if self.server.stopping.wait(reply.drip):
                return
        if reply.broken != "within":
            self._chunk("")

    def _chunk(self, text: str) -> None:
        content = text.encode(errors="surrogatepass")
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
