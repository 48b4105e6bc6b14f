# SPDX-License-Identifier: Apache-2.0
"""What the benchmark needs of the machine: a cgroup, a BPF file system, counters, programs.

Everything taken is given back by Machine.close(). Nothing here knows what is measured.
"""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

BPF_STATS = "/proc/sys/kernel/bpf_stats_enabled"
BPFFS = "/sys/fs/bpf"
# More than this between bare runs, and times say nothing.
NOISE_LIMIT = 0.15


class Failure(Exception):
    """The benchmark cannot go on; the text says why."""


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def output(*command, ok=(0,), **options):
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                            check=False, **options)
    if result.returncode not in ok:
        raise Failure(f"{command[0]}: status {result.returncode}: {result.stderr.strip()[-400:]}")
    return result.stdout


def spread(values):
    """Of repeated runs: from the second smallest to the second largest, in parts of the median."""
    ordered = sorted(values)
    if len(ordered) > 4:
        ordered = ordered[1:-1]
    return (ordered[-1] - ordered[0]) / statistics.median(ordered)


def cpu_ns(pid):
    """CPU time of every thread of a process, by the scheduler's exact account."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            total += int(read(f"/proc/{pid}/task/{task}/schedstat").split()[0])
        except OSError:
            pass
    return total


def memory_kib(pid):
    """Resident, its peak, and what is this process's alone, in KiB."""
    def fields(path):
        pairs = (line.split(":", 1) for line in read(path).splitlines() if line.endswith(" kB"))
        return {name: int(value.split()[0]) for name, value in pairs}
    status = fields(f"/proc/{pid}/status")
    rollup = fields(f"/proc/{pid}/smaps_rollup")
    return {"rss": status["VmRSS"], "rss_peak": status["VmHWM"],
            "private": rollup["Private_Clean"] + rollup["Private_Dirty"],
            "anonymous": rollup["Anonymous"]}


class Programs:
    """BPF programs that a process holds, as links or as programs, and what they have cost."""

    def __init__(self, pid):
        self.ids = set()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                info = read(f"/proc/{pid}/fdinfo/{fd}")
            except OSError:
                continue
            self.ids.update(int(line.split()[1]) for line in info.splitlines()
                            if line.startswith("prog_id:"))

    def stats(self):
        """name -> (ns, runs)."""
        stats = {}
        for number in sorted(self.ids):
            try:
                info = json.loads(output("bpftool", "prog", "show", "id", number, "--json"))
            except Failure:
                continue
            name = info.get("name", str(number))
            ns, runs = stats.get(name, (0, 0))
            stats[name] = (ns + info.get("run_time_ns", 0), runs + info.get("run_cnt", 0))
        return stats


class Machine:
    """Cgroup, BPF file system, scratch directory on disk, and the built programs."""

    def __init__(self, build, quick=False):
        self.build, self.quick = build, quick
        self.bench = os.path.join(build, "tests/bench")
        self.lineaged = os.path.join(build, "daemon/lineaged")
        self.query = os.path.join(build, "cli/lineage-query")
        for program in (self.lineaged, self.query, os.path.join(self.bench, "churn")):
            if not os.access(program, os.X_OK):
                raise Failure(f"{program} is not built")
        roots = [line.split()[1] for line in read("/proc/mounts").splitlines()
                 if line.split()[2] == "cgroup2"]
        if not roots:
            raise Failure("no cgroup2 hierarchy is mounted")
        output("mount", "-t", "bpf", "lineaged-bench", BPFFS)
        self.cgroup = os.path.join(roots[0], f"lineaged-bench-{os.getpid()}")
        os.mkdir(self.cgroup)
        # On disk, where a database would lie: /tmp may be memory.
        self.scratch = tempfile.mkdtemp(prefix="bench.", dir=build)
        self.stats_before = read(BPF_STATS)

    def close(self):
        write(BPF_STATS, self.stats_before)
        shutil.rmtree(self.scratch, ignore_errors=True)
        for _ in range(100):
            try:
                os.rmdir(self.cgroup)
                return
            except OSError:
                time.sleep(0.05)

    def path(self, name):
        return os.path.join(self.scratch, name)

    def program(self, name):
        return os.path.join(self.bench, name)

    def churn_command(self, mode, workers, seconds, *options):
        return [self.program("churn"), "--cgroup", self.cgroup, "--mode", mode,
                "--workers", str(workers), "--seconds", str(seconds), *options]

    def churn(self, mode, workers, seconds, *options):
        return json.loads(output(*self.churn_command(mode, workers, seconds, *options)))

    def replay(self, *options):
        return json.loads(output(self.program("replay"), *options))

    def stopwatch(self, command, runs, cold=()):
        files = [part for file in cold for part in ("--cold", file)]
        return json.loads(output(self.program("stopwatch"), "--runs", runs, *files, "--", *command))

    @staticmethod
    def bpf_stats(on):
        write(BPF_STATS, "1" if on else "0")

    @staticmethod
    def describe():
        model = [line.split(":", 1)[1].strip() for line in read("/proc/cpuinfo").splitlines()
                 if line.startswith("model name")]
        return {"date": time.strftime("%Y-%m-%d"), "kernel": os.uname().release,
                "machine": os.uname().machine, "cpus": os.cpu_count(),
                "cpu": model[0] if model else "unknown",
                "memory_mib": int(read("/proc/meminfo").split()[1]) // 1024,
                "sqlite": output("sqlite3", "--version").split()[0]}
