"""manage.py doctor: each planted fault is named, and a sound installation is left in peace."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule

from dashboard.models import Check
from labeling.models import Label, LabelEvent
from predictions.models import (
    Artifact,
    ModelVersion,
    Prediction,
    ServingFault,
    Sighting,
    WorkerBeat,
)
from predictions.operation import doctor, health_checks, proxy_mismatches
from predictions.serving.registry import install_base
from tests.factories import make_live, make_prediction, make_version
from tests.operation.installation import ROOT, Installation, plain_environment, until
from training.models import Backup, Run, Snapshot, Trial
from training.versions.promotion import promote
from training.workers.schedules import make_schedules, schedules

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Patient(SimpleNamespace):
    """An installation to plant a fault in."""

    settings: Any
    monkeypatch: pytest.MonkeyPatch
    data: Path


def beat(host: str = "here", *, cluster: str = "inkloop", seen: timedelta = timedelta()) -> None:
    at = timezone.now() - seen
    WorkerBeat.objects.update_or_create(
        cluster=cluster, host=host, defaults={"seen_at": at, "worked_at": at}
    )


def label(prediction: Prediction, digit: int = 3, *, age: timedelta = timedelta()) -> LabelEvent:
    """As decided, with its label and its place."""
    from labeling.batches.batches import restate_many
    from labeling.queue.intake import enqueue_new

    enqueue_new()
    event = LabelEvent.objects.create(
        prediction=prediction, kind="label", digit=digit, created_at=timezone.now() - age
    )
    restate_many([prediction.pk])
    return event


@pytest.fixture
def patient(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Patient:
    """Nothing is wrong with it."""
    settings.DATA_DIR = tmp_path
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    (settings.STATIC_ROOT / "staticfiles.json").write_text("{}")
    (tmp_path / "secret_key").write_text("x" * 60)
    (tmp_path / "secret_key").chmod(0o600)
    settings.SECRET_KEY_GIVEN = False
    for name in os.environ.keys() - settings.KNOWN_VARIABLES:
        if name.startswith(("TEST_", "DATABASE")):
            monkeypatch.delenv(name)
    make_live()
    User.objects.create_superuser("ben")
    make_schedules()
    beat()
    beat(cluster="training")
    label(make_prediction(), age=40 * HOUR)
    Backup.objects.create(
        state="done", path=str(tmp_path / "b"), host="elsewhere", started_at=timezone.now()
    )
    return Patient(settings=settings, monkeypatch=monkeypatch, data=tmp_path)


def codes() -> set[str]:
    return {finding.code for finding in doctor.examine()}


def test_a_sound_installation_is_left_in_peace(patient: Patient) -> None:
    assert doctor.examine() == []
    said = StringIO()
    call_command("doctor", stdout=said)
    assert said.getvalue() == "Nothing is wrong.\n"


# -- faults, each planted as it would come about ---------------------------------------------------


def secret_for_all(patient: Patient) -> None:
    (patient.data / "secret_key").chmod(0o644)


def folder_gone(patient: Patient) -> None:
    patient.settings.DATA_DIR = patient.data / "unmounted"


def disk_full(patient: Patient) -> None:
    usage = shutil._ntuple_diskusage(100 * 10**9, 95 * 10**9, 5 * 10**9)  # type: ignore[attr-defined]
    patient.monkeypatch.setattr(health_checks.shutil, "disk_usage", lambda path: usage)


def manifest_gone(patient: Patient) -> None:
    (patient.settings.STATIC_ROOT / "staticfiles.json").unlink()


def slip(patient: Patient) -> None:
    patient.monkeypatch.setenv("ALOWED_HOSTS", "digits.example.org")


def loopback_behind_proxy(patient: Patient) -> None:
    patient.settings.PROXY_COUNT = 1


def public(patient: Patient, **changed: Any) -> None:
    given = {"PUBLIC": True, "HTTPS": True, "PROXY_COUNT": 1, **changed}
    for name, value in given.items():
        setattr(patient.settings, name, value)


def proxy_not_counted(patient: Patient) -> None:
    public(patient, PROXY_COUNT=0)


def cookies_in_the_clear(patient: Patient) -> None:
    public(patient, SESSION_COOKIE_SECURE=False)


def origin_in_the_clear(patient: Patient) -> None:
    public(patient, CSRF_TRUSTED_ORIGINS=["http://digits.example.org"])


def mail_nowhere(patient: Patient) -> None:
    public(patient, EMAIL_BACKEND="django.core.mail.backends.console.EmailBackend")


def jobs_started_twice(patient: Patient) -> None:
    patient.settings.Q_CLUSTER = {**patient.settings.Q_CLUSTER, "retry": 1}


def tables_behind(patient: Patient) -> None:
    MigrationRecorder(connection).migration_qs.filter(app="labeling").latest("name").delete()


def tables_never_made(patient: Patient) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'training'")


def tables_ahead(patient: Patient) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)",
            ["labeling", "0999_of_tomorrow", timezone.now()],
        )


def clock_of_host(patient: Patient) -> None:
    beat("elsewhere", seen=-HOUR)


def files_over_nfs(patient: Patient) -> None:
    patient.monkeypatch.setattr(health_checks, "file_system_of", lambda path: "nfs4")
    patient.monkeypatch.setattr(connection, "vendor", "sqlite")


def sqlite_on_two_hosts(patient: Patient) -> None:
    beat("elsewhere")
    patient.monkeypatch.setattr(connection, "vendor", "sqlite")


def proxy_seen(patient: Patient) -> None:
    Sighting.objects.create(kind=proxy_mismatches.FORWARDED, host="here", last_at=timezone.now())


def proxy_passed_by(patient: Patient) -> None:
    public(patient)
    Sighting.objects.create(kind=proxy_mismatches.DIRECT, host="here", last_at=timezone.now())


def nothing_live(patient: Patient) -> None:
    ModelVersion.objects.update(state=ModelVersion.State.RETIRED)


def weights_gone(patient: Patient) -> None:
    Artifact.objects.all().delete()


def bit_flipped(patient: Patient) -> None:
    damage(Artifact.Kind.ONNX)


def damage(kind: str) -> None:
    artifact = Artifact.objects.get(version__state=ModelVersion.State.LIVE, kind=kind)
    content = bytearray(artifact.content)
    content[len(content) // 2] ^= 1
    Artifact.objects.filter(pk=artifact.pk).update(content=bytes(content))


def classes_swapped(patient: Patient) -> None:
    live = ModelVersion.objects.live().get()
    live.canary["probabilities"][0].reverse()
    live.save()


def given_up(patient: Patient) -> None:
    live = ModelVersion.objects.live().get()
    ServingFault.objects.create(
        version=live, host="here", message="it fails", last_at=timezone.now()
    )


def admin_gone(patient: Patient) -> None:
    User.objects.update(is_active=False)


def label_by_hand(patient: Patient) -> None:
    Label.objects.update(digit=8)


def queue_stands(patient: Patient) -> None:
    make_prediction(created_at=timezone.now() - HOUR)


def cube_stands(patient: Patient) -> None:
    make_prediction(created_at=timezone.now() - HOUR)


def cube_wrong(patient: Patient) -> None:
    Check.objects.create(months=3, of_months=3, differences=2, seconds=1)


def kept_too_long(patient: Patient) -> None:
    patient.settings.RETENTION_DAYS = 30
    made = make_prediction(visitor=uuid.uuid4(), created_at=timezone.now() - 40 * DAY)
    assert made.erased_at is None


def worker_gone(patient: Patient) -> None:
    beat(cluster="training", seen=HOUR)


def worker_idle(patient: Patient) -> None:
    WorkerBeat.objects.filter(cluster="inkloop").update(worked_at=timezone.now() - DAY)


def jobs_wait(patient: Patient) -> None:
    OrmQ.objects.create(key="inkloop", payload="x", lock=timezone.now() - HOUR)


def job_failed(patient: Patient) -> None:
    now = timezone.now()
    Failure.objects.create(
        id=uuid.uuid4().hex, name="x", func="f", started=now, stopped=now, success=False
    )


def schedule_gone(patient: Patient) -> None:
    Schedule.objects.filter(name="nightly fine-tune").delete()


def schedule_off(patient: Patient) -> None:
    Schedule.objects.filter(name="nightly backup").update(repeats=0)


def schedule_late(patient: Patient) -> None:
    Schedule.objects.update(next_run=timezone.now() - HOUR)


def run_silent(patient: Patient) -> None:
    live, ago = ModelVersion.objects.live().get(), timezone.now() - HOUR
    snapshot = Snapshot.objects.create(digest="x", rule={}, count=0, counts={})
    Run.objects.create(
        state="running", trigger="page", snapshot=snapshot, parent=live, recipe={}, heartbeat_at=ago
    )


def runs_fail(patient: Patient) -> None:
    live = ModelVersion.objects.live().get()
    snapshot = Snapshot.objects.create(digest="x", rule={}, count=0, counts={})
    for _ in range(3):
        Run.objects.create(
            state="failed", trigger="page", snapshot=snapshot, parent=live, recipe={}, reason="why"
        )


def mnist_gone(patient: Patient) -> None:
    patient.settings.LABELS_PER_RUN = 1
    patient.settings.MNIST_DIR = patient.data / "mnist"


def mnist_never_read(patient: Patient) -> None:
    live = ModelVersion.objects.live().get()
    Trial.objects.create(
        candidate=make_version("new"), against=live, number=1, after_prediction=0,
        began_at=timezone.now() - HOUR,
    )  # fmt: skip


def backup_long_ago(patient: Patient) -> None:
    Backup.objects.update(started_at=timezone.now() - 3 * DAY)


def backup_failed(patient: Patient) -> None:
    Backup.objects.create(
        state="failed", path="x", host="x", started_at=timezone.now(), reason="disk full"
    )


def backup_deleted(patient: Patient) -> None:
    import socket

    Backup.objects.update(host=socket.gethostname()[:100])


FAULTS: dict[str, list[Callable[[Patient], None]]] = {
    "secret_readable": [secret_for_all],
    "data_folder_unwritable": [folder_gone],
    "disk_nearly_full": [disk_full],
    "static_missing": [manifest_gone],
    "variable_misspelled": [slip],
    "hosts_loopback_behind_proxy": [loopback_behind_proxy],
    "proxy_not_counted": [proxy_not_counted],
    "cookies_insecure": [cookies_in_the_clear],
    "origin_insecure": [origin_in_the_clear],
    "mail_printed": [mail_nowhere],
    "inkloop.E003": [jobs_started_twice],
    "migrations_missing": [tables_behind, tables_never_made],
    "release_too_old": [tables_ahead],
    "clock_skewed": [clock_of_host],
    "sqlite_on_network": [files_over_nfs],
    "sqlite_shared": [sqlite_on_two_hosts],
    "proxy_count_wrong": [proxy_seen, proxy_passed_by],
    "no_live_version": [nothing_live],
    "weights_missing": [weights_gone],
    "weights_altered": [bit_flipped],
    "canary_mismatch": [classes_swapped],
    "version_given_up": [given_up],
    "no_admin": [admin_gone],
    "labels_differ": [label_by_hand],
    "queue_behind": [queue_stands],
    "cube_behind": [cube_stands],
    "cube_differs": [cube_wrong],
    "retention_overdue": [kept_too_long],
    "no_worker": [worker_gone],
    "workers_idle": [worker_idle],
    "queue_wedged": [jobs_wait],
    "jobs_failed": [job_failed],
    "schedule_missing": [schedule_gone],
    "schedule_off": [schedule_off],
    "schedule_overdue": [schedule_late],
    "run_stuck": [run_silent],
    "runs_fail": [runs_fail],
    "mnist_missing": [mnist_gone],
    "trial_without_mnist": [mnist_never_read],
    "backup_old": [backup_long_ago],
    "backup_failed": [backup_failed],
    "backup_gone": [backup_deleted],
}
PLANTED = [(code, plant) for code, plants in FAULTS.items() for plant in plants]


@pytest.mark.parametrize(("code", "plant"), PLANTED, ids=[p.__name__ for _, p in PLANTED])
def test_a_planted_fault_is_named_with_why_and_what_to_do(
    patient: Patient, code: str, plant: Callable[[Patient], None]
) -> None:
    plant(patient)
    found = {finding.code: finding for finding in doctor.examine()}
    assert code in found
    assert found[code].what.endswith((".", "?")) or found[code].what
    assert len(found[code].why) > 10
    assert len(found[code].todo) > 10


@pytest.mark.parametrize("name", [schedule["name"] for schedule in schedules()])
def test_every_schedule_of_every_app_is_missed(patient: Patient, name: str) -> None:
    Schedule.objects.filter(name=name).update(repeats=0)
    assert [found.what.split("”")[0] for found in doctor.examine()] == [f"The schedule “{name}"]
    Schedule.objects.filter(name=name).delete()
    (found,) = doctor.examine()
    assert (found.code, name in found.what) == ("schedule_missing", True)


def weights_found() -> list[doctor.Finding]:
    codes = {"weights_missing", "weights_altered", "canary_mismatch"}
    return [found for found in doctor.examine() if found.code in codes]


@pytest.mark.parametrize("kind", Artifact.Kind.values)
@pytest.mark.parametrize("place", ["shipped", "first", "after a sound one"])
def test_what_it_says_to_do_about_weights_mends_them(
    patient: Patient, place: str, kind: str
) -> None:
    """The commands in the advice, one after another; the first live version is a toy."""
    if place != "first":
        base = install_base()
        promote(base, by=None, why="x")
    if place == "after a sound one":
        promote(make_version("b"), by=None, why="x")
    damage(kind)
    (found,) = weights_found()
    asked = re.findall(r"`manage\.py ([^`]+)`", found.todo)
    assert [each.split()[0] for each in asked] == {
        "shipped": ["install_base"],
        "first": ["install_base", "promote"],
        "after a sound one": ["rollback"],
    }[place]
    for each in asked:
        call_command(*shlex.split(each), stdout=StringIO())
    assert weights_found() == []


def test_the_exit_code_says_how_bad_it_is_and_json_says_all(patient: Patient) -> None:
    slip(patient)
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=StringIO())
    assert ended.value.code == 1
    nothing_live(patient)
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", json=True, stdout=said)
    assert ended.value.code == 2
    body = json.loads(said.getvalue())
    assert body["state"] == "broken"
    assert [each["code"] for each in body["findings"]] == ["no_live_version", "variable_misspelled"]
    assert set(body["findings"][0]) == {"code", "severity", "what", "why", "todo"}


def test_quick_leaves_out_what_reads_every_label(patient: Patient) -> None:
    label_by_hand(patient)
    assert "labels_differ" not in {finding.code for finding in doctor.examine(deep=False)}


@pytest.mark.postgresql
def test_a_clock_that_differs_from_the_databases_is_named(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has this machine's clock")
    really = health_checks.time.time
    monkeypatch.setattr(health_checks, "time", SimpleNamespace(time=lambda: really() + 7200))
    (found,) = [each for each in doctor.examine() if each.code == "clock_skewed"]
    assert "7,200 s ahead of the database" in found.what


# -- as a command of its own, where nothing else would start ---------------------------------------


def ran(folder: Path, **environment: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=ROOT,
        env=plain_environment(folder, **environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_every_setting_that_is_refused_is_named_at_once(tmp_path: Path) -> None:
    code, body = ran(
        tmp_path, TIME_ZONE="Mars/Olympus", LOG_FORMAT="xml", SECRET_KEY="short", PROXY_COUNT="x"
    )
    assert code == 2
    assert {each["code"] for each in body["findings"]} == {"setting_refused"}
    named = {each["what"].split()[0] for each in body["findings"]}
    assert named == {"TIME_ZONE", "LOG_FORMAT", "SECRET_KEY", "PROXY_COUNT"}
    assert not (tmp_path / "secret_key").exists()


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    code, body = ran(tmp_path, DATABASE_URL="postgres://ada:CANARY@127.0.0.1:1/digits")
    assert code == 2
    found = [each for each in body["findings"] if each["code"] == "database_unreachable"]
    assert "digits at 127.0.0.1:1" in found[0]["what"]
    assert "CANARY" not in json.dumps(body)


@pytest.mark.slow
@pytest.mark.xdist_group("workers")
def test_what_run_starts_is_sound(installation: Installation) -> None:
    for cluster in ("inkloop", "training"):
        until(lambda name=cluster: installation.worked_at(name), what="jobs pass")
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=ROOT,
        env=installation.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Nothing is wrong.\n"), done.stdout


def test_every_code_is_documented_and_none_that_is_gone() -> None:
    told = (ROOT / "docs" / "operation.md").read_text()
    sources = [
        ROOT / app / "operation" / "health_checks.py"
        for app in ("predictions", "labeling", "training", "dashboard")
    ]
    text = "".join(
        (ROOT / "predictions" / "operation" / name).read_text()
        for name in ("doctor.py", "health.py")
    )
    text += "".join(path.read_text() for path in sources)
    text += (ROOT / "config" / "preflight.py").read_text()
    calls = re.findall(r'(?:attention|broken|say)\(\s*"([a-z_]+)"', text)
    calls += re.findall(
        r'"(weights_missing|weights_altered|canary_mismatch|clock_skewed|no_worker|workers_idle)"',
        text,
    )
    said = set(re.findall(r"`([a-z_]+_[a-z_]+)`", told.split("## Logs")[0]))
    assert said == set(calls)
    assert set(FAULTS) - {"inkloop.E003"} <= said
