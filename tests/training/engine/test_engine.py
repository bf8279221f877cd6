from __future__ import annotations

import ast
import importlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from training.engine import base, calibrate, evaluate, export, mnist, strokes, vision
from training.engine import distort as distortion
from training.engine.data import STRANGER, Digits, joined
from training.engine.distort import distort
from training.engine.fit import Anchor, Course, EpochResult, Recipe, as_images
from training.engine.idx import idx_array
from training.engine.network import Panel, Reader
from training.engine.no_digits import NO_DIGITS
from training.engine.strangers import character, strangers
from training.engine.strokes import canvas_of, kin_of, mixed, one_of, written_digits
from training.engine.templates import DIGITS

referee = importlib.import_module(f"{vision.torchvision.__name__}.transforms.v2.functional")
ENGINE = Path(base.__file__).parent
H, TWO_LINES = "40,0 40,140 / 60,0 60,140 / 40,70 60,70", "40,0 40,140 / 60,0 60,140"
TINY = Recipe(epochs=2, batch_size=8, written=40, strangers=16, validation=10)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ten() -> Digits:
    """One glyph of each digit."""
    return written_digits(10, seed=3)


def new_reader(seed: int = 0) -> Reader:
    torch.manual_seed(seed)
    return Reader()


def fit(network: Reader, digits: Digits, recipe: Recipe) -> list[EpochResult]:
    """Train in place; at the end the network has the running average."""
    course = Course(network, digits, recipe)
    results = list(course.epochs())
    network.load_state_dict(course.result.state_dict())
    return results


def test_the_network_memorizes_ten_glyphs(ten: Digits) -> None:
    network = new_reader()
    recipe = Recipe(epochs=40, batch_size=10, distortion=0.0, memory=0.5, rate=0.02)
    losses = [epoch.loss for epoch in fit(network, ten, recipe)]
    assert losses[-1] < losses[0] / 3
    assert base.accuracy_of(network, ten) == 1.0


def test_the_same_seed_gives_the_same_curve_and_the_same_weights(ten: Digits) -> None:
    def learned(seed: int) -> tuple[list[float], bytes]:
        network = new_reader(seed)
        curve = [epoch.loss for epoch in fit(network, ten, replace(TINY, seed=seed))]
        return curve, export.weights_of(network, 1.0)

    assert learned(0) == learned(0)
    assert learned(0) != learned(1)


def test_a_course_taken_up_after_a_kill_ends_with_the_same_weights(
    ten: Digits, tmp_path: Path
) -> None:
    def result(course: Course) -> bytes:
        return export.weights_of(course.result, 1.0)

    straight = base.new_course(ten, TINY)
    list(base.followed(straight, tmp_path / "straight.pt"))

    killed = base.followed(base.new_course(ten, TINY), tmp_path / "killed.pt")
    next(killed)  # one epoch, then nothing more
    again = base.new_course(ten, TINY)
    epochs = list(base.followed(again, tmp_path / "killed.pt"))

    assert [epoch.number for epoch in epochs] == [2]
    assert result(again) == result(straight)


def test_a_checkpoint_of_another_recipe_is_not_taken_up(ten: Digits, tmp_path: Path) -> None:
    list(base.followed(base.new_course(ten, TINY), tmp_path / "state.pt"))
    other = base.new_course(ten, replace(TINY, smoothing=0.2))
    assert len(list(base.followed(other, tmp_path / "state.pt"))) == TINY.epochs
    with pytest.raises(ValueError, match="another recipe"):
        base.new_course(ten, replace(TINY, seed=9)).take_up(other.state())


@pytest.fixture(scope="module")
def trained(ten: Digits) -> Reader:
    """A network with norms that have seen something, unlike a new one's."""
    network = new_reader()
    fit(network, joined([ten, strangers(8, 1)]), TINY)
    return network.eval()


def test_onnx_says_what_torch_says(trained: Reader, ten: Digits) -> None:
    content = export.onnx_of(trained, temperature=0.7)
    assert export.prove_equal(trained, 0.7, content, ten) <= 1e-4
    served = export.read_by(content, ten.glyphs)
    answer = export.raw_outputs(trained, ten)
    np.testing.assert_allclose(served["features"], answer.features.numpy(), atol=1e-3)
    assert served["probabilities"].shape == (10, 10)
    assert ((served["strangeness"] >= 0) & (served["strangeness"] <= 1)).all()


def test_an_export_that_differs_is_refused(trained: Reader, ten: Digits) -> None:
    content = export.onnx_of(trained, temperature=0.7)
    with pytest.raises(export.Unequal):
        export.prove_equal(trained, 1.4, content, ten)


def test_weights_survive_the_round_trip_with_their_temperature(
    trained: Reader, ten: Digits
) -> None:
    again, temperature = export.network_from(export.weights_of(trained, 0.7))
    assert temperature == pytest.approx(0.7)
    was, now = export.raw_outputs(trained, ten).logits, export.raw_outputs(again, ten).logits
    assert torch.allclose(was, now, atol=1e-6)  # the memory layouts differ


def test_the_canary_holds_one_glyph_of_each_digit(trained: Reader, ten: Digits) -> None:
    canary = export.canary_of(export.onnx_of(trained, 1.0), ten)
    assert len(set(canary["glyphs"])) == 10
    assert np.allclose(np.sum(canary["probabilities"], axis=1), 1, atol=1e-5)


def test_a_digit_that_was_not_held_out_is_left_out_of_the_canary(trained: Reader, ten: Digits):
    canary = export.canary_of(export.onnx_of(trained, 1.0), ten[ten.labels != 4])
    assert (len(canary["glyphs"]), len(canary["probabilities"])) == (9, 9)


def test_the_network_stays_within_its_size() -> None:
    network = Reader()
    assert network.parameters_count <= 200_000
    assert network.multiply_adds() <= 10_000_000


def test_the_temperature_that_blurred_the_logits_is_found_again() -> None:
    chance = torch.Generator().manual_seed(0)
    honest = torch.randn(20_000, 10, generator=chance) * 2
    labels = torch.multinomial(honest.softmax(1), 1, generator=chance)[:, 0]
    assert calibrate.temperature(honest * 3, labels) == pytest.approx(3, rel=0.05)
    assert calibrate.temperature(honest, labels) == pytest.approx(1, rel=0.05)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    probabilities = np.full((10, 10), 0.2 / 9, dtype=np.float32)
    probabilities[:, 4] = 0.8
    labels = np.array([4] * 6 + [5] * 4)
    judged = evaluate.reading_report(probabilities, labels)
    assert judged.accuracy.value == 0.6
    assert judged.calibration_error == pytest.approx(0.2, abs=1e-6)
    assert judged.confusion[5, 4] == 4
    assert judged.by_digit[5].value == 0.0
    assert judged.by_digit[9].value is None


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_wilsons_interval_holds_the_share_and_stays_within_0_and_1(n: int, share: float) -> None:
    right = round(n * share)
    low, high = evaluate.MeasuredShare(right, n).interval
    assert 0 <= low <= right / n <= high <= 1
    assert low < high


def test_distortion_depends_on_the_generator_alone(ten: Digits) -> None:
    def distorted(seed: int) -> Tensor:
        return distort(as_images(ten.glyphs), torch.Generator().manual_seed(seed))

    assert torch.equal(distorted(1), distorted(1))
    assert not torch.equal(distorted(1), distorted(2))
    assert distorted(1).min() >= 0
    assert distorted(1).max() <= 1


def test_each_image_is_distorted_by_its_own_strength(ten: Digits) -> None:
    images = as_images(ten.glyphs)
    mixed = torch.tensor([0.0, 1.0] * 5)

    def distorted(strength: float | Tensor) -> Tensor:
        return distort(images, torch.Generator().manual_seed(4), strength)

    still, strong = distorted(0.0), distorted(1.0)
    assert torch.allclose(distorted(mixed)[0::2], still[0::2], atol=1e-5)
    assert torch.allclose(distorted(mixed)[1::2], strong[1::2], atol=1e-5)
    assert not torch.allclose(still, strong, atol=1e-2)


def test_digits_that_say_how_they_are_distorted_outvote_the_recipe(
    ten: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[list[float]] = []

    def noted(images: Tensor, chance: torch.Generator, strength: Tensor) -> Tensor:
        used.append(sorted(strength.tolist()))
        return distort(images, chance, strength)

    monkeypatch.setattr("training.engine.fit.distort", noted)
    digits = joined([ten.distorted_by(0.25), ten.distorted_by(0.75)])
    fit(new_reader(), digits, replace(TINY, epochs=1, batch_size=20))
    assert used == [[0.25] * 10 + [0.75] * 10]


def test_parts_of_which_some_say_how_they_are_distorted_do_not_join(ten: Digits) -> None:
    with pytest.raises(ValueError, match="all parts"):
        joined([ten, ten.distorted_by(0.5)])


def test_no_distortion_leaves_the_images_as_they_are(ten: Digits) -> None:
    images = as_images(ten.glyphs)
    same = distort(images, torch.Generator().manual_seed(0), strength=0.0)
    assert torch.allclose(same, images, atol=1e-4)


class TestReferee:
    """torchvision knows MNIST's files, and bends one image at a time by our batches' rules."""

    @pytest.fixture
    def images(self, ten: Digits, monkeypatch: pytest.MonkeyPatch) -> Tensor:
        for name in ("TURN", "SLANT", "STRETCH", "SHIFT", "THICKER", "THINNER", "FADE"):
            monkeypatch.setattr(distortion, name, 0.0)
        monkeypatch.setattr(distortion, "WAVES", ())
        return as_images(ten.glyphs)

    @pytest.mark.parametrize(
        ("name", "most"), [("TURN", 0.6), ("SLANT", 0.5), ("SHIFT", 0.3)],
        ids=["turned", "slanted", "shifted"],
    )  # fmt: skip
    def test_affine(
        self, images: Tensor, name: str, most: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(distortion, name, most)
        batch = distort(images, torch.Generator().manual_seed(6))
        dice = torch.Generator().manual_seed(6)
        turn, slant, _, _, right, down = (
            (torch.rand(10, generator=dice) * 2 - 1) for _ in range(6)
        )
        for number, image in enumerate(images):
            alone = referee.affine(
                image,
                angle=-math.degrees(turn[number]) * (most if name == "TURN" else 0),
                translate=[
                    -14 * float(by[number]) * (most if name == "SHIFT" else 0)
                    for by in (right, down)
                ],
                scale=1.0,
                shear=[
                    math.degrees(math.atan(slant[number] * most)) if name == "SLANT" else 0.0,
                    0.0,
                ],
                interpolation=vision.torchvision.transforms.InterpolationMode.BILINEAR,
            )
            assert torch.allclose(batch[number], alone, atol=1e-3)

    def test_files_and_mirrors(self) -> None:
        assert list(mnist.MIRRORS) == vision.MNIST.mirrors
        assert [f"{name}.gz" for name in mnist.SHA256] == [
            name for name, _ in vision.MNIST.resources
        ]

    def test_elastic(self, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(distortion, "WAVES", ((5, 0.1),))
        batch = distort(images, torch.Generator().manual_seed(6))
        dice = torch.Generator().manual_seed(6)
        for _ in range(6):
            torch.rand(10, generator=dice)  # the affine part's
        noise = distortion._elastic(10, dice, 1.0)
        for number, image in enumerate(images):
            assert torch.allclose(
                batch[number], referee.elastic(image, noise[number][None]), atol=1e-4
            )


def test_written_digits_are_as_many_of_each_and_no_two_alike() -> None:
    digits = written_digits(200, seed=0)
    assert torch.bincount(digits.labels).tolist() == [20] * 10
    assert len({glyph.numpy().tobytes() for glyph in digits.glyphs}) == 200
    assert torch.equal(digits.glyphs, written_digits(200, seed=0).glyphs)


def test_only_ways_of_equally_many_strokes_that_lie_near_are_mixed() -> None:
    plain, lower, barred, turned = (
        "5,5 92,5* 40,140",
        "5,9 92,9* 46,140",
        "5,5 92,5* 40,140 / 28,72 82,68",
        "40,140 92,5* 5,5",
    )
    assert kin_of((plain, lower, barred, turned)) == ((1,), (0,), (), ())


def test_a_mixture_lies_between_two_drawings() -> None:
    one = [np.array([[0.0, 0.0], [100.0, 0.0]])]
    other = [np.array([[0.0, 40.0], [50.0, 40.0], [100.0, 40.0]])]
    (line,) = mixed(one, other, np.random.default_rng(0))
    assert np.ptp(line[:, 1]) == pytest.approx(0)
    assert 0 < line[0, 1] < 40
    assert (line[0, 0], line[-1, 0]) == (0, 100)


def test_some_drawings_have_few_pixels_and_some_are_torn(monkeypatch: pytest.MonkeyPatch) -> None:
    def images(small: float, worn: float) -> list[NDArray[np.uint8]]:
        monkeypatch.setattr(strokes, "SMALL", small)
        monkeypatch.setattr(strokes, "WORN", worn)
        random = np.random.default_rng(0)
        return [np.asarray(canvas_of(one_of(DIGITS[8], random), random)) for _ in range(20)]

    usual = images(small=0, worn=0)
    assert all(max(image.shape) > 50 for image in usual)
    assert all(max(image.shape) < 80 for image in images(small=1, worn=0))
    spoiled = images(small=0, worn=1)  # with the same dice until then
    assert all(image.mean() != other.mean() for image, other in zip(usual, spoiled, strict=True))


def test_templates_of_no_digit_are_each_written_once() -> None:
    ways = [way for kind in NO_DIGITS.values() for way in kind]
    assert len(set(ways)) == len(ways)


@pytest.mark.parametrize(("way", "lies"), [(H, True), (TWO_LINES, False)], ids=["three", "two"])
def test_only_letters_of_three_strokes_and_more_lie_on_their_side(
    way: str, lies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.engine.strangers.LYING", 1)
    monkeypatch.setattr(strokes, "UNLIFTED", 0)  # or three strokes may become one
    monkeypatch.setattr("training.engine.strangers.NO_DIGITS", {"letters": (way,)})
    random = np.random.default_rng(0)
    extents = [np.ptp(np.concatenate(character(random)), axis=0) for _ in range(20)]
    assert all((width > height) == lies for width, height in extents)


def test_strangers_bear_no_digits_label() -> None:
    some = strangers(32, seed=0)
    assert len(some) == 32
    assert set(some.labels.tolist()) == {STRANGER}


def test_every_digit_has_several_ways_to_be_written() -> None:
    assert set(DIGITS) == set(range(10))
    assert all(len(set(ways)) == len(ways) >= 8 for ways in DIGITS.values())


def test_a_file_that_is_no_idx_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x09\x01" + b"\0" * 16)
    with pytest.raises(ValueError, match="not an IDX"):
        idx_array(path)


def test_the_engine_imports_neither_django_nor_what_needs_it() -> None:
    allowed = {"predictions.glyphs.glyph", "predictions.errors", "predictions.shares"}
    for path in ENGINE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                first = name.split(".")[0]
                assert first != "django", f"{path.name} imports {name}"
                if first in {"predictions", "labeling", "training", "dashboard", "config"}:
                    assert name in allowed or name.startswith("training.engine"), name


def test_distortion_falls_from_strong_to_calm_and_the_rate_to_nothing(ten: Digits) -> None:
    recipe = replace(TINY, epochs=5, calm=0.4, batch_size=10)  # one step an epoch
    course = base.new_course(ten, recipe)
    strengths, rates = [], []
    for _ in range(recipe.epochs):
        strengths.append(course.distortion)
        rates.append(course.schedules[0].get_last_lr()[0] / recipe.rate)
        next(course.epochs())
    assert strengths == pytest.approx([1.0, 0.85, 0.7, 0.55, 0.4])
    assert rates == pytest.approx([1.0, 1.0, 0.75, 0.5, 0.25])
    assert course.schedules[0].get_last_lr()[0] == 0


def test_a_course_distorts_equally_throughout_unless_told_otherwise(ten: Digits) -> None:
    course = base.new_course(ten, replace(TINY, epochs=3, batch_size=10, distortion=0.5))
    strengths = []
    for _ in range(3):
        strengths.append(course.distortion)
        next(course.epochs())
    assert strengths == [0.5, 0.5, 0.5]


def taught_reader(digits: Digits) -> Reader:
    network = new_reader()
    recipe = Recipe(epochs=40, batch_size=10, distortion=0.0, memory=0.5, rate=0.02)
    fit(network, digits, recipe)
    return network.eval()


def test_an_anchor_keeps_what_was_known_while_something_new_is_learned(ten: Digits) -> None:
    """Half of the digits are called something else; the other half must stay what it was."""
    taught = taught_reader(ten)
    new = Digits(ten.glyphs[:5], (ten.labels[:5] + 5) % 10)
    kept = ten[5:]
    # The labels of what is known say nothing to a course with an anchor: here they are wrong.
    known = Digits(kept.glyphs, torch.zeros_like(kept.labels))
    digits = joined([new.marked(known=False), known.marked(known=True)])
    recipe = Recipe(epochs=30, batch_size=10, distortion=0.0, memory=0.5, rate=0.02)

    def learned(anchor: Anchor | None) -> Reader:
        network = new_reader()
        network.load_state_dict(taught.state_dict())
        course = Course(network, digits, recipe, anchor)
        assert len(list(course.epochs())) == recipe.epochs
        return course.result

    held = learned(Anchor(taught, weight=3.0))
    assert base.accuracy_of(held, new) == 1.0
    assert base.accuracy_of(held, kept) == 1.0
    assert base.accuracy_of(learned(None), kept) == 0.0  # the refusal: without it the labels count


def test_beside_an_anchor_the_norms_stand_still(ten: Digits) -> None:
    network = new_reader()
    before = {name: each.clone() for name, each in network.named_buffers()}
    digits = joined([ten.marked(known=False), ten.marked(known=True)])
    course = Course(network, digits, replace(TINY, batch_size=10), Anchor(new_reader(), 1.0))
    list(course.epochs())
    after = dict(course.result.named_buffers())
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_teachers_say_is_learned_beside_the_labels(ten: Digits) -> None:
    """Here smoothing leaves nothing of the labels: without teachers there is nothing to learn."""
    teachers = [taught_reader(ten), taught_reader(ten)]
    recipe = Recipe(
        epochs=40, batch_size=10, distortion=0.0, memory=0.5, rate=0.02, smoothing=1.0, teaching=5.0
    )

    def learned(teacher: Anchor | None) -> Reader:
        course = base.new_course(ten, recipe, teacher=teacher)
        assert len(list(course.epochs())) == recipe.epochs
        return course.result

    assert base.accuracy_of(learned(base.teaching(teachers, recipe)), ten) == 1.0
    alone = export.raw_outputs(learned(base.teaching([], recipe)), ten)
    assert alone.logits.softmax(1).max() < 0.5


def test_a_panel_answers_with_the_mean_of_its_members(ten: Digits) -> None:
    members = [new_reader(seed).eval() for seed in range(3)]
    images = as_images(ten.glyphs)
    with torch.no_grad():
        alone = [member(images) for member in members]
        together = Panel(members)(images)
    for name, to_chance in (("logits", lambda t: t.softmax(1)), ("strangeness", torch.sigmoid)):
        chances = torch.stack([to_chance(getattr(answer, name)) for answer in alone])
        assert torch.allclose(to_chance(getattr(together, name)), chances.mean(0), atol=1e-5)


@pytest.mark.parametrize("known", [True, False])
def test_a_batch_of_one_kind_alone_is_learned_from_too(ten: Digits, known: bool) -> None:
    recipe = replace(TINY, batch_size=10)
    course = Course(new_reader(), ten.marked(known=known), recipe, Anchor(new_reader(1), 1.0))
    losses = [epoch.loss for epoch in course.epochs()]
    assert all(np.isfinite(losses))
    assert all(each.isfinite().all() for each in course.result.parameters())


def test_each_epoch_takes_its_own_digits_in_turn_also_after_a_kill(
    ten: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[float]] = []

    def noted(images: Tensor, chance: torch.Generator, strength: Tensor) -> Tensor:
        seen.append(sorted(set(strength.tolist())))
        return distort(images, chance, strength)

    monkeypatch.setattr("training.engine.fit.distort", noted)
    rounds = [ten.distorted_by(0.25), ten.distorted_by(0.5), ten.distorted_by(0.75)]
    recipe = replace(TINY, epochs=4, batch_size=10)
    course = Course(new_reader(), rounds, recipe)
    for _ in range(2):
        next(course.epochs())
    resumed = Course(new_reader(), rounds, recipe)
    resumed.take_up(course.state())
    list(resumed.epochs())
    assert seen == [[0.25], [0.5], [0.75], [0.25]]
