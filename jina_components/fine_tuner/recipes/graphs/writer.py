"""ONNX graphs written op by op, whose constants may be the bytes of a safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from jina_components.models.stored import SCALE, read_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

MICROSOFT = "com.microsoft"
"""Domain of onnxruntime's own operators."""
# What the oldest onnxruntime that runs the graphs reads.
_OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
_IR_VERSION = 10
_TYPES = {
    "F32": onnx.TensorProto.FLOAT,
    "F16": onnx.TensorProto.FLOAT16,
    "I8": onnx.TensorProto.INT8,
    "U8": onnx.TensorProto.UINT8,
}


class GraphWriter:
    """Nodes and constants of a graph; values go by name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._names: dict[tuple[object, ...], str] = {}

    def node(self, op: str, *inputs: str, domain: str = "", attributes: Mapping[str, object] | None = None) -> str:
        """The result of an operator, the same for the same inputs and attributes."""
        key = (op, inputs, repr(attributes))
        if key not in self._names:
            self._names[key] = name = f"{op}_{len(self._nodes)}"
            self._nodes.append(helper.make_node(op, inputs, [name], name, domain=domain, **(attributes or {})))
        return self._names[key]

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """A constant of the graph's own."""
        array = np.asarray(value)
        key = ("constant", array.dtype.str, array.shape, array.tobytes())
        if key not in self._names:
            self._names[key] = name = f"constant_{len(self._constants)}"
            self._constants[name] = numpy_helper.from_array(array, name)
        return self._names[key]

    def integers(self, *values: int) -> str:
        """A vector of int64."""
        return self.constant(np.array(values, np.int64))

    def external(self, name: str, tensor: onnx.TensorProto) -> str:
        """A constant that lies elsewhere."""
        self._constants.setdefault(name, tensor)
        return name

    def model(self, name: str, inputs: list[str], outputs: list[str]) -> onnx.ModelProto:
        """The graph with int64 inputs of shape [batch, length], and float32 outputs of two dimensions."""
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(one, onnx.TensorProto.INT64, ["batch", "length"]) for one in inputs],
            [helper.make_tensor_value_info(one, onnx.TensorProto.FLOAT, [None, None]) for one in outputs],
            list(self._constants.values()),
        )
        return helper.make_model(graph, opset_imports=_OPSETS, ir_version=_IR_VERSION, producer_name="jina-components")


class StoredTensors:
    """The tensors of a safetensors file as constants of a graph.

    Args:
        graph: The graph.
        path: The file.
        location: Its path from the folder that the graph will lie in.
        prefix: Put before the names of tensors where the file has them so.
    """

    def __init__(self, graph: GraphWriter, path: Path, location: str, prefix: str = "") -> None:
        self._graph, self._location, self._prefix = graph, location, prefix
        self._spans = read_spans(path)

    def __contains__(self, name: str) -> bool:
        return self._full(name) in self._spans

    def group(self, name: str) -> int:
        """Columns of a matrix of 4 bits that share a scale."""
        (_, pairs), (_, groups) = (self._spans[self._full(one)].shape for one in (name, name + SCALE))
        return 2 * pairs // groups

    def stored(self, name: str) -> str:
        """A tensor as it is stored."""
        span = self._spans[self._full(name)]
        place = {"location": self._location, "offset": span.start, "length": span.length}
        key = f"{self._location}:{name}"
        tensor = onnx.TensorProto(
            name=key, data_type=_TYPES[span.dtype], dims=span.shape, data_location=onnx.TensorProto.EXTERNAL
        )
        tensor.external_data.extend(onnx.StringStringEntryProto(key=one, value=str(place[one])) for one in place)
        return self._graph.external(key, tensor)

    def scale(self, name: str) -> str:
        """Scales of a matrix, float32."""
        return self._graph.node("Cast", self.stored(name + SCALE), attributes={"to": onnx.TensorProto.FLOAT})

    def floats(self, name: str) -> str:
        """A tensor in float32, which onnxruntime computes once, when it loads the graph."""
        if name + SCALE not in self:
            return self.stored(name)
        numbers = self._graph.node("Cast", self.stored(name), attributes={"to": onnx.TensorProto.FLOAT})
        return self._graph.node("Mul", numbers, self.scale(name))

    def _full(self, name: str) -> str:
        return self._prefix + name if self._prefix + name in self._spans else name
