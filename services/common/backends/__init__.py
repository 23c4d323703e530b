"""What every stage's backends share: their names and options, how one is chosen, ONNX Runtime, batches, memory."""
