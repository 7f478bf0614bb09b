#!/usr/bin/env python3
"""Cuts the power of a filesystem while processes store blobs in it, again and again.

usage: power_cut.py BLOB_STORE_PROGRAM [ROUNDS [PACK_BELOW]]    needs root: a loop device and a mount

An ext4 on a loop device is shut down without a flush (FS_IOC_SHUTDOWN) at a random moment: what was not synced is gone, as in a power cut. Then it
is mounted again, and every blob that was acknowledged must be there and whole, and every one that is visible must be whole. Every third round
segments are rewritten when the power goes. The last rounds are negative controls, whose syncs are made to do nothing: a rig that finds
nothing lost there is broken.
"""
import contextlib
import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NO_LOG_FLUSH = b"\x02\0\0\0"


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Disk:
    def __init__(self, folder):
        self.image = os.path.join(folder, "disk.img")
        self.mount_point = os.path.join(folder, "disk")
        os.mkdir(self.mount_point)
        with open(self.image, "wb") as image:
            image.truncate(512 << 20)
        run("mkfs.ext4", "-q", "-F", self.image)
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", self.image, self.mount_point)

    def cut(self):
        descriptor = os.open(self.mount_point, os.O_RDONLY)
        fcntl.ioctl(descriptor, SHUTDOWN, NO_LOG_FLUSH)
        os.close(descriptor)

    def unmount(self):
        for _ in range(50):
            if subprocess.run(["umount", self.mount_point], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)
        subprocess.run(["umount", "-l", self.mount_point], stderr=subprocess.DEVNULL, check=False)


def acked_in(path):
    with open(path, encoding="ascii", errors="replace") as output:
        lines = output.read().split("\n")[:-1]  # the last one may be cut short
    return [line.split()[1] for line in lines if line.startswith("acked ")]


def cut_during(disk, commands, folder, seconds):
    """Runs the commands until the power goes; what they said was stored."""
    outputs = [os.path.join(folder, f"output{i}") for i in range(len(commands))]
    processes = []
    for command, output in zip(commands, outputs):
        with open(output, "wb") as file:
            processes.append(subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL, start_new_session=True))
    # On a busy machine the first blob may take its time.
    patience = time.monotonic() + 20
    while time.monotonic() < patience:
        if all(acked_in(output) or process.poll() is not None for output, process in zip(outputs, processes)):
            break
        time.sleep(0.01)
    time.sleep(seconds)
    # What was acknowledged before the power went. While it goes, ext4 may answer a sync with success that it does not carry out any more.
    acked = [acked_in(output) for output in outputs]
    disk.cut()
    for process in processes:
        with contextlib.suppress(ProcessLookupError):  # one that was through, and waited for
            os.killpg(process.pid, signal.SIGKILL)  # with what it traces, which would keep the mount busy
        process.wait()
    disk.unmount()
    disk.mount()
    return acked


def check(program, base, acked):
    checked = subprocess.run([program, "check", base], input="".join(f"{each}\n" for each in acked), text=True, capture_output=True)
    faults = [line for line in checked.stdout.splitlines() if line.startswith(("lost", "torn"))]
    if checked.returncode not in (0, 1) or (checked.returncode == 1 and not faults):
        sys.exit(f"the store cannot be checked: {checked.stdout[-300:]}{checked.stderr[-300:]}")
    return faults


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.geteuid() != 0 and "CI" not in os.environ:
        print("skipped: only root may mount")
        sys.exit(77)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))  # so that nothing stays mounted
    program = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    pack_below = sys.argv[3] if len(sys.argv) > 3 else "262144"
    seed = random.randrange(1 << 32)
    random.seed(seed)
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(folder)
        try:
            base = os.path.join(disk.mount_point, "base")
            acked = set()
            total = 0
            for number in range(rounds):
                if number % 3 == 2:
                    (kept,) = cut_during(disk, [[program, "compact", base]], folder, random.uniform(0.001, 0.08))
                    acked &= set(kept)  # half of them were to be removed
                else:
                    writers = [[program, "many", base, pack_below, f"{seed}/{number}/{i}", "100000"] for i in range(2)]
                    stored = cut_during(disk, writers, folder, random.uniform(0.05, 0.5))
                    total += sum(map(len, stored))
                    acked.update(*stored)
                faults = check(program, base, sorted(acked))
                if faults:
                    sys.exit(f"round {number} of seed {seed}: {len(faults)} faults, such as {faults[0]}")
                if number % 20 == 19:
                    print(f"{number + 1} power cuts so far, {total} blobs acknowledged", flush=True)
            if total < 10 * rounds:
                sys.exit(f"only {total} blobs were stored in {rounds} rounds")
            lost = 0
            for number in range(5):
                lying = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:retval=0"]
                writers = [[*lying, program, "many", os.path.join(disk.mount_point, "control"), pack_below, f"control{number}", "100000"]]
                stored = cut_during(disk, writers, folder, random.uniform(0.5, 1.0))
                # What went in before a control and did not reach the disk is no reason to doubt the rig: only this one's are looked at.
                lost += len([fault for fault in check(program, os.path.join(disk.mount_point, "control"), stored[0]) if fault.startswith("lost")])
            if lost == 0:
                sys.exit("the negative control lost nothing: this rig cannot tell")
            print(f"{rounds} power cuts, {total} blobs acknowledged, none lost, none torn; the control lost {lost}; seed {seed}")
        finally:
            disk.unmount()


if __name__ == "__main__":
    main()
