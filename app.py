"""The entry for servers and commands: `flask --app app …`, `granian --interface wsgi app:app`."""

import sys

from impact_app import create_app
from impact_app.config import ConfigError
from impact_app.wiring import log_to_stderr

log_to_stderr()
try:
    app = create_app()
except ConfigError as error:
    sys.exit("The configuration cannot be used:\n" + "\n".join(f"- {fault}" for fault in error.faults))

config = app.extensions["impact"].config
if config.admin_password_is_new:
    sys.stderr.write(
        f"Admin password (told this once, kept in {config.instance_path}/admin_password): "
        f"{config.admin_password}\n"
    )
