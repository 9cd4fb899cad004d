"""Fine-tuning on the wire: the request, and how far a job is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, RootModel, model_validator
from pydantic_core import PydanticCustomError

from jina_components.models.catalog import DEFAULT_EMBEDDER
from jina_components.service.finetunes.jobs import FineTune, Status

MAX_DOCUMENTS = 20_000


class FineTuneDocument(BaseModel):
    """A document to learn from."""

    text: str
    id: str = Field("", max_length=512)
    title: str = Field("", max_length=2048)


class FineTuneRequest(BaseModel):
    """A model to be fitted to documents, which need no questions."""

    model: str = Field(DEFAULT_EMBEDDER, description="An embedder or a cross-encoder that is served here.")
    documents: Annotated[list[str | FineTuneDocument] | None, Field(min_length=1, max_length=MAX_DOCUMENTS)] = None
    url: str | None = Field(None, max_length=2048, description="The site below it is read instead of `documents`.")
    suffix: str = Field("tuned", pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="A part of the model's name.")
    epochs: float | None = Field(None, gt=0, le=10)
    max_steps: int | None = Field(None, ge=1, le=20_000)
    seed: int = Field(0, ge=0, le=2**31 - 1)

    @model_validator(mode="after")
    def _one_source(self) -> FineTuneRequest:
        if (self.documents is None) == (not self.url):
            raise PydanticCustomError("value_error", "Give either 'documents' or 'url'.")
        return self

    def rows(self) -> list[dict[str, Any]]:
        """The documents, as the command reads them."""
        given = self.documents or []
        return [{"text": each} if isinstance(each, str) else each.model_dump(exclude_defaults=True) for each in given]


class FineTuneStatus(BaseModel):
    """How far a fine-tuning job is. Times are UTC in ISO 8601."""

    id: str
    status: Status
    model: str
    fine_tuned_model: str | None = Field(description="What to ask for as `model`, once the job has succeeded.")
    created_at: str
    finished_at: str | None
    error: str | None
    trained_tokens: int
    verdict: str | None = Field(
        description="`better` only where the whole 95 % interval of the gain in nDCG@10, on documents that were not "
        "learned from, is above 0; else `no proof` or `worse`."
    )
    result: dict[str, Any] | None = Field(description="The metrics of both models, and their differences.")
    progress: dict[str, Any] | None = Field(description="The last event.")


class FineTuneList(RootModel[list[FineTuneStatus]]):
    """Jobs, the newest first."""


class FineTuneEvents(RootModel[list[dict[str, Any]]]):
    """What happened in a job, the oldest first: the last of it, where it is much."""


def status_of(job: FineTune, last: dict[str, Any] | None) -> FineTuneStatus:
    """A job as clients see it."""
    return FineTuneStatus(
        id=job.id,
        status=job.status,
        model=job.model,
        fine_tuned_model=job.name if job.status == "succeeded" else None,
        created_at=_time(job.created_at),
        finished_at=None if job.finished_at is None else _time(job.finished_at),
        error=job.error,
        trained_tokens=job.tokens,
        verdict=None if job.result is None else job.result["verdict"],
        result=None if job.result is None else dict(job.result),
        progress=last if job.status == "running" else None,
    )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
