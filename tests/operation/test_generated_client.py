"""A client that openapi-python-client makes of the served description does a program's work.

What the generator cannot read it leaves out of the client with a warning, so a warning fails.
"""

from __future__ import annotations

import base64
import importlib
import io
import os
import re
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest

from tests.bench.contract import platform
from tests.factories import a_one, canvas, png
from tests.operation.installation import ROOT, database_url

pytestmark = [
    pytest.mark.slow, pytest.mark.xdist_group("generated-client"),
    pytest.mark.same_on_any_database,  # it is about what is sent and how answers are read
]  # fmt: skip

# base-1 answers 7 to everything; 25 labels suffice for a run, 20 drawings wait in the queue.
SEED = """
import json, django
django.setup()
from django.conf import settings
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
from labeling.queue.intake import enqueue_new
from predictions.access.tokens import make_token
from tests.factories import make_live, make_prediction, make_user, make_version
from tests.training.lessons import labeled
make_live("base-1"), make_version("base-2")
ada, ben = make_user("ada", role="labeler"), make_user("ben", role="admin")
for number in range(25):
    labeled(number % 10)
for number in range(20):
    make_prediction(digit=number % 10)
enqueue_new()
print(json.dumps({
    "ada": make_token(ada, name="robot", scopes=["predict", "label"])[1],
    "ben": make_token(ben, name="robot", scopes=["predict", "label", "train", "read"])[1],
}))
"""
NOBODY = "ink_unknown"
PATIENCE = 60.0  # seconds, on a machine with much else to do
PACKAGE = "inkloop_client"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.M | re.S)


@dataclass
class Client:
    """What was generated, and a server to ask with it."""

    package: ModuleType
    models: ModuleType
    address: str
    tokens: dict[str, str]
    callers: dict[str, Any] = field(default_factory=dict)

    def caller(self, name: str) -> Any:
        """Kept: making one reads the certificates of the system, a tenth of a second."""
        if name not in self.callers:
            self.callers[name] = self.package.AuthenticatedClient(
                self.address,
                token=self.tokens.get(name, NOBODY),
                timeout=httpx.Timeout(PATIENCE),
                raise_on_unexpected_status=True,
            )
        return self.callers[name]

    def ask(self, operation: str, *args: Any, by: str = "ben", **kwargs: Any) -> Any:
        """What the client's function for an operation gives back, with status and headers."""
        [tag] = [path.parent.name for path in operations_in(self.package) if path.stem == operation]
        module = importlib.import_module(f"{PACKAGE}.api.{tag}.{operation}")
        return module.sync_detailed(*args, client=self.caller(by), **kwargs)

    def done(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """The object it answers with."""
        answer = self.ask(operation, *args, **kwargs)
        assert answer.status_code < 300, answer.content
        return answer.parsed

    def refused(self, operation: str, *args: Any, **kwargs: Any) -> tuple[int, str]:
        answer = self.ask(operation, *args, **kwargs)
        assert isinstance(answer.parsed, self.models.ErrorOutput), answer.content
        assert answer.parsed.error.message
        return int(answer.status_code), answer.parsed.error.code

    def file(self, content: bytes, name: str = "digit.png") -> Any:
        types = importlib.import_module(f"{PACKAGE}.types")
        return types.File(payload=io.BytesIO(content), file_name=name, mime_type="image/png")

    def upload(self, content: bytes | None = None, **kwargs: Any) -> Any:
        body = self.models.ImageFileInputRequest(image=self.file(content or png()))
        return self.done("predictions_create", body=body, **kwargs)


def operations_in(package: ModuleType) -> list[Path]:
    assert package.__file__
    return sorted(Path(package.__file__).parent.glob("api/*/[a-z]*.py"))


def documented() -> tuple[str, str]:
    """The lines of docs/api.md that make a client, and those that use it."""
    section = (ROOT / "docs/api.md").read_text().split("\n## A generated client\n")[1]
    [(shell, making), (python, using)] = BLOCK.findall(section.split("\n## ")[0])
    assert (shell, python) == ("sh", "python")
    return making, using


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("platform")
    with (
        database_url() as url,
        platform(folder, url, seed=SEED) as (server, tokens),
    ):
        yield f"http://127.0.0.1:{server.port}", tokens


@pytest.fixture(scope="module")
def workshop(served: tuple[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client, made as the documentation says."""
    folder = tmp_path_factory.mktemp("workshop")
    # The server makes the description once; the generator waits five seconds for it.
    assert httpx.get(f"{served[0]}/api/schema/", timeout=PATIENCE).status_code == 200
    install, generate = documented()[0].splitlines()
    assert install.removeprefix("pip install ") in (ROOT / "requirements-dev.txt").read_text()
    made = subprocess.run(
        [*generate.replace("http://127.0.0.1:8000", served[0]).split(), "--fail-on-warning"],
        cwd=folder, env=beside_python(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = made.stdout + made.stderr
    assert (made.returncode, "warning" in said.lower()) == (0, False), said
    return folder


def beside_python(**more: str) -> dict[str, str]:
    """An environment in which the programs of the virtual environment are found."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}


@pytest.fixture(scope="module")
def client(served: tuple[str, dict[str, str]], workshop: Path) -> Iterator[Client]:
    sys.path.insert(0, str(workshop))
    try:
        package = importlib.import_module(PACKAGE)
        client = Client(package, importlib.import_module(f"{PACKAGE}.models"), *served)
        yield client
        for caller in client.callers.values():
            caller.get_httpx_client().close()
    finally:
        sys.path.remove(str(workshop))
        for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


def test_every_operation_is_there_and_is_sound_python(client: Client) -> None:
    schema = httpx.get(f"{client.address}/api/schema/", timeout=PATIENCE).json()
    there = {each["operationId"] for verbs in schema["paths"].values() for each in verbs.values()}
    made = operations_in(client.package)
    assert {path.stem for path in made} == there
    for path in made:
        importlib.import_module(f"{PACKAGE}.api.{path.parent.name}.{path.stem}")


def test_the_example_of_the_documentation_reads_a_digit(
    served: tuple[str, dict[str, str]], workshop: Path
) -> None:
    address, tokens = served
    (workshop / "seven.png").write_bytes(png())
    done = subprocess.run(
        [sys.executable, "-c", documented()[1].replace("http://127.0.0.1:8000", address)],
        cwd=workshop, env={**os.environ, "INKLOOP_TOKEN": tokens["ben"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["7 read by base-1", "409 already_live"]


class TestTokens:
    def test_a_token_opens_what_its_owner_may_and_no_more(self, client: Client) -> None:
        assert client.done("labels_progress", by="ada").total >= 0
        assert client.refused("labels_progress", by="nobody") == (401, "not_signed_in")
        assert client.refused("runs_list", by="ada") == (403, "forbidden")


class TestPredicting:
    def test_a_file_and_a_data_url_are_read_alike(self, client: Client) -> None:
        uploaded = client.upload(png(a_one()))
        address = "data:image/png;base64," + base64.b64encode(png(a_one())).decode()
        sent = client.done(
            "predictions_create", body=client.models.ImageUrlInputRequest(image=address)
        )
        assert uploaded.probabilities == sent.probabilities
        assert (len(sent.probabilities), sent.model) == (10, "base-1")
        assert client.done("predictions_read", sent.id).created_at == sent.created_at
        page = client.done("predictions_list", limit=1)
        assert ([each.id for each in page.results], bool(page.next_)) == ([sent.id], True)

    def test_a_box_is_read_alone_and_comes_back(self, client: Client) -> None:
        seven = [(40, 90), (110, 90), (70, 200)]
        two = canvas(seven, [(210, 80), (210, 200)], width=12)
        address = "data:image/png;base64," + base64.b64encode(png(two)).decode()
        models, box = client.models, [0.0, 0.0, 0.5, 1.0]
        by_url = models.ImageUrlInputRequest(image=address, box=box)
        by_file = models.ImageFileInputRequest(image=client.file(png(two)), box="0,0,0.5,1")
        for body in (by_url, by_file):
            read = client.done("predictions_preview", body=body)
            assert read.digit == 7
            assert read.box == pytest.approx([40 / 280, 85 / 280, 115 / 280, 203 / 280], abs=0.02)
        whole = models.ImageUrlInputRequest(image=address)
        assert client.refused("predictions_preview", body=whole) == (422, "several_digits")

    def test_a_preview_has_no_id(self, client: Client) -> None:
        body = client.models.ImageFileInputRequest(image=client.file(png()))
        preview = client.done("predictions_preview", body=body)
        assert (preview.id, preview.created_at, preview.digit) == (None, None, 7)

    def test_what_is_no_picture_is_refused_in_the_shape_of_errors(self, client: Client) -> None:
        body = client.models.ImageFileInputRequest(image=client.file(b"GIF89a"))
        assert client.refused("predictions_create", body=body) == (415, "image_format")
        body = client.models.ImageUrlInputRequest(image="https://example.org/7.png")
        status, _ = client.refused("predictions_create", body=body)
        assert 400 <= status < 500

    def test_a_request_sent_again_is_answered_as_before(self, client: Client) -> None:
        key = str(uuid.uuid4())
        first, again = (client.upload(idempotency_key=key) for _ in range(2))
        assert first == again

    def test_a_batch_says_of_each_file_what_was_read_or_why_not(self, client: Client) -> None:
        files = [client.file(png()), client.file(b"no picture"), client.file(png(a_one()))]
        done = client.done("predictions_batch", body=client.models.BatchInputRequest(images=files))
        first, second, third = done.results
        assert isinstance(second, client.models.ErrorOutput)
        assert (first.digit, second.error.code, third.digit) == (7, "image_format", 7)

    def test_feedback_says_right_or_the_true_digit_or_none(self, client: Client) -> None:
        models, prediction = client.models, client.upload()
        for body, digit, correct in [
            (models.ReadRightRequest(correct=True), 7, True),
            (models.ReadWrongRequest(digit=1), 1, False),
            (models.ReadWrongRequest(digit=None), None, False),
        ]:
            said = client.done("predictions_feedback", prediction.id, body=body)
            assert (said.digit, said.correct, said.label) == (digit, correct, True)


class TestLabeling:
    def test_items_are_leased_answered_and_taken_back(self, client: Client) -> None:
        models = client.models
        asked = client.done("labels_next", by="ada", body=models.NextInputRequest(count=1))
        [item] = asked.items
        assert item.stream == "hidden"
        request = uuid.uuid4()
        answer = models.LabelInputRequest(item.id, request, digit=3, token=item.token)
        decided = client.done("labels_create", by="ada", body=answer)
        assert (decided.id, decided.digit) == (item.id, 3)
        again = models.LabelInputRequest(item.id, uuid.uuid4(), digit=3, token=item.token)
        assert client.refused("labels_create", by="ada", body=again) == (409, "lease_lost")

        undone = client.done(
            "labels_undo", by="ada", body=models.UndoInputRequest(uuid.uuid4(), of=request)
        )
        assert undone.item.id == item.id
        skip = models.SkipInputRequest(item.id, undone.item.token)
        assert client.ask("labels_skip", by="ada", body=skip).status_code == 204

    def test_many_answers_are_decided_each_by_itself(self, client: Client) -> None:
        models = client.models
        items = client.done("labels_next", by="ada", body=models.NextInputRequest(count=2)).items
        held, free = (
            models.LabelInputRequest(item.id, uuid.uuid4(), digit=None, token=token)
            for item, token in zip(items, [items[0].token, uuid.uuid4()], strict=True)
        )
        body = models.ManyInputRequest(labels=[held, free])
        kept, refused = client.done("labels_many", by="ada", body=body).results
        assert isinstance(kept, models.DecidedOutput)
        assert isinstance(refused, models.ErrorOutput)
        assert (kept.digit, refused.error.code) == (None, "lease_lost")

    def test_labels_are_listed_and_exported_as_text_and_as_archives(self, client: Client) -> None:
        kinds = client.models.LabelsExportFormat
        page = client.done("labels_list", state=client.models.LabelsListState.SETTLED, limit=100)
        rows = client.done("labels_export", format_=kinds.CSV).splitlines()
        assert rows[0].startswith("id,digit,")
        assert {str(each.id) for each in page.results} <= {row.split(",")[0] for row in rows}
        archive = client.ask("labels_export", format_=kinds.NPZ).content
        with np.load(io.BytesIO(archive)) as arrays:
            assert arrays["images"].shape == (len(arrays["labels"]), 28, 28)

    def test_a_file_of_images_comes_in_and_is_taken_back(self, client: Client) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("4/four.png", png(canvas([(60, 40), (60, 160), (220, 160)])))
        sent = client.file(packed.getvalue(), "digits.zip")
        report = client.done("labels_import", body=client.models.ImportInputRequest(file=sent))
        assert (report.taken, report.labeled, report.refused) == (1, 1, 0)
        assert client.done("labels_batches", limit=1).results[0].id == report.batch
        assert client.done("labels_batch_undo", report.batch).undone == 1


class TestTraining:
    def test_a_run_is_started_followed_and_canceled(self, client: Client) -> None:
        models = client.models
        run = client.done("runs_create", body=models.RunInputRequest(seed=3))
        assert (run.state, run.asked_by, run.verdict) == (models.RunState.QUEUED, "ben", None)
        assert run.labels >= 25
        assert client.refused("runs_create", body=models.RunInputRequest()) == (
            409, "already_running",
        )  # fmt: skip
        followed = client.ask("runs_read", run.id)
        assert followed.parsed.id == run.id
        unchanged = client.ask("runs_read", run.id, if_none_match=followed.headers["etag"])
        assert unchanged.status_code == 304
        assert client.done("runs_cancel", run.id).state == models.RunState.CANCELED
        assert run.id in [each.id for each in client.done("runs_list").results]

    def test_a_version_is_promoted_and_rolled_back(self, client: Client) -> None:
        models = client.models
        assert client.refused("versions_promote", "base-2", body=models.OverInputRequest()) == (
            409, "needs_reason",
        )  # fmt: skip
        body = models.OverInputRequest(why="It is tried.", over="base-1")
        promoted = client.done("versions_promote", "base-2", body=body)
        assert (promoted.kind, promoted.after) == (models.PromotionKind.PROMOTION, "base-2")
        assert client.done("versions_live").name == "base-2"
        back = client.done("versions_rollback", body=models.RollbackInputRequest(why="Enough."))
        assert (back.kind, back.after) == (models.PromotionKind.ROLLBACK, "base-1")
        assert client.done("promotions_list").results[0] == back
        version = client.done("versions_read", "base-2")
        assert (version.state, version.report) == (models.VersionState.REJECTED, None)


class TestFigures:
    def test_every_figure_is_read_and_not_sent_twice(self, client: Client) -> None:
        names = [each.name for each in client.done("figures_list").results]
        assert "accuracy-by-month" in names
        for name in names:
            answer = client.ask("figures_read", name)
            assert all(len(row) == len(answer.parsed.columns) for row in answer.parsed.rows)
        again = client.ask("figures_read", name, if_none_match=answer.headers["etag"])
        assert again.status_code == 304

    def test_a_filter_out_of_bounds_is_named(self, client: Client) -> None:
        answer = client.ask("figures_read", "accuracy-by-month", digit=10)
        assert (answer.status_code, answer.parsed.error.code) == (400, "invalid")
        assert list(answer.parsed.error.fields.additional_properties) == ["digit"]


class TestLabelStudio:
    CONFIG = (
        '<View><Image name="image" value="$image"/><Choices name="digit" toName="image">'
        + "".join(f'<Choice value="{digit}"/>' for digit in range(10))
        + "</Choices></View>"
    )

    def test_a_project_is_set_up_and_its_tasks_are_read(self, client: Client) -> None:
        models = client.models
        assert client.done("label_studio_health").status == models.HealthStatus.UP
        setup = models.SetupInputRequest(schema=self.CONFIG)
        assert client.done("label_studio_setup", body=setup).problem is None
        address = "data:image/png;base64," + base64.b64encode(png()).decode()
        tasks = [{"id": 1, "data": {"image": address}}, {"id": 2, "data": {}}]
        body = models.TasksInputRequest.from_dict({"tasks": tasks, "label_config": self.CONFIG})
        read, unread = client.done("label_studio_predict", body=body).results
        assert read.result[0]["value"]["choices"] == ["7"]
        assert (unread.result, unread.score) == ([], None)

    def test_an_event_becomes_a_label_or_a_run(self, client: Client) -> None:
        models = client.models
        choice = {"from_name": "digit", "to_name": "image", "type": "choices"}
        created = models.EventInputRequest(
            action="ANNOTATION_CREATED",
            project={"id": 1, "label_config": self.CONFIG},
            task={"id": 1, "data": {"image": client.upload().glyph_url}},
            annotation={"id": 1, "result": [{**choice, "value": {"choices": ["4"]}}]},
        )
        outcome = client.done("label_studio_webhook", body=created)
        assert outcome.status == models.LabelStudioOutcome.LABELED
        start = models.EventInputRequest(action="START_TRAINING", project={"id": 1})
        queued = client.done("label_studio_webhook", body=start)
        assert queued.status == models.QueuedStatus.QUEUED
        assert client.done("runs_cancel", queued.run).state == models.RunState.CANCELED
