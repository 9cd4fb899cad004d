"""Kills a trainer again and again; run by test_classifier_saved.py in a process of one thread, which can fork.

Version n knows the labels "label 1" … "label n". Writes a line for each kill: the version that was there afterwards.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from jina_components.classifier import Classifier
from jina_components.testing import FakeEmbedder


def child(directory, acknowledge):
    classifier = Classifier(FakeEmbedder(), path=directory)
    os.write(acknowledge, b"!")
    for _ in range(1000):
        number = classifier.version + 1
        classifier.train([(f"text {number}", f"label {number}")])
        os.write(acknowledge, b".")


def killed(directory, seed):
    """How many trainings a child reported before it was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            child(directory, writing)
        finally:
            os._exit(1)
    os.close(writing)
    chance = random.Random(seed)
    reported = b""
    for _ in range(1 + chance.randrange(4)):
        reported += os.read(reading, 1)
    time.sleep(chance.random() * 0.03)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while part := os.read(reading, 1000):
        reported += part
    os.close(reading)
    assert reported.startswith(b"!")
    return len(reported) - 1


def main():
    directory, kills = Path(sys.argv[1]), int(sys.argv[2])
    version = 0
    for seed in range(kills):
        reported = killed(directory, seed)
        classifier = Classifier(FakeEmbedder(), path=directory)
        assert classifier.version - version in (reported, reported + 1), (classifier.version, version, reported)
        version = classifier.version
        assert classifier.labels == tuple(f"label {number}" for number in range(1, version + 1))
        assert [kept.number for kept in classifier.versions] == list(range(max(version - 4, 1), version + 1))
        if version > 1:
            assert classifier.classify([f"text {version}"])[0].scores
        sys.stdout.write(f"{version}\n")
    classifier.train([("the end", "end")])
    left = sorted(path.name for path in directory.iterdir())
    kept = [f"version-{kept.number}.safetensors" for kept in classifier.versions]
    assert left == sorted([".lock", "manifest.json", *kept]), left


if __name__ == "__main__":
    main()
