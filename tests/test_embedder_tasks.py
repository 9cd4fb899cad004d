"""Tasks by prompt and adapter, a call each and mixed in a pass, on checkpoints of random weights as published."""

from __future__ import annotations

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from layout_shapes import llama_adapter, random_tensors
from published_layouts import CHECKPOINTS
from tiny_checkpoints import byte_bpe, edit_json, save_tokenizer
from tiny_published import tiny_config, write_tensors, write_tiny

from jina_components import Embedder
from jina_components.errors import ModelFilesError, UnknownNameError
from jina_components.models.catalog import BY_NAME

TEXTS = ["a cat on a mat", "the sea at night", "stocks fell sharply on a quiet day"]
V3, NANO = "jina-embeddings-v3", "jina-embeddings-v5-text-nano"


def save_model(folder, name):
    folder.mkdir()
    config = tiny_config(name, num_attention_heads=4)
    if name == NANO:
        config |= {"num_key_value_heads": 4, "head_dim": 12}
    write_tiny(folder, name, config)
    for adapter in {"retrieval", "text-matching", "classification", "clustering"} if name == NANO else ():
        _save_adapter(folder / "adapters" / adapter, config, seed=len(adapter))
    save_tokenizer(folder, byte_bpe(), model_max_length=300)
    return folder


def _save_adapter(folder, config, *, seed):
    folder.mkdir(parents=True)
    tensors = random_tensors(llama_adapter(config, 4), seed=seed)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 4}))
    write_tensors(folder, tensors)
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("tasks")
    return {name: save_model(base / name, name) for name in (V3, NANO)}


def distinct(vectors):
    return len({tuple(row) for row in np.round(vectors, 4).tolist()})


def test_the_tasks_of_v3_have_an_adapter_each_and_two_of_them_a_prompt(folders):
    embedder = Embedder(folders[V3], precision="float32")
    tasks = [None, *BY_NAME[V3].adapters]
    results = {task: embedder.embed([TEXTS[0]], task=task) for task in tasks}
    assert distinct(np.concatenate([result.vectors for result in results.values()])) == 6
    longer = {task for task, result in results.items() if result.usage != results[None].usage}
    assert longer == {"retrieval.query", "retrieval.passage"}
    np.testing.assert_array_equal(embedder.embed_query(TEXTS[0]), results["retrieval.query"].vectors[0])
    np.testing.assert_array_equal(embedder.embed_documents([TEXTS[0]]), results["retrieval.passage"].vectors)


def test_v5_matches_texts_when_no_task_is_named(folders):
    embedder = Embedder(folders[NANO], precision="float32")
    by_task = {task: embedder.embed(TEXTS, task=task).vectors for task in (None, *BY_NAME[NANO].adapters)}
    np.testing.assert_array_equal(by_task[None], by_task["text-matching"])
    np.testing.assert_array_equal(by_task["separation"], by_task["clustering"])
    assert distinct(np.stack([vectors[0] for vectors in by_task.values()])) == 5


@pytest.mark.parametrize("name", [V3, NANO])
def test_an_unknown_task_names_those_of_the_model(folders, name):
    with pytest.raises(UnknownNameError, match="text-matching") as caught:
        Embedder(folders[name]).embed(TEXTS, task="retrieval.querry")
    assert ("clustering" in str(caught.value)) == (name == NANO)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", [V3, NANO])
def test_calls_of_several_tasks_share_passes_and_get_their_own_vectors(folders, name, precision, monkeypatch):
    embedder = Embedder(folders[name], precision=precision)
    pairs = list(zip([None, *BY_NAME[name].adapters] * 4, TEXTS * 10, strict=False))
    wanted = [embedder.embed([text], task=task).vectors for task, text in pairs]
    runner, passes, go = embedder.load().runner, [], threading.Event()
    run = runner._backend.run

    def recorded(batch):
        passes.append({sequence.adapter for sequence in batch})
        go.wait(30)
        return run(batch)

    monkeypatch.setattr(runner._backend, "run", recorded)
    with ThreadPoolExecutor(len(pairs)) as pool:
        calls = [pool.submit(embedder.embed, [text], task=task) for task, text in pairs]
        while len(runner._jobs) < len(pairs):  # the first pass waits, so that the other calls queue up behind it
            time.sleep(0.01)
        go.set()
        found = [call.result().vectors for call in calls]
    assert len(passes) < len(pairs) / 2
    assert max(map(len, passes)) > 3
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_a_folder_without_a_row_offers_the_adapters_it_has(folders, tmp_path):
    folder = tmp_path / "my-model"
    folder.symlink_to(folders[NANO])
    named, plain = Embedder(folders[NANO], precision="float32"), Embedder(folder, precision="float32")
    query = plain.embed(["Query: " + TEXTS[0]], task="retrieval.query").vectors
    np.testing.assert_allclose(query, named.embed([TEXTS[0]], task="retrieval.query").vectors, atol=1e-6)
    base = plain.embed(["a"], task=None).vectors
    assert not np.allclose(base, plain.embed(["a"], task="retrieval.query").vectors, atol=1e-3)
    assert not np.allclose(base, plain.embed(["a"], task="clustering").vectors, atol=1e-3)


def test_a_task_of_the_row_has_its_prompt_and_a_bare_adapter_is_none(folders):
    with pytest.raises(UnknownNameError, match="Unknown task 'retrieval'"):
        Embedder(folders[NANO]).embed(TEXTS, task="retrieval")


def test_adapters_that_would_not_run_are_refused(folders, tmp_path):
    folder = tmp_path / "own"
    shutil.copytree(folders[NANO], folder)
    rope = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
    edit_json(
        folder / "config.json",
        model_type="eurobert",
        architectures=["EuroBertModel"],
        pad_token_id=1,
        rope_parameters=rope,
    )
    with pytest.raises(ModelFilesError, match="adapters classification, clustering.* do not run"):
        Embedder(folder).embed(TEXTS)
    (folder / "adapters" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelFilesError, match="save each as adapters/<task>/"):
        Embedder(folder).embed(TEXTS)


def test_a_lacking_adapter_is_named(folders, tmp_path):
    folder = save_model(tmp_path / NANO, NANO)
    for file in (folder / "adapters" / "clustering").iterdir():
        file.unlink()
    with pytest.raises(ModelFilesError, match="lacks the adapters clustering"):
        Embedder(folder).embed(TEXTS)


def test_matryoshka_cuts_are_at_unit_length_again(folders):
    embedder = Embedder(folders[V3], precision="float32")
    whole, cut = embedder.embed(TEXTS), embedder.embed(TEXTS, dimensions=32)
    head = whole.vectors[:, :32]
    np.testing.assert_allclose(cut.vectors, head / np.linalg.norm(head, axis=1, keepdims=True), atol=1e-6)


def test_every_published_text_model_is_in_the_catalog():
    assert set(CHECKPOINTS) <= set(BY_NAME)
