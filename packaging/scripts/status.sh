#!/bin/sh
# How mediad does in the cluster: status.sh. Exit code 0 where it is ready.
set -eu
# shellcheck source=packaging/scripts/common.sh
. "$(dirname -- "$0")/common.sh"
only_help 'usage: status.sh
What is deployed, how it does, and how full its volume is. Exit code 0: mediad is ready; 1: it is not, or it is not there.' "$@"

require_deployment
say "in the cluster '$context'"
kube get deployment,pods,service,ingress,persistentvolumeclaim --output wide
wanted=$(kube get deployment mediad --output 'jsonpath={.spec.replicas}')
[ "$wanted" != 0 ] || fail "mediad is stopped: start.sh starts it"
say "storage"
kube exec deployment/mediad -- df -h /app/media || fail "mediad's container does not answer"
say "health"
kube exec deployment/mediad -- mediad --healthcheck || fail "mediad is not ready"
say "ready"
say_where
