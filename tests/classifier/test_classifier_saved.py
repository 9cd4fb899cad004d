import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from classifier_samples import COOKING, EXAMPLES, SPORTS, BlockingEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.classifier import Classifier
from jina_components.errors import BusyError, ConfigError, IndexMismatchError, ModelFilesError, UnknownNameError
from jina_components.testing import FakeEmbedder

TEXTS = [*SPORTS, *COOKING]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "my.classifier"


@pytest.fixture
def trained(path):
    classifier = Classifier(FakeEmbedder(), path=path)
    classifier.train(EXAMPLES)
    return classifier


def test_what_is_trained_is_there_when_opened_again(trained, path):
    opened = Classifier(FakeEmbedder(), path=str(path))
    assert opened.classify(TEXTS) == trained.classify(TEXTS)
    assert (opened.labels, opened.version) == (("sports", "cooking"), 1)
    assert repr(opened) == f"Classifier(FakeEmbedder(dimensions=32), path={str(path)!r})"
    assert pickle.loads(pickle.dumps(opened)).classify(TEXTS) == trained.classify(TEXTS)
    opened.close()
    assert opened.classify(TEXTS) == trained.classify(TEXTS)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.text(min_size=1).filter(str.strip), st.sampled_from(["x", "y", "ü "])), min_size=2, max_size=9
    )
)
def test_saved_and_opened_is_the_same(tmp_path_factory, examples):
    folder = tmp_path_factory.mktemp("saved")
    examples = [(text, label) for text, label in examples if text.isprintable()]
    classifier = Classifier(FakeEmbedder())
    classifier.train([*examples, ("one", "x"), ("two", "y")])
    classifier.save(folder / "new" / "c")
    opened = Classifier(FakeEmbedder(), path=folder / "new" / "c")
    assert opened.classify(TEXTS) == classifier.classify(TEXTS)
    assert opened.labels == classifier.labels
    again = [("three", "z")]
    assert opened.train(again).labels == classifier.train(again).labels
    assert opened.classify(TEXTS) == classifier.classify(TEXTS)


def test_nothing_is_made_before_something_is_trained(path):
    classifier = Classifier(FakeEmbedder(), path=path)
    assert (classifier.version, classifier.labels, classifier.versions) == (0, (), ())
    with pytest.raises(ConfigError, match="nothing has been learned"):
        classifier.classify(["x"])
    with pytest.raises(ConfigError, match="nothing to save"):
        classifier.save(path)
    with pytest.raises(ModelFilesError, match="holds no classifier"):
        classifier.rollback(1)
    assert not path.exists()


def test_readers_know_what_was_trained_at_their_next_call(trained, path):
    reader = Classifier(FakeEmbedder(), path=path)
    assert reader.version == 1
    trained.train([("violin", "music"), ("piano", "music")])
    assert list(reader.classify(["violin piano"])[0].scores) == ["sports", "cooking", "music"]
    assert reader.classify(TEXTS) == trained.classify(TEXTS)
    reader.train([("rain", "weather")])
    assert trained.labels == ("sports", "cooking", "music", "weather")


def test_the_last_versions_are_kept_and_can_be_opened_or_made_to_count(trained, path):
    before = trained.classify(TEXTS)
    for number in range(2, 8):
        trained.train([(f"text {number}", f"label {number}")])
    kept = trained.versions
    assert [version.number for version in kept] == [3, 4, 5, 6, 7]
    assert kept[0].labels == ("sports", "cooking", "label 2", "label 3")
    assert kept[-1].num_examples == 14
    assert kept[0].created_at.endswith("+00:00")
    assert len(list(path.glob("version-*"))) == 5
    old = Classifier(FakeEmbedder(), path=path, version=4)
    assert (old.version, old.labels) == (4, kept[1].labels)
    for change in (lambda: old.train(EXAMPLES), lambda: old.rollback(5)):
        with pytest.raises(ConfigError, match="opened at version 4"):
            change()
    for number in (2, 8, 0, -1):
        with pytest.raises(UnknownNameError, match="Kept: 3, 4, 5, 6, 7"):
            trained.rollback(number)
        with pytest.raises(UnknownNameError, match=f"keeps no version {number}"):
            _ = Classifier(FakeEmbedder(), path=path, version=number).labels
    expected = Classifier(FakeEmbedder(), path=path, version=3).classify(TEXTS)
    trained.rollback(3)
    assert (trained.version, trained.labels) == (3, kept[0].labels)
    assert trained.classify(TEXTS) == expected != before
    training = trained.train([("another", "way")])
    assert (training.version, training.labels) == (8, (*kept[0].labels, "way"))
    assert [version.number for version in trained.versions] == [4, 5, 6, 7, 8]


def test_a_classifier_in_memory_has_no_versions():
    classifier = Classifier(FakeEmbedder())
    for call in (lambda: classifier.versions, lambda: classifier.rollback(1)):
        with pytest.raises(ConfigError, match="open it with path="):
            call()


def test_saving_writes_a_copy_and_over_nothing(trained, tmp_path):
    trained.save(tmp_path / "copy")
    trained.train([("x", "y")])
    assert Classifier(FakeEmbedder(), path=tmp_path / "copy").labels == ("sports", "cooking")
    with pytest.raises(ModelFilesError, match="is there already"):
        trained.save(tmp_path / "copy")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelFilesError, match="is there already"):
        trained.save(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    trained.save(tmp_path / "empty")


class OtherEmbedder(FakeEmbedder):
    def _word_vector(self, word):
        return super()._word_vector(f"other {word}")


@pytest.mark.parametrize("embedder", [OtherEmbedder(), FakeEmbedder(dimensions=64)])
def test_another_embedder_is_refused(trained, path, embedder):
    other = Classifier(embedder, path=path)
    for call in (lambda: other.classify(["x"]), lambda: other.train(EXAMPLES), lambda: other.labels):
        with pytest.raises(IndexMismatchError, match=r"was trained with the embedder 'fake-32' \(32 dimensions\)"):
            call()
    assert trained.version == 1


def test_another_embedders_classifier_in_the_same_place_is_refused(trained, path):
    shutil.rmtree(path)
    Classifier(OtherEmbedder(), path=path).train(EXAMPLES)
    for call in (lambda: trained.classify(["x"]), lambda: trained.train(EXAMPLES), lambda: trained.labels):
        with pytest.raises(IndexMismatchError, match="another vector space"):
            call()


def cut_manifest(path):
    manifest = path / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-30])


def edit_manifest(path, **changes):
    manifest = path / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))


def flip_byte(path):
    file = path / "version-2.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


DAMAGES = {
    "cut manifest": (cut_manifest, r"is damaged: manifest.json is no JSON.*restore it from a copy"),
    "another label": (lambda path: edit_manifest(path, embedder="x"), "is damaged: manifest.json is not as it was"),
    "a field gone": (lambda path: edit_manifest(path, versions=[{}]), "is damaged: manifest.json is not as it was"),
    "a wrong field": (lambda path: edit_manifest(path, probe=7), "is damaged: manifest.json is not as it was"),
    "a list": (lambda path: (path / "manifest.json").write_text("[]"), "no manifest of a classifier"),
    "another format": (lambda path: edit_manifest(path, format="jina_components.retriever"), "no manifest of a"),
    "a newer format": (lambda path: edit_manifest(path, format_version=2), "version 2, .* upgrade jina-components"),
    "an older format": (lambda path: edit_manifest(path, format_version=0), "version 0, .* train it again"),
    "a flipped byte": (flip_byte, r"version-2.safetensors is not as it was written.*rollback\(1\)"),
    "a file gone": (lambda path: (path / "version-2.safetensors").unlink(), "version-2.safetensors is gone"),
    "a folder for a file": (
        lambda path: ((path / "version-2.safetensors").unlink(), (path / "version-2.safetensors").mkdir()),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_told_with_what_to_do(trained, path, name):
    trained.train([("x", "y")])
    damage, message = DAMAGES[name]
    damage(path)
    opened = Classifier(FakeEmbedder(), path=path)
    for call in (lambda: opened.classify(["x"]), lambda: opened.train(EXAMPLES), lambda: opened.labels):
        with pytest.raises(ModelFilesError, match=message):
            call()


def test_a_damaged_version_can_be_rolled_back(trained, path):
    expected = trained.classify(TEXTS)
    trained.train([("x", "y")])
    flip_byte(path)
    opened = Classifier(FakeEmbedder(), path=path)
    opened.rollback(1)
    assert opened.classify(TEXTS) == expected
    with pytest.raises(ModelFilesError, match="not as it was written"):
        opened.rollback(2)


def test_files_of_others_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelFilesError, match=r"holds 'notes.txt' and no manifest.json"):
        Classifier(FakeEmbedder(), path=tmp_path).train(EXAMPLES)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(ModelFilesError, match="cannot be written: it is a file"):
        Classifier(FakeEmbedder(), path=tmp_path / "notes.txt").train(EXAMPLES)


@pytest.mark.parametrize("wrong", [5, "", b"folder"])
def test_a_path_that_is_none_is_refused(trained, wrong):
    for call in (lambda: Classifier(FakeEmbedder(), path=wrong), lambda: trained.save(wrong)):
        with pytest.raises(ConfigError, match="path must name a directory"):
            call()


def test_where_nothing_was_saved_nothing_is_said_to_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFilesError, match=r"cannot be written: Not a directory\.\Z"):
        Classifier(FakeEmbedder(), path=tmp_path / "file" / "below").train(EXAMPLES)


def test_a_directory_that_vanishes_is_missed(trained, path):
    shutil.rmtree(path)
    with pytest.raises(ModelFilesError, match="holds no classifier"):
        trained.classify(["x"])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind here")
def test_a_directory_that_cannot_be_written_is_read(trained, path):
    path.chmod(0o500)
    try:
        assert Classifier(FakeEmbedder(), path=path).classify(TEXTS) == trained.classify(TEXTS)
        with pytest.raises(ModelFilesError, match="cannot be written"):
            trained.train(EXAMPLES)
    finally:
        path.chmod(0o700)


def test_one_object_trains_at_a_time(path):
    embedder = BlockingEmbedder()
    first, second = Classifier(embedder, path=path), Classifier(FakeEmbedder(), path=path)
    thread = threading.Thread(target=first.train, args=([("wait", "slow")],))
    thread.start()
    assert embedder.is_waiting.wait(30)
    for call in (lambda: second.train(EXAMPLES), lambda: first.train(EXAMPLES)):
        with pytest.raises(BusyError, match="being trained by another caller: try again later") as caught:
            call()
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    embedder.go_on.set()
    thread.join(30)
    assert second.train(EXAMPLES).labels == ("slow", "sports", "cooking")


_HOLDS = """
import sys
from jina_components.classifier import Classifier
from jina_components.testing import FakeEmbedder

class Waits(FakeEmbedder):
    def embed_documents(self, texts):
        if "wait" in texts:
            print("in", flush=True)
            sys.stdin.readline()
        return super().embed_documents(texts)

print(Classifier(Waits(), path=sys.argv[1]).train([("wait", "slow"), ("go", "fast")]).version, flush=True)
"""


def test_one_process_trains_at_a_time(trained, path):
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDS, path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(),
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "in\n"
        with pytest.raises(BusyError):
            trained.train(EXAMPLES)
        assert trained.version == 1
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "2\n"
    assert trained.labels == ("sports", "cooking", "slow", "fast")


def test_threads_that_train_and_classify_at_once(path):
    def work(number):
        own = Classifier(FakeEmbedder(), path=path)
        while True:
            try:
                version = own.train([(f"text {number}", f"label {number}")]).version
            except BusyError:
                labels = own.labels
                assert len(set(labels)) == len(labels) <= 12
            else:
                return version

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(work, range(12)))
    assert sorted(versions) == list(range(1, 13))
    assert set(Classifier(FakeEmbedder(), path=path).labels) == {f"label {number}" for number in range(12)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.slow
def test_a_kill_leaves_the_state_before_or_after(path):
    script = Path(__file__).with_name("killed_classifier.py")
    done = subprocess.run(
        [sys.executable, script, path, "15"], capture_output=True, text=True, env=_environment(), timeout=150
    )
    assert done.returncode == 0, done.stderr
    versions = [int(line) for line in done.stdout.split()]
    assert len(versions) == 15
    assert versions[-1] >= 11


def _environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
