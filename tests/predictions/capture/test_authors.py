from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from predictions.capture.visitors import author_of

visitors = st.none() | st.uuids()


@given(st.integers(1, 2**31), visitors, visitors, st.uuids(), st.uuids())
def test_a_signed_in_person_is_one_author_in_every_browser(
    user: int, here: uuid.UUID | None, there: uuid.UUID | None, glyph: uuid.UUID, other: uuid.UUID
) -> None:
    assert author_of(user, here, glyph) == author_of(user, there, other)
    assert author_of(user, here, glyph) != author_of(user + 1, here, glyph)


@given(st.uuids(), st.uuids(), st.uuids(), st.uuids())
def test_a_browser_is_one_author_and_another_browser_is_another(
    here: uuid.UUID, there: uuid.UUID, glyph: uuid.UUID, other: uuid.UUID
) -> None:
    assert author_of(None, here, glyph) == author_of(None, here, other)
    assert (author_of(None, here, glyph) == author_of(None, there, glyph)) == (here == there)


@given(st.uuids(), st.uuids())
def test_copies_of_a_glyph_by_nobody_known_are_one_authors(
    glyph: uuid.UUID, other: uuid.UUID
) -> None:
    assert author_of(None, None, glyph) == author_of(None, None, glyph)
    assert (author_of(None, None, glyph) == author_of(None, None, other)) == (glyph == other)
    assert author_of(None, None, glyph) != author_of(None, glyph, glyph)
