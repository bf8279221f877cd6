"""For operators: checks and metrics of labels and the queue."""
