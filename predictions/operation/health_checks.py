"""The doctor's checks of settings, files, the database and the version that serves."""

from __future__ import annotations

import difflib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.core import checks
from django.db import DatabaseError, connection
from django.db.models import Q
from django.utils import timezone

from predictions.access import resets
from predictions.models import ModelVersion, ServingFault, Sighting, WorkerBeat
from predictions.operation import proxy_mismatches
from predictions.operation.doctor import Finding, Needs, attention, broken, examines
from predictions.operation.health import migrations
from predictions.serving.network import UnsoundWeights, WeightsAltered, WeightsMissing
from predictions.serving.registry import remedy, verify

LITTLE_SPACE = 0.10  # of the disk
NO_SPACE = 300_000_000  # bytes
SKEW = timedelta(seconds=30)
ALIKE = 0.84  # difflib's ratio: one letter more, less or swapped
CODES = {WeightsMissing: "weights_missing", WeightsAltered: "weights_altered"}
NETWORK_FILES = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
NETWORK_FUSES = ("fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.glusterfs")


# -- settings --------------------------------------------------------------------------------------


@examines(needs=Needs.NOTHING)
def misspelled_variables() -> Iterator[Finding]:
    known: frozenset[str] = settings.KNOWN_VARIABLES
    for name in sorted(os.environ.keys() - known):
        meant = difflib.get_close_matches(name, known, n=1, cutoff=ALIKE)
        if meant and name.isupper():
            yield attention(
                "variable_misspelled",
                f"The environment has {name}; {meant[0]} may be meant.",
                why="A name nobody reads changes nothing: the default applies.",
                todo=f"Rename it to {meant[0]}, or take it away.",
            )


@examines(needs=Needs.NOTHING)
def secret_is_readable() -> Iterator[Finding]:
    file = Path(settings.DATA_DIR) / "secret_key"
    if settings.SECRET_KEY_GIVEN or not file.exists():
        return
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        yield broken(
            "secret_readable",
            f"{file} has mode {mode:04o}: other accounts of this machine can read it.",
            why="Whoever has the secret can sign in as anybody and foresee the audit.",
            todo=f"chmod 600 {file}; if others may have read it, delete it and restart: everybody "
            "signs in again.",
        )


@examines(needs=Needs.NOTHING)
def data_folder() -> Iterator[Finding]:
    folder = Path(settings.DATA_DIR)
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as refused:
        yield broken(
            "data_folder_unwritable",
            f"Nothing can be written in DATA_DIR {folder}: {refused.strerror}.",
            why="The database (SQLite), the secret and MNIST are kept there.",
            todo="Give the folder to the account that runs Inkloop, or name another in DATA_DIR.",
        )
        return
    usage = shutil.disk_usage(folder)
    if usage.free < max(LITTLE_SPACE * usage.total, NO_SPACE):
        say = broken if usage.free < NO_SPACE else attention
        yield say(
            "disk_nearly_full",
            f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.0f} GB are free where DATA_DIR lies.",
            why="On a full disk nothing can be drawn, labeled or backed up.",
            todo="Make room or move DATA_DIR; old backups and logs are the usual finds.",
        )


@examines(needs=Needs.NOTHING)
def page_files() -> Iterator[Finding]:
    if settings.DEBUG:
        return
    if not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        yield broken(
            "static_missing",
            f"{settings.STATIC_ROOT} has no staticfiles.json.",
            why="Without it every page answers 500.",
            todo="Run `manage.py setup` on this host.",
        )


@examines(needs=Needs.NOTHING)
def way_of_requests() -> Iterator[Finding]:
    if settings.PROXY_COUNT and not settings.PUBLIC:
        yield broken(
            "hosts_loopback_behind_proxy",
            f"PROXY_COUNT is {settings.PROXY_COUNT}, but ALLOWED_HOSTS names this machine alone.",
            why="Requests that come through the proxy under its name are refused with 400, and "
            "the rules of a public installation are off.",
            todo="Set ALLOWED_HOSTS to the names people use.",
        )
    if settings.PUBLIC and settings.HTTPS and not settings.PROXY_COUNT:
        yield broken(
            "proxy_not_counted",
            "HTTPS is on and PROXY_COUNT is 0.",
            why="The web server speaks no TLS itself: without a counted proxy every request is "
            "redirected for ever, and limits take all people for one.",
            todo="Set PROXY_COUNT to the number of your proxies in front, usually 1.",
        )


@examines(needs=Needs.NOTHING)
def cookies() -> Iterator[Finding]:
    if settings.PUBLIC and not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE):
        yield broken(
            "cookies_insecure",
            "The installation is public and its cookies travel without TLS.",
            why="Whoever is on the way can take over a session.",
            todo="Put a TLS proxy in front and unset HTTPS, or set it to true.",
        )


@examines(needs=Needs.NOTHING)
def trusted_origins() -> Iterator[Finding]:
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        parts = urlsplit(origin)
        if settings.HTTPS and parts.scheme != "https":
            yield attention(
                "origin_insecure",
                f"CSRF_TRUSTED_ORIGINS has {origin}, without TLS.",
                why="A page somebody changed on its way may then act for whoever is signed in.",
                todo=f"Write https://{parts.netloc}, or take it away.",
            )


@examines(needs=Needs.NOTHING)
def mail() -> Iterator[Finding]:
    if not resets.is_possible():
        yield attention(
            "mail_printed",
            "EMAIL_URL is not set: mail is printed.",
            why="Nobody can reset a password, and trainers are told nothing.",
            todo="Set EMAIL_URL, for instance smtp://user:password@mail.example.org:587.",
        )


@examines(needs=Needs.NOTHING)
def system_checks() -> Iterator[Finding]:
    """Django's system checks and ours, except those that this module checks itself."""
    said_here = {"inkloop.W001", "security.W012", "security.W016"}
    for found in checks.run_checks(include_deployment_checks=settings.PUBLIC):
        if found.level < checks.WARNING or found.id in said_here:
            continue
        say = broken if found.level >= checks.ERROR else attention
        yield say(
            found.id or "check",
            found.msg,
            why="`manage.py check` reports it.",
            todo=found.hint or "See the name in brackets in the documentation of Django.",
        )


# -- the database -------------------------------------------------------------------------------


@examines(needs=Needs.DATABASE)
def database_answers() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as refused:
        where = settings.DATABASES["default"]
        name = where["NAME"]
        if where.get("HOST"):
            name = f"{where['NAME']} at {where['HOST']}:{where['PORT'] or 5432}"
        yield broken(
            "database_unreachable",
            f"The database {name} does not answer: {str(refused).strip()}",
            why="Nothing works without it.",
            todo="Start the server, or mend DATABASE_URL; then run `manage.py doctor` again.",
        )
        return
    missing, unknown = migrations()
    if missing:
        names = ", ".join(f"{app} {name}" for app, name in missing[:5])
        yield broken(
            "migrations_missing",
            f"{len(missing)} migrations are not applied: {names}{', …' * (len(missing) > 5)}.",
            why="This release asks for tables or columns that are not there.",
            todo="Run `manage.py setup` once, on one host, before it serves.",
        )
    if unknown and not missing:
        app, name = unknown[0]
        yield attention(
            "release_too_old",
            f"The database has migrations this release does not know, such as {app} {name}.",
            why="A newer release has worked on it; this one may read it wrongly.",
            todo="Run the newer release on this host too.",
        )


@examines(needs=Needs.DATABASE)
def clock() -> Iterator[Finding]:
    if connection.vendor != "postgresql":
        return  # SQLite has no clock of its own
    skew = timedelta(seconds=database_time() - time.time())
    if abs(skew) > SKEW:
        yield skewed(f"This host's clock is {seconds(-skew)} the database's")


def database_time() -> float:
    """Seconds since 1970 by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())")
        return float(cursor.fetchone()[0])


def seconds(ahead: timedelta) -> str:
    count = ahead.total_seconds()
    return f"{abs(count):,.0f} s {'ahead of' if count > 0 else 'behind'}"


def skewed(what: str) -> Finding:
    return attention(
        "clock_skewed",
        f"{what}.",
        why="Schedules start at the wrong time, and sessions and limits end early or late.",
        todo="Let the host keep its time by NTP (for instance chrony or systemd-timesyncd).",
    )


@examines()
def clocks_of_workers() -> Iterator[Finding]:
    ahead = WorkerBeat.objects.filter(seen_at__gt=timezone.now() + SKEW)
    for host, at in ahead.values_list("host", "seen_at"):
        yield skewed(f"The clock of {host} is {seconds(at - timezone.now())} this host's")


@examines()
def sqlite_is_one_machines() -> Iterator[Finding]:
    if connection.vendor != "sqlite":
        return
    recent = WorkerBeat.objects.filter(seen_at__gte=timezone.now() - timedelta(days=1))
    hosts = sorted({*recent.values_list("host", flat=True)})
    if len(hosts) > 1:
        yield broken(
            "sqlite_shared",
            f"Several hosts work on one SQLite file: {', '.join(hosts)}.",
            why="SQLite's locks do not reach over a network: labels get lost and the file breaks.",
            todo="Move to PostgreSQL and set DATABASE_URL on every host.",
        )
    file = Path(settings.DATABASES["default"]["NAME"])
    kind = file_system_of(file)
    if kind in NETWORK_FILES or kind.startswith(NETWORK_FUSES):
        yield broken(
            "sqlite_on_network",
            f"The SQLite file {file} lies on a network file system ({kind}).",
            why="Its write-ahead log needs memory shared by all processes: the file breaks.",
            todo="Move it to a local disk, or move to PostgreSQL.",
        )


def file_system_of(path: Path) -> str:
    """The file system's type, by the longest mount point above; empty if it is unknown."""
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    places = [(Path(fields[1]), fields[2]) for line in mounts if len(fields := line.split()) > 2]
    above = [(len(place.parts), kind) for place, kind in places if path.is_relative_to(place)]
    return max(above, default=(0, ""))[1]


@examines()
def requests_seen() -> Iterator[Finding]:
    seen = Sighting.objects.filter(last_at__gte=timezone.now() - proxy_mismatches.RECENT)
    for kind, host in seen.values_list("kind", "host"):
        if kind == proxy_mismatches.FORWARDED and settings.PROXY_COUNT == 0:
            yield attention(
                "proxy_count_wrong",
                f"{host} got requests that a proxy has forwarded, and PROXY_COUNT is 0.",
                why="Limits and lockouts take all who come through it for one person.",
                todo="Set PROXY_COUNT to the number of your proxies in front; if there is none, "
                "somebody only pretends, and nothing needs to be done.",
            )
        if kind == proxy_mismatches.DIRECT and settings.PROXY_COUNT:
            yield attention(
                "proxy_count_wrong",
                f"{host} got requests with fewer proxies on their way than PROXY_COUNT "
                f"({settings.PROXY_COUNT}).",
                why="Either the count is too high and callers can invent addresses, or somebody "
                "reaches the web server past the proxy.",
                todo="Count your proxies again; let nobody but them reach the web server.",
            )


# -- what serves -----------------------------------------------------------------------------------


@examines()
def version_is_live() -> Iterator[Finding]:
    live = ModelVersion.objects.live().first()
    if live is None:
        yield broken(
            "no_live_version",
            "No model version is live.",
            why="Nothing can be read.",
            todo="Run `manage.py install_base`, or `manage.py promote NAME`.",
        )
        return
    try:
        verify(live)
    except UnsoundWeights as fault:
        yield broken(
            CODES.get(type(fault), "canary_mismatch"),
            f"The live version {live} does not pass its own test: {fault}",
            why="No process may serve it or learn from it; the last good one answers where there "
            "is one.",
            todo=remedy(live),
        )


@examines()
def given_up() -> Iterator[Finding]:
    since = timezone.now() - timedelta(days=1)
    faults = ServingFault.objects.filter(version__state=ModelVersion.State.LIVE, last_at__gte=since)
    for fault in faults.select_related("version"):
        yield attention(
            "version_given_up",
            f"{fault.host} gave the live version {fault.version} up: {fault.message}",
            why="That host answers with an older version.",
            todo="See its log; restart its web server, or roll the version back.",
        )


@examines()
def admins() -> Iterator[Finding]:
    by_role = Q(groups__name="admin", is_staff=True)
    if not User.objects.filter(Q(is_superuser=True) | by_role, is_active=True).exists():
        yield broken(
            "no_admin",
            "No active account is an admin.",
            why="Nobody can make accounts, hand out roles or correct in bulk.",
            todo="Run `manage.py createsuperuser`.",
        )
