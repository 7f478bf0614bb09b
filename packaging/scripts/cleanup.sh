#!/bin/sh
# Takes mediad out of the cluster: cleanup.sh [--keep-pvc | --delete-pvc] [--force]
set -eu
# shellcheck source=packaging/scripts/common.sh
. "$(dirname -- "$0")/common.sh"

help='usage: cleanup.sh [--keep-pvc | --delete-pvc] [--force]
  --keep-pvc     the media stay on their volume; a later deploy.sh finds them again
  --delete-pvc   the media go, too, and cannot be had back
  --force        ask nothing; without --delete-pvc the media stay
Without them it asks.'
media=ask
force=no
for argument in "$@"; do
  case $argument in
    --keep-pvc | --delete-pvc)
      [ "$media" = ask ] || misused "either --keep-pvc or --delete-pvc, and once"
      media=${argument#--}
      media=${media%-pvc}
      ;;
    --force) force=yes ;;
    -h | --help)
      echo "$help"
      exit 0
      ;;
    *) misused "no such argument: $argument" ;;
  esac
done
[ "$force$media" != yesask ] || media=keep

# confirm QUESTION: the whole word, and nothing but it.
confirm() {
  printf '%s [yes/no] ' "$1"
  IFS= read -r answer || answer=no
  [ "$answer" = yes ]
}

require_cluster
if [ "$force" = no ]; then
  confirm "Take mediad out of '$context'?" || fail "nothing was changed"
  if [ "$media" = ask ]; then
    if confirm "Delete the media as well? They cannot be had back."; then media=delete; else media=keep; fi
  elif [ "$media" = delete ]; then
    confirm "Delete the media? They cannot be had back." || fail "nothing was changed"
  fi
fi

say "removing everything but the media"
kube delete ingress,service,deployment,poddisruptionbudget,networkpolicy,configmap,secret \
  --selector app.kubernetes.io/part-of=libmedia --ignore-not-found || fail "not everything could be removed"
if [ "$media" = keep ]; then
  say "the media stay: persistentvolumeclaim/mediad-media"
  exit 0
fi
say "removing the media"
kube delete persistentvolumeclaim --selector app.kubernetes.io/part-of=libmedia --ignore-not-found || fail "the media could not be removed"
say "the namespace '$namespace' stays: others may use it"
