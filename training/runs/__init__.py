"""One training attempt, from the request to the finished version."""
