"""Errors for requests that are understood and refused. Any other exception is a bug."""

from __future__ import annotations


class Declined(Exception):
    """Understood and refused; the text is for people, the code for programs."""

    code = "declined"
    retry_after: int | None = None  # seconds; set if a retry may succeed


class NotThere(Declined):
    """There is nothing with this id, or the caller may not see it."""

    code = "not_found"


class ImageRefused(Declined):
    """The upload is not an image we accept."""

    code = "image_refused"


class NoInk(Declined):
    """The image is fine, but nothing is drawn on it that could be a digit."""

    code = "no_ink"


class SeveralDigits(NoInk):
    """There is more than one digit, and it is not for us to say which is meant."""

    code = "several_digits"

    def __init__(self) -> None:
        super().__init__("There is more than one digit in the image: crop it to one.")


class TooMany(Declined):
    """More than one request may send."""

    code = "too_many"
