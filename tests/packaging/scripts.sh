#!/bin/sh
# packaging/scripts against stand-ins of minikube and kubectl, which write down how they are called and answer as they are told:
# scripts.sh SOURCE_FOLDER
set -eu

source=$1
if command -v shellcheck >/dev/null 2>&1; then
  (cd "$source" && shellcheck packaging/scripts/*.sh)
elif [ -n "${CI:-}" ]; then
  echo "FAILED: there is no shellcheck (packaging/deps/test.txt), and CI is set" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tree/packaging" "$work/bin" "$work/answers"
cp -r "$source/packaging/scripts" "$source/packaging/kubernetes" "$work/tree/packaging/"
secrets=$work/tree/packaging/kubernetes/overlays/local/secrets.env
rm -f "$secrets"
export STAND_IN="$work"

# One stand-in for both. Each file in $work/answers has a pattern of calls on its first line, an exit code on its second, and below what is
# printed; the first that fits answers. What comes by standard input is kept. While $work/failures is there, rollouts fail, until one is
# taken back.
cat >"$work/bin/kubectl" <<'STAND_IN'
#!/bin/sh
call="${0##*/} $*"
echo "$call" >>"$STAND_IN/calls"
case $call in
  *"apply --filename -"*) cat >"$STAND_IN/applied" ;;
  *"rollout undo"*) rm -f "$STAND_IN/failures" ;;
  *"rollout status"*) [ ! -e "$STAND_IN/failures" ] || exit 1 ;;
esac
for answer in "$STAND_IN"/answers/*; do
  [ -f "$answer" ] || continue
  {
    IFS= read -r pattern
    read -r code
    case $call in
      $pattern)
        cat
        exit "$code"
        ;;
    esac
  } <"$answer"
done
STAND_IN
chmod +x "$work/bin/kubectl"
ln -s kubectl "$work/bin/minikube"

fail() {
  echo "FAILED: $*" >&2
  cat "$work/out" "$work/err" "$work/calls" >&2 2>/dev/null || true
  exit 1
}
# answer PATTERN CODE [TEXT]: for calls from now on, before what was said earlier.
number=500
answer() {
  number=$((number - 1))
  {
    printf '%s\n%s\n' "$1" "$2"
    [ $# = 2 ] || printf '%s\n' "$3"
  } >"$work/answers/$number"
}
usual_answers() {
  rm -f "$work"/answers/*
  answer '*kustomize*' 0 'kind: Deployment
        image: libmedia:latest
        imagePullPolicy: IfNotPresent'
  answer '*get pods --selector*' 0 pod/mediad-1
  answer '*jsonpath={.spec.replicas}*' 0 1
  answer 'minikube*ip' 0 192.0.2.7
}
# script CODE INPUT NAME [ARGUMENT…]
script() {
  code=$1 input=$2 name=$3
  shift 3
  : >"$work/calls"
  rm -f "$work/applied"
  got=0
  printf '%s' "$input" | PATH="$work/bin:$PATH" "$work/tree/packaging/scripts/$name.sh" "$@" >"$work/out" 2>"$work/err" || got=$?
  [ "$got" = "$code" ] || fail "$name.sh $* ends with $got, not $code"
}
# calls LINE…: these and no others, in this order. An image's name carries the time of its build.
calls() {
  printf '%s\n' "$@" >"$work/wanted"
  sed -e 's/libmedia:[0-9]\{14\}/libmedia:TAG/' -e "s,$work/tree,ROOT,g" "$work/calls" >"$work/got"
  diff -u "$work/wanted" "$work/got" >&2 || fail "other calls than these"
}
complains() { grep -qF "$1" "$work/err" || fail "no word of: $1"; }
says() { grep -qF "$1" "$work/out" || fail "no word of: $1"; }

kube='kubectl --context minikube --namespace media'
is_up='minikube --profile minikube status'
build='minikube --profile minikube image build --tag libmedia:TAG ROOT'
render='kubectl kustomize ROOT/packaging/kubernetes/overlays/local'
apply="$kube apply --filename -"
rollout="$kube rollout status deployment/mediad --timeout=660s"
deployed="$kube get deployment mediad"
address='minikube --profile minikube ip'
addon='minikube --profile minikube addons enable ingress'
controller='kubectl --context minikube --namespace ingress-nginx rollout status deployment/ingress-nginx-controller --timeout=660s'
pods="$kube get pods"
logs="$kube logs deployment/mediad --tail=20"

echo "deploy"
usual_answers
script 0 '' deploy
calls "$is_up" "$addon" "$controller" "$build" "$render" "$apply" "$rollout" "$address"
says 'http://media-management.local/api/v1/media-management'
says '192.0.2.7 media-management.local'
grep -q '^ *image: libmedia:[0-9]\{14\}$' "$work/applied" || fail "another image than the one that was built: $(cat "$work/applied")"
[ "$(stat -c %a "$secrets")" = 600 ] || fail "the secrets are not private"
grep -q '^UPLOAD_URL_SECRET=[0-9a-f]\{64\}$' "$secrets" || fail "no secret was drawn"
cp "$secrets" "$work/secrets"
script 0 '' deploy
cmp -s "$secrets" "$work/secrets" || fail "the secrets were drawn anew"
answer "$is_up" 7
script 0 '' deploy
calls "$is_up" 'minikube --profile minikube start' "$addon" "$controller" "$build" "$render" "$apply" "$rollout" "$address"

echo "deploy that fails at each step"
answer 'minikube*start' 1
script 1 '' deploy
complains 'minikube does not start'
calls "$is_up" 'minikube --profile minikube start'
usual_answers
answer 'minikube*addons*' 1
script 1 '' deploy
calls "$is_up" "$addon"
usual_answers
answer '*ingress-nginx-controller*' 1
script 1 '' deploy
calls "$is_up" "$addon" "$controller"
usual_answers
answer 'minikube*build*' 1
script 1 '' deploy
complains 'the image could not be built'
calls "$is_up" "$addon" "$controller" "$build"
usual_answers
answer '*kustomize*' 1
script 1 '' deploy
complains 'could not be rendered'
calls "$is_up" "$addon" "$controller" "$build" "$render"
usual_answers
answer '*apply*' 1
script 1 '' deploy
complains 'could not be applied'
calls "$is_up" "$addon" "$controller" "$build" "$render" "$apply"
usual_answers
answer '*rollout status deployment/mediad*' 1
script 1 '' deploy
complains 'mediad does not come up'
calls "$is_up" "$addon" "$controller" "$build" "$render" "$apply" "$rollout" "$pods" "$logs"

echo "start and stop"
usual_answers
script 0 '' start
calls "$is_up" "$deployed" "$kube scale deployment/mediad --replicas=1" "$rollout" "$address"
waiting="$kube get pods --selector app.kubernetes.io/name=mediad --output name"
script 0 '' stop
calls "$is_up" "$deployed" "$kube scale deployment/mediad --replicas=0" "$waiting" \
  "$kube wait --for=delete pod --selector app.kubernetes.io/name=mediad --timeout=660s"
answer '*kubectl*wait*' 1
script 1 '' stop
complains 'mediad does not end'
answer '*get pods --selector*' 0
script 0 '' stop
calls "$is_up" "$deployed" "$kube scale deployment/mediad --replicas=0" "$waiting"
answer '*scale*' 1
script 1 '' stop
calls "$is_up" "$deployed" "$kube scale deployment/mediad --replicas=0"
usual_answers
answer '*rollout status*' 1
script 1 '' start
calls "$is_up" "$deployed" "$kube scale deployment/mediad --replicas=1" "$rollout" "$pods" "$logs"
usual_answers
answer '*get deployment mediad' 1
for name in start stop update status; do
  script 1 '' "$name"
  complains 'mediad is not deployed'
  calls "$is_up" "$deployed"
done
usual_answers
answer "$is_up" 7
for name in start stop update status cleanup; do
  script 1 '' "$name"
  complains "the cluster 'minikube' does not run"
  calls "$is_up"
done

echo "update"
usual_answers
script 0 '' update
calls "$is_up" "$deployed" "$build" "$render" "$apply" "$rollout"
: >"$work/failures"
script 1 '' update
complains 'the one before runs'
calls "$is_up" "$deployed" "$build" "$render" "$apply" "$rollout" "$pods" "$logs" "$kube rollout undo deployment/mediad" "$rollout"
answer '*rollout status*' 1
script 1 '' update
complains 'neither the new mediad nor the one before comes up'
usual_answers
answer 'minikube*build*' 1
script 1 '' update
calls "$is_up" "$deployed" "$build"

echo "cleanup"
usual_answers
all="$kube delete ingress,service,deployment,poddisruptionbudget,networkpolicy,configmap,secret --selector app.kubernetes.io/part-of=libmedia --ignore-not-found"
claim="$kube delete persistentvolumeclaim --selector app.kubernetes.io/part-of=libmedia --ignore-not-found"
script 0 '' cleanup --force
calls "$is_up" "$all"
script 0 '' cleanup --force --keep-pvc
calls "$is_up" "$all"
script 0 '' cleanup --delete-pvc --force
calls "$is_up" "$all" "$claim"
script 0 'yes
' cleanup --keep-pvc
calls "$is_up" "$all"
script 0 'yes
yes
' cleanup
calls "$is_up" "$all" "$claim"
script 0 'yes
no
' cleanup
calls "$is_up" "$all"
script 0 'yes
yes
' cleanup --delete-pvc
calls "$is_up" "$all" "$claim"
# Nobody there to answer, or not the whole word: nothing goes.
for input in '' 'no
' 'y
' 'yes please
'; do
  for arguments in '' --keep-pvc --delete-pvc; do
    # shellcheck disable=SC2086 # one or none
    script 1 "$input" cleanup $arguments
    complains 'nothing was changed'
    calls "$is_up"
  done
done
script 1 'yes
y
' cleanup --delete-pvc
calls "$is_up"
answer '*delete ingress*' 1
script 1 '' cleanup --force --delete-pvc
complains 'not everything could be removed'
calls "$is_up" "$all"
for arguments in '--keep-pvc --delete-pvc' '--delete' '--force media'; do
  # shellcheck disable=SC2086 # words
  script 2 '' cleanup $arguments
  [ ! -s "$work/calls" ] || fail "something was called"
done

echo "status"
usual_answers
script 0 '' status
overview="$kube get deployment,pods,service,ingress,persistentvolumeclaim --output wide"
replicas="$kube get deployment mediad --output jsonpath={.spec.replicas}"
df="$kube exec deployment/mediad -- df -h /app/media"
calls "$is_up" "$deployed" "$overview" "$replicas" "$df" "$kube exec deployment/mediad -- mediad --healthcheck" "$address"
answer '*--healthcheck' 1
script 1 '' status
complains 'mediad is not ready'
usual_answers
answer '*jsonpath={.spec.replicas}*' 0 0
script 1 '' status
complains 'mediad is stopped'
calls "$is_up" "$deployed" "$overview" "$replicas"

echo "another cluster, help, and a tool that is missing"
usual_answers
export MEDIA_KUBE_CONTEXT=other
script 0 '' cleanup --force
calls 'minikube --profile other status' "$(echo "$all" | sed 's/context minikube/context other/')"
unset MEDIA_KUBE_CONTEXT
for name in deploy start stop update cleanup status; do
  script 0 '' "$name" --help
  says "usage: $name.sh"
  [ ! -s "$work/calls" ] || fail "help does something"
  script 2 '' "$name" --no-such-argument
  [ ! -s "$work/calls" ] || fail "a wrong argument does something"
done
mkdir "$work/few"
for tool in sh dirname cat; do ln -s "$(command -v "$tool")" "$work/few/$tool"; done
got=0
PATH="$work/few" "$work/tree/packaging/scripts/deploy.sh" >"$work/out" 2>"$work/err" || got=$?
[ "$got" = 1 ] || fail "deploy.sh ends with $got without minikube"
complains 'minikube is not installed'
echo "passed"
