#!/bin/sh
# Installs the Debian packages of packaging/deps/<list>.txt that are missing, and touches neither the network nor the
# package database where none is. Usage: install-packages.sh LIST…
set -eu

deps=$(CDPATH='' cd -- "$(dirname -- "$0")/deps" && pwd)

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "This is no Debian: please see to the equivalents of what $deps/ lists ($*). Going on without installing." >&2
  exit 0
fi
release=$(sed -n 's/^VERSION_ID="\{0,1\}\([0-9]*\).*/\1/p' /etc/os-release)

# One line for each thing needed, its alternatives apart by spaces.
wanted=$(for list in "$@"; do cat "$deps/$list.txt"; done | awk -v release="${release:-99}" '
  { sub(/#.*/, "") }
  match($0, /@[0-9]+/) { if (release + 0 < substr($0, RSTART + 1, RLENGTH - 1) + 0) next; $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH) }
  { gsub(/\|/, " "); $1 = $1 }
  NF && !seen[$0]++' | while read -r line; do
  case $line in *\?*) if command -v "${line##*\?}" >/dev/null 2>&1; then continue; fi ;; esac
  echo "${line%%\?*}"
done)
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')

missing=$(printf '%s\n----\n%s\n' "$installed" "$wanted" | awk '
  $0 == "----" { second = 1; next }
  !second { have[$1] = 1; next }
  { for (i = 1; i <= NF; i++) if ($i in have) next; print }')
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    printf 'Missing packages, and neither root nor sudo to install them:\n%s\n' "$missing" >&2
    exit 1
  fi
  as_root=sudo
fi

echo "Installing what is missing: $(echo "$missing" | awk '{ print $1 }' | tr '\n' ' ')" >&2
$as_root apt-get update -qq
# The first alternative that this release has; where it has none, the first, so that apt says what is wrong.
chosen=$(echo "$missing" | while read -r alternatives; do
  pick=
  for name in $alternatives; do
    case $(apt-cache policy "$name" | sed -n 's/^ *Candidate: //p') in
      '' | '(none)') ;;
      *) pick=$name; break ;;
    esac
  done
  echo "${pick:-${alternatives%% *}}"
done)
# shellcheck disable=SC2086 # one word for each package
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $chosen >&2
