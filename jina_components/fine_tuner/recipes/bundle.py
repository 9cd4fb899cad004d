"""Recipe: bring a trained float32 folder into the small form that ships with the package.

    python -m jina_components.fine_tuner.recipes.bundle FOLDER --to FOLDER

Matrices of 8 bits, word vectors of 4, and the ONNX graphs that onnxruntime runs over their bytes.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from safetensors.numpy import load_file

from jina_components.fine_tuner.recipes.graphs.bert import calibration_sequences, write_graphs
from jina_components.models.stored import write_stored

WEIGHTS = "model.safetensors"
_KEPT = ("*.json", "*/config.json", "*.md")
# Left in checkpoints by transformers, and read by nobody.
_UNUSED = re.compile(r"position_ids$|^pooler\.")


def bundle(folder: Path, to: Path) -> None:
    """Write the small form of an embedder or a cross-encoder.

    Args:
        folder: Float32, of the BERT family with learned positions.
        to: Folder to write; its card, if it has one, stays.

    Raises:
        ConfigError: the model is of another architecture.
        ModelFilesError: the folder lacks something.
    """
    for file in sorted({file for pattern in _KEPT for file in folder.glob(pattern)}):
        target = to / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    for file in sorted(folder.rglob(WEIGHTS)):
        tensors = {name: numbers for name, numbers in load_file(file).items() if not _UNUSED.search(name)}
        target = to / file.relative_to(folder)
        write_stored(tensors, target)
        target.chmod(0o644)  # safetensors leaves it to its owner alone
    write_graphs(to, calibration_sequences(to))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("folder", type=Path, help="folder of the trained model")
    parser.add_argument("--to", type=Path, required=True, help="folder to write")
    options = parser.parse_args(arguments)
    bundle(**vars(options))


if __name__ == "__main__":
    main()
