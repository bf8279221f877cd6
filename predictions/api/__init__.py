"""The REST API of predictions, and what every endpoint of the project shares."""
