"""The baseline: a Flask that does nothing."""

from flask import Flask

app = Flask(__name__)


@app.post("/")
def ok() -> str:
    return "ok"
