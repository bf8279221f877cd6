"""The dashboard's pages as people without a script read them."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from datetime import date

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from config.navigation import entries_for
from dashboard.cube.counting import catch_up, watch
from dashboard.figures import catalog
from dashboard.figures.figure import Column
from dashboard.figures.heat import GRIDS
from dashboard.filters import Filters
from dashboard.pages import overview
from dashboard.templatetags.charts import LONGEST_TABLE, table_rows
from labeling.queue.intake import enqueue_new
from predictions.models import ModelVersion, Prediction
from predictions.templatetags.readings import unbroken
from tests.dashboard.history import Month, make_history
from tests.factories import make_ada, make_ben, make_cy, make_prediction, make_user

pytestmark = pytest.mark.django_db
PAGES = ("/dashboard/", "/dashboard/technical/")
FEW = Month(date(2026, 9, 1), 12, 0.75)
SEPTEMBER = Month(date(2026, 9, 1), 90, 0.8, queued=10, unlabeled=5)
NOVEMBER = Month(date(2026, 11, 1), 90, 0.95, queued=10, unlabeled=5, version="tuned-1")


def counted(*months: Month) -> list[Prediction]:
    made = make_history(months)
    catch_up(patience=0)
    return made


def ann() -> User:
    """Ann analyzes."""
    return make_user("ann", role="analyst")


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(html: str) -> str:
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", html))


def figure_html(html: str, name: str) -> str:
    found = re.search(rf'<figure [^>]*id="{name}".*?</figure>', html, re.DOTALL)
    assert found, f"{name} is not on the page"
    return found[0]


@pytest.mark.parametrize("path", PAGES)
def test_every_figure_stands_on_its_page_with_words_table_and_files(
    client: Client, path: str
) -> None:
    counted(SEPTEMBER, NOVEMBER)
    html = client.get(path).content.decode()
    names = overview.EVERYBODY if path == "/dashboard/" else overview.TECHNICAL
    for name in set(names) - {"headline"}:
        shown = figure_html(html, name)
        made = client.get(f"/dashboard/data/{name}.json").json()
        assert made["title"] in text_of(shown)
        assert unbroken(made["sampled_from"]) in text_of(shown)
        assert f'href="/dashboard/data/{name}.csv"' in shown
        rows = shown[shown.index('<table class="numbers"') :].count("<tr") - 1
        assert rows == max(1, min(len(made["rows"]), LONGEST_TABLE)), name
        assert (f'data-chart="{name}"' in shown) != (name in GRIDS)


@pytest.mark.parametrize("path", PAGES)
def test_the_dashboard_works_from_the_first_day(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "Nothing is drawn yet" in answer.content.decode()
    assert '<a class="button primary" href="/">Draw a digit</a>' in answer.content.decode()


def test_while_no_audit_is_labeled_a_labeler_is_led_to_label_them(client: Client) -> None:
    make_prediction(is_audit=True)
    catch_up(patience=0)
    lead = '<a href="/label/">Label what waits</a>'
    assert lead in logged_in(make_ada()).get("/dashboard/").content.decode()
    assert lead not in client.get("/dashboard/").content.decode()
    counted(SEPTEMBER)
    client.force_login(User.objects.get(username="ada"))
    assert lead not in client.get("/dashboard/").content.decode()


def test_who_drew_all_audits_is_told_that_somebody_else_has_to_label_them(client: Client) -> None:
    """One person alone: the label page would have nothing for them."""
    admin = make_ben()
    make_prediction(is_audit=True, user=admin)
    enqueue_new()
    catch_up(patience=0)

    def tile_of(user: User) -> str:
        page = logged_in(user).get("/dashboard/").content.decode()
        return " ".join(page.split("Read right</dt>")[1].split("</div>")[0].split())

    alone = tile_of(admin)
    assert "You drew the one that waits and saw the guess" in alone
    assert "/admin/auth/user/add/" in alone
    assert "Label what waits" not in alone
    assert "Label what waits" in tile_of(make_ada())
    make_prediction(is_audit=True)
    enqueue_new()
    assert "Label what waits" in tile_of(admin)


def test_the_headline_says_how_many_of_a_hundred(client: Client) -> None:
    counted(SEPTEMBER, NOVEMBER)
    said = text_of(client.get("/dashboard/").content.decode())
    rows = {row[0]: row for row in catalog.make_figure("headline", Filters()).rows}
    assert unbroken(rows["now"][1]) in said
    assert unbroken(rows["then"][1]) in said
    assert unbroken(rows["change"][1]) in said


def test_a_table_says_what_the_csv_says(client: Client) -> None:
    counted(SEPTEMBER, NOVEMBER)
    shown = figure_html(client.get("/dashboard/").content.decode(), "accuracy-by-month")
    lines = client.get("/dashboard/data/accuracy-by-month.csv").content.decode().splitlines()[1:]
    cells = [re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row) for row in shown.split("<tr")[2:]]
    assert [row[1:3] for row in cells] == [line.split(",")[1:3] for line in lines]
    assert [row[0] for row in cells] == ["Sep 2026", "Oct 2026", "Nov 2026"]
    assert cells[1][3:6] == ["–", "–", "–"]  # a gap, not zero


def test_a_long_table_has_its_last_rows_and_says_where_the_others_are(client: Client) -> None:
    counted(*(Month(date(2026, month, 1), 3, 0.9) for month in range(1, 12)))
    shown = figure_html(client.get("/dashboard/").content.decode(), "confidence-density-by-month")
    made = client.get("/dashboard/data/confidence-density-by-month.json").json()["rows"]
    assert len(made) == 11 * 41
    table = shown[shown.index('<table class="numbers"') :]
    assert table.count("<tr") - 1 == LONGEST_TABLE
    assert f"{len(made) - LONGEST_TABLE} more rows, before these, are in the CSV file." in table
    assert re.findall(r'<th scope="row">([^<]+)<', table)[-1] == "Nov 2026"


def test_names_in_a_table_are_escaped(client: Client) -> None:
    counted(Month(date(2026, 9, 1), 60, 0.9))
    figure = catalog.make_figure("accuracy-by-month", Filters())
    columns = [Column("version", "Version", "version"), Column("word", "Word", "text")]
    hostile = replace(figure, columns=columns, rows=[["<b>x</b>", "<script>"]])
    assert table_rows(hostile) == (
        '<tr><th scope="row">&lt;b&gt;x&lt;/b&gt;</th><td class="words">&lt;script&gt;</td></tr>'
    )


def test_a_cell_with_too_few_labels_is_gray_and_never_colored(client: Client) -> None:
    counted(FEW)
    shown = figure_html(client.get("/dashboard/").content.decode(), "accuracy-by-month-and-digit")
    table = shown[shown.index("data-heat") : shown.index("</table>")]
    assert 'class="few"' in table
    assert "too few to say" in table
    assert not re.search(r'class="heat-\d"', table)


def test_enough_labels_give_a_cell_its_color(client: Client) -> None:
    counted(Month(date(2026, 9, 1), 500, 0.8))
    shown = figure_html(client.get("/dashboard/").content.decode(), "accuracy-by-month-and-digit")
    table = shown[shown.index("data-heat") : shown.index("</table>")]
    assert re.search(r'class="heat-[3-6]"', table)


# -- filters ------------------------------------------------------------------------------------


def test_a_link_shows_the_same_view(client: Client) -> None:
    counted(SEPTEMBER, NOVEMBER)
    query = "first=2026-11&last=2026-11&digit=3&version=tuned-1&source=draw"
    html = client.get(f"/dashboard/?{query}").content.decode()
    for value in ("2026-11", "3", "tuned-1", "draw"):
        assert f'<option value="{value}" selected>' in html
    assert (
        f'data-source="/dashboard/data/accuracy-by-month.json?{query}"'.replace("&", "&amp;")
        in html
    )
    assert f'href="/dashboard/technical/?{query}"'.replace("&", "&amp;") in html
    shown = figure_html(html, "accuracy-by-month")
    assert "Nov 2026" in shown
    assert "Sep 2026" not in shown


def test_the_form_leads_to_the_shortest_address_of_a_view(client: Client) -> None:
    answer = client.get("/dashboard/?first=&last=&digit=3&version=&source=&stream=")
    assert (answer.status_code, answer["Location"]) == (302, "/dashboard/?digit=3")
    assert client.get("/dashboard/?digit=").headers["Location"] == "/dashboard/"


@pytest.mark.parametrize("query", ["years=1", "digit=11", "version=nobody", "digit=1&digit=2"])
@pytest.mark.parametrize("path", [*PAGES, "/dashboard/drawings/"])
def test_an_unknown_filter_is_refused_by_name(client: Client, path: str, query: str) -> None:
    if path.endswith("drawings/"):
        client.force_login(ann())
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert query.split("=")[0] in answer.content.decode()


def test_the_form_offers_months_and_versions_there_are(client: Client) -> None:
    counted(SEPTEMBER, NOVEMBER)
    html = client.get("/dashboard/").content.decode()
    months = re.findall(r'<option value="(2026-\d\d)"', html)
    assert months == ["2026-09", "2026-10", "2026-11"] * 2
    assert '<option value="tuned-1">' in html


def test_a_biased_sample_says_so_beside_its_figure(client: Client) -> None:
    counted(SEPTEMBER)
    html = client.get("/dashboard/?stream=all").content.decode()
    assert "Biased" in figure_html(html, "accuracy-by-month")
    assert "Biased" not in figure_html(
        client.get("/dashboard/").content.decode(), "accuracy-by-month"
    )


def test_no_figure_of_the_page_reads_the_table_of_predictions(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(SEPTEMBER, NOVEMBER)
    monkeypatch.setattr(watch, "looked_at", float("inf"))  # counting what is new is no figure
    with CaptureQueriesContext(connection) as asked:
        client.get("/dashboard/")
    assert len(asked) > 5
    assert not [each for each in asked if '"predictions_prediction"' in each["sql"]]


def test_a_page_reads_the_same_counts_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(SEPTEMBER, NOVEMBER)
    monkeypatch.setattr(watch, "looked_at", float("inf"))
    for path in PAGES:
        with CaptureQueriesContext(connection) as asked:
            client.get(path)
        said = [each["sql"] for each in asked]
        assert len(said) == len(set(said)), path


def test_a_page_shows_what_was_counted_since_the_page_before(client: Client) -> None:
    counted(SEPTEMBER)
    assert "Nov 2026" not in client.get("/dashboard/").content.decode()
    make_history([NOVEMBER], labeler=make_user("lee"))
    catch_up(patience=0)
    rows = client.get("/dashboard/data/accuracy-by-month.json").json()["rows"]
    assert rows[-1][0] == "2026-11"
    assert "Nov 2026" in client.get("/dashboard/").content.decode()


def test_pages_and_figures_are_compressed_without_a_proxy(client: Client) -> None:
    counted(SEPTEMBER, NOVEMBER)
    for path in ("/dashboard/", "/dashboard/technical/", "/dashboard/data/corrections.json"):
        plain = client.get(path)
        packed = client.get(path, headers={"accept-encoding": "gzip"})
        assert packed["Content-Encoding"] == "gzip"
        assert len(packed.content) < len(plain.content) / 2
        assert "Accept-Encoding" in packed["Vary"]
    assert gzip.decompress(packed.content) == plain.content
    known = {"If-None-Match": packed["ETag"], "accept-encoding": "gzip"}
    assert client.get(path, headers=known).status_code == 304


def test_what_opens_drawings_is_not_compressed() -> None:
    """The length of a compressed page tells of what it holds beside a text that others choose."""
    counted(Month(date(2026, 9, 1), 60, 0.9))
    client = logged_in(ann())
    for path in ("/dashboard/drawings/", "/dashboard/clusters/drawings.json"):
        answer = client.get(path, headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer


# -- sections -----------------------------------------------------------------------------------

NAV = re.compile(r'<nav class="sections".*?</nav>', re.DOTALL)
SECTIONS = ["/dashboard/", "/dashboard/technical/", "/dashboard/compare/", "/dashboard/replay/",
            "/dashboard/clusters/", "/dashboard/months/2026-09/", "/dashboard/r/"]  # fmt: skip


def test_the_sections_are_the_same_on_each_page_and_say_which_it_is() -> None:
    counted(SEPTEMBER)
    client = logged_in(ann())
    found = []
    for path in SECTIONS:
        html = client.get(path).content.decode()
        nav = NAV.search(html)
        assert nav, path
        # Nothing of a page's own stands before them, so they do not move.
        assert html.index("<h1") > nav.start()
        assert nav[0].count("aria-current") == 1
        (here,) = re.findall(r'href="([^"]+)" aria-current="page"', nav[0])
        assert path.startswith(here)
        found.append(re.sub(' aria-current="page"', "", nav[0]))
    assert len(set(found)) == 1


def test_the_section_in_r_is_for_those_who_may_draw_there(client: Client) -> None:
    counted(SEPTEMBER)
    assert "/dashboard/r/" in logged_in(ann()).get("/dashboard/").content.decode()
    assert "/dashboard/r/" not in client.get("/dashboard/").content.decode()


def test_the_first_number_comes_before_the_filters(client: Client) -> None:
    counted(SEPTEMBER)
    html = client.get("/dashboard/").content.decode()
    assert html.index('data-part="tiles"') < html.index("data-filters")


def test_what_is_new_is_counted_when_somebody_looks(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.cube.counting.A_MOMENT", 60.0)  # on a busy machine, too
    watch.forget()
    make_history([SEPTEMBER])
    assert "Sep 2026" in client.get("/dashboard/").content.decode()


# -- the drawings behind a cell -----------------------------------------------------------------


def behind(rows: list[Prediction], **wanted: object) -> set[str]:
    return {
        str(row.public_id)
        for row in rows
        if row.is_audit and all(getattr(row, name) == value for name, value in wanted.items())
    }


def shown_ids(html: str) -> list[str]:
    return re.findall(r'href="/predictions/([0-9a-f-]{36})/"', html)


def test_a_cell_leads_to_its_drawings_and_no_others() -> None:
    made = counted(Month(date(2026, 9, 1), 150, 0.6, queued=40, unlabeled=20))
    client = logged_in(ann())
    shown = figure_html(client.get("/dashboard/").content.decode(), "true-by-predicted")
    links = re.findall(r'href="(/dashboard/drawings/[^"]+)"[^>]*>(\d+)<', shown)
    assert links
    seen: list[str] = []
    for link, count in links:
        found = shown_ids(client.get(link.replace("&amp;", "&")).content.decode())
        assert len(found) == int(count), link
        seen += found
    assert sorted(seen) == sorted(behind(made))  # every audited drawing lies in one cell


def test_a_cell_of_a_month_holds_that_months_drawings() -> None:
    made = counted(SEPTEMBER, NOVEMBER)
    client = logged_in(ann())
    html = client.get("/dashboard/drawings/?first=2026-11&last=2026-11&label=3").content.decode()
    labels = dict(Prediction.objects.filter(is_audit=True).values_list("pk", "label__digit"))
    expected = {
        str(row.public_id)
        for row in made
        if row.is_audit and row.day.month == 11 and labels[row.pk] == 3
    }
    assert set(shown_ids(html)) == expected
    assert "Drawings of 3" in html


def test_a_point_of_a_day_or_of_confidence_holds_its_drawings() -> None:
    made = counted(Month(date(2026, 9, 1), 90, 0.8, queued=20, unlabeled=15))
    client = logged_in(ann())

    def ids(query: str) -> set[str]:
        return set(shown_ids(client.get(f"/dashboard/drawings/?{query}").content.decode()))

    days = sorted({row.day for row in made})[3:6]
    some = {str(row.public_id) for row in made if row.is_audit and row.day in days}
    assert ids(f"since={days[0]}&until={days[-1]}") == some
    sure = {str(row.public_id) for row in made if row.is_audit and 0.9 <= row.confidence < 0.99}
    assert ids("above=0.9&below=0.99") == sure
    # Those without a label too, except audits, whose reading their labeler must not see.
    waiting = Prediction.objects.filter(label__isnull=True).earliest("pk")
    alike = {str(row.public_id) for row in made if row.digit == waiting.digit}
    assert ids(f"labeled=any&predicted={waiting.digit}") == alike
    Prediction.objects.filter(pk=waiting.pk).update(is_audit=True)
    assert ids(f"labeled=any&predicted={waiting.digit}") == alike - {str(waiting.public_id)}


def test_older_drawings_are_a_page_away_and_none_is_shown_twice() -> None:
    made = counted(Month(date(2026, 9, 1), 150, 0.9))
    client = logged_in(ann())
    found: list[str] = []
    address = "/dashboard/drawings/"
    while address:
        html = client.get(address).content.decode()
        found += shown_ids(html)
        older = re.search(r'href="(\?[^"]+)" rel="next"', html)
        address = "/dashboard/drawings/" + older[1].replace("&amp;", "&") if older else ""
    assert len(found) == 150
    assert set(found) == behind(made)


def test_the_list_of_drawings_asks_as_many_queries_for_60_as_for_10() -> None:
    counted(Month(date(2026, 9, 1), 70, 0.9), Month(date(2026, 10, 1), 10, 0.9))
    client = logged_in(ann())
    asked = []
    for month in ("2026-09", "2026-10"):
        with CaptureQueriesContext(connection) as captured:
            html = client.get(f"/dashboard/drawings/?first={month}&last={month}").content.decode()
        rows = [each for each in captured if '"labeling_label"' in each["sql"]]
        asked.append((len(shown_ids(html)), len(rows)))
    assert [shown for shown, _ in asked] == [60, 10]
    assert asked[0][1] == asked[1][1] == 1


def test_the_drawings_of_a_cell_say_which_they_are_and_lead_back() -> None:
    counted(Month(date(2026, 11, 1), 10, 0.9))
    client = logged_in(ann())

    def shown(query: str, **headers: str) -> tuple[str, str]:
        page = client.get(f"/dashboard/drawings/?{query}", **headers).content.decode()
        said = re.findall(r"what-it-rests-on\">([^<]*)<", page)[0]
        return said, re.findall(r'class="crumb"><a href="([^"]*)"', page)[0]

    assert shown("digit=3") == ("Chosen at random, labeled blind.", "/dashboard/")
    chosen = "first=2026-11&last=2026-11&source=api&stream=second"
    assert shown(chosen)[0] == "Only November 2026, by a program, second opinions. "
    came_from = "http://testserver/dashboard/technical/?digit=3"
    assert shown("digit=3", HTTP_REFERER=came_from)[1] == "/dashboard/technical/?digit=3"


@pytest.mark.parametrize(
    "query",
    [
        "label=11",
        "predicted=x",
        "read=perhaps",
        "before=1",
        "label=1&label=2",
        "since=monday",
        "until=2026-13-01",
        "above=2",
        "below=nan",
        "labeled=no",
    ],
)
def test_no_such_cell_is_said_so(query: str) -> None:
    assert logged_in(ann()).get(f"/dashboard/drawings/?{query}").status_code == 400


def test_drawings_are_for_those_who_may_see_labels(live_version: ModelVersion) -> None:
    address = "/dashboard/drawings/?label=3"
    assert logged_in(ann()).get(address).status_code == 200
    assert logged_in(make_cy()).get(address).status_code == 403
    assert logged_in(make_ada()).get(address).status_code == 403  # she labels, blind
    assert Client().get(address)["Location"].startswith("/accounts/login/")


def test_a_visitor_sees_the_figures_and_no_way_to_drawings(client: Client) -> None:
    counted(SEPTEMBER)
    html = client.get("/dashboard/").content.decode()
    assert "/dashboard/drawings/" not in html
    assert "/dashboard/drawings/" in logged_in(ann()).get("/dashboard/").content.decode()


def test_the_header_leads_everybody_to_the_dashboard(rf: RequestFactory) -> None:
    request = rf.get("/dashboard/")
    request.user = AnonymousUser()
    entry = {entry.title: entry for entry in entries_for(request)}["Dashboard"]
    assert (entry.url, entry.here) == ("/dashboard/", "page")


@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("/", {"Draw": "page"}),
        ("/dashboard/technical/", {"Dashboard": "true"}),
        ("/label/grid/", {"Grid": "page"}),
        ("/label/answers/", {"Label": "true"}),
        ("/docs/", {}),
    ],
)
def test_the_header_marks_the_page_and_from_within_its_section(
    rf: RequestFactory, path: str, marked: dict[str, str]
) -> None:
    request = rf.get(path)
    request.user = User(is_superuser=True)
    assert {each.title: each.here for each in entries_for(request) if each.here} == marked
