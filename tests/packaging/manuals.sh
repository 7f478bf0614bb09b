#!/bin/sh
# Manual pages and bash completions: manuals.sh SOURCE_FOLDER BUILD_FOLDER MEDIACTL MEDIAD
# Exit code 77, a skipped test, where a tool is missing; under CI that is a failure.
set -eu

source=$1
work=$2/tests/packaging-manuals
mediactl=$3
mediad=$4

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
for tool in groff bash python3; do
  command -v "$tool" >/dev/null 2>&1 && continue
  [ -z "${CI:-}" ] || fail "there is no $tool (packaging/deps/test.txt), and CI is set"
  echo "SKIPPED: there is no $tool (packaging/deps/test.txt)" >&2
  exit 77
done
rm -rf "$work"
python3 "$source/packaging/manuals/generate.py" "$mediactl" "$mediad" "$work"

echo "pages"
for page in mediactl.1 mediad.8; do
  groff -K utf8 -man -Tutf8 -ww -Wbreak -rLL=100n "$work/$page" >"$work/$page.text" 2>"$work/$page.warnings" || fail "groff cannot set $page"
  [ ! -s "$work/$page.warnings" ] || fail "$page: $(cat "$work/$page.warnings")"
  # Without the marks for bold and underlined.
  sed -e 's/\x1b\[[0-9;]*m//g' -e 's/.\x08//g' "$work/$page.text" | tr -s ' \n' ' ' >"$work/$page.plain"
done
has() { grep -qF -- "$2" "$work/$1.plain" || fail "$1 does not have: $2"; }
for command in $("$mediactl" --help | sed -n '/^Subcommands:/I,/^$/s/^  \([a-z]*\) .*/\1/p'); do has mediactl.1 " $command "; done
for words in 'renditions drop [OPTIONS]' '--repair-from DIR' 'apikey create' '--pack-below BYTES' 'EXIT STATUS' 'the store is locked or overloaded'; do has mediactl.1 "$words"; done
for words in '--role ROLE' '--healthcheck' 'MEDIA_SERVICE_STORAGE_BASE_PATH' 'UPLOAD_URL_SECRET' 'not healthy' 'cannot start' 'Default: 3000.'; do has mediad.8 "$words"; done
# shellcheck disable=SC2016 # Markdown, and no command
for name in $("$mediad" --list-settings | sed -n 's/^| `\([A-Z0-9_]*\)`.*/\1/p'); do has mediad.8 "$name"; done

echo "completions"
mkdir "$work/folder"
: >"$work/folder/photo.jpg"
mkdir "$work/folder/album"
cat >"$work/try.bash" <<'BASH'
# As readline calls a completion: try.bash SCRIPT WORD…, of which the last is to be completed. One candidate a line, sorted.
compopt() { :; }
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"_$1"
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}" | sort
BASH
# completes WANTED WORD…: WANTED are candidates, apart by spaces; + in front: these and others.
completes() {
  wanted=$1
  shift
  got=$(cd "$work/folder" && bash "$work/try.bash" "$work/$1.bash" "$@" | tr '\n' ' ')
  case $wanted in
    +*) for word in ${wanted#+}; do case " $got" in *" $word "*) ;; *) fail "$*: $got lacks $word" ;; esac; done ;;
    *) [ "$got" = "${wanted:+$wanted }" ] || fail "$*: $got, not $wanted" ;;
  esac
}
completes 'verify' mediactl ver
completes '+ingest verify gc backup renditions' mediactl ''
completes '+ingest verify' mediactl --store album ''
completes 'renditions' mediactl --json --store album rend
completes 'drop' mediactl renditions d
completes 'drop stat verify' mediactl renditions ''
completes '--unused-for' mediactl renditions drop --un
completes '+--repair-from --subset --store --json --help' mediactl verify --
completes 'authenticated private public' mediactl ingest --visibility ''
completes 'private' mediactl ingest --visibility pr
completes '' mediactl ingest --owner ''
completes 'album' mediactl --store ''
completes 'album photo.jpg' mediactl ingest ''
completes 'photo.jpg' mediactl ingest album ph
completes '' mediactl verify ''
completes '' mediactl nonsense
completes '+--healthcheck --role --check-config' mediad --
completes 'all api worker' mediad --role ''
completes 'photo.jpg' mediad --port-file ph
for name in mediactl mediad; do bash -n "$work/$name.bash" || fail "$name.bash"; done
echo "passed"
