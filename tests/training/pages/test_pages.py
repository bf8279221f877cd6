from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags
from django_q.models import Schedule

from labeling.decisions.decisions import Answer, label_by_feedback
from predictions.models import ModelVersion, Owner, Prediction, WorkerBeat
from tests.factories import data_url, make_ada, make_cy, make_user, make_version
from tests.training.lessons import labeled
from training.models import GateReport, Promotion, Run
from training.runs import retrain
from training.versions import promotion
from training.versions.ledger import spans
from training.workers.schedules import make_schedules

pytestmark = pytest.mark.django_db
HOME = "/training/"


@pytest.fixture(autouse=True)
def _few_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain.ask, "__kwdefaults__", {**retrain.ask.__kwdefaults__, "least": 2})
    cache.clear()  # what a run would learn is remembered by row numbers, which tests use again


@pytest.fixture
def trainer(client: Client) -> Client:
    client.force_login(make_user("tia", role="trainer"))
    return client


def visit(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return " ".join(answer.content.decode().split())


def press(client: Client, path: str, **fields: str) -> str:
    """A form's button: a redirect, then a page."""
    answer = client.post(path, fields, follow=True)
    assert answer.redirect_chain
    return " ".join(answer.content.decode().split())


def report_on(version: ModelVersion, live: ModelVersion, verdict: str, **fields: Any) -> GateReport:
    found = {
        "n": 100, "better": 3, "worse": 1, "difference": 0.02, "interval": [-0.01, 0.05],
        "right_before": 90, "right_after": 92,
    }  # fmt: skip
    matrix = [[10 if row == column else 0 for column in range(10)] for row in range(10)]
    matrix[7][1] = 4
    compared = {
        **found,
        "by_digit": [found] * 10,
        "confusion_before": matrix,
        "confusion_after": matrix,
    }
    figures = {"drawings": compared, "sets": [{**compared, "name": "holdout"}], **fields}
    return GateReport.objects.create(
        candidate=version,
        against=live,
        verdict=verdict,
        reasons=["3 better, 1 worse of 100 drawings."],
        figures=figures,
        look=1,
    )


# -- the training page ---------------------------------------------------------------------------


def test_the_page_says_what_is_new_what_would_be_learned_and_what_is_left_out(
    trainer: Client, live_version: ModelVersion
) -> None:
    for digit in (3, 3, 4):
        labeled(digit)
    labeled(5, is_audit=True)
    page = visit(trainer, HOME)
    assert "3 <small>/ 500</small>" in page
    assert "<b>3</b> labels, by digit" in page
    assert "<b>1</b> audits: they measure accuracy" in page
    assert "No run yet" in page


def test_before_the_first_run_the_page_says_how_many_labels_are_ready(
    trainer: Client, live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrain, "LEAST_LABELS", 2)
    assert "0 labels ready; a run needs at least 2." in visit(trainer, HOME)
    labeled(3)
    assert "1 label ready; a run needs at least 2." in visit(trainer, HOME)
    labeled(4)
    page = visit(trainer, HOME)
    assert "2 labels ready: fine-tune now." in page
    assert "needs at least" not in page


def test_labels_count_as_new_until_the_run_that_learns_them_has_ended(
    trainer: Client, live_version: ModelVersion
) -> None:
    labeled(3)
    labeled(4)
    press(trainer, "/training/start/")
    labeled(5)
    page = visit(trainer, HOME)
    assert "3 <small>/ 500</small>" in page
    assert "2 of them are being learned" in page
    assert "<b data-toward-count>3</b>" in visit(trainer, "/")
    run = retrain.take(Run.objects.get().pk)
    assert run is not None
    retrain.end(run, Run.State.DONE)
    page = visit(trainer, HOME)
    assert "1 <small>/ 500</small>" in page
    assert "being learned" not in page
    assert "<b data-toward-count>1</b>" in visit(trainer, "/")
    press(trainer, "/training/start/")
    page = visit(trainer, HOME)
    assert "1 <small>/ 500</small>" in page  # the second run learns all three; one is new
    assert "1 of them is being learned" in page


@pytest.mark.parametrize("how", ["canceled", "failed", "lost"])
def test_labels_of_a_run_that_made_nothing_count_until_it_ended(
    trainer: Client, live_version: ModelVersion, how: str
) -> None:
    """They were handed to a run; the next one learns them, and no further one starts for them."""
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    assert "1 <small>/ 500</small>" in visit(trainer, HOME)
    if how == "canceled":
        retrain.cancel(run)
    elif how == "failed":
        taken = retrain.take(run.pk)
        assert taken is not None
        retrain.end(taken, Run.State.FAILED, reason="No room.")
    else:
        Run.objects.filter(pk=run.pk).update(
            state=Run.State.RUNNING,
            attempts=retrain.MOST_ATTEMPTS,
            heartbeat_at="2026-01-01T00:00Z",
        )
        retrain.reap()
    assert "0 <small>/ 500</small>" in visit(trainer, HOME)


def test_a_curve_has_no_axes_and_no_table_before_its_first_epoch(
    trainer: Client, live_version: ModelVersion
) -> None:
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    page = visit(trainer, HOME)
    assert page.count("data-has-epochs hidden") == page.count("data-has-epochs") == 2
    assert "The curve begins with the first of" in page
    retrain.keep_epoch(run, 1, 0.5, 0.9)
    page = visit(trainer, HOME)
    assert "data-has-epochs hidden" not in page
    assert page.count("data-has-epochs") == 2


def test_the_page_opens_for_good_after_a_visitor_erased_a_labeled_drawing(
    trainer: Client, live_version: ModelVersion
) -> None:
    visitor = Client()
    drawn = visitor.post("/api/v1/predictions/", {"image": data_url()}, "application/json").json()
    prediction = Prediction.objects.get(public_id=drawn["id"])
    label_by_feedback(prediction, Answer(7), owner=Owner(visitor=uuid.uuid4()))
    visitor.post("/predictions/erase/", {"sure": "yes"})
    assert "<b>1</b> of drawings that were erased" in visit(trainer, HOME)


@pytest.mark.parametrize("state", Run.State.values)
def test_every_state_of_a_run_has_words(
    trainer: Client, live_version: ModelVersion, state: str
) -> None:
    labeled(3)
    labeled(4)
    press(trainer, "/training/start/")
    Run.objects.update(state=state)
    assert "run-state" in visit(trainer, HOME)


def test_what_would_be_learned_follows_the_labels(
    trainer: Client, live_version: ModelVersion
) -> None:
    labeled(3)
    assert "<b>1</b> labels, by digit" in visit(trainer, HOME)
    labeled(4)
    assert "<b>2</b> labels, by digit" in visit(trainer, HOME)


def test_the_button_queues_a_run_and_the_page_shows_it(
    trainer: Client, live_version: ModelVersion
) -> None:
    labeled(3)
    labeled(4)
    page = press(trainer, "/training/start/")
    run = Run.objects.get()
    assert (run.trigger, run.asked_by.username) == ("page", "tia")
    assert f"Run {run.pk} is queued with 2 labels." in page
    assert "waits for a worker" in page
    assert "disabled" in page  # one run at a time


def test_a_declined_run_is_explained_on_the_page(
    trainer: Client, live_version: ModelVersion
) -> None:
    assert "0 labels to learn from, 2 needed." in press(trainer, "/training/start/")
    labeled(3)
    labeled(4)
    press(trainer, "/training/start/")
    assert "one at a time" in press(trainer, "/training/start/")


def test_a_run_is_canceled_from_the_page(trainer: Client, live_version: ModelVersion) -> None:
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    assert "is canceled" in press(trainer, f"/training/runs/{run.public_id}/cancel/")
    assert Run.objects.get().state == Run.State.CANCELED
    assert "has ended already" in press(trainer, f"/training/runs/{run.public_id}/cancel/")


def test_workers_and_the_schedule_are_told_in_words(
    trainer: Client, live_version: ModelVersion
) -> None:
    page = visit(trainer, HOME)
    assert 'wrong">not running<' in page
    assert "Never seen." in page
    assert "No training worker was seen in the last minute, so its jobs wait." in page
    assert "the schedule is switched off" in page
    make_schedules()
    now = timezone.now()
    beat = WorkerBeat.objects.create(
        cluster="training", host="mill", seen_at=now - timedelta(seconds=4), worked_at=now
    )
    page = visit(trainer, HOME)
    assert 'figure ">ready<' in page
    assert "The training workers finish jobs." in page
    assert "seen." not in page
    assert "3:00 AM" in page
    WorkerBeat.objects.filter(pk=beat.pk).update(seen_at=now - timedelta(hours=2))
    page = visit(trainer, HOME)
    assert "Last seen 2 hours ago." in page
    assert "No training worker was seen" in page
    WorkerBeat.objects.filter(pk=beat.pk).update(seen_at=now, worked_at=now - timedelta(days=2))
    page = visit(trainer, HOME)
    assert 'wrong">stuck<' in page
    assert "are alive but finish no jobs" in page
    WorkerBeat.objects.filter(pk=beat.pk).update(seen_at=now, worked_at=None)
    assert 'figure ">starting<' in visit(trainer, HOME)
    WorkerBeat.objects.filter(pk=beat.pk).update(seen_at=now, worked_at=now)
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    assert 'figure ">ready<' in visit(trainer, HOME)
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING)
    assert 'figure ">at work<' in visit(trainer, HOME)


def test_a_failed_run_says_why_and_shows_its_log(
    trainer: Client, live_version: ModelVersion
) -> None:
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    Run.objects.filter(pk=run.pk).update(
        state="failed", reason="OSError: no space is left", log="12:00:00 Attempt 1\n"
    )
    for path in (HOME, f"/training/runs/{run.public_id}/"):
        page = visit(trainer, path)
        assert "OSError: no space is left" in page
        assert "12:00:00 Attempt 1" in page


def test_the_page_asks_as_many_queries_for_ten_runs_as_for_two(
    trainer: Client, live_version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    # The process looks for a promotion every half second, which a slow machine may need.
    monkeypatch.setattr("predictions.serving.recognizer.LOOK_EVERY", 3_600.0)
    counts = []
    for runs in (2, 8):
        for _ in range(runs):
            labeled(3)
            retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
            Run.objects.update(state="done")
        visit(trainer, HOME)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            visit(trainer, HOME)
        counts.append(len(asked))
    assert counts[0] == counts[1]


# -- versions ------------------------------------------------------------------------------------


def test_versions_show_lineage_labels_verdict_and_when_they_were_live(
    trainer: Client, live_version: ModelVersion
) -> None:
    made = make_version("toy-2")
    ModelVersion.objects.filter(pk=made.pk).update(parent=live_version)
    labeled(3)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    Run.objects.filter(pk=run.pk).update(version=made, state="done")
    report_on(made, live_version, "promote")
    promotion.promote(made, by=None)
    page = visit(trainer, "/versions/")
    assert "<b>toy-2</b> answers now" in page
    assert "3 better, 1 worse of 100 drawings." in page
    page = visit(trainer, "/versions/toy-2/")
    assert "Promote: it is better than toy-live and worse at nothing." in page
    assert "<b>1</b> visitors" in page
    assert "+2.00" in page
    assert "−1.00 to +5.00" in page
    assert '/versions/toy-2/drawings/"' in page


def test_drawings_that_changed_are_shown(trainer: Client, live_version: ModelVersion) -> None:
    made = make_version("toy-2")
    better, worse = labeled(3), labeled(4)
    report_on(
        made,
        live_version,
        "more",
        changed={
            "better": [{"id": str(better.public_id), "digit": 3, "before": 8, "after": 3}],
            "worse": [{"id": str(worse.public_id), "digit": 4, "before": 4, "after": 9}],
        },
    )
    page = visit(trainer, "/versions/toy-2/")
    assert better.glyph_url in page
    assert "8 → 3" in page
    assert worse.glyph_url in page
    assert "4 → 9" in page


def test_the_pages_of_the_shipped_version_and_of_one_nobody_judged_open(
    trainer: Client, live_version: ModelVersion
) -> None:
    score = {"accuracy": {"value": 0.9963, "n": 10_000, "interval": [0.9949, 0.9973]}}
    card = {"metrics": {"mnist_test": score}}
    ModelVersion.objects.filter(pk=live_version.pk).update(card=card)
    page = visit(trainer, "/versions/toy-live/")
    assert "It was never on trial." in page
    assert "Accuracy, MNIST test" in page
    assert "of 10,000 (95%: 99.5% to 99.7%)" in page
    assert "/versions/toy-live/drawings/" not in page  # no run of ours made it
    assert "Nothing was promoted" in visit(trainer, "/versions/")
    assert trainer.get("/versions/nothing/").status_code == 404


def test_what_won_no_trial_asks_for_a_reason(trainer: Client, live_version: ModelVersion) -> None:
    made = make_version("toy-2")
    report_on(made, live_version, "more")
    assert 'name="why" required' in visit(trainer, "/versions/toy-2/")
    assert "Say why it should be promoted" in press(trainer, "/versions/toy-2/promote/")
    assert ModelVersion.objects.live().get() == live_version
    page = press(trainer, "/versions/toy-2/promote/", why="It reads our sevens.")
    assert "toy-2 is live." in page
    entry = Promotion.objects.get()
    assert (entry.why, entry.by.username) == ("It reads our sevens.", "tia")


def test_what_won_its_trial_is_promoted_at_one_press(
    trainer: Client, live_version: ModelVersion
) -> None:
    made = make_version("toy-2")
    report_on(made, live_version, "promote")
    assert 'name="why" required' not in visit(trainer, "/versions/toy-2/")
    assert "toy-2 is live." in press(trainer, "/versions/toy-2/promote/", over="toy-live")


def test_a_page_that_is_out_of_date_promotes_nothing(
    trainer: Client, live_version: ModelVersion
) -> None:
    made = make_version("toy-2")
    promotion.promote(make_version("toy-3"), by=None, why="It came first.")
    page = press(trainer, "/versions/toy-2/promote/", over="toy-live", why="Better.")
    assert "no longer live" in page
    made.refresh_from_db()
    assert not made.is_live


@pytest.mark.parametrize("path", ["/versions/toy-2/promote/", "/training/roll-back/"])
def test_a_page_that_saw_a_version_nobody_knows_changes_nothing(
    trainer: Client, live_version: ModelVersion, path: str
) -> None:
    make_version("toy-2")
    promotion.promote(make_version("toy-3"), by=None, why="It came first.")
    assert "No version is named gone" in press(trainer, path, over="gone", why="Better.")
    assert ModelVersion.objects.live().get().name == "toy-3"
    assert "is live" in press(trainer, path, over="toy-3", why="Better.")


def test_one_press_takes_the_live_version_back(trainer: Client, live_version: ModelVersion) -> None:
    made = make_version("toy-2")
    promotion.promote(made, by=None, why="To see.")
    page = press(trainer, "/training/roll-back/", over="toy-2")
    assert "toy-live is live again; toy-2 was taken back." in page
    assert "no sound version" in press(trainer, "/training/roll-back/").lower()


def test_the_ledger_tells_when_each_version_was_live(live_version: ModelVersion) -> None:
    made = make_version("toy-2")
    assert [span.end for span in spans()[live_version.pk]] == [None]
    first = promotion.promote(made, by=None, why="To see.")
    back = promotion.rollback(by=None, why="Seen.")
    live = spans()
    assert [(span.start, span.end) for span in live[made.pk]] == [(first.made_at, back.made_at)]
    assert [span.end for span in live[live_version.pk]] == [first.made_at, None]


def test_a_version_older_than_a_demos_history_is_said_to_be_live_until_that_began(
    trainer: Client, live_version: ModelVersion
) -> None:
    entry = promotion.promote(make_version("toy-2"), by=None, why="To see.")
    Promotion.objects.filter(pk=entry.pk).update(made_at=datetime(2024, 5, 6, 15, tzinfo=UTC))
    page = " ".join(strip_tags(visit(trainer, "/versions/")).split())
    assert "nothing – – until May 6, 2024, 11:00 AM" in page


# -- who may -------------------------------------------------------------------------------------

PAGES = ["/training/", "/training/runs/", "/versions/", "/versions/toy-live/"]
BUTTONS = ["/training/start/", "/training/roll-back/", "/versions/toy-live/promote/"]


@pytest.mark.parametrize("make", [make_ada, make_cy])
def test_labelers_and_people_without_a_role_are_refused(
    client: Client, live_version: ModelVersion, make: Any
) -> None:
    client.force_login(make())
    assert {client.get(page).status_code for page in PAGES} == {403}
    assert {client.post(button).status_code for button in BUTTONS} == {403}
    assert "/training/" not in client.get("/").content.decode()


def test_a_visitor_is_sent_to_the_login(client: Client, live_version: ModelVersion) -> None:
    for answer in (*map(client.get, PAGES), *map(client.post, BUTTONS)):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/")


def test_an_analyst_sees_everything_and_no_button(
    client: Client, live_version: ModelVersion
) -> None:
    client.force_login(make_user("ann", role="analyst"))
    make_version("toy-2")
    for page in [*PAGES, "/versions/toy-2/"]:
        shown = visit(client, page)
        assert "Fine-tune now" not in shown
        assert "Roll back" not in shown
        assert "Promote toy-2" not in shown
    assert {client.post(button).status_code for button in BUTTONS} == {403}


def test_a_trainer_changes_when_a_job_runs_and_never_which(
    client: Client, live_version: ModelVersion
) -> None:
    client.force_login(make_user("tia", role="trainer", is_staff=True))
    make_schedules()
    nightly = Schedule.objects.get(name="nightly fine-tune")
    path = f"/admin/django_q/schedule/{nightly.pk}/change/"
    assert client.get(path).status_code == 200
    answer = client.post(
        path,
        {
            "name": "mine",
            "func": "os.system",
            "schedule_type": Schedule.CRON,
            "minutes": "",
            "cron": "30 4 * * *",
            "repeats": "-1",
            "next_run_0": "2030-01-01",
            "next_run_1": "00:00",
        },
    )
    assert answer.status_code == 302, answer.content[:3000]
    nightly.refresh_from_db()
    assert (nightly.func, nightly.name) == ("training.tasks.by_schedule", "nightly fine-tune")
    assert nightly.cron == "30 4 * * *"
    assert nightly.next_run < timezone.now() + timedelta(days=1, hours=1)
    assert client.get("/admin/django_q/schedule/add/").status_code == 403


@pytest.mark.parametrize(
    "page", ["run", "snapshot", "gatereport", "promotion", "../django_q/success"]
)
def test_what_happened_is_looked_at_in_the_admin_and_never_edited(
    client: Client, live_version: ModelVersion, page: str
) -> None:
    client.force_login(make_user("tia", role="trainer", is_staff=True))
    made = make_version("toy-2")
    labeled(3)
    retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    report_on(made, live_version, "more")
    promotion.promote(made, by=None, why="To see.")
    path = f"/admin/training/{page}/".replace("training/../", "")
    assert client.get(path).status_code == 200
    assert client.get(f"{path}add/").status_code == 403
    model = {"run": Run, "gatereport": GateReport, "promotion": Promotion}.get(page)
    if model is not None:
        row = model.objects.get()
        assert client.get(f"{path}{row.pk}/change/").status_code == 200
        assert client.post(f"{path}{row.pk}/change/", {"why": "other"}).status_code == 403
