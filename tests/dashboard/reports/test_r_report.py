"""The charts in R: every one drawn where R is, a clear word where it is not, and the page."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django_q.models import OrmQ
from PIL import Image

from dashboard.figures import catalog
from dashboard.figures.figure import Column, Figure, share_cells, share_columns
from dashboard.management.commands.r_report import Command
from dashboard.models import RChart, RReport
from dashboard.reports import r_jobs, r_report
from predictions.models import ModelVersion
from tests.dashboard.months import make_history
from tests.factories import make_ben, make_cy, make_user

needs_r = pytest.mark.skipif(
    shutil.which("Rscript") is None, reason="R is not installed (apt install r-base-core)"
)
DIGITS = [str(digit) for digit in range(10)]


def is_drawn(png: bytes) -> bool:
    """A picture with something on it: more than its title would leave."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("L"), float)
    lower = pixels[pixels.shape[0] // 4 :]  # below the words
    return bool(pixels.shape == (900, 1350) and lower.std() > 3)


def made_up() -> list[Figure]:
    """One figure of each form that the dashboard has."""
    months, shares = ["2026-09", "2026-10", "2026-11"], share_columns()
    said = {"sentence": "Of 100 drawings 98.", "sampled_from": "From 412 drawings."}

    def figure(name: str, columns: list[Column], rows: list[list[object]]) -> Figure:
        mark = {"at": "2026-10-03T10:20:00-04:00", "month": "2026-10", "title": "a-2 went live"}
        return Figure(name, name.title(), columns=columns, rows=rows, marks=[mark], **said)

    month, digit = Column("month", "Month", "month"), Column("label", "Digit", "digit")
    last = Column("last", "To", "month")
    count = Column("count", "Drawings", "count")
    gap = share_cells(0, 0)
    bins = [Column("low", "From", "number"), Column("high", "To", "number")]
    spread = [
        Column("drawings", "Drawings", "count"),
        *(Column(key, key, "share") for key in ("mean", "low", "median", "high")),
    ]
    return [
        figure("accuracy-by-month", [month, *shares],
               [["2026-09", *share_cells(90, 100)], ["2026-10", *gap],
                ["2026-11", *share_cells(9, 9)]]),
        figure("accuracy-by-month-and-digit", [month, last, digit, *shares],
               [[m, m, d, *share_cells(40 + int(d), 50)] for m in months for d in DIGITS]),
        figure("accuracy-by-digit", [digit, *shares],
               [[d, *share_cells(40 + int(d), 50)] for d in DIGITS]),
        figure("accuracy-by-day",
               [Column("day", "Day", "day"), *shares, Column("since", "Since", "day"),
                Column("new", "New", "count"), Column("new_share", "Right", "share")],
               [[f"2026-10-{day:02}", *share_cells(40, 40 + day % 5), f"2026-10-{day:02}", day,
                 (day % 4) / 4] for day in range(1, 31)]),
        figure("true-by-predicted", [digit, Column("predicted", "Read as", "digit"), count],
               [[a, b, 100 if a == b else (int(a) * int(b)) % 4] for a in DIGITS for b in DIGITS]),
        figure("confidence-histogram-by-month",
               [month, *bins, count, Column("share", "Of", "share")],
               [[m, n / 10, (n + 1) / 10, n * n, n / 45] for m in months for n in range(10)]),
        figure("confidence-density-by-month",
               [month, Column("confidence", "Confidence", "number"),
                Column("density", "Density", "number")],
               [[m, 1 - 10 ** (-n / 10), n / 45] for m in months for n in range(10)]),
        figure("confidence-by-digit", [Column("predicted", "Read as", "digit"), *spread],
               [[d, 50, 0.9, 0.85, 0.92, 0.99] for d in DIGITS]),
        figure("corrections",
               [Column("day", "Day", "day"), Column("new", "New", "count"),
                Column("total", "So far", "count")],
               [[f"2026-10-{day:02}", day % 3, 2 * day] for day in range(1, 31)]),
        figure("reliability", [Column("mean", "Mean confidence", "share"), *shares],
               [[n / 10 + 0.05, *share_cells(n * 5, 50)] for n in range(1, 10)]),
        figure("learning-curve",
               [Column("version", "Version", "version"), Column("labels", "Labels", "count"),
                *share_columns("Read wrong", "Error")],
               [["a-1", 0, *share_cells(9, 100)], ["a-2", 300, *share_cells(4, 100)]]),
        figure("clusters",
               [Column("x", "Across", "number"), Column("y", "Up", "number"),
                Column("label", "Label", "digit"), Column("is_right", "Read right", "yesno")],
               [[n % 7, n % 11, n % 10, n % 5 > 0] for n in range(60)]),
        figure("replay", [Column("version", "Version", "version"), month, last, *shares],
               [[v, m, m, *share_cells(45, 50)] for v in ("a-1", "a-2") for m in months]),
        figure("new-words", [Column("word", "=Word", "text"), count], [["=1+1", 4], ["two", 7]]),
        figure("nothing-yet", [month, count], []),
        # Few labels everywhere, and one of everything: what a young installation has.
        figure("few-by-month-and-digit", [month, digit, *shares],
               [[m, d, *share_cells(3, 4)] for m in months for d in DIGITS]),
        figure("one-month", [month, *shares], [["2026-09", *share_cells(3, 4)]]),
        figure("one-day", [Column("day", "Day", "day"), *shares],
               [["2026-09-01", *share_cells(3, 4)]]),
        figure("no-label", [month, *shares], [["2026-09", *gap], ["2026-10", *gap]]),
        figure("one-count", [month, count], [["2026-09", 3]]),
    ]  # fmt: skip


@needs_r
@pytest.mark.slow
@pytest.mark.same_on_any_database  # R draws what it is given
@pytest.mark.django_db
class TestDrawing:
    def test_every_form_of_figure_is_drawn_as_png_and_pdf(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        made = {each.name: each for each in made_up()}
        makers = {name: (lambda filters, name=name: made[name]) for name in made}
        monkeypatch.setattr(catalog, "FIGURES", makers)
        begun: list[str] = []
        told: list[str] = []
        files = r_report.draw_report(tmp_path, pdf=True, begun=begun.append, drawn=told.append)
        assert begun == told == r_report.chart_names()
        assert "accuracy-by-digit-as-pie" in told
        assert len(files) == 2 * len(told)
        for file in files:
            content = file.read_bytes()
            if file.suffix == ".pdf":
                assert content.startswith(b"%PDF")
            elif file.stem not in {"nothing-yet", "no-label"}:
                assert is_drawn(content), file.name

    def test_every_figure_of_the_dashboard_is_drawn(
        self, live_version: ModelVersion, tmp_path: Path
    ):
        make_history(live_version)
        call_command("r_report", str(tmp_path), stdout=io.StringIO())
        for name, make in catalog.FIGURES.items():
            content = (tmp_path / f"{name}.png").read_bytes()
            rows = catalog.make_figure(name, r_report.Filters()).rows
            assert is_drawn(content) or not rows, (name, make)

    def test_the_job_keeps_what_was_drawn(self, live_version: ModelVersion, client: Client):
        make_history(live_version)
        client.force_login(make_user("ana", role="analyst"))
        assert client.post("/dashboard/r/").status_code == 302
        assert OrmQ.objects.count() == 1
        waiting = client.get("/dashboard/r/").content.decode()
        assert "Waiting for a worker" in waiting
        told = r_jobs.work(RReport.objects.get().pk)
        assert told["state"] == RReport.State.DONE
        report = RReport.objects.get()
        assert (report.state, report.progress) == ("done", 1.0)
        page = client.get("/dashboard/r/").content.decode()
        address = f"/dashboard/r/{report.pk}/accuracy-by-month"
        assert f'src="{address}.png"' in page
        assert is_drawn(client.get(f"{address}.png").content)
        assert client.get(f"{address}.pdf").content.startswith(b"%PDF")
        assert client.get(f"{address}-and-more.pdf").status_code == 404


@pytest.mark.django_db
class TestWithoutR:
    @pytest.fixture(autouse=True)
    def _no_r(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))

    def test_the_command_says_what_to_install(self, tmp_path: Path):
        with pytest.raises(CommandError, match="apt install r-base-core r-cran-ggplot2"):
            call_command("r_report", str(tmp_path))

    def test_the_page_says_so_and_the_job_fails_with_the_reason(self, client: Client):
        client.force_login(make_ben())
        assert b"data-no-r" in client.get("/dashboard/r/").content
        report = r_jobs.request_report(by=make_user("ana", role="analyst"))
        told = r_jobs.work(report.pk)
        assert told["state"] == RReport.State.FAILED
        assert "R is not installed" in client.get("/dashboard/r/").content.decode()


class AtWill:
    """A timer that goes off when the test says so."""

    made: AtWill

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self.act = act
        AtWill.made = self

    def start(self) -> None: ...

    def cancel(self) -> None: ...


@pytest.mark.django_db
class TestTimeIsUp:
    """A stand-in for R draws one chart and then works on the next for ever."""

    SCRIPT = """#!/bin/sh
echo "drawing headline"
echo picture > "$4/headline.png"; echo picture > "$4/headline.pdf"
echo "drawn headline"
echo "drawing accuracy-by-month"
exec tail -f /dev/null
"""

    @pytest.fixture(autouse=True)
    def _slow_r(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        script = tmp_path / "Rscript"
        script.write_text(self.SCRIPT)
        script.chmod(0o755)
        monkeypatch.setattr(r_report, "rscript", lambda: str(script))
        monkeypatch.setattr(r_report.threading, "Timer", AtWill)

    def test_the_command_says_where_it_was_and_keeps_what_is_drawn(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        said = io.StringIO()

        def stop_at_the_second(stage: str, done: float) -> None:
            said.write(f"{stage}\n")
            if stage == "accuracy-by-month":
                AtWill.made.act()

        monkeypatch.setattr(Command, "progress", lambda self, *told: stop_at_the_second(*told))
        with pytest.raises(CommandError, match="at accuracy-by-month: 1 of 19 charts"):
            call_command("r_report", str(tmp_path / "to"))
        assert said.getvalue().split() == ["headline", "accuracy-by-month"]
        assert (tmp_path / "to" / "headline.png").exists()

    def test_the_page_names_the_chart_it_is_at_and_keeps_those_it_has(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ):
        client.force_login(make_ben())
        report = r_jobs.request_report(by=make_user("ana", role="analyst"))
        seen: list[str] = []
        draw = r_report.draw_report

        def look_and_stop(name: str) -> None:
            if name == "accuracy-by-month":
                seen.append(client.get("/dashboard/r/").content.decode())
                AtWill.made.act()

        monkeypatch.setattr(
            r_report,
            "draw_report",
            lambda *given, **more: draw(*given, **more, begun=look_and_stop),
        )
        assert r_jobs.work(report.pk)["state"] == RReport.State.FAILED
        assert "1 of 19 charts are drawn; now accuracy-by-month." in " ".join(seen[0].split())
        page = client.get("/dashboard/r/").content.decode()
        assert "at accuracy-by-month: 1 of 19 charts are drawn and kept" in page
        assert f'src="/dashboard/r/{report.pk}/headline.png"' in page
        assert client.get(f"/dashboard/r/{report.pk}/headline.png").content == b"picture\n"


class TestWithoutGgplot:
    def test_r_without_the_package_is_told_apart(self):
        said = "Error in library(ggplot2) : there is no package called ‘ggplot2’"
        assert isinstance(r_report.failure(said, 1), r_report.NoR)
        assert isinstance(r_report.failure("Error: out of ink", 1), r_report.RFailed)
        assert "code 137" in str(r_report.failure("", 137))


@pytest.mark.django_db
class TestAsking:
    def test_one_at_a_time(self, client: Client):
        client.force_login(make_ben())
        client.post("/dashboard/r/")
        answer = client.post("/dashboard/r/", follow=True)
        assert "one at a time" in answer.content.decode()
        assert RReport.objects.count() == 1

    def test_a_lost_one_makes_way(self):
        ben = make_ben()
        lost = r_jobs.request_report(by=ben)
        RReport.objects.update(state="running", changed_at=lost.asked_at - 2 * r_jobs.SILENT)
        r_jobs.request_report(by=ben)
        assert RReport.objects.get(pk=lost.pk).state == RReport.State.FAILED
        assert r_jobs.work(lost.pk) == {"report": lost.pk, "taken": False}

    def test_old_ones_go_with_their_pictures(self):
        for _ in range(r_jobs.KEPT + 2):
            report = RReport.objects.create(state=RReport.State.DONE)
            RChart.objects.create(report=report, place=0, name="x", kind="png", content=b"x")
        r_jobs.forget_old()
        assert RReport.objects.count() == RChart.objects.count() == r_jobs.KEPT

    def test_filters_travel_and_unknown_ones_are_refused(self, client: Client):
        client.force_login(make_ben())
        assert client.post("/dashboard/r/?years=3").status_code == 400
        client.post("/dashboard/r/?digit=3")
        assert RReport.objects.get().filters() == {"digit": "3"}

    @pytest.mark.parametrize("address", ["/dashboard/r/", "/dashboard/r/1/x.png"])
    def test_only_those_who_may(self, client: Client, address: str):
        assert client.get(address)["Location"].startswith("/accounts/login/")
        client.force_login(make_cy())
        assert client.get(address).status_code == 403
