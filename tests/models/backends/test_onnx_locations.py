"""What a graph names is found wherever it is."""

from __future__ import annotations

import onnx
import pytest
from onnx import helper

from jina_components.models.backends.onnx_locations import MESSAGES, locations


def tensor(location):
    made = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        made.external_data.add(key=key, value=value)
    return made


def graph(place):
    made = onnx.GraphProto(name="g")
    if place == "initializer":
        made.initializer.append(tensor(place))
        return made
    node = made.node.add(op_type="If")
    if place == "subgraph":
        node.attribute.add(name="a", type=onnx.AttributeProto.GRAPH).g.initializer.append(tensor(place))
    else:
        node.attribute.add(name="a", type=onnx.AttributeProto.TENSOR).t.CopyFrom(tensor(place))
    return made


@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph"])
def test_names_are_found(tmp_path, place):
    path = tmp_path / "model.onnx"
    path.write_bytes(helper.make_model(graph(place)).SerializeToString())
    assert locations(path) == {place}


def test_the_last_value_counts_as_for_protobuf(tmp_path):
    path = tmp_path / "model.onnx"
    model = helper.make_model(graph("fine"))
    content = tensor("model.safetensors").external_data[0].SerializeToString() + b"\x12\x04evil"
    entry = model.graph.node[0].attribute[0].t.external_data[0]
    entry.ParseFromString(content)
    path.write_bytes(model.SerializeToString())
    assert locations(path) == {"evil"}
    raw = b"\x6a" + bytes([len(content)]) + content  # in a tensor
    for field in (b"\x2a", b"\x3a"):  # of a graph, of a model
        raw = field + bytes([len(raw)]) + raw
    path.write_bytes(raw)
    assert onnx.load(path, load_external_data=False).graph.initializer[0].external_data[0].value == "evil"
    assert locations(path) == {"evil"}


def leading(descriptor, known):
    """Messages from which tensors can be reached, with the fields that lead there."""
    if descriptor.name in known:
        return known
    known[descriptor.name] = {field.number: field.message_type for field in descriptor.fields if field.message_type}
    for child in list(known[descriptor.name].values()):
        leading(child, known)
    return known


def test_no_way_to_a_tensor_is_missed():
    fields = leading(onnx.ModelProto.DESCRIPTOR, {})
    ways = {"TensorProto"}
    while more := {name for name, row in fields.items() if ways & {child.name for child in row.values()}} - ways:
        ways |= more
    found = {way: {number: child.name for number, child in fields[way].items() if child.name in ways} for way in ways}
    found["TensorProto"][13] = "StringStringEntryProto"
    assert found == MESSAGES
