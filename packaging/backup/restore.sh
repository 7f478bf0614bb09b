#!/bin/sh
# Puts a library back that backup.sh backed up: restore.sh BACKUP STORE
#
# STORE is a folder that is not there yet, or an empty one: what is left of a damaged library is worth keeping until this one is known to
# be whole. Run it as the user that mediad runs as, before mediad starts. Every byte is read again in the end. Exit code 0: the library is
# whole; 1: it is not, and what is wrong has been said.
set -eu

fail() {
  echo "restore.sh: $*" >&2
  exit 1
}
[ $# = 2 ] || {
  echo "usage: restore.sh BACKUP STORE" >&2
  exit 2
}
backup=$1 store=$2
command -v mediactl >/dev/null 2>&1 || fail "mediactl is not installed"
[ -f "$backup/catalog.db" ] || fail "'$backup' is no backup: it has no catalog.db"
mkdir -p "$store"
# What a filesystem of its own begins with does not count.
[ -z "$(find "$store" -mindepth 1 -maxdepth 1 ! -name lost+found)" ] || fail "'$store' is not empty: move what is in it out of the way"

# Exit code 1: some of the backup's blobs are damaged, and verify will name what is missing for it.
code=0
mediactl --quiet sync "$backup/store" "$store" || code=$?
[ "$code" = 0 ] || [ "$code" = 1 ] || fail "the blobs could not be copied: mediactl sync exits with $code"
find "$backup/files" -type f -exec cp -p {} "$store/" \; || fail "the library's small files could not be copied"
mediactl --store "$store" restore "$backup/catalog.db" || fail "the catalog could not be put back"
# What was stored while the backup was made is unknown to its catalog, and a collection would take it.
mediactl --store "$store" reindex || fail "what came in during the backup could not be brought back"
mediactl --store "$store" verify || fail "the library is not whole"
