"""The log is told about work; it must never undo it."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_closed_log_fails_nothing() -> None:
    """Standard error is a pipe nobody reads any more, as a killed supervisor leaves it."""
    reader, writer = os.pipe()
    os.close(reader)
    program = (
        "import structlog, sys\n"
        "from impact_app.wiring import log_to_stderr\n"
        "log_to_stderr()\n"
        "structlog.get_logger().info('told')\n"
        "print('went on')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=writer, check=False, timeout=30
    )
    os.close(writer)
    assert done.stdout == b"went on\n"
