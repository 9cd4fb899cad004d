"""Kills a writer again and again; run by test_store_kill.py in a process of one thread, which can fork.

With a third argument the documents have vectors of tokens too.

Prints a line for each kill: operations acknowledged, and whether the one under way when the kill came had taken place.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
from store_samples import unit_vectors

from jina_components import Document
from jina_components.filters import Field
from jina_components.retriever.stores.faiss import maintenance
from jina_components.retriever.stores.faiss.store import FaissStore

# So that the background work is under way all the time.
maintenance._MIN_DELETED = 15
maintenance._MIN_UNSAVED = 40
OPERATIONS = 40
POOL = unit_vectors(4096, seed=1)
HAS_TOKENS = len(sys.argv) > 3
# What a kill comes in the midst of, by rounds; None: of what chance says, which is mostly a put, as it takes longest.
AIMS = (None, "delete", "compact", None, "delete_matching", "reopen")


def operations(random_numbers, round_number):
    """What a child does: (name, argument) pairs."""
    for number in range(OPERATIONS):
        name = random_numbers.choices(["put", "delete", "delete_matching", "compact", "reopen"], [8, 4, 1, 2, 1])[0]
        if name == "put":
            count = random_numbers.choice([1, 1, 3, 20])
            chosen = random_numbers.sample(range(300), count)
            yield name, [(f"d{n}", (round_number * OPERATIONS + number) * 300 + n) for n in chosen]
        elif name == "delete":
            yield name, [f"d{n}" for n in random_numbers.sample(range(300), 12)]
        else:
            yield name, random_numbers.randrange(7)


def in_model(model, name, argument):
    """The documents, as a dict of id to content number, after an operation."""
    if name == "put":
        return {**model, **dict(argument)}
    if name == "delete":
        return {key: content for key, content in model.items() if key not in argument}
    if name == "delete_matching":
        return {key: content for key, content in model.items() if content % 7 != argument}
    return model


def token_vectors(content):
    """One to three vectors."""
    return POOL[[(content + number) % len(POOL) for number in range(1 + content % 3)]]


def in_store(store, name, argument):
    if name == "put":
        documents = [Document(f"content{content}", key, {"rest": content % 7}) for key, content in argument]
        tokens = [token_vectors(content) for _, content in argument] if HAS_TOKENS else None
        store.put(documents, POOL[[content % len(POOL) for _, content in argument]], tokens)
    elif name == "delete":
        store.delete(argument)
    elif name == "delete_matching":
        store.delete(filter=Field("rest") == argument)
    elif name == "compact":
        store.compact()
    else:
        store.close()


def child(directory, seed, round_number, acknowledge):
    store = FaissStore(directory)
    store.count()
    os.write(acknowledge, b"!")
    aim = AIMS[round_number % len(AIMS)]
    for name, argument in operations(random.Random(seed), round_number):
        if name == aim:
            # Nothing handles its signal, which thus ends the process as SIGKILL does.
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + random.Random(seed + 1).random() ** 2 * 0.003)
            aim = None
        in_store(store, name, argument)
        os.write(acknowledge, b".")
    os._exit(0)


def killed(directory, seed, round_number):
    """How many operations a child reported before it was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        child(directory, seed, round_number, writing)
    os.close(writing)
    assert os.read(reading, 1) == b"!"
    if AIMS[round_number % len(AIMS)] is None:
        time.sleep(random.Random(seed + 1).random() ** 2 * 0.25)
        os.kill(pid, signal.SIGKILL)
    exit_code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert exit_code <= 0, "an operation failed"
    reported = b""
    while part := os.read(reading, 1000):
        reported += part
    os.close(reading)
    return len(reported)


def check(directory, models):
    """Which of two models the store is in."""
    store = FaissStore(directory, must_exist=True)
    held = {document.id: int(document.text.removeprefix("content")) for document in store.scan()}
    matching = [index for index, model in enumerate(models) if model == held]
    assert matching, f"{len(held)} documents fit no model of {[len(model) for model in models]}"
    report = store.verify()
    assert not report.problems, report
    some = random.Random(0).sample(sorted(held.items()), min(8, len(held)))
    for key, content in some:
        [[(dense, cosine), *_]] = store.search_dense(POOL[content % len(POOL)][None], 1)
        [[(lexical, _), *more]] = store.search_lexical([f"content{content}"], 3)
        assert store.get([dense, lexical])[1].id == key
        assert np.isclose(cosine, 1)
        assert not more
        assert np.array_equal(store.get_vectors([lexical])[0], POOL[content % len(POOL)])
        if HAS_TOKENS:
            assert np.allclose(store.get_token_vectors([lexical])[0], token_vectors(content), atol=0.02)
            [hits] = store.search_multi_vector([token_vectors(content)], 5)
            assert key in [document.id for document in store.get([hit for hit, _ in hits])]
    gone = next(number for number in range(10_000_000) if number not in held.values())
    assert store.search_lexical([f"content{gone}"], 1) == [[]]
    store.close()
    return matching[0]


def main():
    directory, kills = Path(sys.argv[1]), int(sys.argv[2])
    FaissStore(directory).count()
    model = {}
    for round_number in range(kills):
        seed = round_number * 1000
        reported = killed(directory, seed, round_number)
        todo = list(operations(random.Random(seed), round_number))
        for operation in todo[:reported]:
            model = in_model(model, *operation)
        after = in_model(model, *todo[reported]) if reported < len(todo) else model
        which = check(directory, [model, after])
        model = [model, after][which]
        under_way = todo[reported][0] if reported < len(todo) else "-"
        sys.stdout.write(f"{reported} {which} {len(model)} {under_way}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
