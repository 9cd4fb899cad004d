"""ONNX and OpenVINO files of a model folder, made as sentence-transformers makes them, for the peers that need them.

    python -m benchmarks.speed.exports FOLDER {feature-extraction,text-classification} TEXTS.json

Runs in the peers' environment. TEXTS.json holds the calibration inputs of OpenVINO's int8 graph: texts, or pairs.
Writes to stdout, as JSON, what failed and why, by file.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.contenders import ONNX, ONNX_INT8, OPENVINO, OPENVINO_INT8

# sentence-transformers takes as many, of a public set.
_SAMPLES = 300


def _onnx(folder: Path, task: str) -> None:
    from optimum.onnxruntime import ORTModelForFeatureExtraction, ORTModelForSequenceClassification

    kinds = {
        "feature-extraction": ORTModelForFeatureExtraction,
        "text-classification": ORTModelForSequenceClassification,
    }
    kinds[task].from_pretrained(folder, export=True, provider="CPUExecutionProvider").save_pretrained(
        (folder / ONNX).parent
    )


def _onnx_int8(folder: Path) -> None:
    """sentence-transformers' `export_dynamic_quantized_onnx_model(model, "avx512_vnni", …)`."""
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig

    source, target = folder / ONNX, folder / ONNX_INT8
    quantizer = ORTQuantizer.from_pretrained(source.parent, file_name=source.name)
    suffix = target.stem.removeprefix(f"{source.stem}_")
    quantizer.quantize(AutoQuantizationConfig.avx512_vnni(is_static=False), source.parent, file_suffix=suffix)


def _openvino(folder: Path, task: str) -> None:
    from optimum.intel.openvino import OVModelForFeatureExtraction, OVModelForSequenceClassification

    kinds = {"feature-extraction": OVModelForFeatureExtraction, "text-classification": OVModelForSequenceClassification}
    kinds[task].from_pretrained(folder, export=True, compile=False).save_pretrained((folder / OPENVINO).parent)


def _openvino_int8(folder: Path, inputs: Sequence[Any]) -> None:
    """sentence-transformers' `export_static_quantized_openvino_model` with its defaults, but for the texts."""
    import nncf
    import openvino
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = openvino.Core().read_model(folder / OPENVINO)
    names = {name for port in model.inputs for name in port.names}

    def arrays(item: Any) -> dict[str, Any]:  # noqa: ANN401
        texts = [item] if isinstance(item, str) else [tuple(item)]
        encoded = tokenizer(texts, truncation=True, max_length=384, return_tensors="np")
        return {name: value for name, value in encoded.items() if name in names}

    samples = list(inputs)[:_SAMPLES]
    quantized = nncf.quantize(
        model,
        nncf.Dataset(samples, arrays),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(samples),
    )
    openvino.save_model(quantized, folder / OPENVINO_INT8)


def main() -> None:
    """Make the four files, each on its own."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder, task = Path(sys.argv[1]), sys.argv[2]
    inputs = json.loads(Path(sys.argv[3]).read_text("utf-8"))
    steps: dict[str, Callable[[], None]] = {
        ONNX: lambda: _onnx(folder, task),
        ONNX_INT8: lambda: _onnx_int8(folder),
        OPENVINO: lambda: _openvino(folder, task),
        OPENVINO_INT8: lambda: _openvino_int8(folder, inputs),
    }
    failures = {}
    for file, make in steps.items():
        try:
            make()
        except Exception as error:  # noqa: BLE001 (whatever a peer raises is the reason it is skipped)
            failures[file] = f"{type(error).__name__}: {error}"
    out.write(json.dumps(failures))


if __name__ == "__main__":
    main()
