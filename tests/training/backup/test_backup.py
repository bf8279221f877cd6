"""manage.py backup and restore: whole, proved, refused where anything is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import sqlite3
import stat
import uuid
import zipfile
from base64 import b64encode
from contextlib import closing
from datetime import timedelta
from functools import partial
from io import StringIO
from pathlib import Path
from typing import IO, Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.signing import SignedPackage
from picklefield.fields import PickledObject

from labeling.decisions.decisions import Answer, decide
from labeling.models import Label
from labeling.queue import queue
from labeling.queue.intake import enqueue_new
from predictions.models import Artifact, ModelVersion, Prediction
from tests.factories import make_ada, make_live, make_prediction, make_user
from tests.training.lessons import labeled
from training.backup import archive, backup
from training.models import Backup, Run
from training.runs import retrain
from training.tasks import nightly_backup
from training.workers.schedules import make_schedules, schedules

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def command(name: str, *arguments: Any, **options: Any) -> Any:
    said = StringIO()
    call_command(name, *arguments, json=True, verbosity=0, stdout=said, **options)
    return json.loads(said.getvalue())


def fill(count: int = 3) -> User:
    """Some drawings, all labeled by Ada."""
    make_live()
    ada = make_ada()
    for digit in range(count):
        make_prediction(digit=digit)
    enqueue_new()
    for _ in range(count):
        (held,) = queue.claim(ada)
        decide(held.public_id, Answer(3), labeler=ada, token=held.token, request_id=uuid.uuid4())
    return ada


def lose_everything() -> None:
    call_command("flush", interactive=False, verbosity=0)


def test_what_was_lost_comes_back_and_is_proved_equal(tmp_path: Path) -> None:
    fill()
    before = sorted(Prediction.objects.values_list("public_id", "digit"))
    file = tmp_path / "kept.backup"
    made = command("backup", file)
    assert made["rows"]["labeling_label"] == 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o600  # it holds accounts
    assert [path.name for path in tmp_path.iterdir()] == ["kept.backup"]
    lose_everything()
    done = command("restore", file, sha256=made["sha256"])
    assert done["equal"]
    assert sorted(Prediction.objects.values_list("public_id", "digit")) == before
    assert Label.objects.filter(digit=3).count() == 3
    assert User.objects.get(username="ada").has_perm("labeling.label_items")
    assert make_prediction().pk > max(label.pk for label in Label.objects.all())  # goes on behind


def test_a_backup_signs_nobody_in(tmp_path: Path) -> None:
    fill(1)
    until = timezone.now() + timedelta(days=1)
    Session.objects.create(session_key="CANARYSESSION", session_data="x", expire_date=until)
    command("backup", tmp_path / "kept.backup")
    with zipfile.ZipFile(tmp_path / "kept.backup") as packed:
        parts = b"".join(packed.read(name) for name in packed.namelist())
    assert b"CANARYSESSION" not in parts
    assert Session.objects.count() == 1


class Trap:
    """What runs code when its pickle is opened."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.sprung),)


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    """A folder that is made when somebody opens one of the pickles in django-q2's tables."""
    return tmp_path / "sprung"


@pytest.fixture
def trapped(sprung: Path) -> Path:
    """Jobs that ended and one that waits, all of them traps."""
    at, trap = timezone.now(), PickledObject(b64encode(pickle.dumps(Trap(sprung))).decode())
    for number, success in enumerate([True, False]):
        Task.objects.create(
            id=f"{number:032}", name=f"trap {number}", func="training.tasks.beat", success=success,
            started=at, stopped=at, args=trap, kwargs=trap, result=trap,
        )  # fmt: skip
    OrmQ.objects.create(key="inkloop", payload=SignedPackage.dumps(Trap(sprung)), lock=at)
    return sprung


def as_older_releases_made_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With django-q2's tables, and a seal anybody can make."""

    def unkeyed(packed: IO[bytes]) -> None:
        packed.seek(0)
        digest = hashlib.sha256(packed.read()).hexdigest()
        packed.write(f"\ninkloop backup, sha256 {digest}\n".encode())
        packed.flush()

    really = archive.Manifest.__init__

    def of_format_1(self: archive.Manifest, *fields: Any, **named: Any) -> None:
        really(self, *fields, **named | {"format": 1})

    with monkeypatch.context() as patched:
        patched.setattr(archive, "seal", unkeyed)
        patched.setattr(archive.Manifest, "__init__", of_format_1)
        patched.setattr(backup, "LEFT_OUT", {"django_session"})
        patched.setattr(archive, "verified", partial(archive.verified, trusted=True))
        command("backup", file)


def test_no_job_is_in_a_backup_and_schedules_are_only_their_rhythm(
    trapped: Path, tmp_path: Path
) -> None:
    make_live()
    labeled(3)
    make_schedules()
    Schedule.objects.filter(name="nightly erasure").update(cron="30 4 * * *", func="os.system")
    Schedule.objects.filter(name="nightly fine-tune").update(repeats=0)
    run = retrain.ask(trigger=Run.Trigger.COMMAND, least=1)
    file = tmp_path / "kept.backup"
    made = command("backup", file)
    assert not [table for table in made["rows"] if table.startswith("django_q")]
    with zipfile.ZipFile(file) as packed:
        parts = b"".join(packed.read(name) for name in packed.namelist())
    assert b"trap 0" not in parts
    assert b"os.system" not in parts
    lose_everything()
    command("restore", file)
    assert not Task.objects.exists()
    assert OrmQ.objects.count() == 1  # that of the run, which would wait for ever
    assert SignedPackage.loads(OrmQ.objects.get().payload)["args"] == (run.pk,)
    there = dict(Schedule.objects.values_list("name", "func"))
    assert there == {each["name"]: each["func"] for each in schedules()}
    assert Schedule.objects.get(name="nightly erasure").cron == "30 4 * * *"
    assert Schedule.objects.get(name="nightly fine-tune").repeats == 0


def test_an_older_backup_comes_back_without_its_jobs(
    trapped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(2)
    file = tmp_path / "old.backup"
    as_older_releases_made_it(file, monkeypatch)
    lose_everything()
    with pytest.raises(CommandError, match=r"sealed without a secret.*--trust"):
        command("restore", file)
    assert not User.objects.exists()
    warned = StringIO()
    assert command("restore", file, trust=True, stderr=warned)["equal"]
    assert "sealed without a secret" in warned.getvalue()
    assert Label.objects.count() == 2
    assert not Task.objects.exists()
    assert not OrmQ.objects.exists()
    assert Schedule.objects.exists()


def test_a_backup_sealed_with_another_secret_is_restored_only_when_it_is_trusted(
    made: Path, settings: Any
) -> None:
    settings.SECRET_KEY = "another installation's, and as long as they have to be: 0123456789"
    assert "not sealed with the SECRET_KEY of this installation" in refusal_of(made)
    warned = StringIO()
    assert command("restore", made, force=True, trust=True, stderr=warned)["equal"]
    assert "not sealed with the SECRET_KEY" in warned.getvalue()


def test_one_of_our_own_is_restored_without_a_warning(made: Path) -> None:
    warned = StringIO()
    assert command("restore", made, force=True, stderr=warned)["equal"]
    assert warned.getvalue() == ""


def test_a_forged_backup_is_refused_though_its_digests_agree(made: Path) -> None:
    found = archive.verified(made)
    forged = made.with_name("forged.backup")
    with zipfile.ZipFile(made) as packed, zipfile.ZipFile(forged, "w") as other:
        for name in packed.namelist():
            other.writestr(name, packed.read(name))
    digest = hashlib.sha256(forged.read_bytes()).hexdigest()
    seal = made.read_bytes()[-archive.LONGEST_SEAL :].split(b"hmac-sha256 ")[1]
    with forged.open("ab") as file:
        file.write(f"\ninkloop backup, sha256 {digest}, hmac-sha256 ".encode() + seal)
    assert found.doubt == ""
    assert "not sealed with the SECRET_KEY" in refusal_of(forged)


@pytest.mark.parametrize("page", ["success", "failure", "ormq"])
def test_looking_at_jobs_in_the_admin_opens_no_pickle(
    client: Client, trapped: Path, page: str
) -> None:
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    shown = client.get(f"/admin/django_q/{page}/")
    assert not trapped.exists()
    assert str(trapped) in shown.content.decode()  # what it says can be read
    key = {"success": f"{0:032}", "failure": f"{1:032}"}.get(page) or OrmQ.objects.get().pk
    assert client.get(f"/admin/django_q/{page}/{key}/change/").status_code == 200
    assert client.get(f"/admin/django_q/{page}/{key}/history/").status_code == 200
    assert not trapped.exists()
    SignedPackage.loads(OrmQ.objects.get().payload)
    assert trapped.exists()  # the trap works


def test_a_database_that_does_more_than_hold_rows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trigger would write what it likes into a database long after it was restored."""
    if connection.vendor != "sqlite":
        pytest.skip("on PostgreSQL the tables are made by migrations")
    fill(1)
    really = backup.copy_online

    def with_trigger(copy: Path) -> None:
        really(copy)
        with closing(sqlite3.connect(copy)) as database:
            database.execute(
                "CREATE TRIGGER later AFTER INSERT ON django_q_task BEGIN"
                " UPDATE auth_user SET is_superuser = 1; END"
            )
            database.commit()

    monkeypatch.setattr(backup, "copy_online", with_trigger)
    file = tmp_path / "kept.backup"
    command("backup", file)
    assert "has a trigger, later" in refusal_of(file)


def test_names_in_a_backup_are_names_and_no_statements() -> None:
    assert backup.quote("digit") == '"digit"'
    assert backup.quote('"a") FROM PROGRAM \'true\' --"') == ('"""a"") FROM PROGRAM \'true\' --"""')


def test_a_database_in_use_is_replaced_only_by_force(tmp_path: Path) -> None:
    fill(1)
    file = tmp_path / "kept.backup"
    command("backup", file)
    later = make_prediction()
    with pytest.raises(CommandError, match=r"not empty.*--force"):
        command("restore", file)
    assert Prediction.objects.filter(pk=later.pk).exists()
    assert command("restore", file, force=True)["equal"]
    assert not Prediction.objects.filter(pk=later.pk).exists()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    fill(2)
    file = tmp_path / "kept.backup"
    command("backup", file)
    return file


def refusal_of(file: Path, **options: Any) -> str:
    """What is said; and nothing was touched."""
    before = Prediction.objects.count()
    with pytest.raises(CommandError) as refused:
        command("restore", file, force=True, **options)
    assert Prediction.objects.count() == before
    return str(refused.value)


def test_a_truncated_backup_is_refused_wherever_it_ends(made: Path) -> None:
    whole = made.read_bytes()
    for length in [0, 1, 100, len(whole) // 2, len(whole) - 80, len(whole) - 1]:
        made.write_bytes(whole[:length])
        assert "its end is missing" in refusal_of(made) or length == len(whole) - 1
    made.write_bytes(whole + b"more")
    refusal_of(made)


def test_a_backup_with_one_bit_changed_is_refused_wherever_it_is(made: Path) -> None:
    whole = bytearray(made.read_bytes())
    dice = random.Random(7)
    for at in [
        0,
        len(whole) - 1,
        len(whole) - 40,
        *(dice.randrange(len(whole)) for _ in range(30)),
    ]:
        changed = whole.copy()
        changed[at] ^= 1 << dice.randrange(8)
        made.write_bytes(changed)
        assert "restored" not in refusal_of(made).lower()


def test_another_whole_backup_than_the_one_meant_is_refused(made: Path) -> None:
    assert "not the one that was meant" in refusal_of(made, sha256="0" * 64)


def resealed(made: Path, **changed: Any) -> Path:
    """The same parts under another manifest, made as carefully as an archive is."""
    found = archive.verified(made)
    manifest = archive.Manifest(
        **{
            "database": connection.vendor,
            "made_at": found.manifest.made_at,
            "release": "9.9",
            "migrations": found.manifest.migrations,
            **changed,
        }
    )
    other = made.with_name("other.backup")
    archive.write(other, manifest, lambda writer: None)
    return other


def test_a_backup_of_another_database_or_a_newer_release_is_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "was taken from oracle" in refusal_of(resealed(made, database="oracle"))
    made.with_name("other.backup").unlink()
    newer = [["labeling", "0999_not_yet"]]
    assert "another release" in refusal_of(resealed(made, migrations=newer))
    made.with_name("other.backup").unlink()
    monkeypatch.setattr(archive, "read_manifest", lambda packed, path: None)
    monkeypatch.setattr(archive, "check_parts", lambda packed, manifest, path: None)
    manifest = archive.Manifest(connection.vendor, "", "9.9", [], format=3)
    archive.write(made.with_name("other.backup"), manifest, lambda writer: None)
    monkeypatch.undo()
    assert "has format 3" in refusal_of(made.with_name("other.backup"))


def test_no_backup_replaces_a_file_and_a_failure_is_noted(made: Path) -> None:
    content = made.read_bytes()
    with pytest.raises(CommandError, match="there already"):
        command("backup", made)
    assert made.read_bytes() == content
    with pytest.raises(CommandError, match="cannot be written"):
        command("backup", made.parent / "nowhere" / "kept.backup")
    states = list(Backup.objects.values_list("state", flat=True))
    assert states == ["failed", "failed", "done"]


def test_what_cannot_be_read_back_equal_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(1)
    really = archive.Digesting.write

    def lies(self: archive.Digesting, content: bytes) -> int:
        written = really(self, content)
        self.digest.update(b"?")
        return written

    monkeypatch.setattr(archive.Digesting, "write", lies)
    with pytest.raises(CommandError, match="its digest differs"):
        command("backup", tmp_path / "kept.backup")
    assert list(tmp_path.iterdir()) == []


def test_every_night_one_is_made_and_the_oldest_goes(tmp_path: Path, settings: Any) -> None:
    make_live()
    assert nightly_backup() == {"declined": "BACKUP_DIR is not set."}
    settings.BACKUP_DIR, settings.BACKUP_KEEP = tmp_path / "nightly", 2
    for day in (1, 2, 3):
        name = f"{backup.PREFIX}2026010{day}T020000Z{backup.SUFFIX}"
        settings.BACKUP_DIR.mkdir(exist_ok=True)
        (settings.BACKUP_DIR / name).write_text("old")
    (settings.BACKUP_DIR / "mine.backup").write_text("not ours to delete")
    done = nightly_backup()
    kept = sorted(path.name for path in settings.BACKUP_DIR.iterdir())
    assert kept[0] == "inkloop-20260103T020000Z.backup"
    assert kept[1:] == [Path(done["file"]).name, "mine.backup"]
    assert Backup.objects.get().state == Backup.State.DONE


def test_a_backup_of_altered_weights_says_so(tmp_path: Path, capsys: Any) -> None:
    live = make_live()
    call_command("backup", tmp_path / "sound.backup")
    assert "registered" not in capsys.readouterr().err
    assert command("backup", tmp_path / "sound-2.backup")["weights_altered"] == []
    live.artifacts.filter(kind=Artifact.Kind.ONNX).update(content=b"altered")
    call_command("backup", tmp_path / "altered.backup")
    assert "toy-live onnx are not those that were registered" in capsys.readouterr().err
    made = command("backup", tmp_path / "altered-2.backup")
    assert made["weights_altered"] == ["toy-live onnx"]


def test_weights_that_are_not_what_their_digest_says_are_told(made: Path) -> None:
    command("restore", made, force=True)
    live = ModelVersion.objects.live().get()
    live.artifacts.update(sha256="0" * 64)
    made.unlink()
    command("backup", made)
    with pytest.raises(CommandError, match="toy-live"):
        command("restore", made, force=True)
