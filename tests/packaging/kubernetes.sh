#!/bin/sh
# packaging/kubernetes without a cluster: kubernetes.sh SOURCE_FOLDER BUILD_FOLDER MEDIAD
# Both overlays are rendered, checked against the API's types, against what we ask of them (kubernetes_manifests.py), and their settings
# by mediad itself. Exit code 77, a skipped test, where a tool is missing; under CI that is a failure.
set -eu

source=$1
tools=$2/tests/packaging-node
mediad=$(realpath "$3")
checks=$source/tests/packaging/kubernetes_manifests.py

cannot() {
  if [ -n "${CI:-}" ]; then
    echo "FAILED: $*, and CI is set" >&2
    exit 1
  fi
  echo "SKIPPED: $*" >&2
  exit 77
}
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# Debian 12 has none that reads these manifests, so that its absence is no fault of whoever set the machine up.
command -v kubectl >/dev/null 2>&1 || {
  echo "SKIPPED: there is no kubectl" >&2
  exit 77
}
for tool in node npm python3; do command -v "$tool" >/dev/null 2>&1 || cannot "there is no $tool (packaging/deps/test.txt)"; done

mkdir -p "$tools"
cp "$source/tests/packaging/node/package.json" "$source/tests/packaging/node/package-lock.json" "$tools"
if ! cmp -s "$tools/package-lock.json" "$tools/node_modules/.installed"; then
  (cd "$tools" && npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --fetch-retries=1 --fetch-timeout=20000 >npm.log 2>&1) || {
    cat "$tools/npm.log" >&2
    cannot "npm ci could not install the API's types"
  }
  cp "$tools/package-lock.json" "$tools/node_modules/.installed"
fi

work=$tools/work
rm -rf "$work"
mkdir -p "$work"
cp -r "$source/packaging/kubernetes" "$work/kubernetes"
for overlay in local production; do
  folder=$work/kubernetes/overlays/$overlay
  # As an operator fills it in: every key that the example names, drawn by chance.
  sed 's/^\([A-Z].*=\)$/\16f1ed002ab5595859014ebf0951522d9/' "$folder/secrets.env.example" >"$folder/secrets.env"
  kubectl kustomize "$folder" >"$work/$overlay.yaml" 2>"$work/$overlay.err" || {
    cat "$work/$overlay.err" >&2
    fail "kubectl kustomize does not make the overlay $overlay"
  }
  [ ! -s "$work/$overlay.err" ] || fail "kubectl kustomize warns of $overlay: $(cat "$work/$overlay.err")"
done

# types NAME…: each NAME.yaml as typed constants.
types() {
  rm -f "$tools"/manifest_*.ts
  for name in "$@"; do python3 "$checks" types "$work/$name.yaml" >"$tools/manifest_$name.ts"; done
  (cd "$tools" && node_modules/.bin/tsc --noEmit --strict --skipLibCheck --target es2022 --module nodenext manifest_*.ts)
}
types local production || fail "the manifests are not what the API accepts"
# The check finds what it is there for: a wrong type, and a field that there is none of.
sed 's/readinessProbe:/readynessProbe:/' "$work/local.yaml" >"$work/typo.yaml"
sed 's/maxReplicas: 8/maxReplicas: eight/' "$work/production.yaml" >"$work/wrong.yaml"
if types typo wrong >"$work/types.log"; then fail "the check lets faults pass"; fi
grep -q readynessProbe "$work/types.log" || fail "the check does not name the field: $(cat "$work/types.log")"
grep -q "Type 'string' is not assignable to type 'number'" "$work/types.log" || fail "the check does not say what is wrong: $(cat "$work/types.log")"

for overlay in local production; do
  python3 "$checks" promises "$work/$overlay.yaml" "$overlay" || fail "$overlay does not keep its promises"
  python3 "$checks" settings "$work/$overlay.yaml" "$mediad" || fail "mediad refuses the settings of $overlay"
done

# What stands in the base is a placeholder, and one that mediad does not start with.
kubectl kustomize "$work/kubernetes/base" >"$work/base.yaml"
if python3 "$checks" settings "$work/base.yaml" "$mediad" 2>"$work/base.err"; then
  fail "mediad takes the placeholder for a secret"
fi
grep -q UPLOAD_URL_SECRET "$work/base.err" || fail "mediad says: $(cat "$work/base.err")"
echo "passed"
