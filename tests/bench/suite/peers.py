# SPDX-License-Identifier: Apache-2.0
"""Other recorders on the same machine, in the same run: slowdown, BPF time, CPU, bytes per process.

Each is started, stopped by its PID, and what it wrote is removed. auditd is the last: once the kernel has
audited, system calls stay a little slower until the next boot. It is not installed but unpacked, has a
configuration and a log of its own, and its rules name a login uid that only the workload has.
"""

import glob
import json
import os
import shutil
import signal
import statistics
import subprocess
import time

import measure
from machine import Failure, Programs, cpu_ns, output, read, spread

BPFTRACE = """
tracepoint:sched:sched_process_fork { printf("F %d %d %s\\n", args->parent_pid, args->child_pid, comm); }
tracepoint:sched:sched_process_exec { printf("E %d %s\\n", args->pid, str(args->filename)); }
tracepoint:sched:sched_process_exit { printf("X %d %s\\n", args->pid, comm); }
"""
SCHED = ",".join(f"sched:sched_process_{what}" for what in ("fork", "exec", "exit"))
# A login uid that nobody else has.
AUID = 424242
START_SECONDS = 20
STOP_SECONDS = 20


class Peer:
    """A program that runs beside the workload. command: with {out}, where it writes what it finds."""

    def __init__(self, name, command, programs=0, writes_itself=False):
        self.name, self.command, self.programs = name, command, programs
        self.writes_itself = writes_itself
        self.child = self.out = None

    def start(self, machine):
        self.out = machine.path(f"{self.name}.out")
        command = [part.replace("{out}", self.out) for part in self.command]
        with open(os.devnull if self.writes_itself else self.out, "wb") as out:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while self.programs and len(Programs(self.child.pid).ids) < self.programs:
            if self.child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Failure(f"{self.name} did not start")
            time.sleep(0.05)
        time.sleep(0.5)
        if self.child.poll() is not None:
            raise Failure(f"{self.name} ended at once")

    def stop(self):
        child, self.child = self.child, None
        if not child:
            return
        child.send_signal(signal.SIGINT)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def remove(self):
        for path in (self.out, f"{self.out}.old"):
            if path and os.path.exists(path):
                os.unlink(path)


class Running:
    """A peer while a slice is measured; keeps what it cost."""

    def __init__(self, machine, peer):
        self.machine, self.peer = machine, peer

    def __enter__(self):
        self.peer.start(self.machine)
        return self

    def __exit__(self, *_):
        self.peer.stop()
        self.peer.remove()


PEERS = [
    Peer("bpftrace", ["bpftrace", "-e", BPFTRACE], programs=3),
    Peer("execsnoop", ["execsnoop"], programs=2),
    Peer("exitsnoop", ["exitsnoop"], programs=1),
    Peer("forkstat", ["forkstat", "-e", "fork,exec,exit"]),
    Peer("perf", ["perf", "record", "-q", "-a", "-e", SCHED, "-o", "{out}"], writes_itself=True),
]


def cost(machine, figures, peer):
    """BPF time, CPU and bytes per process that was made."""
    key = f"peer.{peer.name}"
    with Running(machine, peer):
        programs = Programs(peer.child.pid)
        machine.churn("spawn", 1, 0.5)
        cpu, size = cpu_ns(peer.child.pid), os.path.getsize(peer.out)
        made = machine.churn("spawn", 1, 2)["made"]
        time.sleep(0.5)
        figures[f"{key}.cpu_us"] = (cpu_ns(peer.child.pid) - cpu) / 1000 / made
        figures[f"{key}.bytes"] = (os.path.getsize(peer.out) - size) / made
        figures[f"{key}.rss_mib"] = measure.rss_mib(peer.child.pid)
        if peer.programs:
            machine.bpf_stats(True)
            slices = [measure.bpf_slice(machine, programs) for _ in range(3)]
            machine.bpf_stats(False)
            figures[f"{key}.bpf_ns"] = min(s["ns"] for s in slices)


def beside(machine, figures, peer):
    cost(machine, figures, peer)
    for name in ("spawn_1", "spawn_2", "true_1"):
        measure.compare(machine, figures, name, f"peer.{peer.name}.",
                        lambda: Running(machine, peer), 2 if machine.quick else 4)


def below(machine, figures, name, prefix):
    """strace starts the workload: slices in turn, one below it and one without."""
    mode, workers = measure.WORKLOADS[name]
    command = machine.churn_command(mode, workers, 0.8)
    rates = {True: [], False: []}
    for _ in range(2 if machine.quick else 4):
        for traced in (False, True):
            out = output(*(prefix if traced else []), *command)
            rates[traced].append(json.loads(out)["rate"])
    bare, traced = (statistics.median(rates[which]) for which in (False, True))
    key = f"peer.strace.{name}"
    figures[f"{key}.slowdown"] = bare / traced
    figures[f"{key}.added_us"] = workers * 1e6 * (1 / traced - 1 / bare)
    figures[f"{key}.slowdown.spread"] = spread(rates[False])


def strace(machine, figures):
    prefix = ["strace", "-f", "--seccomp-bpf", "-e", "trace=process", "-o", machine.path("strace.out")]
    for name in ("spawn_1", "true_1"):
        below(machine, figures, name, prefix)
    os.unlink(machine.path("strace.out"))


class Audit:
    """auditd with rules for exec, fork and exit of one login uid."""

    RULES = [["-S", "execve,execveat"], ["-S", "fork,vfork,clone,clone3"], ["-S", "exit,exit_group"]]

    def __init__(self, machine):
        self.machine, self.child = machine, None
        self.root, self.log = machine.path("audit"), machine.path("audit/audit.log")
        self.rules = [["-F", "arch=b64", *rule, "-F", f"auid={AUID}", "-k", "lineaged-bench"]
                      for rule in self.RULES]

    def unpack(self):
        os.makedirs(f"{self.root}/partial")
        # With the libraries that are missing here, and nothing is installed.
        output("apt-get", "-qq", "-y", "--no-install-recommends", "--download-only",
               "-o", f"Dir::Cache::archives={self.root}", "install", "auditd")
        for package in glob.glob(f"{self.root}/*.deb"):
            output("dpkg", "-x", package, self.root)
        config = os.path.join(self.root, "config")
        os.makedirs(f"{config}/plugins.d")
        with open(f"{config}/auditd.conf", "w", encoding="utf-8") as file:
            file.write(f"log_file = {self.log}\nlog_format = RAW\nflush = INCREMENTAL_ASYNC\n"
                       "freq = 50\nmax_log_file = 4000\nnum_logs = 2\nmax_log_file_action = ROTATE\n"
                       f"priority_boost = 0\nplugin_dir = {config}/plugins.d\n"
                       "write_logs = yes\ndisk_full_action = IGNORE\ndisk_error_action = IGNORE\n"
                       "space_left = 75\nadmin_space_left = 50\nadmin_space_left_action = IGNORE\n")
        os.chmod(f"{config}/auditd.conf", 0o640)
        return config

    def environment(self):
        libraries = glob.glob(f"{self.root}/lib/*") + glob.glob(f"{self.root}/usr/lib/*")
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}

    def tool(self, name, *arguments):
        return output(f"{self.root}/sbin/{name}", *arguments, env=self.environment())

    def status(self):
        return dict(line.split()[:2] for line in self.tool("auditctl", "-s").splitlines()
                    if len(line.split()) > 1)

    def start(self):
        config = self.unpack()
        self.before = self.status()
        if self.before.get("pid", "0") != "0" or "No rules" not in self.tool("auditctl", "-l"):
            raise Failure("this machine is audited already")
        self.child = subprocess.Popen([f"{self.root}/sbin/auditd", "-n", "-c", config],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL, env=self.environment())
        deadline = time.monotonic() + START_SECONDS
        while self.status().get("pid") != str(self.child.pid):
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise Failure("auditd did not start")
            time.sleep(0.1)
        self.tool("auditctl", "-b", "65536")
        self.tool("auditctl", "-e", "1")

    def __enter__(self):
        for rule in self.rules:
            self.tool("auditctl", "-a", "always,exit", *rule)
        return self

    def __exit__(self, *_):
        for rule in self.rules:
            self.tool("auditctl", "-d", "always,exit", *rule)

    def stop(self):
        if self.child:
            self.tool("auditctl", "-e", self.before.get("enabled", "0"))
            self.tool("auditctl", "-b", self.before.get("backlog_limit", "64"))
            self.child.send_signal(signal.SIGTERM)
            self.child.wait(STOP_SECONDS)
        shutil.rmtree(self.root, ignore_errors=True)


class Audited(measure.Comparison):
    """Slices of a workload with the login uid that the rules name, bare ones too."""

    def slice(self):
        return json.loads(output("sh", "-c", f'echo {AUID} >/proc/self/loginuid; exec "$@"', "-",
                                 *self.machine.churn_command(self.mode, self.workers, self.seconds)))["rate"]


def auditd(machine, figures):
    audit = Audit(machine)
    try:
        audit.start()
        for name in ("spawn_1", "spawn_2", "true_1"):
            mode, workers = measure.WORKLOADS[name]
            comparison = Audited(machine, mode, workers)
            comparison.run(lambda: audit, 2 if machine.quick else 4)
            key = f"peer.auditd.{name}"
            figures[f"{key}.slowdown"] = comparison.slowdown()
            figures[f"{key}.added_us"] = comparison.added_us()
            figures[f"{key}.slowdown.spread"] = spread(comparison.bare)
        audit_cost(audit, machine, figures)
    finally:
        audit.stop()


def audit_cost(audit, machine, figures):
    comparison = Audited(machine, "spawn", 1)
    comparison.seconds = 2
    with audit:
        cpu, size = cpu_ns(audit.child.pid), os.path.getsize(audit.log)
        made = comparison.slice() * comparison.seconds
        time.sleep(1)
        figures["peer.auditd.cpu_us"] = (cpu_ns(audit.child.pid) - cpu) / 1000 / made
        figures["peer.auditd.bytes"] = (os.path.getsize(audit.log) - size) / made
        figures["peer.auditd.rss_mib"] = measure.rss_mib(audit.child.pid)
        figures["peer.auditd.lost"] = int(audit.status().get("lost", 0))


def relate(figures):
    """What the goals say in parts of a peer's."""
    def ratio(name, ours, theirs, factor=1):
        if ours in figures and figures.get(theirs):
            figures[name] = factor * figures[ours] / figures[theirs]
    ratio("bpf_ns.of_bpftrace", "bpf_ns", "peer.bpftrace.bpf_ns")
    ratio("bpf_ns.of_execsnoop", "bpf_ns", "peer.execsnoop.bpf_ns")
    ratio("added.of_bpftrace", "spawn_1.added_us", "peer.bpftrace.spawn_1.added_us")
    ratio("added.of_auditd", "spawn_1.added_us", "peer.auditd.spawn_1.added_us")
    # auditd's is per process: three events.
    ratio("cpu.of_auditd", "exec_storm.cpu_us", "peer.auditd.cpu_us", 3)


def mount_tracing():
    for kind, where in (("tracefs", "/sys/kernel/tracing"), ("debugfs", "/sys/kernel/debug")):
        if not any(line.split()[1] == where for line in read("/proc/mounts").splitlines()):
            output("mount", "-t", kind, "lineaged-bench", where)


def attempt(what, figures, function):
    """A peer that does not run here is left out, and said so."""
    began = time.monotonic()
    try:
        function()
        measure.say(f"{what}: {time.monotonic() - began:.0f} s")
    except (Failure, OSError, subprocess.TimeoutExpired) as failure:
        figures[f"peer.{what}.failed"] = str(failure)
        measure.say(f"{what}: left out: {failure}")


def run(machine, figures):
    mount_tracing()
    for peer in PEERS:
        try:
            attempt(peer.name, figures, lambda peer=peer: beside(machine, figures, peer))
        finally:
            peer.stop()
    attempt("strace", figures, lambda: strace(machine, figures))
    attempt("auditd", figures, lambda: auditd(machine, figures))
    relate(figures)


def table(figures):
    """A line per peer; lineaged first."""
    columns = [("slowdown 1", "spawn_1.slowdown", "x{:.2f}"), ("added us", "spawn_1.added_us", "{:.1f}"),
               ("slowdown all", "spawn_2.slowdown", "x{:.2f}"), ("/bin/true", "true_1.slowdown", "x{:.2f}"),
               ("BPF ns", "bpf_ns", "{:.0f}"), ("CPU us", "cpu_us", "{:.1f}"), ("bytes", "bytes", "{:.0f}"),
               ("RSS MiB", "rss_mib", "{:.0f}")]
    ours = {**figures, "cpu_us": 3 * figures.get("exec_storm.cpu_us", 0),
            "bytes": 3 * figures.get("bytes", 0), "rss_mib": figures.get("memory.rss_mib")}
    rows = [["per spawn"] + [column[0] for column in columns]]
    names = ["lineaged"] + [peer.name for peer in PEERS] + ["strace", "auditd"]
    for name in names:
        prefix = "" if name == "lineaged" else f"peer.{name}."
        values = [(ours if not prefix else figures).get(prefix + column[1]) for column in columns]
        rows.append([name] + [column[2].format(value) if value else "-"
                              for column, value in zip(columns, values)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(f"{row[0]:<{widths[0]}}  " + "  ".join(f"{cell:>{width}}" for cell, width
                                                       in zip(row[1:], widths[1:])) for row in rows)
