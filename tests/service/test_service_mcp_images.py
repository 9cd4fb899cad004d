"""The tool that tells images apart, by a model of images."""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO
from typing import Any

import PIL.Image
import pytest
from mcp_clients import call, connected, texts
from test_embedder_images import file_of, picture, save_clip

pytestmark = pytest.mark.slow


async def test_images_that_show_the_same_are_left_out(
    make_app: Callable[..., Any], start_service: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    clip = save_clip(tmp_path_factory.mktemp("models") / "jina-clip-v2", "jina-clip-v2")
    url = f"{start_service(make_app(aliases={'jina-clip-v2': str(clip)}))}/mcp"
    first, second = (base64.b64encode(file_of(picture(seed))).decode() for seed in (1, 2))
    async with connected(url) as client:
        assert "deduplicate_images" in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("deduplicate_images", {"images": [first, first, second], "k": 2})
    assert not result.is_error, texts(result)
    kinds = [part.type for part in result.content]
    assert kinds == ["text", "image", "text", "image"]
    assert texts(result)[1] == "index: 2\n"
    assert PIL.Image.open(BytesIO(base64.b64decode(result.content[1].data))).format == "JPEG"
    alone = await call(url, "deduplicate_images", images=[first, f"data:image/png;base64,{first}"])
    assert texts(alone) == ["index: 0\n"]
    refused = await call(url, "deduplicate_images", images=["no image"])
    assert refused.is_error
