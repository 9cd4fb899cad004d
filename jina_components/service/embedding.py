"""Embeds what a request asks for: of Jina's routes, Cohere's, and batches.

What an answer costs, in time of one core: 0.27 ms a request for the framework (as much as a route that does nothing
but parse the same body), 0.2 ms for `Embedder.aembed` of a token table, 0.1 ms for what stands between them; and for
each vector of 384 dimensions 8 µs in base64, 10 µs as numbers, 1 µs in bits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jina_components.embedder import Embedder
from jina_components.errors import InputError, UnknownNameError
from jina_components.models.catalog import BY_NAME
from jina_components.models.embedding import EmbeddingModel, LocalModel
from jina_components.models.multi_vector import MultiVectorModel
from jina_components.models.tokenizers.encodings import decode_cl100k
from jina_components.service.errors import invalid
from jina_components.service.names import plain_name
from jina_components.service.wire.embeddings import EmbeddingsRequest, nearest_task, too_many_dimensions
from jina_components.service.wire.inputs import of_field, seen, takes_no_images
from jina_components.types import Embeddings, Image, MultiVectorEmbeddings

if TYPE_CHECKING:
    from jina_components.service.wire.embeddings import Tokens

# Numbers from which on an answer is written in a thread.
_MANY = 16_384
_SIDES = {"query": "retrieval.query", "document": "retrieval.passage"}
# Fields that errors name.
_FIELDS: Mapping[str, str] = {name: name for name in ("input", "task", "dimensions")}


@dataclass(frozen=True, slots=True)
class Embedded:
    """What became of a request.

    Attributes:
        result: A vector of each input, or its vectors.
        tokenized: Of each text its tokens, where they were asked for; None for an image.
    """

    result: Embeddings | MultiVectorEmbeddings
    tokenized: Sequence[list[str] | None] | None = None


async def embedded(
    embedder: Embedder,
    asked: EmbeddingsRequest,
    *,
    per_token: bool | None = None,
    truncate: bool = False,
    fields: Mapping[str, str] = _FIELDS,
) -> Embedded:
    """What a request asks for.

    Args:
        embedder: Of the model that it names.
        asked: The request.
        per_token: Whether a vector a token is wanted, or else one an input; None for what model and request say.
        truncate: Whether texts over the context are cut where the request does not say.
        fields: By Jina's name of a field the client's, for errors.

    Raises:
        Problem: 422 with the field that the model does not take.
        TooLongError: a text is over the context.
        JinaComponentsError: as `Embedder.embed` raises otherwise.
    """
    model = await loaded(embedder)
    _check(asked, model)
    inputs = inputs_of(model, await _texts(asked.input), name=asked.model, field=fields["input"])
    if isinstance(model, MultiVectorModel) and per_token is False:
        raise invalid("body -> model", f"{asked.model!r} gives a vector a token: ask /v1/embeddings for them.")
    try:
        with of_field(fields["input"]):
            if per_token or asked.return_multivector or isinstance(model, MultiVectorModel):
                return await _tokens(embedder, model, inputs, asked, truncate=truncate)
            return await _vectors(embedder, model, inputs, asked, fields, truncate=truncate)
    except UnknownNameError as error:  # the model is loaded, so it is not its name
        raise invalid(f"body -> {fields['task']}", error.message, kind="enum", given=asked.task) from error


async def loaded(embedder: Embedder) -> EmbeddingModel | MultiVectorModel:
    """The model; one that is not loaded yet is, in a thread, for that takes seconds."""
    model = embedder.loaded
    return await asyncio.to_thread(embedder.load) if model is None else model


def inputs_of(
    model: EmbeddingModel | MultiVectorModel, items: Sequence[str | Image], *, name: str, field: str = "input"
) -> list[str | Image]:
    """Inputs as a model takes them: of one that sees, strings that are data URIs of images are these images.

    Args:
        model: What embeds them.
        items: Texts and images.
        name: Of the model, for errors.
        field: Of the inputs, likewise.

    Raises:
        Problem: 422, it takes no images.
    """
    if getattr(model, "images", None) is not None:
        return seen(items)
    for place, item in enumerate(items):
        if isinstance(item, Image):
            raise invalid(f"body -> {field} -> {place}", takes_no_images(name))
    return [*items]


async def written(
    result: Embeddings | MultiVectorEmbeddings, write: Callable[[], bytes], *, fields: Mapping[str, str] = _FIELDS
) -> bytes:
    """What `write` makes of vectors; of many in a thread, so that others are answered meanwhile. `fields` as above.

    Raises:
        Problem: 422 when their dimensions do not fit the encoding.
    """
    vectors = (result.vectors,) if isinstance(result, Embeddings) else result.vectors
    try:
        return write() if sum(rows.size for rows in vectors) <= _MANY else await asyncio.to_thread(write)
    except InputError as error:
        raise invalid(f"body -> {fields['dimensions']}", error.message) from error


async def _vectors(
    embedder: Embedder,
    model: EmbeddingModel,
    inputs: list[str | Image],
    asked: EmbeddingsRequest,
    fields: Mapping[str, str],
    *,
    truncate: bool,
) -> Embedded:
    width = model.width if isinstance(model, LocalModel) else None  # another may have to ask a server
    if width is not None and asked.dimensions is not None and asked.dimensions > width:
        raise too_many_dimensions(asked.dimensions, width, field=fields["dimensions"])
    result = await embedder.aembed(
        inputs,
        task=_task(asked, model),
        dimensions=asked.dimensions,
        normalized=asked.normalized is not False,
        truncate=truncate if asked.truncate is None else asked.truncate,
        late_chunking=bool(asked.late_chunking),
    )
    return Embedded(result)


async def _tokens(
    embedder: Embedder,
    model: EmbeddingModel | MultiVectorModel,
    inputs: list[str | Image],
    asked: EmbeddingsRequest,
    *,
    truncate: bool,
) -> Embedded:
    own = model.tokens if isinstance(model, LocalModel) else model
    if not isinstance(own, MultiVectorModel):
        raise invalid("body -> model", f"{asked.model!r} gives one vector an input, none of its tokens.")
    if asked.return_multivector and asked.dimensions is not None and isinstance(model, LocalModel):
        raise invalid("body -> dimensions", "Vectors of tokens have one width: leave it out with return_multivector.")
    if asked.dimensions is not None and asked.dimensions not in own.widths:
        if asked.dimensions > own.widths[0]:
            raise too_many_dimensions(asked.dimensions, own.widths[0])
        known = ", ".join(map(str, own.widths))
        raise invalid("body -> dimensions", f"Input should be one of {known}", kind="enum", given=asked.dimensions)
    default = model.tasks.default if isinstance(model, LocalModel) else ""
    task = asked.task or (_SIDES[asked.input_type] if asked.input_type else default or "retrieval.passage")
    # ColBERT's kind has no such field: it always keeps the head, of a query 32 tokens.
    truncate = truncate or isinstance(model, MultiVectorModel) if asked.truncate is None else asked.truncate
    result = await embedder.aembed_multi_vector(inputs, task=task, dimensions=asked.dimensions, truncate=truncate)
    if not asked.return_tokenized_input:
        return Embedded(result)
    if not isinstance(model, LocalModel):
        raise invalid("body -> return_tokenized_input", f"{asked.model!r} does not tell its tokens.")
    texts = [item for item in inputs if isinstance(item, str)]
    spelled = iter(await asyncio.to_thread(model.spelled, texts, task=task, truncate=truncate))
    return Embedded(result, [next(spelled) if isinstance(item, str) else None for item in inputs])


def _task(asked: EmbeddingsRequest, model: EmbeddingModel) -> str | None:
    """The task; of a model that another stands in for, which has no such task, the nearest that every model takes."""
    task = asked.task or None
    named = BY_NAME.get(plain_name(asked.model))
    if task is None or named is None or task not in {*named.prompts, *named.adapters}:
        return task
    try:
        model.prompt(task)
    except UnknownNameError:
        return nearest_task(task)
    return task


def _check(asked: EmbeddingsRequest, model: EmbeddingModel | MultiVectorModel) -> None:
    """Refuse what the model cannot do, in the request's terms rather than the library's."""
    if asked.return_tokenized_input and not asked.return_multivector:
        raise invalid("body -> return_tokenized_input", "Only with return_multivector.")
    if asked.late_chunking and not (isinstance(model, LocalModel) and model.takes_spans):
        raise invalid("body -> late_chunking", f"{asked.model!r} cannot do late chunking as it runs here.")


async def _texts(given: Sequence[str | Image | Tokens]) -> list[str | Image]:
    """Texts and images; what stands for a text is decoded in a thread, for the vocabulary may have to be read."""
    if any(isinstance(item, tuple) for item in given):
        return await asyncio.to_thread(_decoded, given)
    return [item for item in given if not isinstance(item, tuple)]


def _decoded(given: Sequence[str | Image | Tokens]) -> list[str | Image]:
    inputs: list[str | Image] = []
    for index, item in enumerate(given):
        try:
            inputs.append(decode_cl100k(item) if isinstance(item, tuple) else item)
        except InputError as error:
            raise invalid(f"body -> input -> {index}", error.message) from error
    return inputs
