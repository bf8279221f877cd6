"""torchvision's MNIST, in our folder. Whoever imports this module can import torchvision."""

from __future__ import annotations

import sys
from pathlib import Path

from torch import library

# The torchvision of requirements.txt is compiled for CUDA. Beside a CPU build of torch its
# operators do not load, and its import fails because these two are missing. We use neither.
MISSING = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

try:
    import torchvision
except RuntimeError:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # half imported
    # They last as long as this object does.
    OPERATORS = library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in MISSING:
        OPERATORS.define(schema)  # type: ignore[no-untyped-call]
    import torchvision  # noqa: F401

from torchvision.datasets import MNIST  # noqa: E402


class StoredMnist(MNIST):
    """MNIST's unpacked files in a folder of ours, whose digests `mnist.py` has checked."""

    @property
    def raw_folder(self) -> str:
        return str(Path(self.root))

    def _check_exists(self) -> bool:
        """The other part may be missing: an evaluation needs no training images."""
        part = "train" if self.train else "t10k"
        return (Path(self.root) / f"{part}-images-idx3-ubyte").is_file()
