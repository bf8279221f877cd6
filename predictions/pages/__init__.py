"""The pages of visitors: draw, history, one prediction, own tokens."""
