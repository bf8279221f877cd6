"""A drawing becomes a stored prediction with an owner, and can be erased again."""
