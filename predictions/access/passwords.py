"""Password hashing, which is slow on purpose and so counts as long work."""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from predictions.access.limits import slots


class PasswordHasher(PBKDF2PasswordHasher):
    """Django's hasher; it takes a slot, so hashing uses only a share of the threads."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with slots().take():
            return super().encode(password, salt, iterations)
