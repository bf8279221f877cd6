"""For operators: health, the doctor's checks, the request log."""
