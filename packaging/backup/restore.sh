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
for tool in mediactl rsync; do command -v "$tool" >/dev/null 2>&1 || fail "$tool is not installed"; done
[ -f "$backup/catalog.db" ] || fail "'$backup' is no backup: it has no catalog.db"
mkdir -p "$store"
[ -z "$(find "$store" -mindepth 1 -maxdepth 1 ! -name lost+found)" ] || fail "'$store' is not empty: move what is in it out of the way"

rsync --archive --exclude=/lost+found/ "$backup/store/" "$store/" || fail "the blobs could not be copied"
mediactl --store "$store" restore "$backup/catalog.db" || fail "the catalog could not be put back"
# What was stored while the backup was made is unknown to its catalog, and a collection would take it.
mediactl --store "$store" reindex || fail "what came in during the backup could not be brought back"
mediactl --store "$store" verify || fail "the library is not whole"
