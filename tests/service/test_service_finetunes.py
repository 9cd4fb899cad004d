"""Fine-tuning jobs: whose they are, how they end, what they cost, and the models that come of them."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from jina_components.errors import MissingDependencyError
from jina_components.service import ServiceSettings, create_app
from jina_components.service.accounts.keys import Keys
from jina_components.service.database.tables import ENTRIES
from jina_components.service.finetunes import running
from jina_components.service.finetunes.store import FineTuneStore
from jina_components.service.finetunes.worker import FineTuneWorker

COMMAND = Path(__file__).with_name("finetune_command.py")
BASE = "static-minilm-v1"
ASKED = {"model": BASE, "suffix": "tea", "documents": ["Tea grows on hills.", {"text": "It is green.", "title": "Tea"}]}
ALICE, BOB = {"Authorization": "Bearer alice"}, {"Authorization": "Bearer bob"}


@pytest.fixture
def make(tmp_path: Path, static_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FastAPI]:
    """Services over one folder, whose jobs run a stand-in for the command."""
    worker = functools.partial(FineTuneWorker, command=(sys.executable, str(COMMAND), str(static_folder)))
    monkeypatch.setattr(running, "FineTuneWorker", worker)
    monkeypatch.setattr("jina_components.service.finetunes.worker._POLL_SECONDS", 0.05)
    (tmp_path / "finetunes").mkdir()
    return lambda **settings: create_app(
        ServiceSettings(**{"data": tmp_path, "warm_up": (), "finetunes": True, "playground": False, **settings})
    )


@pytest.fixture
def client(make: Callable[..., FastAPI]) -> Iterator[TestClient]:
    with TestClient(make(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def held(tmp_path: Path) -> Path:
    path = tmp_path / "finetunes" / "hold"
    path.touch()
    return path


def ask(client: TestClient, who: dict[str, str] = ALICE, **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/finetunes", json=ASKED | fields, headers=who)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def status(client: TestClient, job: dict[str, Any], *until: str, who: dict[str, str] = ALICE) -> dict[str, Any]:
    """How far a job is, once it is so far."""
    while True:
        told: dict[str, Any] = client.get(f"/v1/finetunes/{job['id']}", headers=who).json()
        if told["status"] in until:
            return told
        assert told["status"] in ("queued", "running"), told
        time.sleep(0.02)


def test_a_job_ends_with_a_model_of_its_owner_alone(client, tmp_path):
    job = ask(client)
    assert (job["status"], job["fine_tuned_model"], job["verdict"]) == ("queued", None, None)
    done = status(client, job, "succeeded")
    assert (done["verdict"], done["trained_tokens"], done["error"]) == ("no proof", 42, None)
    assert done["result"]["reason"] == "It holds 0."
    assert done["fine_tuned_model"].startswith(f"ft:{BASE}:tea:")
    assert done["finished_at"] >= done["created_at"]
    body = {"model": done["fine_tuned_model"], "input": ["boots", "water"]}
    mine = client.post("/v1/embeddings", json=body, headers=ALICE)
    assert [row["embedding"] for row in mine.json()["data"]] == [[0, 1, 0, 0], [0, 0, 1, 0]]  # of the fitted model
    for others in (BOB, {}):
        answer = client.post("/v1/embeddings", json=body, headers=others)
        assert (answer.status_code, answer.json()["code"]) == (400, "INPUT_MODEL_NOT_FOUND")
    reranked = client.post("/v1/rerank", json={"model": body["model"], "query": "a", "documents": ["b"]}, headers=ALICE)
    assert reranked.status_code == 400
    kept = {path.name for path in (tmp_path / "finetunes" / job["id"]).iterdir()}
    assert "documents.jsonl" not in kept  # nothing of it is needed any more
    assert 'model="fine-tuned"' in client.get("/metrics").text


def test_batches_embed_with_a_fitted_model(client):
    model = status(client, ask(client), "succeeded")["fine_tuned_model"]
    line = {"custom_id": "one", "body": {"input": "boots"}}
    asked = {"model": model, "input": [line]}
    assert client.post("/v1/batch/embeddings", json=asked, headers=BOB).status_code == 400
    batch = client.post("/v1/batch/embeddings", json=asked, headers=ALICE).json()
    while batch["status"] in ("pending", "processing"):
        batch = client.get(f"/v1/batch/{batch['batch_id']}", headers=ALICE).json()
        time.sleep(0.02)
    assert (batch["status"], batch["stats"]["completed"]) == ("completed", 1)


def test_events_and_progress(client, held):
    job = ask(client)
    while not (running_now := status(client, job, "running"))["progress"] or "step" not in running_now["progress"]:
        time.sleep(0.02)
    assert running_now["progress"]["steps"] == 2
    held.unlink()
    assert status(client, job, "succeeded")["progress"] is None
    told = client.get(f"/v1/finetunes/{job['id']}/events", headers=ALICE).json()
    assert [event["stage"] for event in told] == ["synthesize", "fit", "compared"]
    assert told[-1] == {"stage": "compared", "verdict": "no proof"}  # nothing about this machine


def test_jobs_are_their_owners_and_run_one_at_a_time(client, held):
    first, second = ask(client), ask(client, BOB)
    status(client, first, "running")
    assert status(client, second, "queued", "running", who=BOB)["status"] == "queued"
    assert [job["id"] for job in client.get("/v1/finetunes", headers=BOB).json()] == [second["id"]]
    for path in ("", "/events"):
        assert client.get(f"/v1/finetunes/{first['id']}{path}", headers=BOB).status_code == 404
    assert client.post(f"/v1/finetunes/{first['id']}/cancel", headers=BOB).status_code == 404
    assert client.delete(f"/v1/finetunes/{first['id']}", headers=BOB).status_code == 404
    held.unlink()
    assert status(client, second, "succeeded", who=BOB)["status"] == "succeeded"


def test_a_cancelled_job_stops_and_its_turn_goes_on_to_the_next(client, held):
    job, next_job = ask(client), ask(client)
    status(client, job, "running")
    told = client.post(f"/v1/finetunes/{job['id']}/cancel", headers=ALICE).json()
    assert told["status"] == "cancelled"
    status(client, next_job, "running")
    held.unlink()
    status(client, next_job, "succeeded")
    assert client.post(f"/v1/finetunes/{job['id']}/cancel", headers=ALICE).json() == told
    assert status(client, job, "cancelled")["fine_tuned_model"] is None


def test_a_deleted_job_takes_its_model_with_it(client, held):
    job = ask(client)
    assert client.delete(f"/v1/finetunes/{job['id']}", headers=ALICE).status_code == 409
    held.unlink()
    model = status(client, job, "succeeded")["fine_tuned_model"]
    assert client.delete(f"/v1/finetunes/{job['id']}", headers=ALICE).json()["fine_tuned_model"] == model
    assert client.get(f"/v1/finetunes/{job['id']}", headers=ALICE).status_code == 404
    assert client.get("/v1/finetunes", headers=ALICE).json() == []
    answer = client.post("/v1/embeddings", json={"model": model, "input": ["boots"]}, headers=ALICE)
    assert answer.status_code == 400


def test_a_job_goes_on_after_the_service_was_ended(make, held, tmp_path):
    with TestClient(make()) as client:
        job = ask(client)
        while not status(client, job, "queued", "running")["progress"]:
            time.sleep(0.02)
    with TestClient(make()) as client:
        assert status(client, job, "queued", "running")["status"] == "running"
        held.unlink()
        assert status(client, job, "succeeded", "failed")["status"] == "succeeded"
    starts = (tmp_path / "finetunes" / job["id"] / "starts.txt").read_text().splitlines()
    assert len(starts) == 2
    assert len(set(starts)) == 1
    assert "--base=static-minilm-v1" in starts[0]
    assert "--seed=0" in starts[0]
    assert "--epochs" not in starts[0]


def test_what_failed_is_told_without_where_it_is(client, tmp_path):
    (tmp_path / "finetunes" / "fail").write_text("holds no text.")
    told = status(client, ask(client), "failed")
    assert told["error"] == "documents.jsonl holds no text."
    assert told["fine_tuned_model"] is None


def test_a_job_whose_process_is_killed_is_given_up_after_some_times(client, tmp_path):
    (tmp_path / "finetunes" / "kill").touch()
    told = status(client, ask(client), "failed")
    assert "killed 3 times" in told["error"]


def test_a_key_is_charged_once_a_job_has_succeeded(make, tmp_path):
    app = make(needs_keys=True)
    with TestClient(app, raise_server_exceptions=False) as client:
        keys = Keys(app.state.database)
        key, secret = keys.create(name="laptop")
        who = {"Authorization": f"Bearer {secret}"}
        assert client.post("/v1/finetunes", json=ASKED).status_code == 401
        job = ask(client, who)
        status(client, job, "succeeded", who=who)
        (tmp_path / "finetunes" / "kill").touch()
        status(client, ask(client, who), "failed", who=who)
        with app.state.database.connected() as db:
            rows = db.execute(select(ENTRIES).where(ENTRIES.c.product == "finetune", ENTRIES.c.tokens < 0)).all()
        assert [(row.reference, row.key_id, row.tokens, row.items) for row in rows] == [(job["id"], key.id, -42, 2)]


def test_a_key_that_is_spent_or_revoked_before_its_turn(make, tmp_path, held):
    app = make(needs_keys=True)
    with TestClient(app, raise_server_exceptions=False) as client:
        keys = Keys(app.state.database)
        first, other = keys.create(name="first")[1], keys.create(name="second", owner="them")
        key, third = keys.create(name="third", owner="them")
        running_job = ask(client, {"Authorization": f"Bearer {first}"})
        status(client, running_job, "running", who={"Authorization": f"Bearer {first}"})
        job = ask(client, {"Authorization": f"Bearer {third}"})
        keys.revoke(key.id)
        held.unlink()
        told = status(client, job, "failed", who={"Authorization": f"Bearer {other[1]}"})
        assert "was revoked before its turn" in told["error"]


@pytest.mark.parametrize(
    ("fields", "code", "told"),
    [
        ({"documents": None}, 422, "either 'documents' or 'url'"),
        ({"url": "https://example.com"}, 422, "either 'documents' or 'url'"),
        ({"documents": []}, 422, "at least 1 item"),
        ({"documents": None, "url": "file:///etc/passwd"}, 422, "url"),
        ({"suffix": "../x"}, 422, "pattern"),
        ({"max_steps": 0}, 422, "greater than or equal to 1"),
        ({"model": "no-such-model"}, 400, "no-such-model"),
        ({"model": "/etc"}, 400, "not known here"),
        ({"model": "static-minilm-v1-maxsim"}, 400, "cannot be fitted"),
        ({"model": "ft:static-minilm-v1:tea:0123456789abcdef"}, 400, "not fitted again"),
    ],
)
def test_what_cannot_be_done_is_refused(client, fields, code, told):
    answer = client.post("/v1/finetunes", json=ASKED | fields, headers=ALICE)
    assert answer.status_code == code
    assert told in answer.json()["detail"]
    assert client.get("/v1/finetunes", headers=ALICE).json() == []


def test_there_is_room_for_a_few_jobs_of_an_owner(make, held, monkeypatch):
    few = functools.partial(FineTuneStore, most_waiting=3, most_waiting_of_owner=2, most_of_owner=3)
    monkeypatch.setattr(running, "FineTuneStore", few)
    with TestClient(make(), raise_server_exceptions=False) as client:
        jobs = [ask(client), ask(client)]
        refused = client.post("/v1/finetunes", json=ASKED, headers=ALICE)
        assert refused.status_code == 429
        assert "2 fine-tuning jobs that have not ended" in refused.json()["detail"]
        ask(client, BOB)
        assert client.post("/v1/finetunes", json=ASKED, headers={"Authorization": "carol"}).status_code == 503
        client.post(f"/v1/finetunes/{jobs[1]['id']}/cancel", headers=ALICE)
        ask(client)
        client.post(f"/v1/finetunes/{jobs[0]['id']}/cancel", headers=ALICE)
        full = client.post("/v1/finetunes", json=ASKED, headers=ALICE)
        assert "delete one" in full.json()["detail"]


def test_it_is_off_unless_the_operator_turns_it_on(make):
    with TestClient(make(finetunes=False)) as client:
        answer = client.post("/v1/finetunes", json=ASKED)
        assert answer.status_code == 404
        assert "--finetunes" in answer.json()["detail"]


def test_without_the_extra_the_service_does_not_start(make, monkeypatch):
    monkeypatch.setattr(running, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"jina-components\[train\]"), TestClient(make()):
        pass


def test_what_a_kill_left_half_written_is_removed(tmp_path):
    folder = tmp_path / "finetunes"
    for name in ("ft_0123456789abcdef.unfinished-0123456789ab", "ft_0123456789abcdef.removed"):
        (folder / name).mkdir(parents=True)
    FineTuneStore(folder).open()
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []
