"""`import jina_components` is light, and its public names are true."""

import importlib
import json
import statistics
import subprocess
import sys

import jina_components

HEAVY = (
    "torch", "transformers", "onnxruntime", "faiss", "numpy", "scipy", "sklearn", "httpx", "lxml", "trafilatura",
    "pypdfium2", "tokenizers", "safetensors", "huggingface_hub", "tqdm", "fastapi", "ray", "langchain_core",
    "llama_index", "playwright",
)  # fmt: skip


def fresh(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_loads_no_heavy_package():
    loaded = json.loads(fresh("import jina_components, json, sys; print(json.dumps(sorted(sys.modules)))"))
    assert [name for name in HEAVY if name in loaded] == []


def test_the_command_starts_without_heavy_packages():
    loaded = json.loads(
        fresh("import jina_components.cli as c, json, sys; c.main.__name__; print(json.dumps(sorted(sys.modules)))")
    )
    assert [name for name in HEAVY if name in loaded] == []


def test_importing_takes_less_than_100_ms():
    """Of the processor, the fastest of several, in a fresh interpreter: other load on the machine can only add."""
    code = "import time; t = time.process_time(); import jina_components; print(time.process_time() - t)"
    times = [float(fresh(code)) for _ in range(5)]
    assert min(times) < 0.1, f"median {statistics.median(times):.3f} s"


def test_public_names_resolve():
    for name in jina_components.__all__:
        value = getattr(jina_components, name)
        home = importlib.import_module(f"jina_components.{jina_components._HOMES[name]}")
        assert value is getattr(home, name)
        assert value.__doc__
    assert set(jina_components.__all__) <= set(dir(jina_components))
