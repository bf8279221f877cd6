"""Store a drawing as a prediction with an owner, and erase it again."""
