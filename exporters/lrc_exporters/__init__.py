"""The back: a plain torch module in, a proved and quantised ONNX bundle out. Knows graphs, not training."""
