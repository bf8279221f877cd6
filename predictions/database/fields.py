from __future__ import annotations

import array
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, models


class PackedFloatsField(models.BinaryField):
    """A short list of probabilities as 32-bit floats: 40 bytes for ten, where JSON needs 200."""

    _pyi_private_set_type: Sequence[float]  # for the type checker's Django plugin
    _pyi_private_get_type: list[float]  # type: ignore[assignment]

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> list[float] | None:
        return None if value is None else unpack_floats(bytes(value))

    def get_prep_value(self, value: Any) -> bytes | None:
        return None if value is None else pack_floats(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        packed = value if prepared else self.get_prep_value(value)
        return None if packed is None else connection.Database.Binary(packed)

    def value_to_string(self, obj: models.Model) -> str:
        packed = self.get_prep_value(self.value_from_object(obj))
        return "" if packed is None else packed.hex()

    def to_python(self, value: Any) -> Any:
        return unpack_floats(bytes.fromhex(value)) if isinstance(value, str) else value


def pack_floats(values: Sequence[float] | bytes) -> bytes:
    if isinstance(values, bytes):
        return values
    return array.array("f", values).tobytes()  # little-endian wherever we run


def unpack_floats(packed: bytes) -> list[float]:
    return array.array("f", packed).tolist()


def adapted_uuid(value: UUID) -> UUID | str:
    """A UUID as the database stores it, for SQL of our own."""
    return value if connection.features.has_native_uuid_field else value.hex
