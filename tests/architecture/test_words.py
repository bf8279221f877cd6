"""American spelling everywhere, and nothing that only makes sense on one machine."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.architecture.repository import ROOT, texts

BRITISH = re.compile(
    r"labell(ed|ing|er)(?!by)"  # aria-labelledby is called so
    r"|colour|behaviour|favour|neighbour|honour|endeavour"
    r"|\bgrey|\bcentre|\bmetre|licence|artefact|catalogue|dialogue\b"
    r"|(normal|recogn|optim|initial|serial|organ|summar|minim|maxim|final|real|general|visual"
    r"|synchron|token|random|priorit|util|synthes|categor|custom|memor|author)is(e|ed|es|ing|er|ation)\b"
    r"|\banaly(s)(e|ed|ing)\b|\bmodell(ed|ing)|\btravell|\bcancell(ed|ing)\b|\bwhilst\b",
    re.IGNORECASE,
)
OURS = {".py", ".html", ".css", ".js", ".md", ".toml", ".txt", ".yml", ".json", ""}
HOSTS = {  # names that stand for nobody or for a standard
    "localhost",
    "127.0.0.1",
    "host",
    "www.w3.org",
    "testserver",
    "0x7f.1",  # loopback in disguise
    "2130706433",
    "inkloop",  # the hosts behind the proxy
    "$host$request_uri",  # in the proxy: whichever was asked for
}
ADDRESS = re.compile(r"\b(?:https?|postgres(?:ql)?)://[^\s\"'`<>)\]}]+")
# Where the images and units that are shipped put the product is a place on every machine.
HOMES = re.compile(r"(?<![\w.:/])/(home|root|Users|mnt|srv|opt(?!/(inkloop|venv)))/")


def test_every_word_is_american() -> None:
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1} {match.group()}"
        for name, text in texts()
        if Path(name).suffix in OURS and name != "tests/architecture/test_words.py"
        for match in BRITISH.finditer(text)
    ]
    assert not found


@pytest.mark.parametrize(
    "word", ["labelled", "Labeller", "colour", "recognised", "grey", "centred"]
)
def test_a_british_word_is_found(word: str) -> None:
    assert BRITISH.search(f"it is {word} here")


@pytest.mark.parametrize(
    "word", ["labeled", "labeler", "color", "recognizer", "gray", "promise", "precise", "raised"]
)
def test_an_american_word_is_left_alone(word: str) -> None:
    assert not BRITISH.search(f"it is {word} here")


def test_no_file_names_a_place_on_one_machine() -> None:
    here = str(ROOT)
    found = [name for name, text in texts() if here in text or HOMES.search(text)]
    assert not [name for name in found if name != "tests/architecture/test_words.py"]


def test_no_page_or_program_names_another_host() -> None:
    found = set()
    for name, text in texts():
        # A reader may be sent anywhere; one module fetches MNIST, and says from where.
        if name.endswith(".md") or name == "training/engine/mnist.py":
            continue
        for address in ADDRESS.findall(text):
            if "[" in address:  # a number in brackets names no host
                continue
            host = (urlsplit(address.split("{")[0].rstrip(".,;")).hostname or "").lower()
            is_example = host.split(".")[-2:] in (["example", "org"], ["example", "com"])
            if host and host not in HOSTS and not is_example:
                found.add(f"{name}: {address}")
    assert not found
