import io
import json
import sys

import pytest

EMBEDDER = ("--embedder", "static-minilm-v1")
ROWS = [
    ("the team won the match", "sports"), ("a goal in the last minute", "sports"), ("she won the race", "sports"),
    ("stir the soup slowly", "cooking"), ("bake the bread in the oven", "cooking"), ("salt the pasta", "cooking"),
]  # fmt: skip


@pytest.fixture
def examples(tmp_path):
    path = tmp_path / "examples.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS))
    return path


@pytest.fixture
def trained(run, examples, tmp_path):
    code, out, _ = run("train-classifier", examples, "--to", tmp_path / "my.classifier", *EMBEDDER)
    assert code == 0
    assert out == f"{tmp_path / 'my.classifier'}: learned 6 examples, knows 2 labels (2 new), version 1\n"
    return tmp_path / "my.classifier"


def test_labels_named_on_the_line(run):
    texts = ("The match ended in a draw.", "Boil the pasta.")
    code, out, err = run("classify", *texts, "--labels", "sports, cooking", *EMBEDDER)
    assert (code, err) == (0, "")
    lines = [line.split("\t") for line in out.splitlines()]
    assert [label.split()[0] for label, _ in lines] == ["sports", "cooking"]
    assert [text for _, text in lines] == list(texts)


def test_everything_as_json(run):
    code, out, _ = run("classify", "The match ended in a draw.", "--labels", "sports,cooking", "--json", *EMBEDDER)
    found = json.loads(out)
    assert code == 0
    assert (found["text"], found["label"], found["labels"]) == ("The match ended in a draw.", "sports", ["sports"])
    assert found["score"] == found["scores"]["sports"] == pytest.approx(1 - found["scores"]["cooking"], abs=1e-5)


def test_lines_of_files_and_of_standard_input(run, tmp_path, monkeypatch):
    (tmp_path / "texts.txt").write_text("The match ended.\n\nBoil the pasta.\n")
    (tmp_path / "labels.txt").write_text("sports\n cooking\n")
    (tmp_path / "labels.json").write_text('{"S": "sports and games", "C": "cooking and food"}')
    _, out, _ = run("classify", "--file", tmp_path / "texts.txt", "--labels-file", tmp_path / "labels.txt", *EMBEDDER)
    assert [line.split()[0] for line in out.splitlines()] == ["sports", "cooking"]
    for arguments in ((), ("-",)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"The match ended.\nBoil the pasta.\n")))
        _, out, _ = run("classify", *arguments, "--labels-file", tmp_path / "labels.json", *EMBEDDER)
        assert [line.split()[0] for line in out.splitlines()] == ["S", "C"]


def test_its_settings(run):
    texts = ("The chef cooked pasta while fans watched the football match.", "qzx")
    labels = ("--labels", "cooking,football,banking", *EMBEDDER)
    _, out, _ = run("classify", *texts, *labels, "--multi-label", "--threshold", "0.3", "--template", "{}")
    both, none = out.splitlines()
    assert {part.split()[0] for part in both.split("\t")[0].split(", ")} == {"cooking", "football"}
    assert none == "-\tqzx"
    code, _, err = run("classify", "x", *labels, "--threshold", "2")
    assert code == 2
    assert "threshold must be a probability" in err
    code, _, err = run("classify", "x", *labels, "--template", "about")
    assert code == 2
    assert "must have {}" in err


def test_train_classify_and_evaluate(run, trained, examples, tmp_path):
    texts = ("she won the race", "bread from the oven")
    _, out, _ = run("classify", *texts, "--from", trained, *EMBEDDER)
    assert [line.split()[0] for line in out.splitlines()] == ["sports", "cooking"]
    more = tmp_path / "more.csv"
    more.write_text("body,topic\nthe choir sang,music\nshe plays the violin,music\n")
    columns = ("--column", "body", "--label-column", "topic")
    _, out, _ = run("train-classifier", more, "--to", trained, *columns, "--num-iters", 5, "--json", *EMBEDDER)
    summary = json.loads(out)
    assert summary.pop("tokens") > 0
    assert summary == {
        "num_examples": 2, "labels": ["sports", "cooking", "music"], "new_labels": ["music"], "version": 2,
    }  # fmt: skip
    code, out, _ = run("evaluate-classifier", examples, "--from", trained, *EMBEDDER)
    assert code == 0
    assert out.startswith("accuracy 1.000, macro F1 1.000, calibration error 0.")
    assert "sports     " in out
    _, out, _ = run("evaluate-classifier", examples, "--labels", "sports,cooking", "--json", *EMBEDDER)
    report = json.loads(out)
    assert report["accuracy"] > 0.8
    assert report["labels"]["sports"]["support"] == 3


def test_examples_on_standard_input(run, examples, tmp_path, monkeypatch):
    for content, found in [(examples.read_bytes(), (0, "")), (b"", (2, "jina-components: standard input holds no"))]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        code, _, err = run("train-classifier", "-", "--to", tmp_path / "piped", *EMBEDDER)
        assert code == found[0]
        assert err.startswith(found[1])


def test_one_label_is_none_to_choose_from(run, tmp_path):
    (tmp_path / "one.jsonl").write_text('{"text": "a pear", "label": "apples"}\n')
    _, out, _ = run("train-classifier", tmp_path / "one.jsonl", "--to", tmp_path / "one", *EMBEDDER)
    assert "learned 1 example, knows 1 label (1 new)" in out
    code, out, err = run("classify", "x", "--from", tmp_path / "one", *EMBEDDER)
    assert (code, out) == (2, "")
    assert "only the label 'apples' has been learned: train it on others too, or name --labels." in err


def test_what_labels_are_taken_for(run, tmp_path):
    wrong = tmp_path / "wrong.tsv"
    wrong.write_text("text\tlabel\nthe team won the match\tcooking\nboil pasta\tcooking\n")
    _, out, _ = run("evaluate-classifier", wrong, "--labels", "sports,cooking", *EMBEDDER)
    assert out.endswith("\n1 x cooking, taken for sports\n")


def test_wrong_usage_is_told(run, examples, tmp_path):
    for name, content in [("l.md", "a\nb\n"), ("gap.txt", "a\n\nb\n"), ("twice.txt", "a\nb\na\n")]:
        (tmp_path / name).write_text(content)
    (tmp_path / "sets.json").write_text('{"a": ["x", "y"], "b": ["z"]}')
    missing, bad, empty = tmp_path / "missing.txt", tmp_path / "bad.jsonl", tmp_path / "empty.jsonl"
    bad.write_text('{"text": "a", "label": "x"}\n{"text": "b"}\n')
    empty.write_text("\n")
    (tmp_path / "labels.json").write_text("{")
    to = ("--to", tmp_path / "new")
    for arguments, message in [
        (("classify", "x", "--labels", "sports"), "at least 2"),
        (("classify", "x", "--labels", "a,,b"), "labels[1] is empty"),
        (("classify", "x", "--labels", "a,b", "--file", examples), "leave one out"),
        (("classify", "x", "--labels-file", missing), "cannot be read"),
        (("classify", "x", "--labels-file", tmp_path / "labels.json"), "is no JSON"),
        (("classify", "x", "--labels-file", tmp_path / "sets.json"), "run classify once for each set"),
        (("classify", "x", "--labels-file", tmp_path / "l.md"), "--labels-file '.md'. Known: .json, .txt"),
        (("classify", "x", "--labels-file", tmp_path / "gap.txt"), "labels[1] is empty"),
        (("classify", "x", "--labels-file", tmp_path / "twice.txt"), "labels[2] 'a' is there twice"),
        (("classify", "--file", tmp_path, "--labels", "a,b"), "is a directory: name a file of it."),
        (("classify", "x", "--from", missing), "make it with train-classifier"),
        (("classify", "x", "--from", tmp_path), "is no classifier"),
        (("classify", "x", "--from", tmp_path, "--multi-label"), "--multi-label needs --labels"),
        (("classify", "x", "--from", tmp_path, "--template", "{}"), "leave it out with --from"),
        (("evaluate-classifier", examples, "--from", tmp_path, "--template", "{}"), "leave it out with --from"),
        (("train-classifier", examples, "--to", examples), "it is a file, not a directory"),
        (("train-classifier", bad, *to), f"{bad}, row at line 2: It has no 'label'."),
        (("train-classifier", empty, *to), "holds no examples"),
        (("train-classifier", examples, *to, "--num-iters", "0"), "num_iters"),
        (("evaluate-classifier", examples, "--labels", "sports,music"), "'cooking', which is not one to choose from"),
    ]:
        code, out, err = run(*arguments, *EMBEDDER)
        assert (code, out) == (2, ""), arguments
        assert message in err
    assert not (tmp_path / "new").exists()
    with pytest.raises(SystemExit):
        run("classify", "x")
