#!/bin/sh
# Starts a mediad that stop.sh stopped: start.sh
set -eu
# shellcheck source=packaging/scripts/common.sh
. "$(dirname -- "$0")/common.sh"
only_help 'usage: start.sh
One replica again, after stop.sh.' "$@"

require_deployment
kube scale deployment/mediad --replicas=1
wait_for_rollout || {
  explain_pods
  fail "mediad does not come up"
}
say_where
