#!/usr/bin/env bash
# Makes the real clients that the tests drive, at their pinned versions: Python packages in .venv, Node packages
# in tests/clients/node_modules. Each only when its pin file is newer than what was made of it.
set -euo pipefail
cd "$(dirname "$0")/.."

stamps=${CARGO_TARGET_DIR:-target}/test-clients
mkdir -p "$stamps"

# Whether the result is missing, or was made of another pin file.
is_stale() { # pin file, stamp, result
    [ ! -e "$3" ] || ! cmp -s "$1" "$stamps/$2"
}

pins=tests/clients/requirements.txt
if [ -e "$pins" ] && is_stale "$pins" requirements.txt .venv/bin/python; then
    echo "clawsec: making .venv of $pins" >&2
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$pins" </dev/null
    cp "$pins" "$stamps/requirements.txt"
fi

pins=tests/clients/package-lock.json
if [ -e "$pins" ] && is_stale "$pins" package-lock.json tests/clients/node_modules; then
    echo "clawsec: making tests/clients/node_modules of $pins" >&2
    npm ci --prefix tests/clients --no-audit --no-fund --loglevel=error </dev/null
    cp "$pins" "$stamps/package-lock.json"
fi
