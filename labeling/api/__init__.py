"""The REST API of labels."""
