"""Hosts that share nothing but a network: each has a namespace, an address and a cable of its own.

Needs root and the right to make network namespaces; `refusal` says what is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.support.servers import ROOT

MOST_HOSTS = 200


def refusal() -> str:
    """Why no namespaces can be made here; empty where they can."""
    if not shutil.which("ip"):
        return "there is no program named ip (on Debian: apt install iproute2)"
    name = f"ink-{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"network namespaces are refused: {made.stderr.strip()}"
    bridge = ["ip", "link", "add", name, "type", "bridge"]
    joined = subprocess.run(bridge, capture_output=True, text=True, check=False)
    subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return f"network bridges are refused: {joined.stderr.strip()}" if joined.returncode else ""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass
class Host:
    """A machine as far as its programs can tell, but for the disk."""

    name: str
    address: str
    cable: str  # its end at the switch
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def start(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """A process group of its own, in this host's network, with this host's data folder."""
        self.command, self.env = command, env
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *command],
                cwd=ROOT,
                env={**os.environ, "DATA_DIR": str(self.folder), **env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)

    def restart(self) -> None:
        """As a supervisor does for a new release: told to stop, waited for, started."""
        self.stop()
        self.processes.clear()
        self.start(self.command, self.env)

    def cut_off(self) -> None:
        ip("link", "set", self.cable, "down")

    def reconnect(self) -> None:
        ip("link", "set", self.cable, "up")

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


class Switch:
    """A bridge; this machine has the address .1 on it, the hosts those after it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"ink{secrets.token_hex(3)}"
        self.subnet = f"10.213.{secrets.randbelow(256)}"
        self.address = f"{self.subnet}.1"
        self.hosts: list[Host] = []

    @contextlib.contextmanager
    def on(self) -> Iterator[Switch]:
        ip("link", "add", self.name, "type", "bridge")
        try:
            ip("addr", "add", f"{self.address}/24", "dev", self.name)
            ip("link", "set", self.name, "up")
            yield self
        finally:
            for host in self.hosts:
                host.stop()
                ip("netns", "del", host.name)
            ip("link", "del", self.name)

    def add_host(self, role: str) -> Host:
        number = len(self.hosts) + 2
        name, cable = f"{self.name}-{role}", f"{self.name}c{number}"
        folder = self.folder / role
        folder.mkdir()
        host = Host(name, f"{self.subnet}.{number}", cable, folder)
        ip("netns", "add", name)
        self.hosts.append(host)
        ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", cable, "master", self.name, "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "addr", "add", f"{host.address}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        return host

    @contextlib.contextmanager
    def database(self, url: str) -> Iterator[str]:
        """The same database as the hosts reach it: this machine passes their bytes on."""
        parts = urlsplit(url)
        with passing_on(self.address, parts.hostname or "127.0.0.1", parts.port or 5432) as port:
            who = parts.netloc.rpartition("@")[0]
            netloc = f"{who}@{self.address}:{port}" if who else f"{self.address}:{port}"
            yield parts._replace(netloc=netloc).geturl()


@contextlib.contextmanager
def passing_on(address: str, to_host: str, to_port: int) -> Iterator[int]:
    """A port on this address that leads to another; servers often listen on loopback alone."""
    loop = asyncio.new_event_loop()

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(to_host, to_port)
        except OSError:
            writer.close()
            return
        with contextlib.suppress(asyncio.CancelledError):  # we hang up
            await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    async def hang_up() -> None:
        server.close()
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    server = loop.run_until_complete(asyncio.start_server(meet, address, 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(hang_up(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
