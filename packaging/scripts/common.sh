# shellcheck shell=sh
# What the scripts beside this file share; they read it in. Settings that may be in the environment:
#   MEDIA_KUBE_CONTEXT   the cluster, by its name in kubectl's configuration (minikube)
#   MEDIA_ROLLOUT_SECONDS   how long a rollout may take (660)

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
overlay=$root/packaging/kubernetes/overlays/local
namespace=media
context=${MEDIA_KUBE_CONTEXT:-minikube}
rollout_seconds=${MEDIA_ROLLOUT_SECONDS:-660}
host=media-management.local

say() { echo "==> $*"; }
fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}
misused() {
  echo "${0##*/}: $*; see ${0##*/} --help" >&2
  exit 2
}
need() {
  for tool in "$@"; do command -v "$tool" >/dev/null 2>&1 || fail "$tool is not installed"; done
}

# Always with the context's name: whatever cluster kubectl points at for other work is none of ours.
kube() { kubectl --context "$context" --namespace "$namespace" "$@"; }

require_cluster() {
  need minikube kubectl
  minikube --profile "$context" status >/dev/null 2>&1 || fail "the cluster '$context' does not run: deploy.sh starts it"
}
require_deployment() {
  require_cluster
  kube get deployment mediad >/dev/null 2>&1 || fail "mediad is not deployed in '$context': deploy.sh does that"
}

# A name for each build, so that the cluster sees that it is another one, and can go back to the one before.
build_image() {
  image=libmedia:$(date -u +%Y%m%d%H%M%S)
  say "building the image $image"
  minikube --profile "$context" image build --tag "$image" "$root" || fail "the image could not be built"
}

# The secrets stay in a file that git does not see; what is missing in it is drawn by chance.
write_secrets() {
  [ ! -s "$overlay/secrets.env" ] || return 0
  say "drawing secrets: $overlay/secrets.env"
  (
    umask 077
    while IFS= read -r line; do
      case $line in
        [A-Z]*=) echo "$line$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" ;;
        *) echo "$line" ;;
      esac
    done <"$overlay/secrets.env.example" >"$overlay/secrets.env.part"
  )
  mv "$overlay/secrets.env.part" "$overlay/secrets.env"
}

# apply_manifests IMAGE
apply_manifests() {
  say "applying $overlay"
  rendered=$(kubectl kustomize "$overlay") || fail "the manifests could not be rendered"
  printf '%s\n' "$rendered" | sed "s,image: libmedia:latest\$,image: $1," | kube apply --filename - || fail "the manifests could not be applied"
}

wait_for_rollout() { kube rollout status deployment/mediad --timeout="${rollout_seconds}s"; }

# Why a pod does not come up, as far as the cluster tells.
explain_pods() {
  kube get pods >&2 || true
  kube logs deployment/mediad --tail=20 >&2 || true
}

say_where() {
  address=$(minikube --profile "$context" ip) || address=
  say "http://$host/api/v1/media-management"
  [ -z "$address" ] || say "/etc/hosts wants: $address $host"
}

# only_help HELP ARGUMENT…: for the scripts that take no argument.
only_help() {
  case ${2:-} in
    '') ;;
    -h | --help)
      echo "$1"
      exit 0
      ;;
    *) misused "no such argument: $2" ;;
  esac
}
