"""Decisions on single drawings, their undo, and how far labelers agree."""
