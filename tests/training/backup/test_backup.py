"""manage.py backup and restore: whole, proved, refused where anything is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import re
import stat
import struct
import subprocess
import sys
import uuid
import zipfile
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import IO, Any

import pytest
from django.conf import settings
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
from predictions.models import Artifact, Drawing, Feedback, ModelVersion, Prediction
from tests.factories import make_ada, make_live, make_prediction, make_user
from tests.operation.installation import ROOT, plain_environment
from tests.training.lessons import labeled
from training.backup import archive, backup, rows
from training.models import Backup, Run, Snapshot
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


# SQLite has constraints without names; Django numbers them as it finds them.
UNNAMED = re.compile(r"fk_\d+|__unnamed_constraint_\d+__")


def schema() -> dict[str, Any]:
    """Columns, keys, constraints and indexes of each table."""
    found, introspection = {}, connection.introspection
    with connection.cursor() as cursor:
        for table in introspection.table_names(cursor):
            columns = introspection.get_table_description(cursor, table)
            if connection.vendor == "sqlite":  # Django writes defaults into each INSERT
                columns = [each._replace(default=None) for each in columns]
            constraints = [
                ("" if UNNAMED.fullmatch(name) else name, str(each))
                for name, each in introspection.get_constraints(cursor, table).items()
            ]
            found[table] = sorted(columns), sorted(constraints)
    return found


def test_restored_tables_are_as_migrations_make_them(tmp_path: Path) -> None:
    by_migrations = schema()
    command("backup", tmp_path / "kept.backup")
    command("restore", tmp_path / "kept.backup", force=True)
    by_restore = schema()
    for table, made in by_migrations.items():
        assert by_restore.pop(table) == made
    assert not by_restore


def lines_in(file: Path, table: str) -> list[list[Any]]:
    with archive.verified(file).part(archive.TABLE_PART.format(table)) as part:
        return [json.loads(line) for line in part]


AWKWARD = 'tab\t, line\n, return\r, \\N, \\x00, "quoted", üñ☃🖉'


def fill_with_awkward_values() -> None:
    live = make_live("first")
    card = {"zz": {"é": [1, None], "a\tb": "\\"}, "b": 1e-07, "a": 12345678901234567890}
    ModelVersion.objects.filter(pk=live.pk).update(card=card, canary=[AWKWARD])
    whole_second = datetime(2026, 3, 29, 12, 0, 0, tzinfo=UTC)
    make_prediction(
        pk=7, digit=0, confidence=1.0, visitor=uuid.UUID(int=1), created_at=whole_second,
        audit_probability=0.1, is_audit=True,
    )  # fmt: skip
    make_prediction(pk=8, confidence=1e-07, created_at=whole_second + timedelta(microseconds=1200))
    Run.objects.create(
        snapshot=Snapshot.objects.create(
            digest="0" * 64, rule={}, count=0, counts={}
        ),
        parent=live, recipe={}, trigger="page", state="failed", log=AWKWARD, checkpoint=b"",
    )  # fmt: skip


def test_equal_rows_are_equal_lines_in_either_database(tmp_path: Path) -> None:
    """What is expected here was written by hand, so both databases are held to the same."""
    fill_with_awkward_values()
    command("backup", tmp_path / "kept.backup")
    found = archive.verified(tmp_path / "kept.backup")
    columns = found.manifest.columns

    def values(table: str, *names: str) -> list[list[Any]]:
        places = [columns[table].index(name) for name in names]
        return [[row[place] for place in places] for row in lines_in(found.path, table)]

    names = ("id", "visitor", "is_audit", "audit_probability", "confidence", "created_at", "day")
    assert values("predictions_prediction", *names) == [
        [7, "0" * 31 + "1", True, 0.1, 1.0, "2026-03-29 12:00:00", "2026-03-29"],
        [8, None, False, 0.05, 1e-07, "2026-03-29 12:00:00.001200", "2026-03-29"],
    ]
    spread = struct.pack("<10f", *[1.0, *[0.0] * 9]).hex()
    assert values("predictions_prediction", "probabilities")[0] == [f"\\x{spread}"]
    assert values("predictions_modelversion", "card", "canary") == [
        [
            r'{"a": 12345678901234567890, "b": 1e-07, "zz": {"a\tb": "\\", "\u00e9": [1, null]}}',
            json.dumps([AWKWARD]),
        ]
    ]
    assert values("training_run", "log", "checkpoint", "version_id") == [[AWKWARD, "\\x", None]]


def test_every_value_comes_back_as_it_was(tmp_path: Path) -> None:
    fill_with_awkward_values()
    models = [ModelVersion, Artifact, Prediction, Drawing, Run, Snapshot]
    before = [list(model.objects.order_by("pk").values()) for model in models]
    command("backup", tmp_path / "kept.backup")
    assert command("restore", tmp_path / "kept.backup", force=True)["equal"]
    assert [list(model.objects.order_by("pk").values()) for model in models] == before


def test_every_table_is_in_a_backup_or_left_out_for_a_reason() -> None:
    assert {*rows.tables(), *rows.LEFT_OUT} == {*connection.introspection.table_names()}
    assert all(rows.LEFT_OUT.values())


def test_every_column_is_of_a_type_that_reads_the_same_in_both_databases() -> None:
    """A type that differs between them has to be spelled in SELECTED before it is used."""
    spelled = {*rows.SELECTED["postgresql"], *rows.SELECTED["sqlite"]}
    alike = re.compile(
        r"(Big|Small|Positive|PositiveSmall|PositiveBig)?(Auto|Integer)|Char|Text|Float"
    )
    for table in rows.tables():
        for name, kind in rows.column_types(connection, table).items():
            known = kind in spelled or alike.fullmatch(kind.removesuffix("Field"))
            assert known, f"{table}.{name} is a {kind}"


def test_keys_go_on_behind_the_last_one_given_out(tmp_path: Path) -> None:
    """Readers of logs remember the last key they have seen, and would pass over one used again."""
    fill(1)
    gone = make_prediction()
    Drawing.objects.filter(pk=gone.pk).delete()
    Prediction.objects.filter(pk=gone.pk).delete()
    Feedback.objects.all().delete()
    command("backup", tmp_path / "kept.backup")
    lose_everything()
    command("restore", tmp_path / "kept.backup")
    assert make_prediction().pk == gone.pk + 1
    assert User.objects.create_user("new").pk > User.objects.get(username="ada").pk


def test_people_write_while_a_backup_of_one_moment_is_made(tmp_path: Path) -> None:
    fill(2)
    written: list[Prediction] = []
    made = backup.make(
        tmp_path / "kept.backup",
        progress=lambda table: None if written else written.append(make_prediction()),
    )
    assert made.manifest.rows["predictions_prediction"] == 2
    assert Prediction.objects.count() == 3


def test_a_restore_that_fails_leaves_the_database_as_it_was(made: Path) -> None:
    """The rows of one table are missing, and others refer to them."""
    found = archive.verified(made)
    manifest = archive.Manifest.from_json(json.dumps(asdict(found.manifest)).encode())
    manifest.parts, manifest.rows = {}, {}

    def contents() -> Iterator[tuple[str, Iterable[bytes]]]:
        for table in found.manifest.rows:
            with found.part(archive.TABLE_PART.format(table)) as part:
                yield table, [] if table == "auth_user" else part.readlines()

    torn = made.with_name("torn.backup")
    archive.write_archive(torn, manifest, contents())
    before = {table: count_rows(table) for table in rows.tables()}
    assert "is as it was" in refusal_of(torn)
    assert {table: count_rows(table) for table in rows.tables()} == before
    assert command("restore", made, force=True)["equal"]


def count_rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {rows.quote(table)}")
        return int(cursor.fetchone()[0])


@pytest.mark.slow
@pytest.mark.postgresql
def test_a_laptops_backup_restores_into_postgresql_and_back(tmp_path: Path) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("it goes from SQLite to PostgreSQL and back, so it needs a PostgreSQL server")
    laptop = plain_environment(
        tmp_path,
        DATABASE_URL=f"sqlite:///{tmp_path / 'laptop.sqlite3'}",
        SECRET_KEY=settings.SECRET_KEY,
    )

    def there(*arguments: object) -> Any:
        told = subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments), "--json", "-v0"],
            cwd=ROOT, env=laptop, check=True, capture_output=True,
        )  # fmt: skip
        return json.loads(told.stdout)

    fill(2)
    fill_with_awkward_values()
    command("backup", tmp_path / "server.backup")
    assert there("restore", tmp_path / "server.backup")["equal"]
    there("backup", tmp_path / "laptop.backup")
    server = archive.verified(tmp_path / "server.backup").manifest
    on_laptop = archive.verified(tmp_path / "laptop.backup").manifest
    assert on_laptop.database == "sqlite"
    assert on_laptop.parts == server.parts
    assert on_laptop.last_keys.items() >= server.last_keys.items()  # SQLite counts keys given to it
    lose_everything()
    assert command("restore", tmp_path / "laptop.backup")["equal"]
    assert Prediction.objects.count() == 4
    assert make_prediction().pk == server.last_keys["predictions_prediction"] + 1


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


def test_names_in_a_backup_are_names_and_no_statements() -> None:
    assert rows.quote("digit", "id") == '"digit", "id"'
    assert rows.quote('"a") FROM PROGRAM \'true\' --"') == ('"""a"") FROM PROGRAM \'true\' --"""')


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
    archive.write_archive(other, manifest, [])
    return other


def test_a_backup_of_a_newer_release_is_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = [["labeling", "0999_not_yet"]]
    assert "another release" in refusal_of(resealed(made, migrations=newer))
    made.with_name("other.backup").unlink()
    monkeypatch.setattr(archive, "read_manifest", lambda packed, path: None)
    monkeypatch.setattr(archive, "check_parts", lambda packed, manifest, path: None)
    manifest = archive.Manifest(connection.vendor, "", "9.9", [], format=4)
    archive.write_archive(made.with_name("other.backup"), manifest, [])
    monkeypatch.undo()
    assert "has format 4; this release reads formats 1 to 3" in refusal_of(
        made.with_name("other.backup")
    )


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
    really = archive.seal

    def on_a_bad_disk(packed: IO[bytes]) -> None:
        packed.seek(2_000)
        packed.write(b"?")
        really(packed)

    monkeypatch.setattr(archive, "seal", on_a_bad_disk)
    with pytest.raises(CommandError, match="is damaged"):
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
