#!/usr/bin/env bash
# Generates the Python client with ariadne-codegen, in an environment of its own, and imports it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

[[ -x generated/venv/bin/ariadne-codegen ]] || {
  python3 -m venv generated/venv
  generated/venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
}
generated/venv/bin/ariadne-codegen --config ariadne.toml >generated/ariadne.log || { cat generated/ariadne.log >&2; exit 1; }
cd generated && venv/bin/python -c 'import python_client; print("ariadne-codegen:", python_client.Bailiwick.people.__name__)'
