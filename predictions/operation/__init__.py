"""For operators: health, the checks of `manage.py doctor`, the request log."""
