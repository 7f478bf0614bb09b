#!/bin/bash
# A real S3 engine for a test: Ceph's object gateway over one monitor and one storage daemon that keeps its data in memory.
#
#   ceph_gateway.sh FOLDER PORT MONITOR_PORT BUCKET…
#
# Makes the buckets, then writes the port into FOLDER/ready and stays until it is told to stop; what it started dies with it. Two users:
# the owner of the buckets (access key OWNERKEY, secret key owner-secret) and one who may not touch them (GUESTKEY, guest-secret).
# With GATEWAY_TLS_PORT and GATEWAY_CERTIFICATE (PEM with its key) it answers there by https as well. GATEWAY_BYTES: how much it may hold.
# Runs as root, needs no service manager, and listens on the loopback interface only.
set -euo pipefail

folder=$1 port=$2 monitor_port=$3
shift 3
mkdir -p "$folder"/{monitor,storage,gateway,run}
conf=$folder/ceph.conf
cluster=$(cat /proc/sys/kernel/random/uuid)
frontend="beast endpoint=127.0.0.1:$port"
if [ -n "${GATEWAY_TLS_PORT:-}" ]; then
  frontend+=" ssl_endpoint=127.0.0.1:$GATEWAY_TLS_PORT ssl_certificate=$GATEWAY_CERTIFICATE"
fi

cat >"$conf" <<CONF
[global]
fsid = $cluster
mon initial members = m
mon host = [v1:127.0.0.1:$monitor_port]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr2 = false
keyring = $folder/keyring
run dir = $folder/run
admin socket = $folder/run/\$name.socket
pid file = $folder/run/\$name.pid
log file = $folder/\$name.log
mon data = $folder/monitor
mon data avail warn = 1
mon data avail crit = 1
mon allow pool size one = true
mon max pg per osd = 2000
paxos propose interval = 0.02
paxos min wait = 0.01
osd data = $folder/storage
osd objectstore = memstore
memstore device bytes = ${GATEWAY_BYTES:-2147483648}
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
rgw data = $folder/gateway
rgw frontends = $frontend
rgw dns name = localhost
rgw thread pool size = 64
rgw run sync thread = false
CONF

children=()
stop() {
  for child in "${children[@]}"; do kill -KILL "$child" 2>/dev/null || true; done
  exit 0
}
trap stop TERM INT
# However this script ends, what it started ends too.
beside() {
  setpriv --pdeathsig KILL "$@" >>"$folder/output" 2>&1 &
  children+=($!)
}

ceph-authtool --create-keyring "$folder/keyring" --gen-key -n mon. --cap mon 'allow *' >/dev/null
for name in client.admin client.rgw osd.0; do
  ceph-authtool "$folder/keyring" --gen-key -n "$name" --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' >/dev/null
done
monmaptool --create --fsid "$cluster" --addv m "[v1:127.0.0.1:$monitor_port]" "$folder/monmap" >/dev/null
ceph-mon -c "$conf" -i m --mkfs --monmap "$folder/monmap" --keyring "$folder/keyring"
beside ceph-mon -c "$conf" -i m -f
ceph -c "$conf" --connect-timeout 20 auth import -i "$folder/keyring" >/dev/null 2>&1
storage=$(cat /proc/sys/kernel/random/uuid)
ceph -c "$conf" --connect-timeout 20 osd new "$storage" 0 >/dev/null
ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$storage" >>"$folder/output" 2>&1
beside ceph-osd -c "$conf" -i 0 -f
beside radosgw -c "$conf" -n client.rgw -f

user() {
  timeout 60 radosgw-admin -c "$conf" -n client.rgw user create --uid="$1" --display-name="$1" --access-key="$2" --secret-key="$3" \
    >>"$folder/output" 2>&1
}
for ((i = 0; i < 300; i++)); do
  if curl -s --noproxy '*' -o /dev/null "http://127.0.0.1:$port/"; then break; fi
  sleep 0.1
done
user owner OWNERKEY owner-secret
user guest GUESTKEY guest-secret

empty=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
for bucket in "$@"; do
  curl -sS --fail --noproxy '*' -o /dev/null --aws-sigv4 aws:amz:us-east-1:s3 --user OWNERKEY:owner-secret \
    -H "x-amz-content-sha256: $empty" -X PUT -H 'Content-Length: 0' "http://127.0.0.1:$port/$bucket"
done
echo "$port" >"$folder/ready.part"
mv "$folder/ready.part" "$folder/ready"
wait || true
stop
