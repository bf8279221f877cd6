"""The shipped version: only the files its card names come in, and they repair what went bad."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors

from predictions.models import Artifact, ModelVersion, ServingFault
from predictions.serving import recognizer, registry
from predictions.serving.recognizer import note_fault
from predictions.serving.registry import BASE, BASE_DIR, Bundle, install_base, unsoundness
from tests.factories import data_url, make_live, toy_onnx
from training.versions.promotion import promote, roll_back_unserved

pytestmark = pytest.mark.django_db
ONNX, WEIGHTS = "network.onnx", "weights.safetensors"


def flip(file: Path, at: float) -> None:
    content = bytearray(file.read_bytes())
    content[int(at * (len(content) - 1))] ^= 1
    file.write_bytes(content)


def change(file: Path, change_tensor: Callable[[Any], Any]) -> None:
    tensors = load_safetensors(file.read_bytes())
    name = sorted(tensors)[0]
    file.write_bytes(save_safetensors({**tensors, name: change_tensor(tensors[name])}))


ALTERATIONS: dict[str, Callable[[Path], object]] = {
    **{
        f"a bit of the {file} at {at}": lambda folder, file=file, at=at: flip(folder / file, at)
        for file in (ONNX, WEIGHTS)
        for at in (0.1, 0.3, 0.5, 0.7, 0.9)
    },
    "a tensor zeroed": lambda folder: change(folder / WEIGHTS, np.zeros_like),
    "a tensor scaled": lambda folder: change(folder / WEIGHTS, lambda tensor: tensor * 1.01),
    "a tensor turned over": lambda folder: change(folder / WEIGHTS, lambda t: np.flip(t).copy()),
    "another network": lambda folder: (folder / ONNX).write_bytes(toy_onnx()),
    "a file cut short": lambda folder: (folder / WEIGHTS).write_bytes(b""),
    "a card of nothing": lambda folder: (folder / "card.json").write_text("{"),
    "a card without digests": lambda folder: (folder / "card.json").write_text('{"name": "x"}'),
    "stored answers of nothing": lambda folder: (folder / "canary.json").write_text("{}"),
    "no number for an answer": lambda folder: unanswer(folder / "canary.json"),
}


def unanswer(file: Path) -> None:
    canary = json.loads(file.read_text())
    canary["probabilities"][0][0] = float("nan")
    file.write_text(json.dumps(canary))


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BASE_DIR, tmp_path / "base"))


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The command, with these files in the place of the shipped ones; what it says."""
    command = "predictions.management.commands.install_base.install_base"
    monkeypatch.setattr(command, functools.partial(registry.install_base, folder))
    said = StringIO()
    call_command("install_base", stdout=said)
    return said.getvalue()


@pytest.mark.parametrize("alter", ALTERATIONS.values(), ids=ALTERATIONS)
def test_files_other_than_the_card_names_do_not_come_in(
    shipped: Path, monkeypatch: pytest.MonkeyPatch, alter: Callable[[Path], object]
) -> None:
    alter(shipped)
    with pytest.raises(CommandError):
        install(shipped, monkeypatch)
    assert not ModelVersion.objects.exists()


def test_the_files_as_they_are_come_in_and_go_live(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert install(shipped, monkeypatch).splitlines() == [
        f"{BASE} is registered.", f"{BASE} is live.",
    ]  # fmt: skip
    assert Bundle.from_folder(BASE_DIR).name == BASE
    assert install(shipped, monkeypatch) == f"{BASE} is live.\n"  # again: nothing to do


def model_that_reads(client: Client) -> str:
    answer = client.post("/api/v1/predictions/", {"image": data_url()}, "application/json")
    model: str = answer.json()["model"]
    return model


def test_after_an_upgrade_the_old_version_answers_until_somebody_promotes_the_new_one(
    client: Client, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(recognizer, "time", clock)
    make_live("base-0")
    told = [
        f"{BASE} is registered.",
        f"{BASE} is candidate.",
        f"base-0 answers until somebody promotes {BASE}: `manage.py promote {BASE} --why '…'`.",
    ]
    assert install(shipped, monkeypatch).splitlines() == told
    assert model_that_reads(client) == "base-0"
    assert install(shipped, monkeypatch).splitlines() == told[1:]  # at the next start too
    call_command("promote", BASE, why="It reads better.", stdout=StringIO())
    clock.now += recognizer.LOOK_EVERY + 1
    assert model_that_reads(client) == BASE
    assert install(shipped, monkeypatch) == f"{BASE} is live.\n"


def damage(kind: Artifact.Kind) -> None:
    artifact = Artifact.objects.get(version__name=BASE, kind=kind)
    content = bytearray(artifact.content)
    content[len(content) // 2] ^= 1
    Artifact.objects.filter(pk=artifact.pk).update(content=bytes(content))


def other_answers() -> None:
    base = ModelVersion.objects.get(name=BASE)
    base.canary["probabilities"][0].reverse()
    base.save()


DAMAGES: dict[str, Callable[[], object]] = {
    "a bit": lambda: damage(Artifact.Kind.ONNX),
    "the digest": lambda: Artifact.objects.update(sha256="0" * 64),
    "the row": lambda: Artifact.objects.all().delete(),
    "the stored answers": other_answers,
    "no stored answers": lambda: ModelVersion.objects.update(canary={}),
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize("break_it", DAMAGES.values(), ids=DAMAGES)
def test_what_the_refusal_says_repairs_a_broken_live_version(
    client: Client, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[], object]
) -> None:
    clock = Clock()
    monkeypatch.setattr(recognizer, "time", clock)
    install_base()
    break_it()
    refused = client.post("/api/v1/predictions/", {"image": data_url()}, "application/json")
    assert refused.status_code == 503
    assert "`manage.py install_base`" in refused.json()["error"]["message"]
    said = StringIO()
    call_command("install_base", stdout=said)
    assert f"{BASE} was unsound and is repaired from the shipped files" in said.getvalue()
    clock.now += recognizer.TRY_AGAIN_AFTER + 1  # the same process: nobody restarts it
    again = client.post("/api/v1/predictions/", {"image": data_url()}, "application/json")
    assert (again.status_code, again.json()["model"]) == (201, BASE)


def test_weights_to_learn_from_are_repaired_too(monkeypatch: pytest.MonkeyPatch) -> None:
    base = install_base()
    damage(Artifact.Kind.SAFETENSORS)
    assert "for training are not those that were registered" in unsoundness(base)
    install_base()
    assert unsoundness(base) == ""


def test_weights_that_were_registered_otherwise_are_left_as_they_are() -> None:
    base = install_base()
    card = {**base.card, "sha256": {"network.onnx": "1", "weights.safetensors": "2"}}
    ModelVersion.objects.update(card=card)
    damage(Artifact.Kind.ONNX)
    before = list(Artifact.objects.values_list("sha256", flat=True))
    with pytest.raises(CommandError, match="registered with other weights"):
        call_command("install_base", stdout=StringIO())
    assert list(Artifact.objects.values_list("sha256", flat=True)) == before


def test_a_repaired_version_is_not_taken_back_for_what_hosts_said_before() -> None:
    make_live("before")
    base = install_base()
    promote(base, by=None, why="x")
    damage(Artifact.Kind.ONNX)
    note_fault(base.pk, "The weights are not those that were registered.")
    install_base()
    assert not ServingFault.objects.exists()
    assert roll_back_unserved() is None
    assert ModelVersion.objects.live().get() == base


def test_a_broken_version_that_is_not_the_shipped_one_is_named_with_what_to_do() -> None:
    """The command cannot mend it, and does not act as if it could."""
    live = make_live("other")
    live.artifacts.filter(kind=Artifact.Kind.ONNX).update(content=b"broken")
    said = StringIO()
    call_command("install_base", stdout=said)
    assert f"{BASE} is candidate." in said.getvalue()
    assert "other is live and unsound" in said.getvalue()
    assert f"`manage.py promote {BASE} --why '…'`" in said.getvalue()
    call_command("promote", BASE, why="the live one is broken", stdout=StringIO())
    assert ModelVersion.objects.live().get().name == BASE


def test_a_sound_live_version_is_not_called_unsound() -> None:
    make_live("other")
    said = StringIO()
    call_command("install_base", stdout=said)
    assert "unsound" not in said.getvalue()
