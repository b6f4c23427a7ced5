#!/bin/sh
# What the checks and tests need and Python's packages do not bring: a browser to drive, and Node to build and judge the
# storefront scripts. Where one is missing, root on Debian gets it; others are told its name.
set -eu

missing=""
found=no
for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 && found=yes
done
[ "$found" = yes ] || missing="chromium"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing what the browser tests need (once, a minute or two): $missing ..."
    apt-get update -qq >/dev/null
    # shellcheck disable=SC2086 - a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "The checks and browser tests need packages: install $missing (or set CHROMIUM to a browser)." >&2
    exit 1
fi
