"""The label page in a real browser: one key a label, through network breaks, reloads and slips."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone
from selenium.webdriver.common.keys import Keys

from labeling.models import LabelEvent, Note, QueueItem
from labeling.queue import priorities
from labeling.queue.intake import enqueue_new
from predictions.models import Prediction
from tests.factories import make_prediction
from tests.journeys.browser import Browser
from tests.journeys.conftest import SHOTS
from tests.journeys.handwriting import written

pytestmark = pytest.mark.browser
LABEL = "/label/"


@pytest.fixture
def ada(browser: Browser, log_in: Callable[..., User]) -> User:
    # An outbox outlives its page; this one is a stranger's.
    browser.cdp("Storage.clearDataForOrigin", origin=browser.base, storageTypes="indexeddb")
    ada = log_in("ada")
    give_role(ada, "labeler", "label_items")
    return ada


def give_role(user: User, role: str, *codenames: str) -> None:
    """The migrations' roles are gone once a test has emptied the tables."""
    group, _ = Group.objects.get_or_create(name=role)
    group.permissions.add(*Permission.objects.filter(codename__in=codenames))
    user.groups.add(group)


def queue(count: int, **fields: Any) -> list[Prediction]:
    """Items whose true digit is known to the test alone; all read as 8 with little confidence."""
    made = [
        make_prediction(**{"digit": 8, "confidence": 0.4 + 0.0001 * at, **fields})
        for at in range(count)
    ]
    enqueue_new()
    return made


def shown(browser: Browser) -> str | None:
    return browser.run("return document.querySelector('[data-label]').dataset.item")


def wait_for_item(browser: Browser) -> str:
    return browser.wait(lambda: shown(browser), "an item")


def answer_all(browser: Browser, count: int, digits: Callable[[str], str]) -> dict[str, str]:
    """Press a digit for each item as it appears; what was said by item."""
    said = {}
    for _ in range(count):
        item = browser.wait(lambda: (now := shown(browser)) not in said and now, "the next item")
        said[item] = digits(item)
        browser.press(said[item])
    return said


def digit_of(item: str) -> str:
    return str(uuid.UUID(item).int % 10)


def all_saved(browser: Browser) -> None:
    browser.wait(lambda: waiting(browser) == 0, "the outbox to be empty")


def waiting(browser: Browser) -> int:
    """Answers on their way; -1 while the page has not said yet."""
    return int(browser.run("return document.querySelector('[data-label]').dataset.waiting ?? -1"))


def held(browser: Browser) -> int:
    """Items on the page, the one on screen among them."""
    return int(browser.run("return document.querySelector('[data-label]').dataset.held ?? 0"))


def events() -> dict[str, str]:
    """What the server keeps, by item; fails when an item was answered twice."""
    rows = LabelEvent.objects.filter(kind="label").values_list("prediction__public_id", "digit")
    kept = {str(item): str(digit) for item, digit in rows}
    assert len(kept) == len(rows)
    return kept


def test_what_has_priority_comes_first_until_the_page_says_that_none_is_left(
    browser: Browser, ada: User
) -> None:
    made = queue(40)
    assert priorities.want([each.pk for each in made[-6:]]) == 6
    browser.open(LABEL + "?priority_first=1")
    wait_for_item(browser)
    answered = 0
    # An item held alone is another one in a quarter of the cases.
    while not browser.shows("[data-priority-done]"):
        assert answered < 25
        answer_all(browser, 1, digit_of)
        answered += 1
        all_saved(browser)
    assert {str(each.public_id) for each in made[-6:]} <= set(events())
    answer_all(browser, 1, digit_of)
    assert browser.violations() == []


def test_a_hundred_items_are_labeled_by_keyboard_alone(browser: Browser, ada: User) -> None:
    queue(100)
    browser.open(LABEL)
    said: dict[str, str] = {}
    while len(said) < 100:
        # Only a key that finds the next item there is measured; behind the last one there is none.
        browser.wait(lambda: held(browser) >= min(100 - len(said), 2), "the next item to be held")
        said.update(answer_all(browser, 1, digit_of))
    all_saved(browser)
    assert events() == said
    assert len(said) == 100
    browser.wait(lambda: browser.text("[data-saved]") == "100", "the tally")
    browser.wait_for_text("[data-wait]", "All done")
    times = browser.run(
        "return performance.getEntriesByName('key-to-glyph').map(({duration}) => duration)"
    )
    print(f"key to next glyph in ms: {times}")  # `./run bench keys` holds them to 16 ms
    assert len(times) >= 99


def test_a_broken_network_loses_and_doubles_nothing(browser: Browser, ada: User) -> None:
    queue(40)
    browser.open(LABEL)
    said = answer_all(browser, 10, digit_of)
    browser.offline(True)
    said |= answer_all(browser, 8, digit_of)  # from what is on the page already
    browser.wait(lambda: waiting(browser) >= 8, "answers to wait")
    assert f"{waiting(browser)} waiting" in browser.text("[data-tally]")
    browser.offline(False)
    said |= answer_all(browser, 22, digit_of)
    all_saved(browser)
    assert events() == said
    assert len(said) == 40
    browser.wait(lambda: browser.text("[data-tally]") == "40 saved", "the tally")


def test_an_answer_whose_receipt_was_lost_is_one_label(browser: Browser, ada: User) -> None:
    """The server keeps it, the page never hears: it is sent again with the same request id."""
    queue(3)
    browser.open(LABEL)
    wait_for_item(browser)
    browser.run(
        """
        const real = window.fetch;
        let lost = 0;
        window.fetch = async (url, options) => {
          const response = await real(url, options);
          if (String(url).endsWith("/labels/") && lost++ < 2) throw new TypeError("receipt lost");
          return response;
        };
        """
    )
    said = answer_all(browser, 2, digit_of)
    all_saved(browser)
    assert events() == said
    browser.wait(lambda: browser.text("[data-tally]") == "2 saved", "the tally")
    assert not browser.shows("[data-lost]")


def test_what_waits_survives_a_reload(browser: Browser, ada: User) -> None:
    queue(12)
    browser.open(LABEL)
    wait_for_item(browser)
    browser.cdp("Network.setBlockedURLs", urls=["*/api/v1/labels/*"])
    said = answer_all(browser, 5, digit_of)
    browser.wait(lambda: waiting(browser) == 5, "five answers to wait")
    browser.driver.refresh()
    browser.wait(lambda: waiting(browser) == 5, "the five to be there after the reload")
    # What the page sent while it was left may have arrived; then its request ids make it no second.
    assert events().items() <= said.items()
    browser.cdp("Network.setBlockedURLs", urls=[])
    browser.run("dispatchEvent(new Event('online'))")
    all_saved(browser)
    assert events() == said
    said |= answer_all(browser, 7, digit_of)
    all_saved(browser)
    assert events() == said


def test_u_takes_answers_back_one_by_one(browser: Browser, ada: User) -> None:
    queue(6)
    browser.open(LABEL)
    said = answer_all(browser, 4, lambda item: "3")
    all_saved(browser)
    browser.press("u", "u")
    *_, third, fourth = said
    browser.wait(lambda: shown(browser) == third, "the third item again")
    browser.press("7")
    browser.wait(lambda: shown(browser) == fourth, "the fourth item again")
    browser.press("x")
    all_saved(browser)
    browser.wait(lambda: waiting(browser) == 0, "everything to be sent")
    standing = LabelEvent.objects.standing().filter(kind="label")
    digits = {str(each.prediction.public_id): each.digit for each in standing}
    assert [digits[item] for item in said] == [3, 3, 7, None]
    assert LabelEvent.objects.filter(kind="undo").count() == 2
    browser.wait(lambda: browser.text("[data-saved]") == "4", "the tally")


def test_u_works_while_nothing_can_be_sent(browser: Browser, ada: User) -> None:
    queue(5)
    browser.open(LABEL)
    wait_for_item(browser)
    browser.offline(True)
    said = answer_all(browser, 2, lambda item: "3")
    first, second = said
    browser.press("u")
    browser.wait(lambda: shown(browser) == second, "the second item again")
    browser.press("5")
    browser.offline(False)
    all_saved(browser)
    assert events() == {first: "3", second: "5"}


def test_after_a_reload_u_takes_back_the_last_answer(browser: Browser, ada: User) -> None:
    queue(3)
    browser.open(LABEL)
    (item,) = answer_all(browser, 1, lambda item: "3")
    all_saved(browser)
    browser.driver.refresh()
    wait_for_item(browser)
    browser.press("u")
    browser.wait(lambda: shown(browser) == item, "the answered item again")
    browser.pass_time(1)  # the page brought it back, so keys settle first
    browser.press("9")
    all_saved(browser)
    browser.wait(
        lambda: list(LabelEvent.objects.standing().values_list("digit", flat=True)) == [9],
        "the correction",
    )


def test_a_lapsed_hold_is_told_and_the_item_named(browser: Browser, ada: User) -> None:
    queue(4)
    browser.open(LABEL)
    wait_for_item(browser)
    QueueItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    answer_all(browser, 1, lambda item: "3")
    browser.wait_for_text("[data-lost]", "1 not saved")
    assert len(browser.all("[data-lost-list] img")) == 1
    all_saved(browser)
    assert events() == {}
    browser.click("[data-lost-seen]")
    assert not browser.shows("[data-lost]")


def test_after_a_long_absence_the_first_key_answers_nothing(browser: Browser, ada: User) -> None:
    """Its item may be somebody else's by now; the page looks first."""
    queue(20)
    browser.open(LABEL)
    item = wait_for_item(browser)
    eve = User.objects.create_user("eve")
    minutes = timedelta(minutes=3)
    held = QueueItem.objects.filter(token__isnull=False)
    held.update(holder=eve, token=uuid.uuid4(), leased_until=timezone.now() + minutes)
    browser.pass_time(11 * 60)
    browser.press("4")
    browser.wait(lambda: shown(browser) not in {None, item}, "an item that is still free")
    browser.pass_time(1)  # keys settle
    said = answer_all(browser, 3, digit_of)
    all_saved(browser)
    assert events() == said
    assert not browser.shows("[data-lost]")


def test_two_tabs_hold_different_items(browser: Browser, ada: User) -> None:
    queue(40)
    browser.open(LABEL)
    one = wait_for_item(browser)
    first_tab = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    try:
        browser.open(LABEL)
        assert wait_for_item(browser) != one
        said = answer_all(browser, 12, digit_of)
        all_saved(browser)
        browser.driver.switch_to.window(first_tab)
        assert shown(browser) == one
        said |= answer_all(browser, 12, digit_of)
        all_saved(browser)
        assert events() == said
        assert len(said) == 24
        assert not browser.shows("[data-lost]")
        browser.driver.switch_to.window(browser.driver.window_handles[-1])
    finally:
        if len(browser.driver.window_handles) > 1:
            browser.driver.close()
        browser.driver.switch_to.window(first_tab)


def test_leaving_the_page_frees_what_it_held(browser: Browser, ada: User) -> None:
    queue(20)
    browser.open(LABEL)
    wait_for_item(browser)
    assert QueueItem.objects.filter(token__isnull=False).exists()
    browser.open("/predictions/")
    browser.wait(
        lambda: not QueueItem.objects.filter(token__isnull=False).exists(), "the items to be free"
    )
    browser.driver.back()
    said = answer_all(browser, 2, digit_of)
    all_saved(browser)
    assert events() == said


def test_a_key_held_down_or_pressed_with_a_modifier_answers_once_or_not(
    browser: Browser, ada: User
) -> None:
    queue(6)
    browser.open(LABEL)
    first = wait_for_item(browser)
    press_raw(browser, "Digit4", "4", modifiers=2)
    press_raw(browser, "Digit4", "$", modifiers=8)
    assert shown(browser) == first
    press_raw(browser, "Digit4", "'")  # the key that types an apostrophe on a French keyboard
    press_raw(browser, "Digit4", "'", repeat=True)
    press_raw(browser, "Digit4", "'", repeat=True)
    press_raw(browser, "Numpad7", "Home")  # without number lock
    all_saved(browser)
    assert sorted(events().values()) == ["4", "7"]


def press_raw(
    browser: Browser, code: str, key: str, *, modifiers: int = 0, repeat: bool = False
) -> None:
    """A key by its place; modifiers: 1 Alt, 2 Control, 4 Meta, 8 Shift."""
    for kind in ("rawKeyDown",) if repeat else ("rawKeyDown", "keyUp"):
        browser.cdp(
            "Input.dispatchKeyEvent",
            type=kind, code=code, key=key, modifiers=modifiers, autoRepeat=repeat,
        )  # fmt: skip


def test_an_empty_queue_says_who_holds_the_rest_and_goes_on_by_itself(
    browser: Browser, ada: User
) -> None:
    eve = User.objects.create_user("eve")
    (item,) = queue(1)
    held = QueueItem.objects.filter(prediction=item)
    held.update(holder=eve, token=uuid.uuid4(), leased_until=timezone.now() + timedelta(seconds=80))
    browser.open(LABEL)
    browser.wait_for_text("[data-wait]", "1 held by others, next free in 1:")
    before = browser.text("[data-wait-words]")
    browser.wait(lambda: browser.text("[data-wait-words]") != before, "the clock to run")
    held.update(leased_until=timezone.now() + timedelta(seconds=1))
    browser.driver.refresh()
    assert wait_for_item(browser) == str(item.public_id)


def test_logged_out_in_between_the_answers_wait_for_the_login(
    browser: Browser, ada: User, log_in: Callable[..., User]
) -> None:
    queue(6)
    browser.open(LABEL)
    wait_for_item(browser)
    session = browser.driver.get_cookie("sessionid")
    browser.driver.delete_cookie("sessionid")
    said = answer_all(browser, 3, digit_of)
    browser.wait_for_text("[data-trouble]", "You are logged out")
    assert events() == {}
    browser.driver.add_cookie(session)  # logged in again, in another tab
    browser.run("document.dispatchEvent(new Event('visibilitychange'))")
    all_saved(browser)
    assert events() == said
    assert not browser.shows("[data-trouble]")


def test_touch_buttons_label_on_a_phone(browser: Browser, ada: User) -> None:
    browser.phone()
    queue(5)
    browser.open(LABEL)
    item = wait_for_item(browser)
    assert browser.overflow() == 0
    small = browser.run(
        "return [...document.querySelectorAll('[data-pad] button')].filter(button => {"
        " const box = button.getBoundingClientRect();"
        " return box.height < 44 || box.width < 44 || box.bottom > innerHeight }).length"
    )
    assert small == 0
    browser.click("[data-pad] [value='6']")
    browser.click("[data-pad] [value='unreadable']")
    all_saved(browser)
    assert events()[item] == "6"
    assert sorted(events().values()) == ["6", "None"]


def test_the_guess_is_shown_beforehand_only_in_verify_mode(
    browser: Browser, ada: User, settings: Any
) -> None:
    queue(2)
    browser.open(LABEL)
    wait_for_item(browser)
    assert not browser.shows("[data-guess-line]")
    answer_all(browser, 1, lambda item: "4")
    browser.wait_for_text("[data-last]", "You said 4, the model said 8.")
    settings.SHOW_GUESSES = True
    browser.driver.refresh()
    wait_for_item(browser)
    assert "The model says 8" in browser.text("[data-guess-line]")
    browser.press(Keys.ENTER)
    all_saved(browser)
    shown_before = LabelEvent.objects.order_by("pk").values_list("digit", "guess_shown")
    assert list(shown_before) == [(4, False), (8, True)]


@pytest.mark.same_on_any_database  # what it looks like
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_label_page(browser: Browser, ada: User, theme: str) -> None:
    browser.theme(theme)
    for at in range(24):
        written(at % 10, at, digit=(at + at // 9) % 10, confidence=0.5)
    enqueue_new()
    browser.open(LABEL)
    answer_all(browser, 8, digit_of)
    all_saved(browser)
    assert browser.violations() == []
    browser.screenshot(SHOTS / f"label-{theme}.png")
    browser.press("?")
    browser.wait_for("[data-help]")
    assert browser.violations() == []
    browser.press(Keys.ESCAPE)
    browser.phone(scale=2)
    browser.screenshot(SHOTS / f"label-{theme}-phone.png")
    browser.window(1280, 860)
    assert not browser.shows("[data-wait-next]")
    answer_all(browser, 16, digit_of)
    browser.wait_for_text("[data-wait]", "All done")
    assert browser.shows("[data-wait-next]")
    assert browser.violations() == []


def test_without_javascript_the_buttons_label_skip_and_undo(browser: Browser, ada: User) -> None:
    queue(3)
    browser.scripts(enabled=False)
    browser.open(LABEL)
    browser.follow("[value=next]")
    assert browser.shows(".stage.without-js img")
    browser.follow("[data-pad] [value='4']")
    browser.wait_for_text("main", "You said 4. The model said 8.")
    browser.follow("[data-pad] [value=skip]")
    browser.follow("[data-pad] [value=undo]")
    browser.wait_for_text("main", "Taken back.")
    browser.follow("[data-pad] [value='5']")
    browser.wait_for_text("main", "You said 5.")
    standing = LabelEvent.objects.standing().values_list("digit", flat=True)
    assert list(standing) == [5]


def test_a_key_that_may_be_meant_for_another_item_is_refused_in_words(
    browser: Browser, ada: User
) -> None:
    queue(3)
    browser.open(LABEL)
    (item,) = answer_all(browser, 1, lambda item: "3")
    all_saved(browser)
    browser.driver.refresh()
    wait_for_item(browser)
    browser.pass_time(0)
    browser.press("u")
    browser.wait(lambda: shown(browser) == item, "the answered item again")
    browser.press("9")
    browser.wait_for_text("[data-last]", "Not saved: 9.")
    assert shown(browser) == item
    browser.pass_time(1)
    browser.press("9")
    all_saved(browser)
    browser.wait(
        lambda: list(LabelEvent.objects.standing().values_list("digit", flat=True)) == [9],
        "the second press",
    )


def test_after_an_absence_the_items_go_on_if_nobody_took_them(browser: Browser, ada: User) -> None:
    queue(3)
    browser.open(LABEL)
    item = wait_for_item(browser)
    QueueItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    browser.pass_time(11 * 60)
    browser.press("4")
    browser.wait_for_text("[data-last]", "You were away for a while")
    browser.wait(
        lambda: QueueItem.objects.filter(leased_until__gt=timezone.now()).exists(), "the holds"
    )
    browser.pass_time(1)  # keys settle
    assert shown(browser) == item
    browser.press("4")
    all_saved(browser)
    assert events() == {item: "4"}


def test_the_last_answers_are_there_after_a_reload_and_u_takes_them_off(
    browser: Browser, ada: User
) -> None:
    queue(6)
    browser.open(LABEL)
    said = answer_all(browser, 3, digit_of)
    all_saved(browser)
    browser.driver.refresh()
    wait_for_item(browser)
    rows = [row.text for row in browser.all("[data-recent] li")]
    assert rows == list(said.values())[::-1]
    assert browser.squeezed() == []
    browser.press("u")
    browser.wait(lambda: len(browser.all("[data-recent] li")) == 2, "the answer to be off")
    assert browser.run("return [...document.images].every(image => image.naturalWidth > 0)")


def test_a_target_counts_up_over_a_reload_and_ends(browser: Browser, ada: User) -> None:
    queue(30)
    browser.open(LABEL)
    wait_for_item(browser)
    browser.find("[data-target] [value='25']").click()  # an option is never "shown"
    browser.click("h1")  # the keyboard leaves the choice
    answer_all(browser, 10, lambda item: "4")
    assert browser.text("[data-target-words]") == "10 of 25"
    all_saved(browser)
    browser.driver.refresh()
    answer_all(browser, 1, lambda item: "4")
    browser.press("u")
    browser.wait_for_text("[data-target-words]", "10 of 25")
    all_saved(browser)
    answer_all(browser, 15, lambda item: "4")
    browser.wait_for_text("[data-end]", "25 labels in")
    assert not browser.shows("[data-pad]")
    browser.press("4")
    browser.wait_for_text("[data-last]", "Your target is reached")
    all_saved(browser)
    assert LabelEvent.objects.standing().filter(kind="label").count() == 25
    assert browser.violations() == []
    browser.click("[data-go-on]")
    browser.wait_for_text("[data-target-words]", "0 of 25")
    assert browser.shows("[data-pad]")


def test_without_a_network_the_page_says_offline(browser: Browser, ada: User) -> None:
    queue(3)
    browser.open(LABEL)
    wait_for_item(browser)
    assert not browser.shows("[data-offline]")
    browser.offline(True)
    assert browser.wait_for("[data-offline]").text == "Offline"
    answer_all(browser, 1, lambda item: "4")
    browser.offline(False)
    all_saved(browser)
    browser.wait(lambda: not browser.shows("[data-offline]"), "to be online")


def test_a_note_is_written_by_key_and_its_digits_answer_nothing(
    browser: Browser, ada: User
) -> None:
    queue(2)
    browser.open(LABEL)
    shown_first = wait_for_item(browser)
    browser.press("n")
    browser.wait(
        lambda: browser.run("return document.activeElement.matches('[data-note]')"), "the note"
    )
    browser.press("7 or 1?")
    browser.click("[data-note-box] button")
    browser.wait_for_text("[data-last]", "Note saved")
    note = Note.objects.get()
    assert (str(note.prediction.public_id), note.text) == (shown_first, "7 or 1?")
    assert shown(browser) == shown_first
    assert not LabelEvent.objects.exists()
    assert browser.violations() == []
