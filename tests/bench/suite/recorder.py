# SPDX-License-Identifier: Apache-2.0
"""lineaged as a process: started until it says that it is ready, measured, stopped cleanly."""

import os
import signal
import sqlite3
import subprocess
import time

from machine import BPFFS, Failure, Programs, cpu_ns, memory_kib

READY_SECONDS = 30
STOP_SECONDS = 120
SETTLE_SECONDS = 60


class Recorder:
    """One run. A context: `with Recorder(machine) as recorder`."""

    def __init__(self, machine, db=None, settings=""):
        self.machine = machine
        self.db = db or machine.path("lineage.db")
        self.pins = os.path.join(BPFFS, f"bench-{os.getpid()}")
        self.log = machine.path("lineaged.log")
        self.config = machine.path("lineaged.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(settings)
        self.child = None
        self.ready_ms = None
        # What it said after it was ready.
        self.said = ""

    def __enter__(self):
        command = [self.machine.lineaged, "--config", self.config, "--db", self.db,
                   "--pin-dir", self.pins, "--include-cgroup", self.machine.cgroup]
        began = time.monotonic()
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.child.stderr:
            said.append(line)
            if line.startswith("lineaged: ready"):
                self.ready_ms = (time.monotonic() - began) * 1000
                break
            if time.monotonic() - began > READY_SECONDS:
                break
        if self.ready_ms is None:
            self.child.kill()
            self.child.wait()
            raise Failure("lineaged did not get ready: " + "".join(said)[-400:])
        return self

    def __exit__(self, *_):
        if self.child:
            self.stop()

    @property
    def pid(self):
        return self.child.pid

    def stop(self):
        child, self.child = self.child, None
        child.send_signal(signal.SIGTERM)
        try:
            _, self.said = child.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise Failure(f"lineaged has not stopped after {STOP_SECONDS} s") from None
        if child.returncode:
            raise Failure(f"lineaged ended with status {child.returncode}: {self.said[-400:]}")

    def cpu_ns(self):
        return cpu_ns(self.pid)

    def settle(self):
        """Until it has stored what waits in the ring and beside it: that belongs to the cost."""
        until = time.monotonic() + SETTLE_SECONDS
        used = self.cpu_ns()
        while time.monotonic() < until:
            time.sleep(1)
            before, used = used, self.cpu_ns()
            if used - before < 50_000_000:
                return
        raise Failure(f"lineaged still works {SETTLE_SECONDS} s after the load")

    def memory_kib(self):
        return memory_kib(self.pid)

    def programs(self):
        return Programs(self.pid)

    def ring(self):
        return os.path.join(self.pins, "events")

    def ask(self, sql, *values):
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as db:
            return db.execute(sql, values).fetchall()

    def forget(self):
        """Removes the database; not while it runs."""
        for suffix in ("", "-wal", "-shm", "-status.json"):
            try:
                os.unlink(self.db + suffix)
            except FileNotFoundError:
                pass
