#!/usr/bin/env bash
# The package alone: sdist and wheel, twine check, and the examples in empty
# environments that hold nothing but the wheel and what it requires.
#   bash tests/wheel.sh
# PYTHONS='/path/to/python3.11 /path/to/python3.12' picks the interpreters; the
# first one builds. Nothing is left behind.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
read -ra pythons <<<"${PYTHONS:-python3.11 python3.12}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 JAX_PLATFORMS=cpu
unset PYTHONPATH

"${pythons[0]}" -m venv "$work/build"
"$work/build/bin/pip" install -q build twine
# A copy, so that no build folder is left in the repository.
git -C "$root" ls-files -z | tar -C "$root" --null -T - -cf - |
  (mkdir "$work/sources" && tar -C "$work/sources" -xf -)
"$work/build/bin/python" -m build -o "$work/dist" "$work/sources" >/dev/null
"$work/build/bin/python" -m twine check --strict "$work"/dist/*

cd "$work"
for python in "${pythons[@]}"; do
  echo "$("$python" --version): an empty environment"
  "$python" -m venv "$work/alone"
  "$work/alone/bin/pip" install -q "$work"/dist/*.whl
  "$work/alone/bin/pip" check
  "$work/alone/bin/python" "$root/tests/wheel.py" "$root/examples"
  rm -rf "$work/alone"
done
echo 'The wheel works alone.'
