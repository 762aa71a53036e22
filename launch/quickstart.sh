#!/usr/bin/env bash
# Taiji end to end on MovieLens-100K on a CPU, from nothing to a report.
#   bash launch/quickstart.sh [--config.FIELD=VALUE ...]
# PYTHON=/path/to/python picks the interpreter (3.11 or newer).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source launch/venv.sh

# Large pages where the C library is glibc: training steps are faster by them.
case "${TAIJI_HUGE_PAGES:-1} ${GLIBC_TUNABLES:-}" in
  0* | *glibc.malloc.hugetlb*) ;;
  *) export GLIBC_TUNABLES=${GLIBC_TUNABLES:+$GLIBC_TUNABLES:}glibc.malloc.hugetlb=1 ;;
esac

venv_ready
venv_install quickstart '.[experiments]'
exec "$VENV_PYTHON" -m experiments.popo \
  --config=experiments/configs/popo/ml100k_cpu.py "$@"
