"""The app as the supervised web server's workers load it: it ends with the server that started it."""

from app import app
from impact_app.processes import end_with_parent

end_with_parent()

__all__ = ["app"]
