"""The registry of model versions: how weights come in. Promotion is decided in `training`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone
from safetensors.numpy import load as load_safetensors

from predictions import network
from predictions.models import Artifact, ModelVersion

BASE_DIR = Path(__file__).parent / "base"


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
        card = json.loads((folder / "card.json").read_text())
        return cls(
            name=card["name"],
            onnx=(folder / "network.onnx").read_bytes(),
            weights=(folder / "weights.safetensors").read_bytes(),
            canary=json.loads((folder / "canary.json").read_text()),
            card=card,
        )


@transaction.atomic
def register(bundle: Bundle, *, parent: ModelVersion | None = None) -> ModelVersion:
    """A new candidate, its weights stored beside their digest; unsound ones are declined."""
    check_finite(bundle.weights)
    sha256 = hashlib.sha256(bundle.onnx).hexdigest()
    network.load(bundle.onnx, sha256=sha256, canary=bundle.canary)
    version = ModelVersion.objects.create(
        name=bundle.name, parent=parent, card=bundle.card, canary=bundle.canary
    )
    for kind, content in (
        (Artifact.Kind.ONNX, bundle.onnx),
        (Artifact.Kind.SAFETENSORS, bundle.weights),
    ):
        Artifact.objects.create(
            version=version,
            kind=kind,
            sha256=hashlib.sha256(content).hexdigest(),
            content=content,
        )
    return version


def check_finite(weights: bytes) -> None:
    try:
        tensors = load_safetensors(weights)
    except Exception as broken:  # safetensors raises its own SafetensorError and KeyError
        raise network.UnsoundWeights("The safetensors file cannot be read.") from broken
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise network.UnsoundWeights(f"The weights of {name} are not finite numbers.")


@transaction.atomic
def install_base(folder: Path = BASE_DIR) -> ModelVersion:
    """The shipped version, registered once; it goes live where nothing else is yet."""
    bundle = Bundle.from_folder(folder)
    version = ModelVersion.objects.filter(name=bundle.name).first() or register(bundle)
    if not ModelVersion.objects.live().exists():
        ModelVersion.objects.filter(pk=version.pk).update(
            state=ModelVersion.State.LIVE, live_since=timezone.now()
        )
        version.refresh_from_db()
    return version
