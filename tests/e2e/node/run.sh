#!/bin/sh
# Other people's programs against mediad: run.sh SOURCE_FOLDER WORK_FOLDER SCRIPT [ARGUMENT…]
# Installs them into WORK_FOLDER, once for each package-lock.json. Exit code 77, a skipped test, where there is no Node.js or no
# network to install from; under CI that is a failure.
set -eu
source=$1
work=$2
script=$3
shift 3

cannot() {
  if [ -n "${CI:-}" ]; then
    echo "FAILED: $*, and CI is set" >&2
    exit 1
  fi
  echo "SKIPPED: $*" >&2
  exit 77
}

command -v node >/dev/null 2>&1 || cannot "there is no node (packaging/deps/test.txt)"
command -v npm >/dev/null 2>&1 || cannot "there is no npm (packaging/deps/test.txt)"
node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 18 || (major == 18 && minor >= 3) ? 0 : 1)' ||
  cannot "node $(node --version) is older than 18.3"

mkdir -p "$work"
cp "$source/package.json" "$source/package-lock.json" "$source"/*.mjs "$work/"
cd "$work"
if ! cmp -s package-lock.json node_modules/.installed; then
  npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=1 --fetch-timeout=20000 >npm.log 2>&1 || {
    cat npm.log >&2
    cannot "npm ci could not install the packages"
  }
  cp package-lock.json node_modules/.installed
fi
exec node "$script" "$@"
