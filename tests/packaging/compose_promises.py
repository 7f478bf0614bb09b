#!/usr/bin/env python3
"""What we promise of docker-compose.yml, once its variables are filled in: compose_promises.py CONFIG MEDIAD"""
import subprocess
import sys

import yaml


def environment_of(service):
    """Either form of the key: a mapping, or NAME=value lines."""
    variables = service.get("environment", {})
    if isinstance(variables, list):
        variables = dict(line.split("=", 1) for line in variables)
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in variables.items()}


def published(service):
    """host:port of each port, in either form."""
    return [port if isinstance(port, str) else f"{port.get('host_ip', '')}:{port['published']}:{port['target']}" for port in service.get("ports", [])]


def targets(service):
    return {volume.split(":")[1] if isinstance(volume, str) else volume["target"] for volume in service.get("volumes", [])}


def check_mediad(service, role, program):
    assert service["command"] == ["--role", role], service["command"]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] and service["pids_limit"]
    assert targets(service) == {"/app/media"}
    conditions = {name: after["condition"] for name, after in service["depends_on"].items()}
    assert conditions == {"postgres": "service_healthy", "bucket": "service_completed_successfully"}, conditions
    # The image's own check, `mediad --healthcheck`, is left in force.
    assert "healthcheck" not in service
    environment = environment_of(service)
    grace = int(environment.get("MEDIA_SERVICE_SERVER_SHUTDOWN_GRACE_SECONDS", 8))
    assert service["stop_grace_period"] == "30s" and grace < 30
    checked = subprocess.run([program, "--check-config", "--role", role], env=environment, timeout=60)
    assert checked.returncode == 0, "mediad refuses its settings"
    return environment


def main():
    path, program = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        services = yaml.safe_load(file)["services"]
    assert set(services) == {"mediad", "worker", "postgres", "objects", "bucket"}
    first = check_mediad(services["mediad"], "api", program)
    assert first == check_mediad(services["worker"], "worker", program), "the two share catalog and store, so their settings are one"
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in published(service)), "reachable from elsewhere"
    assert published(services["mediad"]) and not any(published(services[name]) for name in ("worker", "postgres", "objects"))
    postgres, objects = environment_of(services["postgres"]), environment_of(services["objects"])
    assert first["POSTGRES_HOST"] == "postgres"
    for name in ("POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD"):
        assert first[name] == postgres[name], name
    assert first["MEDIA_SERVICE_STORAGE_S3_ENDPOINT"] == "http://objects:9000"
    assert first["MEDIA_SERVICE_STORAGE_S3_ACCESS_KEY_ID"] == objects["MINIO_ROOT_USER"]
    assert first["MEDIA_SERVICE_STORAGE_S3_SECRET_ACCESS_KEY"] == objects["MINIO_ROOT_PASSWORD"]
    assert f"objects/{first['MEDIA_SERVICE_STORAGE_S3_BUCKET']}" in " ".join(services["bucket"]["entrypoint"])
    for name in ("postgres", "objects"):
        assert services[name]["healthcheck"]["test"], name
        image = services[name]["image"]
        assert ":" in image and not image.endswith(":latest"), image


if __name__ == "__main__":
    main()
