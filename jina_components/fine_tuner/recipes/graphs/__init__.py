"""ONNX graphs over stored weights."""
