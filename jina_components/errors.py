"""Every error this library raises.

    JinaComponentsError
    ├── ConfigError (ValueError)            a setting is wrong
    ├── InputError (ValueError)             an input is wrong; `.index` names the item of a batch
    │   └── TooLongError                    it has more tokens than the model takes
    ├── UnknownNameError (LookupError)      no such model, backend, …; the message says what is known
    ├── MissingDependencyError (ImportError)  an extra is not installed; the message gives the command
    ├── ModelFilesError (OSError)           model files are missing, incomplete or unsafe
    ├── BackendError (RuntimeError)         a model failed while it ran
    ├── IndexFilesError (OSError)           an index, a store or an embedding cache cannot be used
    ├── IndexMismatchError (ValueError)     an index was made with another embedder
    ├── ReadError (OSError)                 a local source cannot be read
    │   (.source)
    ├── WebError                            a fetch failed; `.url`, and `.index` in a batch
    │   ├── BlockedURLError                 the URL guard refused it
    │   ├── FetchTimeoutError (TimeoutError)
    │   ├── HTTPStatusError                 `.status_code`, `.retry_after`
    │   ├── RobotsDeniedError               the site's robots.txt forbids it
    │   └── ContentTooLargeError            over the byte limit
    ├── ExtractionError                     bytes arrived but hold no readable document; `.source`
    ├── BusyError (RuntimeError)            another caller is changing it right now; try again later
    ├── BudgetExceededError (RuntimeError)  a result has more tokens than it was allowed; `.tokens`
    ├── TraceError (ValueError)             a trace or checkpoint does not fit the search that it is to continue
    └── ChatError (RuntimeError)            a chat model failed or answered out of form; `.status_code`
        ├── ContextOverflowError            the conversation is longer than the model's context
        └── RefusalError                    the model, or a filter of its server, refused to answer

Every error pickles, so that it survives a process boundary.
"""

from __future__ import annotations


class JinaComponentsError(Exception):
    """Base of all errors of this library."""

    def __init__(self, message: str, *details: object) -> None:
        # All arguments go to `args`, which is what pickle restores an exception from.
        super().__init__(message, *details)
        self.message = message
        if isinstance(self, OSError):  # which takes two arguments for an error number and its text
            vars(OSError)["errno"].__set__(self, None)
            vars(OSError)["strerror"].__set__(self, None)

    def __str__(self) -> str:
        return self.message


class ConfigError(JinaComponentsError, ValueError):
    """A setting is wrong or contradicts another."""


class InputError(JinaComponentsError, ValueError):
    """An input is wrong.

    Attributes:
        index: Position of the failing item in the caller's list, or None.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message, index)
        self.index = index


class TooLongError(InputError):
    """A text, or an image, has more tokens than the model takes."""


class UnknownNameError(JinaComponentsError, LookupError):
    """A name stands for nothing known; the message has the nearest, and the known names or what lists them."""


class MissingDependencyError(JinaComponentsError, ImportError):
    """An optional package is not installed; the message gives the install command."""


class ModelFilesError(JinaComponentsError, OSError):
    """Model files are missing, incomplete, of an unknown layout or unsafe."""


class BackendError(JinaComponentsError, RuntimeError):
    """A model failed while it ran."""


class IndexFilesError(JinaComponentsError, OSError):
    """An index directory, a store's server or an embedding cache cannot be written or read."""


class IndexMismatchError(JinaComponentsError, ValueError):
    """An index was made with another embedder than the one given."""


class ReadError(JinaComponentsError, OSError):
    """A local source cannot be read.

    Attributes:
        source: The path as the caller gave it.
    """

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message, source)
        self.source = source


class WebError(JinaComponentsError):
    """A fetch failed.

    Attributes:
        url: The URL that failed, which after a redirect is not the one asked for.
        index: Position of the failing item in the caller's list, or None.
    """

    def __init__(self, message: str, url: str = "", *, index: int | None = None) -> None:
        super().__init__(message, url)
        self.url = url
        self.index = index


class BlockedURLError(WebError):
    """The URL guard refused a scheme, a host or an address."""


class FetchTimeoutError(WebError, TimeoutError):
    """A fetch took longer than its limit."""


class ContentTooLargeError(WebError):
    """A response is larger than its limit."""


class HTTPStatusError(WebError):
    """A server answered with an error status.

    Attributes:
        status_code: The HTTP status.
        retry_after: Seconds after which the server asks to be tried again, or None.
    """

    def __init__(
        self,
        message: str,
        url: str = "",
        status_code: int = 0,
        retry_after: float | None = None,
        *,
        index: int | None = None,
    ) -> None:
        super().__init__(message, url, index=index)
        self.args = (message, url, status_code, retry_after)
        self.status_code = status_code
        self.retry_after = retry_after


class RobotsDeniedError(WebError):
    """The robots.txt of a site forbids a fetch, or cannot be had (RFC 9309); only where it is obeyed."""


class ExtractionError(JinaComponentsError):
    """Bytes arrived but hold no readable document: broken, encrypted, binary or empty.

    Attributes:
        source: The URL or path.
    """

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message, source)
        self.source = source


class BusyError(JinaComponentsError, RuntimeError):
    """Another caller is changing the same thing right now; try again later."""


class BudgetExceededError(JinaComponentsError, RuntimeError):
    """A result has more tokens than it was allowed.

    Attributes:
        tokens: What it has.
    """

    def __init__(self, message: str, tokens: int = 0) -> None:
        super().__init__(message, tokens)
        self.tokens = tokens


class TraceError(JinaComponentsError, ValueError):
    """A trace or checkpoint belongs to another search than the one it is to replay or continue, or cannot be saved."""


class ChatError(JinaComponentsError, RuntimeError):
    """A chat model failed or answered out of form.

    Attributes:
        status_code: HTTP status that its server answered with; 0 where it gave none.
    """

    def __init__(self, message: str, status_code: int = 0) -> None:
        super().__init__(message, status_code)
        self.status_code = status_code


class ContextOverflowError(ChatError):
    """The conversation is longer than the chat model's context."""


class RefusalError(ChatError):
    """The chat model, or a content filter of its server, refused to answer."""
