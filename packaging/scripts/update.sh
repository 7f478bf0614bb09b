#!/bin/sh
# Builds the image anew and puts it in the running one's place: update.sh
set -eu
# shellcheck source=packaging/scripts/common.sh
. "$(dirname -- "$0")/common.sh"
only_help 'usage: update.sh
Builds the image, applies the manifests with it, and goes back to the one before where the new one does not come up. A catalog that the new
one has brought up to date is refused by an older program: docs/upgrading.md.' "$@"

require_deployment
build_image
write_secrets
apply_manifests "$image"
wait_for_rollout || {
  explain_pods
  say "going back to the image before"
  kube rollout undo deployment/mediad || fail "the new mediad does not come up, and the one before could not be had back"
  wait_for_rollout || fail "neither the new mediad nor the one before comes up"
  fail "the new mediad does not come up; the one before runs"
}
say "updated"
