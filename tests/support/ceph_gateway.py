"""A real S3 engine beside a test in Python: ceph_gateway.sh, with one bucket."""
import os
import signal
import socket
import subprocess
import sys
import time


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class ObjectStore:
    """Ends with `stop`; what it started dies with it."""

    ACCESS_KEY, SECRET_KEY = "OWNERKEY", "owner-secret"

    def __init__(self, folder, bucket="media"):
        self.port, self.bucket = free_port(), bucket
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ceph_gateway.sh")
        self.process = subprocess.Popen(["bash", script, folder, str(self.port), str(free_port()), bucket], stdin=subprocess.DEVNULL, stdout=sys.stderr)
        for _ in range(600):
            if os.path.exists(os.path.join(folder, "ready")) or self.process.poll() is not None:
                break
            time.sleep(0.1)
        if not os.path.exists(os.path.join(folder, "ready")):
            sys.exit("the object store did not start")

    def settings(self):
        """What mediad has to be told to keep its blobs here."""
        named = {"BUCKET": self.bucket, "ENDPOINT": f"http://127.0.0.1:{self.port}", "ACCESS_KEY_ID": self.ACCESS_KEY, "SECRET_ACCESS_KEY": self.SECRET_KEY}
        return {f"MEDIA_SERVICE_STORAGE_S3_{name}": value for name, value in named.items()}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
