"""Texts and images in one space: jina-clip checkpoints of random weights, whole folders as published."""

from __future__ import annotations

import base64
import json
import pickle
from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from layout_shapes import random_tensors
from local_server import http, loopback_fetcher
from published_layouts import CHECKPOINTS
from tiny_checkpoints import byte_bpe, save_tokenizer
from tiny_published import tiny_config, write_tensors
from tiny_vision import TINY, random_vision

from jina_components import Embedder, Image
from jina_components.core.background import run_sync
from jina_components.errors import BlockedURLError, ConfigError, InputError
from jina_components.models.endpoint import Endpoint
from jina_components.net import Fetcher, URLGuard

NAMES = ("jina-clip-v1", "jina-clip-v2")
TEXTS = ["a cat on a mat", "the sea at night"]


def save_clip(folder, name):
    """A folder as published, named like the row of the catalog."""
    folder.mkdir()
    text = tiny_config(name, hidden_size=128, num_attention_heads=2)
    vision = TINY[name] | {"width": 128}
    tensors = random_tensors(CHECKPOINTS[name].layout(text)) | random_vision(vision)
    tensors["logit_scale"] = np.zeros((), np.float32)
    write_tensors(folder, tensors)
    adapters = {"lora_adaptations": ["retrieval.query"], "lora_rank": 4, "lora_alpha": 4}
    config = {
        "model_type": "jina_clip",
        "text_config": {"hf_model_config_kwargs": adapters if name == "jina-clip-v2" else {}},
        "vision_config": vision,
    }
    (folder / "config.json").write_text(json.dumps(config))
    size = vision["image_size"]
    processor = {"size": size, "mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28], "resize_mode": "shortest"}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    save_tokenizer(folder, byte_bpe(), model_max_length=200)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("clip")
    return {name: save_clip(base / name, name) for name in NAMES}


def picture(seed, size=(90, 70)):
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    return PIL.Image.fromarray(pixels)


def file_of(image):
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_texts_and_images_mix_in_any_order(folders, name):
    embedder = Embedder(folders[name], precision="float32")
    images = [Image(picture(seed)) for seed in range(3)]
    mixed = embedder.embed([images[0], TEXTS[0], images[1], images[2], TEXTS[1]])
    assert mixed.vectors.shape == (5, 128)
    np.testing.assert_allclose(np.linalg.norm(mixed.vectors, axis=1), 1, atol=1e-5)
    texts, alone = embedder.embed(TEXTS), embedder.embed(images)
    np.testing.assert_allclose(mixed.vectors[[1, 4]], texts.vectors, atol=1e-5)
    np.testing.assert_allclose(mixed.vectors[[0, 2, 3]], alone.vectors, atol=1e-5)
    assert mixed.usage.total_tokens == texts.usage.total_tokens + alone.usage.total_tokens
    assert len({tuple(row) for row in mixed.vectors.round(4).tolist()}) == 5


@pytest.mark.parametrize(("name", "tokens"), [("jina-clip-v1", 1000 * 2 * 1), ("jina-clip-v2", 4000)])
def test_images_count_as_the_tiles_of_the_model(folders, name, tokens):
    embedder = Embedder(folders[name], precision="float32")
    assert embedder.embed([Image(picture(0, (300, 200)))]).usage.total_tokens == tokens


def test_every_source_of_an_image_gives_its_vector(folders, tmp_path):
    image = picture(7)
    data = file_of(image)
    (tmp_path / "image.png").write_bytes(data)
    uri = "data:image/png;base64," + base64.b64encode(data).decode()
    sources = [image, data, tmp_path / "image.png", str(tmp_path / "image.png"), uri]
    vectors = (
        Embedder(folders["jina-clip-v1"], precision="float32").embed([Image(source) for source in sources]).vectors
    )
    np.testing.assert_allclose(vectors, np.tile(vectors[0], (5, 1)), atol=1e-5)


def test_the_guard_refuses_an_image_of_this_machine(folders):
    embedder = Embedder(folders["jina-clip-v1"], precision="float32")
    with pytest.raises(BlockedURLError, match=r"inputs\[1\]: .*allow_networks") as caught:
        embedder.embed(["fine", Image("http://127.0.0.1/secret.png")])
    assert caught.value.index == 1


def test_a_fetcher_of_the_caller_reaches_what_its_guard_allows(folders, server):
    image = picture(4)
    server.routes["/a.png"] = [http(body=file_of(image))]
    fetcher = loopback_fetcher()
    embedder = Embedder(folders["jina-clip-v1"], precision="float32", fetcher=fetcher)
    url = Image(server.url("/a.png"))
    for _ in range(2):
        vectors = embedder.embed([url, Image(image)]).vectors
        np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
        embedder.close()
    assert server.connections == 1  # closing the embedder closes no connection of the caller's
    run_sync(fetcher.aclose())


def test_the_fetcher_goes_with_the_settings_to_another_process(folders):
    guard = URLGuard(allow_networks=("127.0.0.0/8",))
    embedder = Embedder(folders["jina-clip-v1"], fetcher=Fetcher(guard=guard))
    assert pickle.loads(pickle.dumps(embedder))._options.fetcher.guard == guard
    with pytest.raises(ConfigError, match="fetcher cannot be set for an endpoint"):
        Embedder("a", endpoint=Endpoint("http://127.0.0.1:1"), fetcher=Fetcher())


def test_queries_and_documents_may_be_images(folders):
    embedder = Embedder(folders["jina-clip-v2"], precision="float32")
    image = Image(picture(5))
    [expected] = embedder.embed([image]).vectors
    np.testing.assert_allclose(embedder.embed_query(image), expected, atol=1e-6)
    np.testing.assert_allclose(embedder.embed_documents([TEXTS[0], image])[1], expected, atol=1e-5)


async def test_queries_and_documents_may_be_images_in_a_loop(folders):
    embedder = Embedder(folders["jina-clip-v2"], precision="float32")
    image = Image(picture(5))
    [expected] = embedder.embed([image]).vectors
    np.testing.assert_allclose(await embedder.aembed_query(image), expected, atol=1e-6)
    np.testing.assert_allclose((await embedder.aembed_documents([image]))[0], expected, atol=1e-6)


def test_a_picture_that_is_not_wrapped_is_refused(folders):
    embedder = Embedder(folders["jina-clip-v1"])
    with pytest.raises(
        InputError, match=r"inputs\[0\] must be str or jina_components.Image, got PIL.Image.Image: wrap"
    ):
        embedder.embed([picture(1)])
    with pytest.raises(InputError, match=r"text must be str or jina_components.Image, got PIL.Image.Image: wrap"):
        embedder.embed_query(picture(1))


def test_what_cannot_be_an_image_is_named(folders):
    embedder = Embedder(folders["jina-clip-v1"], precision="float32")
    with pytest.raises(InputError) as caught:
        embedder.embed(["fine", Image(picture(1)), Image(b"no image")])
    assert caught.value.index == 2
    with pytest.raises(InputError, match=r"inputs\[1\]: The image has no pixels") as caught:
        embedder.embed(["fine", Image(PIL.Image.new("RGB", (0, 0)))])
    assert caught.value.index == 1
    with pytest.raises(InputError, match=r"inputs\[1\] is an image: late chunking") as caught:
        embedder.embed(["fine", Image(picture(1))], late_chunking=True)
    assert caught.value.index == 1


def test_a_model_of_texts_says_which_takes_images():
    with pytest.raises(ConfigError, match="takes texts alone; jina-clip-v2"):
        Embedder("static-minilm-v1").embed([Image(picture(0))])


def test_images_are_not_kept_in_the_cache_and_texts_are(folders, tmp_path):
    embedder = Embedder(folders["jina-clip-v1"], precision="float32", cache=tmp_path / "cache")
    first = embedder.embed([TEXTS[0], Image(picture(0)), TEXTS[1]])
    again = embedder.embed([TEXTS[0], Image(picture(0)), TEXTS[1]])
    np.testing.assert_allclose(again.vectors, first.vectors, atol=1e-6)
    assert again.usage.total_tokens == embedder.embed([Image(picture(0))]).usage.total_tokens
    embedder.close()


async def test_the_async_twin_agrees(folders):
    embedder = Embedder(folders["jina-clip-v2"], precision="float32")
    inputs = [TEXTS[0], Image(picture(3))]
    np.testing.assert_allclose((await embedder.aembed(inputs)).vectors, embedder.embed(inputs).vectors, atol=1e-6)


def test_only_the_query_of_clip_2_has_a_prompt(folders):
    embedder = Embedder(folders["jina-clip-v2"], precision="float32")
    plain, query, passage = (
        embedder.embed(TEXTS, task=task) for task in (None, "retrieval.query", "retrieval.passage")
    )
    np.testing.assert_array_equal(plain.vectors, passage.vectors)
    assert query.usage.total_tokens > plain.usage.total_tokens
    assert not np.allclose(query.vectors, plain.vectors, atol=1e-3)


async def _seen(request, writer):
    """A server of Jina's, to which an image is the number of its bytes, and a text 0."""
    items = json.loads(request.body)["input"]
    rows = [[1.0, 0.0 if isinstance(item, str) else len(item["image"])] for item in items]
    data = [{"index": index, "embedding": row} for index, row in enumerate(rows)]
    writer.write(http(200, json.dumps({"data": data, "usage": {"total_tokens": 9}}).encode()))
    await writer.drain()


def test_images_go_to_a_server_in_any_form(server, tmp_path):
    server.routes["/v1/embeddings"] = _seen
    png = file_of(picture(1))
    path = tmp_path / "a.png"
    path.write_bytes(png)
    data = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    sources = ["https://example.com/a.png", data, png, path, str(path), picture(1)]
    with Embedder("clip", endpoint=Endpoint(server.url("/v1"), dialect="jina")) as embedder:
        found = embedder.embed(["a cat", *map(Image, sources), "the sea"], task="retrieval.passage", normalized=False)
        [query] = run_sync(embedder.aembed([Image(png)], normalized=False)).vectors
    assert found.vectors[:, 1].tolist() == [0, len(sources[0]), *[len(data)] * 5, 0]
    assert query.tolist() == [1, len(data)]
    assert found.usage.total_tokens == 18
    assert found.usage.image_tokens == 9
    bodies = [json.loads(request.body) for request in server.received]
    assert [image["image"] for image in bodies[1]["input"][:3]] == ["https://example.com/a.png", data, data]
    assert [body.get("task") for body in bodies] == ["retrieval.passage", "retrieval.passage", None]


def test_requests_of_images_stay_small(server):
    server.routes["/v1/embeddings"] = _seen
    noise = np.random.default_rng(0).integers(0, 255, (1000, 1000, 3), np.uint8)  # 4 million characters
    images = [Image(file_of(PIL.Image.fromarray(noise))) for _ in range(3)]
    with Embedder("clip", endpoint=Endpoint(server.url("/v1"), dialect="jina", concurrency=1)) as embedder:
        assert len(embedder.embed(images)) == 3
    assert [len(json.loads(request.body)["input"]) for request in server.received] == [1, 1, 1]


def test_images_that_cannot_be_sent(server, tmp_path):
    with Embedder("clip", endpoint=Endpoint(server.url("/v1"), dialect="jina")) as embedder:
        with pytest.raises(InputError, match=r"inputs\[1\]: .*no file") as caught:
            embedder.embed([Image(file_of(picture(1))), Image(tmp_path / "gone.png")])
        assert caught.value.index == 1
        with pytest.raises(InputError, match=r"inputs\[0\]: .*PNG, JPEG"):
            embedder.embed([Image(b"BM no picture")])
    for dialect in ("openai", "cohere"):
        with (
            Embedder("clip", endpoint=Endpoint(server.url("/v1"), dialect=dialect)) as embedder,
            pytest.raises(ConfigError, match=f"No images are sent in the {dialect} dialect; set one of: jina"),
        ):
            embedder.embed([Image(file_of(picture(1)))], task="retrieval.passage")
    assert server.received == []
