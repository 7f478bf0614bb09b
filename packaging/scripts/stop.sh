#!/bin/sh
# Stops mediad; everything else stays: stop.sh
set -eu
# shellcheck source=packaging/scripts/common.sh
. "$(dirname -- "$0")/common.sh"
only_help 'usage: stop.sh
No replica any more: requests in flight are finished, media stay on their volume, start.sh goes on.' "$@"

require_deployment
kube scale deployment/mediad --replicas=0
# Where there is none any more, there is nothing to wait for.
if [ -n "$(kube get pods --selector app.kubernetes.io/name=mediad --output name)" ]; then
  kube wait --for=delete pod --selector app.kubernetes.io/name=mediad --timeout="${rollout_seconds}s" || fail "mediad does not end"
fi
say "stopped"
