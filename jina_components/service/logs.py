"""Lines of the log: JSON or text, of requests and of all else; without payloads, queries or keys."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias

from jina_components.service.answers import to_json
from jina_components.service.hiding import without_keys

LogFormat: TypeAlias = Literal["json", "text"]

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is worked on."""

ACCESS = "jina_components.access"
"""Name of the logger of requests: each message is a JSON object."""


def log_request(facts: Mapping[str, Any]) -> None:
    """One line about a request that was answered."""
    logger = logging.getLogger(ACCESS)
    if logger.isEnabledFor(logging.INFO):
        logger.info("%s", to_json(facts).decode(), extra={"facts": facts})


def logging_config(form: LogFormat) -> dict[str, Any]:
    """Everything to standard error, for `logging.config.dictConfig`: for programs, not for a library."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": JsonLines if form == "json" else TextLines}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {"jina_components": {"level": "INFO"}},
    }


class JsonLines(logging.Formatter):
    """A JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        facts = getattr(record, "facts", None)
        line: dict[str, Any] = {"time": moment(record.created), "level": record.levelname, "logger": record.name}
        if facts is not None:
            return to_json(line | dict(facts)).decode()
        line["message"] = without_keys(record.getMessage())
        if request_id := REQUEST_ID.get():
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = told(record.exc_info[1])
        return to_json(line).decode()


class TextLines(logging.Formatter):
    """A line for people's eyes."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        facts = getattr(record, "facts", None)
        head = f"{moment(record.created)} {record.levelname}"
        if facts is not None:
            return " ".join([head, *(f"{name}={value}" for name, value in facts.items() if value and name != "time")])
        request_id = REQUEST_ID.get()
        line = f"{head} {without_keys(record.getMessage())}{f' request_id={request_id}' if request_id else ''}"
        return f"{line}\n{told(record.exc_info[1])}" if record.exc_info else line


def moment(seconds: float) -> str:
    """A time as ISO 8601 has it, in UTC."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


# Of an exception that is raised again and again, as a lost cluster's, the traceback grows each time.
_MOST_FRAMES = 60


def told(error: BaseException | None) -> str:
    """An exception and those it came from: classes and places, without messages, which may quote what was sent."""
    lines: list[str] = []
    while error is not None:
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}\n")
        lines += traceback.format_tb(error.__traceback__, _MOST_FRAMES)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(lines).rstrip()
