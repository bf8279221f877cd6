"""What the platform understands and refuses. Anything else that is raised is a bug."""

from __future__ import annotations


class Declined(Exception):
    """Understood and refused; the text is fit for a person, the code for a program."""

    code = "declined"
    retry_after: int | None = None  # seconds, where the same may go through a little later


class NotThere(Declined):
    """What is named by its id is not here, or not for whoever asks."""

    code = "not_found"


class ImageRefused(Declined):
    """The upload is not an image we accept."""

    code = "image_refused"


class NoInk(Declined):
    """The image is fine, but nothing is drawn on it that could be a digit."""

    code = "no_ink"


class TooMany(Declined):
    """More than is taken at once."""

    code = "too_many"
