"""Passwords are slow to hash, so that they are slow to guess."""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from predictions.access.limits import slots


class PasswordHasher(PBKDF2PasswordHasher):
    """Django's own, as strong; it takes no more than a share of this process's threads."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        with slots().take():
            return super().encode(password, salt, iterations)
