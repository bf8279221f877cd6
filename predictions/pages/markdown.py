"""HTML from Markdown, as far as docs/*.md use it; the text is the repository's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Link = Callable[[str], str]  # from an address in the text to one of a page; empty: no link

INDENTED = "    "
HEADING = re.compile(r"(#{1,6}) (.+)")
MARKER = re.compile(r"(?:-|\d+\.) +")
CELL = re.compile(r"(?<!\\)\|")
INLINE = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|\[(?P<text>[^\]]+)\]\((?P<to>[^)\s]+)\)"
    r"|\*\*(?P<bold>.+?)\*\*"
    r"|\*(?P<em>[^*\s](?:[^*]*[^*\s])?)\*"
)


def as_html(text: str, link: Link) -> SafeString:
    return joined_html(blocks(text.split("\n"), link), "\n")


def joined_html(parts: Iterable[SafeString], between: str = "") -> SafeString:
    return format_html_join(between, "{}", ((part,) for part in parts))


def blocks(lines: list[str], link: Link) -> Iterator[SafeString]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif heading := HEADING.fullmatch(line):
            yield format_html(
                '<h{0} id="{1}">{2}</h{0}>',
                len(heading[1]), slug(heading[2]), inline(heading[2], link),
            )  # fmt: skip
            at += 1
        elif line.startswith("```"):
            end = next(n for n in range(at + 1, len(lines)) if lines[n].startswith("```"))
            yield code(lines[at + 1 : end])
            at = end + 1
        elif line.startswith(INDENTED):
            end = end_of(lines, at, lambda text: text.startswith(INDENTED))
            yield code([text.removeprefix(INDENTED) for text in lines[at:end]])
            at = end
        elif line.startswith("|"):
            end = end_of(lines, at, lambda text: text.startswith("|"))
            yield table(lines[at:end], link)
            at = end
        elif MARKER.match(line):
            end = end_of_list(lines, at)
            yield listed(lines[at:end], link)
            at = end
        else:
            end = end_of(lines, at, lambda text: bool(text.strip()) and not starts_block(text))
            yield format_html("<p>{}</p>", inline(" ".join(lines[at:end]), link))
            at = end


def end_of(lines: list[str], at: int, belongs: Callable[[str], bool]) -> int:
    end = at + 1
    while end < len(lines) and belongs(lines[end]):
        end += 1
    return end


def starts_block(line: str) -> bool:
    return line.startswith(("```", "|")) or bool(HEADING.fullmatch(line) or MARKER.match(line))


def end_of_list(lines: list[str], at: int) -> int:
    """A list goes on over indented lines, and over empty ones before more of it."""
    end = at
    for number in range(at, len(lines)):
        line = lines[number]
        if MARKER.match(line) or line.startswith(" "):
            end = number + 1
        elif line.strip() and not lines[number - 1].strip():
            break
        elif line.strip():  # a line of the item's paragraph that is not indented
            end = number + 1
    return end


def listed(lines: list[str], link: Link) -> SafeString:
    items: list[list[str]] = []
    for line in lines:
        if marker := MARKER.match(line):
            indent = marker.end()
            items.append([line[indent:]])
        else:
            items[-1].append(line[indent:] if line[:indent].isspace() else line)
    inner = joined_html(format_html("<li>{}</li>", item(each, link)) for each in items)
    return format_html("<{0}>{1}</{0}>", "ul" if lines[0].startswith("-") else "ol", inner)


def item(lines: list[str], link: Link) -> SafeString:
    """The text alone, unless there are several paragraphs or code."""
    lines = "\n".join(lines).strip().split("\n")
    if any(not line.strip() or line.startswith(INDENTED) for line in lines):
        return as_html("\n".join(lines), link)
    return inline(" ".join(lines), link)


EMPTY = SafeString("<td></td>")


def table(lines: list[str], link: Link) -> SafeString:
    """A row a line; the second line separates the head, whose empty cells are no headings."""
    head, _, *body = [CELL.split(line.strip().strip("|")) for line in lines]
    columns = joined_html(
        format_html('<th scope="col">{}</th>', cell) if (cell := table_cell(each, link)) else EMPTY
        for each in head
    )
    rows = joined_html(
        format_html(
            "<tr>{}</tr>",
            joined_html(format_html("<td>{}</td>", table_cell(each, link)) for each in row),
        )
        for row in body
    )
    return format_html(
        '<div class="scrolls" data-scrolls role="group" aria-label="Table" tabindex="0"><table>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
        columns,
        rows,
    )


def table_cell(text: str, link: Link) -> SafeString:
    return inline(text.strip().replace(r"\|", "|"), link)


def code(lines: list[str]) -> SafeString:
    return format_html('<pre tabindex="0"><code>{}</code></pre>', "\n".join(lines).strip("\n"))


def inline(text: str, link: Link) -> SafeString:
    """Code, links, bold and emphasis; everything else as it is, escaped."""
    parts, at = [], 0
    for found in INLINE.finditer(text):
        parts += [format_html("{}", text[at : found.start()]), marked(found, link)]
        at = found.end()
    return joined_html([*parts, format_html("{}", text[at:])])


def marked(found: re.Match[str], link: Link) -> SafeString:
    if found["code"]:
        return format_html("<code>{}</code>", found["code"])
    if found["bold"]:
        return format_html("<b>{}</b>", inline(found["bold"], link))
    if found["em"]:
        return format_html("<em>{}</em>", inline(found["em"], link))
    inner, address = inline(found["text"], link), link(found["to"])
    return format_html('<a href="{}">{}</a>', address, inner) if address else inner


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
