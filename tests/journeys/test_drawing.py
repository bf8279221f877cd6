"""From a stroke on the paper to a stored prediction and what the visitor says about it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from django.core.cache import cache
from PIL import Image, ImageDraw
from selenium.webdriver.common.keys import Keys

from labeling.models import Label, LabelEvent
from predictions.models import Feedback, Prediction
from predictions.templatetags.readings import close_percent, nines
from tests.factories import a_seven, make_prediction, png
from tests.journeys.browser import ONE, SEVEN, Browser

# test_tasks.py draws on both databases, and what is stored is asked of both in tests/predictions/.
pytestmark = [pytest.mark.browser, pytest.mark.same_on_any_database]


def submit(browser: Browser) -> Prediction:
    """Submit what lies on the paper; the question says that it is stored."""
    browser.click("[data-submit]")
    browser.wait_for_text("[data-question]", "Stored.")
    return Prediction.objects.latest("pk")


@pytest.mark.parametrize("kind", ["mouse", "pen"])
def test_a_drawn_seven_is_read_as_seven_and_stored_on_submit(browser: Browser, kind: str) -> None:
    browser.open("/")
    browser.draw(SEVEN, kind=kind)
    browser.wait_for_text("[data-digit]", "7")
    assert Prediction.objects.count() == 0  # reading along stores nothing

    stored = submit(browser)

    assert (stored.digit, stored.source) == (7, "draw")
    assert stored.confidence > 0.9
    assert "7" in browser.text("[data-question]")
    assert browser.text("[data-best-text]") == f"{nines(stored.confidence)}, this one"
    beside = close_percent(stored.confidence)
    assert browser.text("[data-best-confidence]") == f"(confidence {beside})"
    assert bytes(stored.drawing.png).startswith(b"\x89PNG")


def test_a_finger_on_a_phone_draws_without_moving_the_page(browser: Browser) -> None:
    browser.phone()
    browser.open("/")
    places = []
    for stroke in SEVEN, [[(0.35, 0.5), (0.7, 0.5)]]:
        browser.draw(stroke, kind="touch")
        places.append(browser.run("return scrollY"))
    browser.wait_for_text("[data-digit]", "7")

    assert places[0] == places[1]
    assert submit(browser).digit == 7


def test_the_drawing_that_is_sent_is_the_same_in_the_dark(browser: Browser) -> None:
    browser.open("/")
    browser.draw(SEVEN)
    in_the_light = browser.glyph_png()
    browser.click("[data-theme-toggle]")
    assert bytes(submit(browser).glyph) == in_the_light


def test_the_ink_is_light_on_dark_paper(browser: Browser) -> None:
    browser.theme("dark")
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    brightest = browser.run(
        "const c = document.querySelector('[data-canvas]');"
        "const {data} = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        "return data.reduce((most, value, at) => at % 4 ? most : Math.max(most, value), 0)"
    )
    assert brightest > 200


def test_the_guess_changes_with_each_stroke_and_stores_nothing(browser: Browser) -> None:
    browser.open("/")
    browser.draw(ONE)
    browser.wait_for_text("[data-digit]", "1")
    first = browser.read("[data-glyph]", "src")
    # A seven's bar and a foot across the one.
    browser.draw([[(0.25, 0.2), (0.5, 0.2)], [(0.25, 0.8), (0.75, 0.8)]])
    browser.wait(lambda: browser.read("[data-glyph]", "src") != first, "another glyph")
    shares = [row.text.split()[-1] for row in browser.all("[data-bar]")]
    assert len(shares) == 10
    assert all(share.endswith("%") for share in shares)
    assert Prediction.objects.count() == 0


def test_the_guess_is_spoken_when_the_hand_rests(browser: Browser) -> None:
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait(
        lambda: browser.read("[data-announce]", "textContent").startswith("7, "),
        "the guess in words",
    )


def test_undo_takes_back_one_stroke_and_clear_all_of_them(browser: Browser) -> None:
    browser.open("/")
    assert shares(browser) == {"–"}
    browser.draw(ONE)
    browser.wait_for_text("[data-digit]", "1")
    browser.wait_for("[data-reading][aria-busy=false]")  # the guess of the whole stroke
    one = browser.read("[data-glyph]", "src")
    browser.draw([[(0.2, 0.85), (0.8, 0.85)]])
    browser.wait(lambda: browser.read("[data-glyph]", "src") != one, "more ink")

    browser.press("z", with_control=True)
    browser.wait(lambda: browser.read("[data-glyph]", "src") == one, "the one to be back")

    browser.draw([[(0.2, 0.85), (0.8, 0.85)]])
    browser.click("[data-undo]")
    browser.wait(lambda: browser.read("[data-glyph]", "src") == one, "the one to be back")
    assert "–" not in shares(browser)
    browser.click("[data-clear]")
    browser.wait_for("[data-reading][data-empty]")
    assert shares(browser) == {"–"}
    assert not browser.find("[data-submit]").is_enabled()

    browser.draw(ONE)
    browser.wait_for_text("[data-digit]", "1")
    browser.press(Keys.ESCAPE)
    browser.wait_for("[data-reading][data-empty]")


def shares(browser: Browser) -> set[str]:
    return set(browser.text("table.bars tbody").split()) - set("0123456789")


def test_a_stroke_after_submitting_starts_another_drawing(browser: Browser) -> None:
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    submit(browser)
    browser.draw(ONE)
    browser.wait_for_text("[data-digit]", "1")
    assert browser.text("[data-question]") == "Is it a 1?"
    assert submit(browser).digit == 1
    assert Prediction.objects.count() == 2


def test_a_lost_connection_is_said_quietly_and_healed_by_itself(browser: Browser) -> None:
    browser.open("/")
    browser.offline(True)
    browser.draw(SEVEN)
    browser.wait_for_text("[data-note]", "No connection")
    browser.click("[data-submit]")
    browser.wait_for_text("[data-note]", "Not stored")
    assert Prediction.objects.count() == 0

    browser.offline(False)
    assert submit(browser).digit == 7


# -- images from outside -------------------------------------------------------------------------


def test_an_uploaded_file_is_read_and_stored_as_an_upload(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "seven.png"
    file.write_bytes(png(a_seven()))
    browser.open("/")
    browser.find("[data-file]").send_keys(str(file))
    browser.wait_for_text("[data-digit]", "7")
    assert Prediction.objects.count() == 0

    stored = submit(browser)
    assert (stored.digit, stored.source) == (7, "upload")


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_an_image_can_be_dropped_or_pasted(browser: Browser, how: str) -> None:
    browser.open("/")
    browser.hand_over(how, png(a_seven()))
    browser.wait_for_text("[data-digit]", "7")
    assert submit(browser).source == "upload"


def test_a_large_photograph_is_made_smaller_before_it_travels(browser: Browser) -> None:
    photograph = a_seven().resize((3000, 4000))
    browser.open("/")
    browser.hand_over("drop", png(photograph))
    browser.wait_for_text("[data-digit]", "7")
    assert submit(browser).digit == 7


def test_a_file_that_is_no_image_is_refused_in_words(browser: Browser) -> None:
    browser.open("/")
    browser.hand_over("drop", b"not an image at all")
    browser.wait_for_text("[data-note]", "cannot read that file")
    assert not browser.find("[data-submit]").is_enabled()


def test_a_blank_image_is_refused_for_want_of_ink(browser: Browser) -> None:
    browser.open("/")
    browser.hand_over("paste", png(a_seven().point(lambda _: 255)))
    browser.wait_for_text("[data-note]", "ink")
    browser.wait_for("[data-reading][data-empty]")


# -- feedback ------------------------------------------------------------------------------------


def answer(browser: Browser, value: str, words: str) -> None:
    browser.click(f"[data-feedback] [value={value!r}]")
    browser.wait_for_text("[data-said]", words)


def test_one_press_stores_the_drawing_with_its_answer_and_clears_the_paper(
    browser: Browser,
) -> None:
    browser.open("/")
    said = []
    for value, words in (("right", "Right"), ("3", "It is a 3"), ("none", "Not a digit")):
        browser.draw(SEVEN)
        browser.wait_for_text("[data-digit]", "7")
        answer(browser, value, words)
        browser.wait_for("[data-reading][data-empty]")
        assert not browser.shows("[data-feedback]")
        said.append(Feedback.objects.latest("pk").digit)
    assert said == [7, 3, None]
    assert Prediction.objects.count() == 3
    browser.follow("[data-last-link]")
    assert browser.path() == Prediction.objects.latest("pk").get_absolute_url()


def test_after_submitting_an_answer_is_about_the_stored_drawing(browser: Browser) -> None:
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    stored = submit(browser)
    assert browser.shows("[data-submit]")  # the mouse does not rest on an answer
    answer(browser, "3", "It is a 3")
    assert Feedback.objects.get().digit == 3
    assert Prediction.objects.get() == stored


def test_an_answer_pressed_while_the_drawing_is_sent_is_kept(browser: Browser) -> None:
    """No answer is dropped, however soon after the press before it comes."""
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    browser.run(
        "document.querySelector('[data-submit]').click();"
        "document.querySelector('[data-feedback] [value=\"2\"]').click();"
    )
    browser.wait_for_text("[data-said]", "It is a 2")
    assert (Prediction.objects.count(), Feedback.objects.get().digit) == (1, 2)


def test_an_answer_that_is_not_sent_says_so_and_can_be_pressed_again(browser: Browser) -> None:
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    submit(browser)
    browser.offline(True)
    browser.click("[data-feedback] [value='2']")
    browser.wait_for_text("[data-note]", "Your answer is not kept")
    assert not Feedback.objects.exists()
    browser.offline(False)
    answer(browser, "2", "It is a 2")
    assert Feedback.objects.get().digit == 2


def test_digit_keys_answer_and_the_digit_that_was_read_means_right(browser: Browser) -> None:
    browser.open("/")
    for key, words in (("1", "It is a 1"), ("7", "Right"), ("n", "Not a digit")):
        browser.draw(SEVEN)
        browser.wait_for_text("[data-digit]", "7")
        browser.press(key)
        browser.wait_for_text("[data-said]", words)
    said = Feedback.objects.order_by("pk").values_list("digit", flat=True)
    assert list(said) == [1, 7, None]


def test_a_dot_is_not_sent_and_the_page_says_why(browser: Browser) -> None:
    browser.open("/")
    browser.run(
        "window.asked = 0; const real = fetch;"
        "window.fetch = (...all) => { window.asked += 1; return real(...all); };"
    )
    browser.draw([[(0.5, 0.5), (0.505, 0.5)]])
    browser.click("[data-submit]")
    browser.wait_for_text("[data-note]", "only a dot")
    assert browser.run("return window.asked") == 0
    browser.draw(SEVEN)
    browser.wait_for("[data-reading]:not([data-empty])")
    assert browser.run("return window.asked") > 0


def test_who_is_told_what_to_draw_says_with_one_press_what_it_is(browser: Browser) -> None:
    for digit in (0, 1, 2, 3, 4, 5, 6, 8, 9):  # a settled label of each but 7
        labeled(digit)
    cache.clear()
    browser.open("/")
    browser.click("[data-prompting]")
    assert browser.text("h1") == "Draw a 7"
    browser.draw(SEVEN)
    browser.wait_for_text("[data-submit]", "It is a 7")
    browser.press(Keys.ENTER)
    browser.wait_for_text("[data-said]", "You said: Right")
    assert Feedback.objects.get().digit == 7
    assert browser.text("h1") == "Draw a 0"
    assert browser.violations() == []
    browser.click("[data-prompting]")
    assert browser.text("[data-submit]") == "Submit"
    assert browser.text("h1") == "Draw a digit"


def labeled(digit: int) -> None:
    prediction = make_prediction(digit=digit)
    event = LabelEvent.objects.create(prediction=prediction, kind="correct", digit=digit)
    Label.objects.create(
        prediction=prediction, digit=digit, state="settled", opinions=1, event=event
    )


def test_what_was_said_is_in_the_history_with_the_accuracy(browser: Browser) -> None:
    browser.open("/")
    for value, words in (("right", "Right"), ("2", "It is a 2")):
        browser.draw(SEVEN)
        browser.wait_for_text("[data-digit]", "7")
        answer(browser, value, words)
    browser.open("/predictions/")

    rows = browser.all(".history tbody tr")
    assert ["It is a 2" in rows[0].text, "Right" in rows[1].text] == [True, True]
    assert "50.0%" in browser.text(".tiles")
    assert browser.run("return [...document.images].every(image => image.naturalWidth === 28)")
    rows[0].find_element("css selector", "a").click()
    assert browser.text("h1") == "Read as 7"


def test_another_browser_sees_none_of_it(browser: Browser) -> None:
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    submit(browser)
    browser.forget(browser.base)
    browser.open("/predictions/")
    assert "Nothing here yet" in browser.text("main")


def test_a_signed_in_person_submits_and_answers_too(browser: Browser, log_in) -> None:
    ada = log_in("ada")
    browser.open("/")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    stored = submit(browser)
    browser.click("[data-feedback] [value=right]")
    browser.wait_for_text("[data-said]", "Right")
    assert stored.user == ada
    assert stored.feedback.user == ada


# -- the box on an image -------------------------------------------------------------------------


def on_a_table(*lines: list[tuple[int, int]]) -> bytes:
    """A sheet with these strokes, and a dark table beside it; wider than high."""
    sheet = Image.new("L", (560, 280), 230)
    sheet.paste(60, (0, 0, 60, 280))
    for line in lines:
        ImageDraw.Draw(sheet).line(line, fill=40, width=12, joint="curve")
    return png(sheet)


A_SEVEN = [(120, 90), (190, 90), (150, 200)]
A_ONE = [(430, 80), (430, 200)]


def box_on_paper(browser: Browser) -> list[float]:
    """Left, top, right, bottom of the box, in shares of the paper's side."""
    return browser.run(
        "const paper = document.querySelector('[data-paper]').getBoundingClientRect();"
        "const box = document.querySelector('[data-crop-box]').getBoundingClientRect();"
        "return [(box.left - paper.left) / paper.width, (box.top - paper.top) / paper.height,"
        "        (box.right - paper.left) / paper.width, (box.bottom - paper.top) / paper.height]"
    )


def drag(browser: Browser, selector: str, by: tuple[float, float], kind: str = "mouse") -> None:
    """Drag what is there by these shares of the paper's side."""
    browser.run("document.querySelector('[data-paper]').scrollIntoView({block: 'center'})")
    x, y, side = browser.run(
        "const at = document.querySelector(arguments[0]).getBoundingClientRect();"
        "const paper = document.querySelector('[data-paper]').getBoundingClientRect();"
        "return [at.left + at.width / 2, at.top + at.height / 2, paper.width]",
        selector,
    )
    path = [(round(x), round(y)), (round(x + by[0] * side), round(y + by[1] * side))]
    browser._stroke(path, kind)


def test_an_image_shows_what_part_of_it_was_read(browser: Browser) -> None:
    browser.open("/")
    browser.hand_over("drop", on_a_table(A_SEVEN))
    browser.wait_for_text("[data-digit]", "7")
    browser.wait_for("[data-crop-box]")
    left, top, right, bottom = box_on_paper(browser)
    assert 0.12 < left < 114 / 560  # the table is left out
    assert 196 / 560 < right < 0.4
    assert 0.25 + 60 / 560 < top < 0.25 + 84 / 560
    assert 0.25 + 206 / 560 < bottom < 0.25 + 230 / 560
    assert browser.violations() == []
    assert submit(browser).digit == 7
    browser.click("[data-again]")
    browser.draw(SEVEN)
    browser.wait_for_text("[data-digit]", "7")
    assert not browser.shows("[data-crop-box]")


@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_two_digits_are_refused_until_the_box_is_drawn_around_one(
    browser: Browser, kind: str
) -> None:
    if kind == "touch":
        browser.phone()
    browser.open("/")
    browser.hand_over("drop", on_a_table(A_SEVEN, A_ONE))
    browser.wait_for_text("[data-note]", "more than one digit")
    browser.wait_for("[data-crop-box]")
    browser.draw([[(0.65, 0.3), (0.9, 0.72)]], kind=kind)  # a new box, around the one
    browser.wait_for_text("[data-digit]", "1")
    drag(browser, "[data-crop-handle=whole]", (-0.5, 0.0), kind)  # to the seven
    browser.wait_for_text("[data-digit]", "7")
    assert browser.overflow() == 0

    stored = submit(browser)
    assert (stored.digit, stored.source) == (7, "upload")
    width, height = Image.open(BytesIO(bytes(stored.drawing.png))).size
    assert width < height  # only the box was stored


def test_the_box_is_moved_by_keys_alone_and_undo_gives_it_back(browser: Browser) -> None:
    browser.open("/")
    browser.hand_over("drop", on_a_table(A_SEVEN))
    browser.wait_for_text("[data-digit]", "7")
    browser.wait_for("[data-crop-box]")
    found = box_on_paper(browser)
    browser.tab_to("[data-crop-handle=end]")
    browser.press(*[Keys.ARROW_RIGHT] * 3, Keys.ARROW_DOWN)
    wider = box_on_paper(browser)
    assert wider[:2] == pytest.approx(found[:2], abs=0.005)
    assert wider[2:] == pytest.approx([found[2] + 0.06, found[3] + 0.01], abs=0.005)
    browser.wait_for("[data-reading][aria-busy=false]")
    browser.wait_for_text("[data-digit]", "7")

    browser.press("z", with_control=True)
    browser.wait(
        lambda: box_on_paper(browser) == pytest.approx(found, abs=0.005), "the box that was found"
    )
    browser.press("z", with_control=True)
    browser.wait_for("[data-reading][data-empty]")
    assert not browser.shows("[data-crop-box]")
