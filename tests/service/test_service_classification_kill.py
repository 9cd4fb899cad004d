"""What a killed server had acknowledged of classifiers, the next one knows; and nothing by halves."""

import sys

import httpx
import pytest
from test_service_batches_kill import server

from jina_components.models.catalog import DEFAULT_EMBEDDER

EXAMPLES = [
    {"text": "the team won the match", "label": "sports"},
    {"text": "add salt to the soup", "label": "cooking"},
]
RAIN = {"text": "rain and wind in the north", "label": "weather"}
MANY = [{**example, "text": f"{example['text']} {number}"} for number in range(250) for example in EXAMPLES]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_no_classifier_is_lost_when_the_server_is_killed(tmp_path):
    """Each block ends with SIGKILL as soon as the last answer has come."""

    def train(**asked):
        answer = client.post("/v1/train", json=asked)
        assert answer.status_code == 200
        return answer.json()["classifier_id"]

    def prediction(text, of):
        answer = client.post("/v1/classify", json={"classifier_id": of, "input": text})
        return answer.json()["data"][0]["prediction"]

    with server(tmp_path) as client:
        made, other = (train(model=DEFAULT_EMBEDDER, input=EXAMPLES) for _ in range(2))
    with server(tmp_path) as client:
        assert prediction("they scored and won", made) == "sports"
        assert client.delete(f"/v1/classifiers/{other}").status_code == 200
        assert train(classifier_id=made, input=RAIN) == made
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/train", json={"model": DEFAULT_EMBEDDER, "input": MANY}, timeout=0.02)
    with server(tmp_path) as client:
        first, *more = client.get("/v1/classifiers").json()
        assert (first["classifier_id"], first["labels"]) == (made, ["sports", "cooking", "weather"])
        assert (first["updated_number"], first["used_number"]) == (2, 1)
        assert prediction("they scored and won", made) == "sports"
        assert prediction(RAIN["text"], made) == "weather"
        for row in more:  # what was not acknowledged is whole, or not there
            assert row["labels"] == ["sports", "cooking"]
            assert prediction("they scored and won", row["classifier_id"]) == "sports"
        assert len(more) <= 1
        assert client.delete(f"/v1/classifiers/{other}").status_code == 404
