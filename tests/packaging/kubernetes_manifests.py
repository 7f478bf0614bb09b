#!/usr/bin/env python3
"""What tests/packaging/kubernetes.sh asks of rendered manifests.

    kubernetes_manifests.py types FILE              typed constants for the TypeScript compiler
    kubernetes_manifests.py promises FILE OVERLAY   what we promise of each overlay
    kubernetes_manifests.py settings FILE MEDIAD    what mediad --check-config says of them
"""
import base64
import json
import subprocess
import sys

import yaml

API = "/api/v1/media-management"
TYPES = {"monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator"}
ALWAYS = ["ConfigMap", "Secret", "PersistentVolumeClaim", "Deployment", "Service", "Ingress", "NetworkPolicy", "PodDisruptionBudget"]
SHARED = ["HorizontalPodAutoscaler", "ServiceMonitor"]


def documents(path):
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def types(path):
    lines = []
    for number, document in enumerate(documents(path)):
        kind, version = document["kind"], document["apiVersion"]
        package = TYPES.get(version, "kubernetes-models")
        lines.append(f'import type {{ I{kind} as T{number} }} from "{package}/{version}/{kind}";')
        lines.append(f"export const m{number}: T{number} = {json.dumps(document, indent=1)};")
    print("\n".join(lines))


class Manifests:
    def __init__(self, path):
        self.all = documents(path)

    def of(self, kind):
        return [one for one in self.all if one["kind"] == kind]

    def one(self, kind, name):
        found = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        assert len(found) == 1, f"{kind} {name}: {len(found)} of them"
        return found[0]

    def pods(self):
        return [one["spec"]["template"] for one in self.of("Deployment")]

    def selected(self, selector):
        return [pod for pod in self.pods() if selector.items() <= pod["metadata"]["labels"].items()]


def check_pod(manifests, pod):
    spec = pod["spec"]
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True and security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == 10001
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
    assert not spec.get("hostNetwork") and not spec.get("hostPID")
    [container] = spec["containers"]
    inner = container["securityContext"]
    assert inner == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, inner
    for resource in ("cpu", "memory", "ephemeral-storage"):
        assert container["resources"]["limits"][resource] and container["resources"]["requests"][resource]
    probes = {name: container[name]["httpGet"] for name in ("livenessProbe", "readinessProbe", "startupProbe")}
    assert probes["livenessProbe"]["path"] == probes["startupProbe"]["path"] == API + "/live", probes
    assert probes["readinessProbe"]["path"] == API + "/ready", probes
    ports = {port["name"] for port in container["ports"]}
    assert all(probe["port"] in ports for probe in probes.values())
    # mediad's own checks take up to 2 s.
    assert all(container[name]["timeoutSeconds"] > 2 for name in probes)
    for source in container["envFrom"]:
        for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if key in source:
                manifests.one(kind, source[key]["name"])
                assert "-" in source[key]["name"].removeprefix("mediad-config").removeprefix("mediad-secrets"), "no digest in the name"
    for volume in spec["volumes"]:
        manifests.one("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"media": "/app/media"}, mounts


def check_draining(manifests, pod):
    """A pod leaves the service, then drains, then is gone, in this order and within the time that it is given."""
    [container] = pod["spec"]["containers"]
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command[0] == "sleep"
    grace = int(environment_of(manifests)["MEDIA_SERVICE_SERVER_SHUTDOWN_GRACE_SECONDS"])
    assert pod["spec"]["terminationGracePeriodSeconds"] >= int(command[1]) + grace + 10


def check_references(manifests):
    for service in manifests.of("Service"):
        pods = manifests.selected(service["spec"]["selector"])
        assert len(pods) == 1, service["metadata"]["name"]
        ports = {port["name"] for port in pods[0]["spec"]["containers"][0]["ports"]}
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"])
    for deployment in manifests.of("Deployment"):
        assert manifests.selected(deployment["spec"]["selector"]["matchLabels"]) == [deployment["spec"]["template"]]
    for budget in manifests.of("PodDisruptionBudget"):
        assert len(manifests.selected(budget["spec"]["selector"]["matchLabels"])) == 1
        assert budget["spec"]["maxUnavailable"] == 1
    [policy] = manifests.of("NetworkPolicy")
    assert manifests.selected(policy["spec"]["podSelector"]["matchLabels"]) == manifests.pods(), "a pod without a policy"
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    [ingress] = manifests.of("Ingress")
    for rule in ingress["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            assert path["path"] == API
            service = manifests.one("Service", path["backend"]["service"]["name"])
            assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}


def check_local(manifests):
    [deployment] = manifests.of("Deployment")
    assert deployment["spec"]["replicas"] == 1 and deployment["spec"]["strategy"] == {"type": "Recreate"}
    [claim] = manifests.of("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"] and claim["spec"]["resources"]["requests"]["storage"] == "50Gi"
    assert not any(manifests.of(kind) for kind in SHARED)
    assert "POSTGRES_HOST" not in environment_of(manifests)
    check_draining(manifests, deployment["spec"]["template"])


def check_production(manifests):
    assert all(manifests.of(kind) for kind in SHARED)
    api, worker = manifests.one("Deployment", "mediad"), manifests.one("Deployment", "mediad-worker")
    assert api["spec"]["replicas"] == 3 and api["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    roles = [one["spec"]["template"]["spec"]["containers"][0]["args"] for one in (api, worker)]
    assert roles == [["--role", "api"], ["--role", "worker"]], roles
    [scaler] = manifests.of("HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mediad-worker"}
    assert "replicas" not in worker["spec"], "the autoscaler and the manifest would each say how many"
    [monitor] = manifests.of("ServiceMonitor")
    for service in manifests.of("Service"):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert {end["port"] for end in monitor["spec"]["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
    [claim] = manifests.of("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    environment = environment_of(manifests)
    assert environment["POSTGRES_HOST"] and environment["MEDIA_SERVICE_STORAGE_S3_BUCKET"]
    [secret] = manifests.of("Secret")
    assert {"UPLOAD_URL_SECRET", "POSTGRES_PASSWORD", "MEDIA_SERVICE_STORAGE_S3_SECRET_ACCESS_KEY"} <= secret["data"].keys()
    [ingress] = manifests.of("Ingress")
    assert {host for tls in ingress["spec"]["tls"] for host in tls["hosts"]} == {rule["host"] for rule in ingress["spec"]["rules"]}
    check_draining(manifests, api["spec"]["template"])


def promises(path, overlay):
    manifests = Manifests(path)
    for kind in ALWAYS:
        assert manifests.of(kind), f"no {kind}"
    assert all(one["metadata"].get("namespace", "media") == "media" for one in manifests.all)
    [space] = manifests.of("Namespace")
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    [config] = manifests.of("ConfigMap")
    assert not any("SECRET" in name or "PASSWORD" in name for name in config["data"]), "a secret in the config map"
    for pod in manifests.pods():
        check_pod(manifests, pod)
    check_references(manifests)
    {"local": check_local, "production": check_production}[overlay](manifests)


def environment_of(manifests):
    """As the kubelet makes it for the pod that answers requests."""
    [container] = manifests.one("Deployment", "mediad")["spec"]["template"]["spec"]["containers"]
    environment = {}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            environment.update(manifests.one("ConfigMap", source["configMapRef"]["name"])["data"])
        else:
            secret = manifests.one("Secret", source["secretRef"]["name"])
            environment.update({name: base64.b64decode(value).decode() for name, value in secret["data"].items()})
    environment.update({one["name"]: one["value"] for one in container.get("env", [])})
    return environment


def settings(path, mediad):
    environment = environment_of(Manifests(path))
    # The base leaves it to its overlays who may call.
    environment.setdefault("MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED", "false" if "MEDIA_SERVICE_AUTH_JWKS_URL" not in environment else "true")
    sys.exit(subprocess.run([mediad, "--check-config"], env=environment, timeout=60).returncode)


if __name__ == "__main__":
    {"types": types, "promises": promises, "settings": settings}[sys.argv[1]](*sys.argv[2:])
