#!/bin/bash
# The S3 store against s3cmd on one gateway, in pairs, and 2 GiB in bounded memory.
#   s3_bench.sh BENCH_PROGRAM [PAIRS] [MEBIBYTES]
set -euo pipefail

program=$(realpath "$1") pairs=${2:-5} mebibytes=${3:-256}
here=$(dirname "$(realpath "$0")")
folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
monitor=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
GATEWAY_BYTES=17179869184 "$here/../support/ceph_gateway.sh" "$folder/gateway" "$port" "$monitor" media >"$folder/log" 2>&1 &
gateway=$!
finish() {
  kill "$gateway" 2>/dev/null || true
  wait "$gateway" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
for ((i = 0; i < 600; i++)); do
  [ -e "$folder/gateway/ready" ] && break
  sleep 0.1
done

export AWS_ACCESS_KEY_ID=OWNERKEY AWS_SECRET_ACCESS_KEY=owner-secret
endpoint=http://127.0.0.1:$port
s3cmd() {
  command s3cmd --config=/dev/null --access_key="$AWS_ACCESS_KEY_ID" --secret_key="$AWS_SECRET_ACCESS_KEY" --host="127.0.0.1:$port" \
    --host-bucket="127.0.0.1:$port" --no-ssl --quiet "$@"
}
content() { head -c "$1" /dev/zero | openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00000000000000000000000000000000; }
seconds() {
  local began
  began=$(date +%s.%N)
  "$@" >/dev/null
  echo "$(date +%s.%N) - $began" | bc
}

content $((mebibytes << 20)) >"$folder/file"
hex=$(sha256sum "$folder/file" | cut -d' ' -f1)
echo "pairs of $mebibytes MiB, seconds: put ours, put s3cmd; get ours, get s3cmd"
for ((i = 0; i < pairs; i++)); do
  ours=$(seconds "$program" put "$endpoint" media "$folder/file")
  theirs=$(seconds s3cmd put "$folder/file" s3://media/theirs)
  ours_get=$(seconds "$program" get "$endpoint" media "$hex" "$folder/ours")
  theirs_get=$(seconds s3cmd --force get s3://media/theirs "$folder/theirs")
  cmp "$folder/ours" "$folder/file"
  cmp "$folder/theirs" "$folder/file"
  echo "  $ours $theirs; $ours_get $theirs_get"
done
rm "$folder/ours" "$folder/theirs"

echo "2 GiB:"
content $((2 << 30)) >"$folder/file"
"$program" put "$endpoint" media "$folder/file"
"$program" get "$endpoint" media "$(sha256sum "$folder/file" | cut -d' ' -f1)" "$folder/back"
cmp "$folder/back" "$folder/file"
