from __future__ import annotations

import json
import subprocess
import sys

import pytest
from filelock import FileLock

from jina_components.fine_tuner.triplets import Passage, Triplet, Triplets

THINGS = [
    "apple",
    "bread",
    "chair",
    "door",
    "engine",
    "forest",
    "garden",
    "hammer",
    "island",
    "jacket",
    "kettle",
    "lamp",
    "mirror",
    "needle",
    "ocean",
    "piano",
    "queen",
    "river",
    "sugar",
    "train",
    "umbrella",
    "violin",
    "window",
    "yacht",
    "zebra",
    "bridge",
    "candle",
    "desert",
    "eagle",
    "feather",
]
STRONG = "static-minilm-v1"


@pytest.fixture
def weak(static_folder):
    """A model that knows three words."""
    return static_folder


@pytest.fixture
def judged(tmp_path):
    """Questions in BEIR's layout."""
    folder = tmp_path / "judged"
    folder.mkdir()

    def write(name, rows):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    write("corpus.jsonl", ({"_id": thing, "text": f"boots and water near the {thing}"} for thing in THINGS))
    write("queries.jsonl", ({"_id": thing, "text": f"where is the {thing}"} for thing in THINGS))
    rows = "".join(f"{thing}\t{thing}\t1\n" for thing in THINGS)
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
    return folder


def test_a_better_model_is_told_and_drawn(run, judged, weak, tmp_path):
    report = tmp_path / "report.html"
    code, out, err = run("finetune", "evaluate", weak, STRONG, "--questions-from", judged, "--report", report)
    assert (code, err) == (0, "")
    assert "30 questions" in out
    assert out.endswith(f"\n{STRONG} is better than {weak} at this.\n")
    assert "<svg" in report.read_text()


def test_what_is_not_better_ends_with_1(run, judged, weak):
    code, out, _ = run("finetune", "evaluate", STRONG, weak, "--questions-from", judged)
    assert code == 1
    assert out.endswith(f"\nKeep {STRONG}: that {weak} is better is not proven.\n")
    code, out, _ = run("finetune", "evaluate", STRONG, STRONG, "--questions-from", judged, "--json")
    told = json.loads(out)
    assert (code, told["stage"], told["verdict"], told["questions"]) == (1, "compared", "no proof", 30)


def test_questions_that_were_trained_with_prove_nothing(run, judged, tmp_path):
    passages = {"a": Passage(id="a", text="the apple", document="a")}
    Triplets(passages=passages, train=(Triplet(query="Where is the apple?", positive="a"),)).save(tmp_path / "triplets")
    asked = ("finetune", "evaluate", STRONG, STRONG, "--questions-from", judged)
    code, _, err = run(*asked, "--trained-on", tmp_path / "triplets")
    assert code == 2
    assert "1 of 30 queries were trained with" in err
    assert "--leave-out-seen" in err
    _, out, _ = run(*asked, "--trained-on", tmp_path / "triplets", "--leave-out-seen")
    assert "29 questions" in out
    code, _, err = run(*asked[:-1], tmp_path / "triplets")
    assert code == 2
    assert "no test questions" in err


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ((), "Name files, folders or URLs to learn from"),
        (("a.jsonl", "--domain", "tea"), "Name files, folders or URLs to learn from"),
        (("--domain", "tea"), "A description of a domain needs --web PROVIDER or --chat-model"),
        (("missing.jsonl",), "missing.jsonl cannot be read"),
        (("bad.jsonl",), 'line 2 holds no document, {"text": …}'),
        (("empty.jsonl",), "There is nothing to learn from"),
    ],
)
def test_sources_that_hold_nothing(run, tmp_path, monkeypatch, sources, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.jsonl").write_text('{"text": "good"}\n{"title": "no text"}\n')
    (tmp_path / "empty.jsonl").write_text("\n")
    code, _, err = run("finetune", "synthesize", *sources, "--to", tmp_path / "triplets")
    assert code == 2
    assert told in err


def test_from_documents_to_a_verdict_and_again(run, tmp_path):
    text = (
        "The {0} museum keeps every old {0} of the town. A {0} is a thing that people make with care in its workshop."
    )
    rows = [{"id": thing, "title": f"The {thing} museum", "text": text.format(thing)} for thing in THINGS]
    (tmp_path / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [
        "finetune", "run", tmp_path / "documents.jsonl", "--to", tmp_path / "tuned", "--base", STRONG,
        "--max-steps", "1", "--questions", "2", "--most", "40", "--json", "--quiet",
    ]  # fmt: skip
    code, out, err = run(*asked)
    assert (code, err) == (1, "")  # a step proves nothing
    events = [json.loads(line) for line in out.splitlines()]
    stages = [event["stage"] for event in events]
    assert stages == ["synthesize", "fit", "fitted", "compared"]
    assert events[0]["tokens"] > events[0]["passages"] > 0
    assert {path.name for path in (tmp_path / "tuned").iterdir()} >= {"triplets", "model", "report.html", "report.json"}
    again = run(*asked)[1]
    found = [json.loads(line) for line in again.splitlines()]
    assert [event["stage"] for event in found] == ["synthesize", "fitted", "compared"]  # nothing is fitted twice
    assert found[-1] == events[-1]
    code, _, err = run(*asked, "--seed", "7")
    assert code == 2
    assert "was begun with seed 0" in err
    with FileLock(tmp_path / "tuned" / "run.lock"):
        code, _, err = run(*asked)
    assert code == 2
    assert "Another process works in" in err


def test_a_folder_of_something_else_is_left_alone(run, tmp_path):
    (tmp_path / "mine.txt").touch()
    code, _, err = run("finetune", "run", "docs.jsonl", "--to", tmp_path)
    assert code == 2
    assert "holds something else" in err


def test_a_supervised_command_is_interrupted_when_its_input_ends():
    program = """
import threading, time
from jina_components.cli.supervised import watch
threading.Thread(target=watch, daemon=True).start()
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted")
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.stdin.close()
        assert process.stdout.read() == "interrupted\n"
