"""The references that a caller wants a statement held against."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jina_components.core.inputs import as_list
from jina_components.errors import InputError
from jina_components.grounder.sources import Source, source_of_document
from jina_components.types import Document

_URL = re.compile(r"https?://\S+", re.IGNORECASE)
_HOST = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_](?::\d+)?(?:/\S*)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """References by their kind.

    Attributes:
        urls: Pages to read.
        hosts: Hosts, or folders of them, to search in.
        texts: The caller's own.
    """

    urls: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    texts: tuple[Source, ...] = ()


def sort_references(references: Sequence[str | Document]) -> Wanted:
    """References by their kind, repeated ones once.

    Raises:
        InputError: no list, an empty one, or an item that is neither text nor document, or blank; `.index` names it.
    """
    urls: list[str] = []
    hosts: list[str] = []
    texts: list[Source] = []
    for index, item in enumerate(as_list(references, what="references")):
        if isinstance(item, Document) and item.text.strip():
            texts.append(source_of_document(item))
        elif not isinstance(item, str) or not item.strip():
            what = "is empty: leave it out" if isinstance(item, str | Document) else "must be str or Document"
            raise InputError(f"references[{index}] {what}.", index)
        elif _URL.fullmatch(item.strip()):
            urls.append(item.strip())
        elif _HOST.fullmatch(item.strip()):
            hosts.append(item.strip())
        else:
            texts.append(source_of_document(Document(item)))
    if not (urls or hosts or texts):
        raise InputError("references is empty: name a URL, a host or a text, or leave it out to search everywhere.")
    return Wanted(tuple(dict.fromkeys(urls)), tuple(dict.fromkeys(hosts)), tuple(dict.fromkeys(texts)))
