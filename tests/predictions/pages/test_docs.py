"""docs/ on the site: every page rendered whole, every link of it and to it with a target."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client

from predictions.pages.docs import texts
from predictions.pages.markdown import as_html

pytestmark = pytest.mark.django_db
CODE = re.compile(r"<(code|pre)[^>]*>.*?</\1>", re.S)
ARTICLE = re.compile(r"<article.*</article>", re.S)


def page(name: str) -> str:
    answer = Client().get(f"/docs/{name}/")
    assert answer.status_code == 200, name
    found = ARTICLE.search(answer.content.decode())
    assert found is not None
    return found[0]


def plain(text: str) -> str:
    return as_html(text, lambda address: address)


@pytest.mark.parametrize("name", sorted(texts()))
def test_a_page_shows_no_markup_and_links_lead_somewhere(name: str) -> None:
    html = page(name)
    left = CODE.sub("", html)
    assert not re.findall(r"\*\*|`|\]\(|^\||^#", left, re.M)
    for address in re.findall(r'href="([^"]+)"', html):
        path, _, anchor = address.partition("#")
        if path.startswith("http"):
            continue
        target = html if not path else Client().get(path).content.decode()
        assert "404" not in target[:200]
        assert not anchor or f'id="{anchor}"' in target, address


def test_the_index_names_every_page_but_how_we_write() -> None:
    index = Client().get("/docs/").content.decode()
    named = set(re.findall(r'href="/docs/([^"]+)/"', index))
    assert named == set(texts()) - {"writing"}


def test_what_a_question_mark_leads_to_is_explained_there() -> None:
    marks = re.compile(r'_what\.html" with section="([\w-]+)"')
    found = {
        mark
        for template in (settings.BASE_DIR / "templates").rglob("*.html")
        for mark in marks.findall(template.read_text())
    }
    assert len(found) >= 4
    explanation = page("explanation")
    assert [section for section in found if f'id="{section}"' not in explanation] == []


@pytest.mark.parametrize("name", ["nothing", "../README", "tutorial.md", "%00"])
def test_what_is_no_page_is_not_found(name: str) -> None:
    assert Client().get(f"/docs/{name}/").status_code == 404


def test_text_is_escaped_also_within_code_and_links() -> None:
    html = plain("A <b> & `<i>` in [a <u>](x?a=1&b=2).")
    assert "A &lt;b&gt; &amp; <code>&lt;i&gt;</code>" in html
    assert '<a href="x?a=1&amp;b=2">a &lt;u&gt;</a>' in html


def test_a_list_holds_paragraphs_and_code_and_ends_at_a_paragraph() -> None:
    html = plain("1. One\n   goes on\n\n   ```sh\n   ls | wc\n   ```\n2. Two\n\nAfter.")
    assert html.startswith("<ol><li><p>One goes on</p>")
    assert "<code>ls | wc</code></pre></li><li>Two</li></ol>\n<p>After.</p>" in html


def test_a_table_keeps_a_bar_within_a_cell() -> None:
    html = plain("| a | b |\n| --- | --- |\n| `x\\|y` | *z* |")
    assert "<td><code>x|y</code></td><td><em>z</em></td>" in html


def test_an_empty_cell_in_a_tables_head_is_no_heading() -> None:
    html = plain("| | b |\n| --- | --- |\n| x | y |")
    assert '<thead><tr><td></td><th scope="col">b</th></tr></thead>' in html


def test_a_link_to_what_is_no_page_is_plain_text() -> None:
    assert as_html("[here](gone.md)", lambda address: "") == "<p>here</p>"
