"""A version made again: the same weights, or an honest no."""

from __future__ import annotations

import json
from io import StringIO
from itertools import islice
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling.decisions import decisions
from labeling.decisions.decisions import Answer
from predictions.models import Artifact, ModelVersion, Owner, Prediction
from predictions.serving.registry import install_base, register
from tests.training.lessons import labeled, make_tiny
from training.models import Run
from training.runs import retrain


def test_a_version_no_run_made_says_how_it_is_made_instead(db: None) -> None:
    base = install_base()
    with pytest.raises(CommandError, match=r"--seed 0 --into FOLDER --threads 1") as refused:
        call_command("reproduce", base.name)
    weights = Artifact.objects.get(version=base, kind="safetensors")
    assert weights.sha256 in str(refused.value)


def test_an_unknown_version_ends_in_an_error(db: None) -> None:
    with pytest.raises(CommandError, match="There is no version"):
        call_command("reproduce", "nothing")


@pytest.mark.slow
@pytest.mark.django_db
class TestAgain:
    @pytest.fixture
    def made(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> ModelVersion:
        make_tiny(monkeypatch, settings)
        install_base()
        for digit in range(10):
            labeled(digit)
        done = retrain.execute(retrain.ask(trigger=Run.Trigger.COMMAND, least=5).pk)
        assert done is not None
        assert done.version is not None
        return done.version

    @pytest.mark.parametrize(
        ("least", "read", "kept"), [(5, (0.9, 0.8), 1), (5, (0.9, 0.9), 2), (50, (0.9, 0.8), 2)],
        ids=["the best epoch", "the later of two", "the last where few were held out"],
    )  # fmt: skip
    def test_a_version_of_an_older_release_is_made_as_that_release_made_it(
        self, monkeypatch: pytest.MonkeyPatch, settings: Any, least: int,
        read: tuple[float, float], kept: int,
    ) -> None:  # fmt: skip
        """It held drawings out, and kept the epoch that read them best."""
        from training.runs.fine_tune import bundle_of, lesson_of

        make_tiny(monkeypatch, settings)
        install_base()
        for digit in range(10):
            labeled(digit)
        run = retrain.ask(trigger=Run.Trigger.COMMAND, least=5)
        held = run.snapshot.labels.values_list("event", "digit")
        run.snapshot.holdout = [[event, (digit + 1) % 10] for event, digit in held]
        run.snapshot.save()
        lesson = lesson_of(run)
        assert len(list(islice(lesson.course.epochs(), kept))) == kept
        version = register(bundle_of(run, lesson), parent=run.parent)
        for number, share in enumerate(read, 1):
            run.epochs.create(number=number, loss=1, accuracy=1, holdout_accuracy=share)
        recipe = {**run.recipe, "least_holdout": least}
        Run.objects.filter(pk=run.pk).update(version=version, recipe=recipe)
        assert self.again(version)["same"]

    def test_a_version_taught_by_other_templates_is_refused_in_words(self, made: ModelVersion):
        run = Run.objects.get(version=made)
        Run.objects.update(recipe={k: v for k, v in run.recipe.items() if k != "hands"})
        with pytest.raises(CommandError, match="other templates"):
            self.again(made)

    def again(self, version: ModelVersion) -> dict[str, Any]:
        told = StringIO()
        call_command("reproduce", version.name, "--json", stdout=told, stderr=StringIO())
        return json.loads(told.getvalue())

    def test_it_has_the_same_digest_though_labels_came_and_changed_since(
        self, made: ModelVersion
    ) -> None:
        for digit in range(5):
            labeled(digit)
        for prediction in Prediction.objects.order_by("pk")[:6]:
            decisions.label_by_feedback(
                prediction, Answer(9), owner=Owner(visitor=prediction.visitor)
            )
        versions = ModelVersion.objects.count()
        told = self.again(made)
        assert told["same"]
        assert told["made"] == Artifact.objects.get(version=made, kind="safetensors").sha256
        assert ModelVersion.objects.count() == versions  # nothing is written

    def test_another_recipe_makes_other_weights_and_that_is_an_error(
        self, made: ModelVersion
    ) -> None:
        run = Run.objects.get(version=made)
        Run.objects.filter(pk=run.pk).update(recipe={**run.recipe, "seed": 1})
        with pytest.raises(CommandError, match="it became"):
            call_command("reproduce", made.name, stdout=StringIO(), stderr=StringIO())
