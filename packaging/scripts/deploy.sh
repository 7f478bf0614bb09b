#!/bin/sh
# Builds the image and runs mediad in minikube: deploy.sh
set -eu
# shellcheck source=packaging/scripts/common.sh
. "$(dirname -- "$0")/common.sh"
only_help 'usage: deploy.sh
Starts minikube where it does not run, builds the image in it, and applies packaging/kubernetes/overlays/local: volume, mediad, service,
ingress. May be run again.' "$@"

need minikube kubectl
if ! minikube --profile "$context" status >/dev/null 2>&1; then
  say "starting minikube"
  minikube --profile "$context" start || fail "minikube does not start"
fi
minikube --profile "$context" addons enable ingress || fail "the ingress controller could not be had"
# Deployed on a controller that is not up yet, the ingress is refused.
kubectl --context "$context" --namespace ingress-nginx rollout status deployment/ingress-nginx-controller --timeout="${rollout_seconds}s" ||
  fail "the ingress controller does not come up"

build_image
write_secrets
apply_manifests "$image"
wait_for_rollout || {
  explain_pods
  fail "mediad does not come up"
}
say_where
