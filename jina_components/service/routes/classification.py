"""Classifying and training: `/v1/classify`, `/v1/train`, `/v1/classifiers`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from jina_components.classifier import RegisteredClassifier
from jina_components.embedder import Embedder
from jina_components.errors import BusyError, ModelFilesError, UnknownNameError
from jina_components.models.multi_vector import MultiVectorModel
from jina_components.service.answers import json_answer
from jina_components.service.calls import Call, admitted
from jina_components.service.components import Components
from jina_components.service.documenting import documented
from jina_components.service.embedding import inputs_of, loaded
from jina_components.service.errors import Problem, invalid, problem
from jina_components.service.wire import classification as wire
from jina_components.service.wire.inputs import check_number, of_field
from jina_components.service.wire.usage import usage_body
from jina_components.types import Classifications, Image, Usage
from jina_components.types.classified import Example, GroupedClassifications, Training

logger = logging.getLogger(__name__)

router = APIRouter(tags=["classification"])

# What CLIP and its kind are trained with; the temperature of texts, which is measured, does not suit images.
_IMAGE_TEMPERATURE = 0.01

_Admitted = Annotated[Call, Depends(admitted("classify"))]
_MISSING = {404: "No such classifier, or another user's."}
_BUSY = {409: "The classifier is being trained."}


@router.post(
    "/v1/classify", summary="Classify texts and images", **documented("api", more=_MISSING, ok=wire.ClassifyAnswer)
)
async def classify(request: Request, asked: wire.ClassifyRequest, call: _Admitted) -> Response:
    """The label of each input: of those given, by what they mean, or of those that a classifier has learned."""
    components: Components = request.app.state.components
    check_number(asked.input, 2 * components.settings.limits.max_items, field="input")
    results: Classifications | GroupedClassifications
    if asked.classifier_id is not None:
        results = await _learned(components, asked, asked.classifier_id, call)
    else:
        results = await _zero_shot(components, asked, call)
    call.items, call.tokens = len(asked.input), results.uncached_usage.total_tokens
    # In a thread, for each input may have hundreds of labels.
    return await asyncio.to_thread(lambda: json_answer(wire.answer_body(results, asked.labels)))


@router.post(
    "/v1/train", summary="Train a classifier", **documented("api", more={**_MISSING, **_BUSY}, ok=wire.TrainAnswer)
)
async def train(
    request: Request, asked: wire.TrainRequest, call: Annotated[Call, Depends(admitted("train"))]
) -> Response:
    """Make a classifier of examples, or teach one more. Usage is the tokens times `num_iters`."""
    components: Components = request.app.state.components
    check_number(asked.input, components.settings.limits.max_items, field="input")
    num_iters = asked.num_iters or 10
    if asked.classifier_id is not None:
        made = asked.classifier_id
        training = await _taught(components, asked, made, call, num_iters)
    else:
        row, training = await _created(components, asked, call, num_iters)
        made = row.id
    usage = Usage(training.usage.total_tokens * num_iters)
    call.items, call.tokens = training.num_examples, usage.total_tokens
    return json_answer({"classifier_id": made, "num_samples": training.num_examples, "usage": usage_body(usage)})


@router.get("/v1/classifiers", summary="List classifiers", **documented("api", ok=wire.ClassifierList))
@router.post(
    "/v1/classifiers", summary="List classifiers, as older clients do", **documented("api", ok=wire.ClassifierList)
)
async def classifiers(request: Request, call: _Admitted) -> Response:
    """The caller's classifiers, oldest first."""
    components: Components = request.app.state.components
    with _registry():
        rows = await components.classifiers.alist(call.owner)
    return json_answer([wire.classifier_body(row) for row in rows])


@router.delete(
    "/v1/classifiers/{id}",
    summary="Delete a classifier",
    **documented("api", more={**_MISSING, **_BUSY}, ok=wire.DeletedClassifier),
)
async def delete(request: Request, id: str, call: _Admitted) -> Response:
    """Delete one of the caller's classifiers."""
    components: Components = request.app.state.components
    with _registry():
        await components.classifiers.adelete(id, owner=call.owner)
    return json_answer({"classifier_id": id, "deleted": True})


async def _learned(components: Components, asked: wire.ClassifyRequest, id: str, call: Call) -> Classifications:
    if asked.labels is not None:
        raise invalid("body -> labels", "A trained classifier has its own: leave them out, or classifier_id.")
    with _registry():
        row = await components.classifiers.aget(id, user=call.owner)
    with components.embedders.use(row.model) as embedder:
        call.model = row.model
        inputs = await _inputs(embedder, asked.input, call.model)
        with _registry(), of_field("input"):
            return await components.classifiers.aclassify(id, inputs, user=call.owner)


async def _zero_shot(
    components: Components, asked: wire.ClassifyRequest, call: Call
) -> Classifications | GroupedClassifications:
    if asked.model is None:
        raise invalid("body -> model", "Field required, or classifier_id.", kind="missing")
    if asked.labels is None:
        raise invalid("body -> labels", "Field required with model.", kind="missing")
    with components.embedders.use(asked.model) as embedder:
        call.model = asked.model
        wire.check_labels(asked.labels)
        inputs = await _inputs(embedder, asked.input, call.model)
        are_images = all(isinstance(item, Image) for item in inputs)
        classifier = components.classifier(embedder, temperature=_IMAGE_TEMPERATURE if are_images else None)
        with of_field("input"):
            if isinstance(asked.labels, list):
                return await classifier.aclassify(inputs, asked.labels)
            return await classifier.aclassify_groups(inputs, asked.labels)


async def _created(
    components: Components, asked: wire.TrainRequest, call: Call, num_iters: int
) -> tuple[RegisteredClassifier, Training]:
    if asked.model is None:
        raise invalid("body -> model", "Field required, or classifier_id.", kind="missing")
    with components.embedders.use(asked.model) as embedder:
        call.model = asked.model
        wire.check_examples(asked.input, least=2)
        examples = await _examples(embedder, asked.input, call.model)
        with _registry(), of_field("input"):
            return await components.classifiers.acreate_trained(
                asked.model, examples, owner=call.owner, access=asked.access or "private", num_iters=num_iters
            )


async def _taught(components: Components, asked: wire.TrainRequest, id: str, call: Call, num_iters: int) -> Training:
    with _registry():
        row = await components.classifiers.aget(id, user=call.owner)
    if row.owner != call.owner:
        raise _not_found()
    with components.embedders.use(row.model) as embedder:
        call.model = row.model
        wire.check_examples(asked.input, least=1)
        examples = await _examples(embedder, asked.input, call.model)
        with _registry(), of_field("input"):
            return await components.classifiers.atrain(id, examples, user=call.owner, num_iters=num_iters)


async def _inputs(embedder: Embedder, inputs: Sequence[str | Image], name: str) -> list[str | Image]:
    """As `inputs_of`; of a model that gives no vectors of inputs, which is 422 too."""
    model = await loaded(embedder)
    if isinstance(model, MultiVectorModel):
        raise invalid("body -> model", f"{name!r} gives vectors of tokens: classify with one that embeds inputs.")
    return inputs_of(model, inputs, name=name)


async def _examples(embedder: Embedder, examples: Sequence[Example], name: str) -> list[Example]:
    inputs = await _inputs(embedder, [example.input for example in examples], name)
    return [replace(example, input=item) for example, item in zip(examples, inputs, strict=True)]


@contextmanager
def _registry() -> Iterator[None]:
    """What the registry raises, in words for clients: another's classifier is as unknown as none."""
    try:
        yield
    except UnknownNameError as error:
        raise _not_found() from error
    except BusyError as error:
        told = "The classifier is being trained by another request: try again later."
        raise problem(409, told, headers={"Retry-After": "1"}) from error
    except ModelFilesError as error:  # whose message names folders
        logger.exception("The registry of classifiers failed.")
        raise problem(500, "Classifiers cannot be read or written. The log of the service says why.") from error


def _not_found() -> Problem:
    return problem(404, "There is no such classifier, or it is another user's.")
