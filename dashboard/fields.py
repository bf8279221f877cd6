from __future__ import annotations

from typing import Any

import numpy as np
from django.db import models
from numpy.typing import NDArray

Counts = NDArray[np.int64]


class CountsField(models.BinaryField):
    """An integer array of a fixed shape, stored as bytes: one row holds a whole table of counts."""

    def __init__(self, *, shape: tuple[int, ...], dtype: str = "<i4", **options: Any) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        super().__init__(**options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "shape": self.shape, "dtype": self.dtype}

    def get_default(self) -> Counts:
        return np.zeros(self.shape, np.int64)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Counts | None:
        if value is None:
            return None
        return np.frombuffer(value, self.dtype).reshape(self.shape).astype(np.int64)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None:
            return None
        packed = np.asarray(value).reshape(self.shape).astype(self.dtype).tobytes()
        return connection.Database.Binary(packed)
