"""The registry of model versions: register weights, and verify that they have not changed.

Promotion is decided in `training`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction
from safetensors.numpy import load as load_safetensors

from predictions.database.clock import Moment
from predictions.models import Artifact, ModelVersion, ServingFault
from predictions.serving import network
from predictions.serving.network import UnsoundWeights, WeightsAltered, WeightsMissing

BASE_DIR = Path(__file__).resolve().parents[1] / "base"
BASE = "base-3"  # the name of the version in it
STEP_IN = 10  # how many retired versions, the last ones first, are tried as a fallback
FILES = {Artifact.Kind.ONNX: "network.onnx", Artifact.Kind.SAFETENSORS: "weights.safetensors"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything a version is made of, ready to be registered."""

    name: str
    onnx: bytes
    weights: bytes  # safetensors
    canary: dict[str, Any]
    card: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_folder(cls, folder: Path) -> Bundle:
        """Read the files of a folder and check them against the digests on its card."""
        card, canary = json_of(folder / "card.json"), json_of(folder / "canary.json")
        onnx, weights = ((folder / file).read_bytes() for file in FILES.values())
        expected = card.get("sha256", {})
        for file, content in zip(FILES.values(), (onnx, weights), strict=True):
            if weights_digest(content) != expected.get(file):
                raise UnsoundWeights(
                    f"{folder / file} is not the file that card.json names: its SHA-256 differs. "
                    "Get both back with git."
                )
        return cls(card["name"], onnx, weights, canary, card)

    @property
    def files(self) -> dict[Artifact.Kind, bytes]:
        return {Artifact.Kind.ONNX: self.onnx, Artifact.Kind.SAFETENSORS: self.weights}


def json_of(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except ValueError as broken:
        raise UnsoundWeights(f"{file} cannot be read: get it back with git.") from broken
    if not isinstance(found, dict):
        raise UnsoundWeights(f"{file} cannot be read: get it back with git.")
    return found


def weights_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# -- register -----------------------------------------------------------------------------------


@transaction.atomic
def register(bundle: Bundle, *, parent: ModelVersion | None = None) -> ModelVersion:
    """Create a candidate and store its weights with their digest; decline unsound weights."""
    check_bundle(bundle)
    version = ModelVersion.objects.create(
        name=bundle.name, parent=parent, card=bundle.card, canary=bundle.canary
    )
    store_weights(version, bundle)
    return version


def check_bundle(bundle: Bundle) -> None:
    check_finite(bundle.weights)
    network.load(bundle.onnx, canary=bundle.canary)


def store_weights(version: ModelVersion, bundle: Bundle) -> None:
    for kind, content in bundle.files.items():
        Artifact.objects.update_or_create(
            version=version,
            kind=kind,
            defaults={"sha256": weights_digest(content), "content": content},
        )


@transaction.atomic
def install_base(
    folder: Path = BASE_DIR, *, tell: Callable[[str], object] = lambda done: None
) -> ModelVersion:
    """Register the shipped version once; if its rows are unsound, repair them from its files.

    It goes live if no version is live. `tell` is called with what was done.
    """
    bundle = Bundle.from_folder(folder)
    version = ModelVersion.objects.filter(name=bundle.name).first()
    if version is None:
        version = register(bundle)
        tell(f"{version} is registered.")
    elif fault := unsoundness(version):
        repair(version, bundle)
        tell(f"{version} was unsound and is repaired from the shipped files: {fault}")
    if not ModelVersion.objects.live().exists():
        ModelVersion.objects.filter(pk=version.pk).update(
            state=ModelVersion.State.LIVE, live_since=Moment()
        )
        version.refresh_from_db()
    return version


def repair(version: ModelVersion, bundle: Bundle) -> None:
    """Restore a version from the shipped files, if it was registered with these files."""
    if version.card.get("sha256") != bundle.card["sha256"]:
        raise UnsoundWeights(
            f"{version} is unsound, and it was registered with other weights than this release "
            "ships under that name. Restore a backup that holds them."
        )
    check_bundle(bundle)
    ModelVersion.objects.filter(pk=version.pk).update(canary=bundle.canary)
    store_weights(version, bundle)
    # Old faults must not cause a rollback of the repaired version.
    ServingFault.objects.filter(version=version).delete()


# -- verify -------------------------------------------------------------------------------------


def checked_content(version: ModelVersion, kind: Artifact.Kind) -> bytes:
    """Return a version's weights, after a check that they are the registered ones."""
    artifact = Artifact.objects.filter(version=version, kind=kind).first()
    purpose = "training" if kind == Artifact.Kind.SAFETENSORS else "serving"
    if artifact is None:
        raise WeightsMissing(f"{version} has no weights for {purpose}.")
    content = bytes(artifact.content)
    if weights_digest(content) != artifact.sha256:
        raise WeightsAltered(
            f"The weights of {version} for {purpose} are not those that were registered: their "
            "SHA-256 differs."
        )
    return content


def verify(version: ModelVersion) -> None:
    """Raise UnsoundWeights unless a version's weights are the registered ones and work.

    The weights for serving and for training are both checked. Only such a version may go live.
    """
    network.load(checked_content(version, Artifact.Kind.ONNX), canary=version.canary)
    check_finite(checked_content(version, Artifact.Kind.SAFETENSORS))


def unsoundness(version: ModelVersion) -> str:
    """Return what is wrong with a version's weights; empty if nothing is."""
    try:
        verify(version)
    except UnsoundWeights as unsound:
        return str(unsound)
    return ""


def check_finite(weights: bytes) -> None:
    try:
        tensors = load_safetensors(weights)
    except Exception as broken:  # safetensors raises its own SafetensorError and KeyError
        raise UnsoundWeights("The safetensors file cannot be read.") from broken
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise UnsoundWeights(f"The weights of {name} are not finite numbers.")


def altered() -> list[str]:
    """Return the names of all weights that are not the registered ones."""
    artifacts = Artifact.objects.select_related("version").order_by("pk").iterator(4)
    return [str(each) for each in artifacts if weights_digest(bytes(each.content)) != each.sha256]


def remedy(version: ModelVersion) -> str:
    """Return what an operator should do about a version with unsound weights."""
    if version.name == BASE:
        return "Run `manage.py install_base`: it repairs it from the shipped files."
    if not version.is_live:
        return "Restore a backup that holds its weights."
    before = ModelVersion.objects.retired().order_by("-live_since")[:STEP_IN]
    if any(not unsoundness(each) for each in before):
        return "Run `manage.py rollback --why '…'`: the version before it is sound."
    return (
        f"Run `manage.py install_base`, then `manage.py promote {BASE} --why '…'`; or restore a "
        "backup that holds its weights."
    )
