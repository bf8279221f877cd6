"""nginx as it is shipped: whom it takes for whom, what it hands on, and what it drops."""

from __future__ import annotations

import shutil
import socket
import ssl
from pathlib import Path

import pytest

from tests.migrated import prepare
from tests.operation.installation import PATIENCE
from tests.operation.production import (
    HOST,
    Proxy,
    manage,
    nginx,
    production,
    web,
)

pytestmark = [
    pytest.mark.same_on_any_database,
    pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed"),
]
FILES = ["plain", "tls", "behind"]
A_FEW = {"rate=50r/s": "rate=1r/m", "burst=200": "burst=2"}  # three at once, then one a minute


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("foreign", ["evil.example.org", "127.0.0.1", f"{HOST}.evil.example.org"])
def test_a_request_for_another_name_is_dropped(name: str, foreign: str, tmp_path: Path) -> None:
    with nginx(tmp_path, name) as proxy:
        assert proxy.ask("/accounts/reset/").status in {301, 502}  # there is nobody to ask
        assert proxy.ask("/accounts/reset/", Host=foreign).status == 0


def test_plain_http_is_sent_to_the_name_that_was_asked_for_and_to_no_port(tmp_path: Path) -> None:
    with nginx(tmp_path, "tls") as proxy:
        answer = proxy.ask("/label/?next=1", Host=f"{HOST}:6666")
    assert (answer.status, answer.headers["Location"]) == (301, f"https://{HOST}/label/?next=1")


def test_no_handshake_is_made_in_another_name(tmp_path: Path) -> None:
    with nginx(tmp_path, "tls") as proxy:
        assert b"502" in encrypted(proxy, server_name=HOST, host=HOST)
        assert encrypted(proxy, server_name=HOST, host="evil.example.org") == b""
        with pytest.raises(ssl.SSLError):
            encrypted(proxy, server_name="evil.example.org", host=HOST)


def encrypted(proxy: Proxy, *, server_name: str, host: str) -> bytes:
    context = ssl.create_default_context(
        cafile=str(proxy.folder / "certificates" / "fullchain.pem")
    )
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", proxy.encrypted), timeout=PATIENCE) as raw,
        context.wrap_socket(raw, server_hostname=server_name) as connection,
    ):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return connection.recv(100)


# -- whom it takes for one caller ------------------------------------------------------------------


def statuses(proxy: Proxy, *callers: str) -> list[int]:
    """429 where nginx refuses; 502 where it hands on, since nobody is there to ask."""
    return [proxy.ask("/", X_Forwarded_For=caller).status for caller in callers]


def test_many_addresses_of_one_ipv6_network_are_one_caller(tmp_path: Path) -> None:
    with nginx(tmp_path, "behind", changed=A_FEW) as proxy:
        one_network = ["2001:db8:1:2::1", "2001:DB8:1:2::2", "2001:db8:1:2:ffff:0:0:3"]
        assert statuses(proxy, *one_network) == [502] * 3
        assert statuses(proxy, "2001:db8:1:2::4", "2001:db8:1:3::1") == [429, 502]


@pytest.mark.parametrize("spelled", ["{}", "::ffff:{}"])
def test_each_ipv4_address_is_a_caller_of_its_own(spelled: str, tmp_path: Path) -> None:
    with nginx(tmp_path, "behind", changed=A_FEW) as proxy:
        one, other = spelled.format("192.0.2.7"), spelled.format("192.0.2.8")
        assert statuses(proxy, one, one, one, one, other) == [502, 502, 502, 429, 502]


@pytest.mark.parametrize("name", ["plain", "behind"])
def test_what_a_caller_claims_to_be_is_not_believed(name: str, tmp_path: Path) -> None:
    """Without a balancer nothing it sends; behind one nothing but what the balancer added."""
    added = ", 192.0.2.7" if name == "behind" else ""
    with nginx(tmp_path, name, changed=A_FEW) as proxy:
        claimed = [f"198.51.100.{number}{added}" for number in range(4)]
        assert statuses(proxy, *claimed) == [502, 502, 502, 429]


# -- what it hands on ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("installation")
    prepare(made)
    manage(production(made), "migrate", "-v0")
    return made


def ask_for_a_prediction(proxy: Proxy, **headers: str) -> int:
    """Something that counts against the limit; 400 where it is taken, since it sends no image."""
    path = "/api/v1/predictions/"
    return proxy.ask(path, method="POST", Content_Type="application/json", **headers).status


def test_behind_a_balancer_nobody_is_redirected_and_everybody_has_a_limit_of_their_own(
    folder: Path, tmp_path: Path
) -> None:
    with (
        web(folder, PROXY_COUNT="2", CAPTURES_PER_MINUTE="2") as server,
        nginx(tmp_path, "behind", upstream=server.port) as proxy,
    ):
        by_tls = {"X_Forwarded_Proto": "https"}
        page = proxy.ask("/accounts/login/", X_Forwarded_For="192.0.2.7", **by_tls)
        assert page.status == 200
        plain = proxy.ask("/accounts/login/", X_Forwarded_For="192.0.2.7", X_Forwarded_Proto="http")
        assert plain.headers["Location"] == f"https://{HOST}/accounts/login/"
        first = [
            ask_for_a_prediction(proxy, X_Forwarded_For=f"198.51.100.{number}, 192.0.2.7", **by_tls)
            for number in range(3)
        ]
        assert first == [400, 400, 429]
        assert ask_for_a_prediction(proxy, X_Forwarded_For="192.0.2.8", **by_tls) == 400


def test_a_stranger_who_reaches_nginx_past_the_balancer_is_not_believed(
    folder: Path, tmp_path: Path
) -> None:
    trusted = {"set_real_ip_from 127.0.0.1;": ""}
    with (
        web(folder, PROXY_COUNT="2", CAPTURES_PER_MINUTE="2") as server,
        nginx(tmp_path, "behind", upstream=server.port, changed=trusted) as proxy,
    ):
        claimed = {"X_Forwarded_For": "192.0.2.9", "X_Forwarded_Proto": "https"}
        assert proxy.ask("/accounts/login/", **claimed).status == 301


def test_behind_tls_alone_the_web_server_answers_and_counts(folder: Path, tmp_path: Path) -> None:
    with (
        web(folder, CAPTURES_PER_MINUTE="2") as server,
        nginx(tmp_path, "tls", upstream=server.port) as proxy,
    ):
        assert b"200 OK" in encrypted(proxy, server_name=HOST, host=HOST)
