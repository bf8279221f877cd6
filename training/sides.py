"""Which drawings teach and which examine. Decided once, by who drew them."""

from __future__ import annotations

import hashlib

from predictions.models import Prediction

HOLDOUT = "holdout"
TRAINING = "training"
FIFTH = 5


def side_of(prediction: Prediction) -> str:
    """A fifth of all drawers is held out; of drawings without a drawer, a fifth of the glyphs.

    Nobody's drawings stand on both sides and none ever changes sides.
    """
    drawer = prediction.user_id or prediction.visitor
    key = f"drawer {drawer}" if drawer else f"glyph {prediction.glyph_digest}"
    digest = hashlib.sha256(key.encode()).digest()
    return HOLDOUT if int.from_bytes(digest[:8], "big") % FIFTH == 0 else TRAINING
