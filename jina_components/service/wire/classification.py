"""Classifying, and training classifiers, on the wire."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, Field, PlainValidator, RootModel, WithJsonSchema
from pydantic_core import PydanticCustomError

from jina_components.classifier import RegisteredClassifier
from jina_components.classifier.zero_shot import as_label
from jina_components.errors import InputError
from jina_components.service.errors import invalid, problem
from jina_components.service.wire.inputs import ITEM_SCHEMA, Items, ListOf, as_item, one_or_many
from jina_components.service.wire.usage import TokenUsage, usage_body
from jina_components.types import Classification, Classifications
from jina_components.types.classified import Example, GroupedClassifications

MOST_LABELS = 512
MOST_GROUPS = 8
MOST_LABELS_OF_A_GROUP = 64

# Users of classifiers are told apart on the wire by UUIDs.
_USERS = uuid.UUID("5cb1f3f2-6f0c-4f43-8a0e-5d0f5f6f7a31")

Labels: TypeAlias = list[str] | dict[str, list[str]]

_NAMES = {"type": "array", "items": {"type": "string"}}


def _as_labels(given: object) -> object:
    sets = list(given.values()) if isinstance(given, dict) else [given]
    if given is None or all(isinstance(some, list) and all(isinstance(name, str) for name in some) for some in sets):
        return given
    raise PydanticCustomError("list_type", "Input should be a list of strings, or an object of such lists.")


class ClassifyRequest(BaseModel):
    """What to classify: `model` and `labels`, or `classifier_id`."""

    model: str | None = Field(None, description="Of labels that are chosen by what they mean.")
    classifier_id: str | None = Field(None, description="A classifier that was trained; instead of model and labels.")
    input: Items = Field(min_length=1)
    labels: Annotated[
        Labels | None,
        PlainValidator(_as_labels),
        WithJsonSchema({"anyOf": [_NAMES, {"type": "object", "additionalProperties": _NAMES}, {"type": "null"}]}),
    ] = Field(
        None,
        description=f"2 to {MOST_LABELS} labels; or groups of 2 to {MOST_LABELS_OF_A_GROUP} by their names, up to "
        f"{MOST_GROUPS}, of each of which one label is chosen.",
    )


class Prediction(BaseModel):
    """A label and its probability."""

    label: str
    score: float


class ClassifiedInput(BaseModel):
    """The label of an input; of groups of labels, the same fields by the groups' names."""

    object: str
    index: int
    prediction: str | dict[str, str]
    score: float | dict[str, float]
    predictions: list[Prediction] | dict[str, list[Prediction]] = Field(
        description="Every label in the order of the request. The scores sum to 1: they are the softmax of cosines "
        "over a temperature that is measured on the model (0.01 where all inputs are images), which puts them nearer "
        "to how often a label is right than a temperature of 1 would."
    )


class ClassifyAnswer(BaseModel):
    """Labels of inputs."""

    usage: TokenUsage = Field(description="Of the inputs and of what stands for the labels.")
    data: list[ClassifiedInput]


def _as_example(given: object) -> Example:
    if not isinstance(given, dict):
        raise PydanticCustomError("dict_type", "Input should be an object with 'text' or 'image', and 'label'.")
    item, label = as_item(given), given.get("label")
    if not isinstance(label, str):
        raise PydanticCustomError("string_type", "'label' should be a string.")
    return Example(item, label)


_EXAMPLE_SCHEMA = {
    "anyOf": [
        {
            "type": "object",
            "properties": {**form["properties"], "label": {"type": "string"}},
            "required": [*form["required"], "label"],
        }
        for form in ITEM_SCHEMA["anyOf"]
        if form["type"] == "object"
    ]
}
if TYPE_CHECKING:
    _Examples: TypeAlias = list[Example]
else:  # pydantic would look into the class Image
    _Examples = Annotated[
        ListOf[Annotated[Any, PlainValidator(_as_example)]],
        BeforeValidator(one_or_many),
        WithJsonSchema({"anyOf": [_EXAMPLE_SCHEMA, {"type": "array", "items": _EXAMPLE_SCHEMA, "minItems": 1}]}),
    ]


class TrainRequest(BaseModel):
    """What to learn: `model` for a new classifier, `classifier_id` to teach one more."""

    model: str | None = Field(None, description="The embedding model of a new classifier.")
    classifier_id: str | None = None
    access: Literal["public", "private"] | None = Field(
        None, description="Who may classify with a new classifier: its owner (`private`, the default), or everybody."
    )
    num_iters: int | None = Field(None, ge=1, le=10_000, description="How thoroughly it is fitted; 10 by default.")
    input: _Examples = Field(min_length=1, description="Texts or images with their labels.")


class TrainAnswer(BaseModel):
    """What has been learned. It is on the disk."""

    classifier_id: str
    num_samples: int
    usage: TokenUsage


class ClassifierItem(BaseModel):
    """A trained classifier. Times are UTC in ISO 8601."""

    classifier_id: str
    user_id: str
    model: str
    model_name: str
    labels: list[str]
    access: str
    updated_number: int
    used_number: int
    created_at: str
    updated_at: str
    used_at: str | None
    is_active: bool
    is_latest: bool
    metadata_: dict[str, Any] = Field(serialization_alias="metadata_")
    metadata: dict[str, Any]


class ClassifierList(RootModel[list[ClassifierItem]]):
    """The caller's classifiers, oldest first."""


class DeletedClassifier(BaseModel):
    """A classifier that is no more."""

    classifier_id: str
    deleted: bool


def check_labels(labels: Labels) -> None:
    """Refuse labels that cannot be chosen from.

    Raises:
        Problem: 422 for those of no name, or twice there; 400 for too many of them.
    """
    if isinstance(labels, list):
        _check_labels(labels, "body -> labels", MOST_LABELS)
        return
    if not labels:
        raise invalid("body -> labels", "There should be one group at least.", kind="too_short")
    if len(labels) > MOST_GROUPS:
        raise _too_many(len(labels), MOST_GROUPS, "groups of labels")
    _check_names(list(labels), "body -> labels")
    for group, names in labels.items():
        _check_labels(names, f"body -> labels -> {group}", MOST_LABELS_OF_A_GROUP)


def _check_labels(names: Sequence[str], field: str, most: int) -> None:
    if len(names) < 2:
        raise invalid(field, "There should be at least 2 labels to choose from.", kind="too_short", given=names)
    if len(names) > most:
        raise _too_many(len(names), most, "labels")
    _check_names(names, field)


def _check_names(names: Sequence[str], field: str) -> None:
    known: set[str] = set()
    for index, name in enumerate(names):
        try:
            plain = as_label(name, "The name")
        except InputError as error:
            raise invalid(f"{field} -> {index}", error.message, given=name) from error
        if plain in known:
            raise invalid(f"{field} -> {index}", "It is there twice: leave one out.", given=name)
        known.add(plain)


def check_examples(examples: Sequence[Example], *, least: int) -> None:
    """Refuse labels that nothing can be learned of.

    Args:
        examples: Of the request.
        least: How many labels there should be.

    Raises:
        Problem: 400 INPUT_INVALID_LABELS.
    """
    names = set()
    for index, example in enumerate(examples):
        try:
            names.add(as_label(example.label, f"The label of input {index}"))
        except InputError as error:
            raise problem(400, error.message, code="INPUT_INVALID_LABELS") from error
    if len(names) < least:
        told = f"A new classifier needs examples of at least {least} labels, there is {len(names)}: add some of others."
        raise problem(400, told, code="INPUT_INVALID_LABELS")


def _too_many(given: int, most: int, what: str) -> Exception:
    return problem(400, f"There are {given} {what}, at most {most} are taken.", code="INPUT_LABEL_LIMIT_EXCEEDED")


def answer_body(results: Classifications | GroupedClassifications, labels: Labels | None) -> dict[str, Any]:
    """A `ClassifyAnswer`.

    Args:
        results: What is said of the inputs.
        labels: As the request has them; None for those learned.
    """
    if isinstance(results, Classifications):
        said = [_prediction(one, None if labels is None else list(labels)) for one in results]
    else:
        groups = cast("dict[str, list[str]]", labels)
        columns = [
            [_prediction(one, names) for one in some]
            for names, some in zip(groups.values(), results.groups.values(), strict=True)
        ]
        said = [_grouped(list(groups), row) for row in zip(*columns, strict=True)]
    data = [{"object": "classification", "index": index, **one} for index, one in enumerate(said)]
    return {"usage": usage_body(results.uncached_usage), "data": data}


def _grouped(groups: Sequence[str], row: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What is said of an input by all groups, each field by their names."""
    return {name: {group: one[name] for group, one in zip(groups, row, strict=True)} for name in row[0]}


def _prediction(result: Classification, labels: Sequence[str] | None) -> dict[str, Any]:
    names = list(result.scores) if labels is None else labels
    pairs = list(zip(names, result.scores.values(), strict=True))
    label, score = max(pairs, key=lambda pair: pair[1])
    predictions = [{"label": name, "score": value} for name, value in pairs]
    return {"prediction": label, "score": score, "predictions": predictions}


def classifier_body(row: RegisteredClassifier) -> dict[str, Any]:
    """A `ClassifierItem`: the fields of all versions of Jina's API."""
    return {
        "classifier_id": row.id,
        "user_id": str(uuid.uuid5(_USERS, row.owner)),
        "model": row.model,
        "model_name": row.model,
        "labels": row.labels,
        "access": row.access,
        "updated_number": row.updated_number,
        "used_number": row.used_number,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "used_at": row.used_at,
        "is_active": True,
        "is_latest": True,
        "metadata_": {},
        "metadata": {},
    }
