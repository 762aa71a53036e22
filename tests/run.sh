#!/usr/bin/env bash
# Lint, tests and doctests; the last line is 'N passed, N failed, N skipped'.
#   bash tests/run.sh [--long] [--measure] [PART_OF_A_TEST_FILE'S_PATH ...]
# PYTHON=/path/to/python picks the interpreter (3.11 or newer).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/venv.sh

if ! { venv_ready && venv_install test '.[test]'; }; then
  echo '0 passed, 1 failed, 0 skipped'
  exit 1
fi
# What builds the site: 140 MB that no other test needs; without it, skipped.
case " $* " in *' --long '*) venv_install docs '.[docs]' || true ;; esac
exec "$VENV_PYTHON" tests/run.py "$@"
