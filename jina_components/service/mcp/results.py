"""What tools give back: texts in YAML, cut to what a client takes, and images."""

from __future__ import annotations

import asyncio
import base64
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import yaml  # type: ignore[import-untyped]
from mcp.types import ImageContent, TextContent

from jina_components.errors import InputError, WebError
from jina_components.models.tokenizers import Tokenizer
from jina_components.net import SupportsFetch
from jina_components.service.mcp.client import ToolError
from jina_components.types import Image

if TYPE_CHECKING:
    import PIL.Image

Content: TypeAlias = TextContent | ImageContent

T = TypeVar("T")

_QUALITY = 80
# Clients that take at most 25,000 tokens, as they say they are called. They count with another tokenizer, and what
# stands around the text too, so that they are given less.
_CAREFUL = ("claude-code", "claude-ai", "cursor-vscode")
_THEIRS = 20_000
# The libyaml binding is part of PyYAML's wheels; without it long pages take seconds.
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Lines(_Dumper):  # type: ignore[misc]
    """Texts of several lines as they are, which language models read with the least effort."""


def _text(dumper: Any, value: str) -> Any:  # noqa: ANN401 (PyYAML has no types)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Lines.add_representer(str, _text)


def text(value: object) -> TextContent:
    """A text; anything else as YAML."""
    if isinstance(value, str):
        return TextContent(type="text", text=value)
    written: str = yaml.dump(value, Dumper=_Lines, allow_unicode=True, sort_keys=False, width=2**31 - 1)
    return TextContent(type="text", text=written)


async def images(
    sources: Sequence[str | bytes], fetcher: SupportsFetch, *, width: int, height: int | None
) -> list[ImageContent | InputError | WebError]:
    """Images as JPEG, made smaller where they are larger than that; for one that is not to be had, the reason.

    Args:
        sources: http(s) URLs, `data:` URIs or files.
        fetcher: Guards and fetches the URLs.
        width: The most pixels across.
        height: Likewise down; None for any number.

    Raises:
        MissingDependencyError: Pillow is not installed.
    """
    from jina_components.models.images import atry_images

    drawn = await atry_images(
        [Image(each) for each in sources], process=functools.partial(_jpeg, width, height), fetcher=fetcher
    )
    return [_image(each) if isinstance(each, bytes) else each for each in drawn]


def _image(jpeg: bytes) -> ImageContent:
    return ImageContent(type="image", data=base64.b64encode(jpeg).decode(), mime_type="image/jpeg")


def _jpeg(width: int, height: int | None, picture: PIL.Image.Image) -> bytes:
    from io import BytesIO

    picture = picture.copy()
    picture.thumbnail((width, height or picture.height))
    written = BytesIO()
    picture.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()


async def each(
    items: Mapping[str, T],
    work: Callable[[T], Awaitable[object]],
    *,
    seconds: float | None,
    done: Callable[[int, int], Awaitable[None]],
) -> list[Content]:
    """Texts of what becomes of items, all at once, in their order; that of one that fails says why.

    Args:
        items: By what an error calls them.
        work: What is done with one.
        seconds: Time for each.
        done: Told after each how many of how many are done.

    Raises:
        ToolError: none succeeds.
    """
    finished, failed = 0, list[str]()

    async def one(name: str, item: T) -> Content:
        nonlocal finished
        try:
            async with asyncio.timeout(seconds):
                found = text(await work(item))
        except ToolError as error:
            failed.append(name)
            found = text(f"Error: {name}: {error}")
        except TimeoutError:
            failed.append(name)
            found = text(f"Error: {name}: not done within {seconds:g} seconds.")
        finished += 1
        await done(finished, len(items))
        return found

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(name, item)) for name, item in items.items()]
    found = [task.result() for task in tasks]
    if len(failed) == len(items):
        raise ToolError("\n".join(part.text for part in found if isinstance(part, TextContent)))
    return found


def most_tokens(client: str) -> int | None:
    """The tokens that a client takes; None for any number."""
    return _THEIRS if any(name in client.lower() for name in _CAREFUL) else None


def cut(content: Sequence[Content], most: int) -> list[Content]:
    """The first `most` tokens of the texts, by cl100k_base, and a word about the rest. It takes a while: call it in a
    thread.
    """  # noqa: D205 (one sentence)
    texts = [part for part in content if isinstance(part, TextContent)]
    if sum(len(part.text.encode()) for part in texts) <= most:  # a token has a byte at least
        return list(content)
    left, lost, kept = most, 0, list[Content]()
    for part in content:
        if not isinstance(part, TextContent):
            kept.append(part)
            continue
        tokens = _tokenizer().count(part.text)
        if tokens <= left:
            kept.append(part)
        elif left:
            kept.append(text(_tokenizer().head(part.text, left)))
        lost += max(tokens - left, 0)
        left = max(left - tokens, 0)
    if lost:
        told = f"[{lost:,} more tokens are left out: {most:,} are taken. Read fewer pages at once, or ask a question.]"
        kept.append(text(told))
    return kept


@functools.cache
def _tokenizer() -> Tokenizer:
    return Tokenizer("cl100k_base")
