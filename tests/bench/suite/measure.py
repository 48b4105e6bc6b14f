# SPDX-License-Identifier: Apache-2.0
"""How each goal is measured. A function fills in figures; what they should be is in goals.py.

Figures are kept by name in one dictionary. Those that depend on time carry the spread of the bare runs
that they were compared with under NAME.spread.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time

from machine import memory_kib, output, spread
from recorder import Recorder

# 10 million events, as the goals say.
EVENTS = 10_000_000


def say(text):
    print(text, file=sys.stderr, flush=True)


def rss_mib(pid):
    return memory_kib(pid)["rss_peak"] / 1024


def bpf_cost(machine, figures, slices=5, warm=2):
    """Goal 1. ns by the kernel's own account, per process that was made."""
    with Recorder(machine) as recorder:
        programs = recorder.programs()
        machine.churn("spawn", 1, warm)
        machine.bpf_stats(True)
        try:
            costs = [bpf_slice(machine, programs) for _ in range(slices)]
        finally:
            machine.bpf_stats(False)
    # Interrupts and cold caches only ever add.
    best = min(costs, key=lambda cost: cost["ns"])
    figures["bpf_ns"] = best["ns"]
    figures["bpf_ns.by_program"] = best["by_program"]
    # Runs for processes of others, in parts of our own.
    figures["bpf_ns.foreign"] = best["foreign"]
    figures["bpf_ns.spread"] = spread([cost["ns"] for cost in costs])
    recorder.forget()


def bpf_slice(machine, programs):
    before = programs.stats()
    made = machine.churn("spawn", 1, 0.7)["made"]
    after = programs.stats()
    delta = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1])
             for name in after if name in before}
    # What ran seldom is not the cost of a process: the iterator over all tasks.
    delta = {name: cost for name, cost in delta.items() if cost[1] > made / 2}
    by_program = {name: round(ns / made, 1) for name, (ns, _) in delta.items()}
    runs = max((runs for _, runs in delta.values()), default=0)
    return {"ns": sum(by_program.values()), "by_program": by_program,
            "foreign": max(runs / made - 1, 0)}


class Comparison:
    """Slices with and without a tool in turn; a slice with it is compared with its two neighbours."""

    def __init__(self, machine, mode, workers):
        self.machine, self.mode, self.workers = machine, mode, workers
        self.seconds = 0.3 if machine.quick else 0.8
        self.bare, self.with_tool = [], []

    def slice(self):
        return self.machine.churn(self.mode, self.workers, self.seconds)["rate"]

    def run(self, tool, rounds):
        """tool: makes a context in which the tool runs."""
        self.bare.append(self.slice())
        for _ in range(rounds):
            with tool():
                self.with_tool.append(self.slice())
            self.bare.append(self.slice())
        return self

    def neighbours(self):
        return [(a + b) / 2 for a, b in zip(self.bare, self.bare[1:])]

    def slowdown(self):
        return statistics.median(bare / tool for bare, tool in zip(self.neighbours(), self.with_tool))

    def added_us(self):
        return statistics.median(1e6 / tool - 1e6 / bare
                                 for bare, tool in zip(self.neighbours(), self.with_tool)) * self.workers


WORKLOADS = {
    "spawn_1": ("spawn", 1), "spawn_2": ("spawn", 2), "true_1": ("true", 1), "true_2": ("true", 2),
    "vfork_1": ("vfork", 1), "vfork_2": ("vfork", 2),
}


def compare(machine, figures, name, prefix, tool, rounds):
    mode, workers = WORKLOADS[name]
    comparison = Comparison(machine, mode, workers).run(tool, rounds)
    key = f"{prefix}{name}"
    figures[f"{key}.slowdown"] = comparison.slowdown()
    figures[f"{key}.added_us"] = comparison.added_us()
    figures[f"{key}.bare_per_s"] = statistics.median(comparison.bare)
    figures[f"{key}.slowdown.spread"] = spread(comparison.bare)


def slowdown(machine, figures, names):
    """Goals 2, 3 and 4: with lineaged writing to disk, and full capture."""
    rounds = 2 if machine.quick else 6
    for name in names:
        machine.churn(*WORKLOADS[name], 0.3 if machine.quick else 1.5)
        compare(machine, figures, name, "", lambda: Recorder(machine), rounds)
    Recorder(machine).forget()


def storm(machine, figures):
    """Goals 5, 6, 7 and 13: the most processes that the machine can make, default configuration."""
    seconds = 3 if machine.quick else 30
    recorder = Recorder(machine)
    with recorder:
        watch = subprocess.Popen([machine.program("ringwatch"), recorder.ring()],
                                 stdout=subprocess.PIPE, text=True)
        before = recorder.cpu_ns()
        made = machine.churn("vfork", os.cpu_count(), seconds)
        recorder.settle()
        used = recorder.cpu_ns() - before
        watch.send_signal(signal.SIGTERM)
        ring = json.loads(watch.communicate()[0])
        memory = recorder.memory_kib()
        wal = os.path.getsize(recorder.db + "-wal")
    events = 2 * made["made"]
    figures["storm.events"] = events
    figures["storm.events_per_s"] = events / seconds
    figures["storm.lost"] = lost(recorder, made)
    figures["storm.said"] = recorder.said.splitlines()
    figures["storm.gaps"] = recorder.ask("SELECT cause, sum(lost), sum(recovered) FROM gap GROUP BY cause")
    figures["storm.hold_ms"] = ring["longest_hold_ms"]
    figures["storm.blind_ms"] = ring["longest_blind_ms"]
    figures["storm.ring_mib"] = ring["most_bytes"] / 2**20
    figures["storm.wal_mib"] = wal / 2**20
    figures["storm.cpu_us"] = used / 1000 / events
    figures["memory.private_mib"] = memory["private"] / 1024
    figures["memory.rss_mib"] = memory["rss_peak"] / 1024
    figures["memory.anonymous_mib"] = memory["anonymous"] / 1024
    recorder.forget()


def lost(recorder, made):
    """Births and ends that are not there as observed, and rows too many: 0 if the counts are exact."""
    wrong = 0
    for worker in made["workers"]:
        births, ends = recorder.ask(
            "SELECT count(*), sum(c.provenance >> 6 & 7 = 0) FROM process_row c WHERE c.parent_id = "
            "(SELECT max(process_id) FROM process_row WHERE pid = ?) AND c.provenance & 7 = 0",
            worker["pid"])[0]
        wrong += abs(worker["made"] - births) + abs(worker["made"] - (ends or 0))
    return wrong


def exec_storm(machine, figures):
    """Goal 7 with all three kinds of events."""
    recorder = Recorder(machine)
    with recorder:
        machine.churn("spawn", os.cpu_count(), 0.3 if machine.quick else 1)
        recorder.settle()
        before = recorder.cpu_ns()
        made = machine.churn("spawn", os.cpu_count(), 1 if machine.quick else 5)
        recorder.settle()
        figures["exec_storm.cpu_us"] = (recorder.cpu_ns() - before) / 1000 / (3 * made["made"])
    recorder.forget()


def replays(machine, figures):
    """Goals 8 and 9; leaves the database for queries() in its place."""
    events = 300_000 if machine.quick else EVENTS
    dry = machine.replay("--dry", "--events", min(events, 1_000_000))
    making = dry["cpu_seconds"] / dry["events"]
    result = machine.replay("--db", machine.path("large.db"), "--events", events)
    figures["replay"] = result
    # The records are made by the thread that takes them in, at a cost that has been measured.
    figures["ingest.events_per_s"] = result["events"] / (result["seconds"] - making * result["events"])
    figures["ingest.cpu_us"] = 1e6 * (result["cpu_seconds"] / result["events"] - making)
    figures["ingest.bytes"] = result["bytes_per_event"]
    figures["ingest.statements"] = result["statements_per_event"]
    paced = machine.replay("--db", machine.path("paced.db"), "--paced", "--events",
                           min(events, 1_000_000))
    figures["paced.bytes"] = paced["bytes_per_event"]
    figures["paced.statements"] = paced["statements_per_event"]
    figures["bytes"] = max(result["bytes_per_event"], paced["bytes_per_event"])
    os.unlink(machine.path("paced.db"))


def huge(machine, figures):
    """Goal 11 and the second half of goal 9."""
    events = 3_000_000 if machine.quick else 10 * EVENTS
    result = machine.replay("--db", machine.path("huge.db"), "--events", events)
    dry = machine.replay("--dry", "--events", 1_000_000)
    making = dry["cpu_seconds"] / dry["events"]
    figures["huge.replay"] = result
    figures["huge.events_per_s"] = events / (result["seconds"] - making * events)
    figures["huge.rate_ratio"] = figures["huge.events_per_s"] / figures["ingest.events_per_s"]
    trees = tree_times(machine, machine.path("huge.db"), result, figures, "huge.")
    figures["huge.tree_ratio"] = max(trees[size] / figures[f"tree_{size}.warm_ms"] for size in trees)
    os.unlink(machine.path("huge.db"))


def tree_command(machine, db, key):
    return [machine.query, "tree", "--db", db, "--no-pager", "--no-fold", "--pid",
            f"{key['pid']}@{key['start_boot_ns']}"]


def tree_times(machine, db, replay, figures, prefix):
    runs = 3 if machine.quick else 15
    warm = {}
    for size, key in (("small", "tree_small"), ("large", "tree_large")):
        command = tree_command(machine, db, replay[key])
        machine.stopwatch(command, 2)
        result = machine.stopwatch(command, runs)
        warm[size] = statistics.median(result["ms"])
        figures[f"{prefix}tree_{size}.warm_ms"] = warm[size]
        figures[f"{prefix}tree_{size}.cpu_ms"] = result["cpu_ms"][0]
        figures[f"{prefix}tree_{size}.bytes"] = result["bytes"]
        cold = machine.stopwatch(command, 5, cold=[db])
        figures[f"{prefix}tree_{size}.cold_ms"] = statistics.median(cold["ms"])
        figures[f"{prefix}tree_{size}.warm_ms.spread"] = spread(result["ms"])
    return warm


def rfc3339(db, boot_ns):
    """A time of the replay as the query tool reads it."""
    unix = int(output("sqlite3", "-readonly", db,
                      f"SELECT offset_ns + {boot_ns} FROM clock ORDER BY from_boot_ns LIMIT 1"))
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix // 10**9)) + f".{unix % 10**9:09d}Z"


def queries(machine, figures):
    """Goals 10 and 12, over the database of replays()."""
    db, replay = machine.path("large.db"), figures["replay"]
    tree_times(machine, db, replay, figures, "")
    command = [machine.query, "window", "--db", db, "--no-pager",
               "--since", rfc3339(db, replay["window_from_boot_ns"]),
               "--until", rfc3339(db, replay["window_to_boot_ns"])]
    machine.stopwatch(command, 2)
    warm = machine.stopwatch(command, 3 if machine.quick else 11)
    cold = machine.stopwatch(command, 5, cold=[db])
    figures["window.warm_ms"] = statistics.median(warm["ms"])
    figures["window.cold_ms"] = statistics.median(cold["ms"])
    figures["window.cpu_ms"] = warm["cpu_ms"][0]
    figures["window.bytes"] = warm["bytes"]
    figures["window.warm_ms.spread"] = spread(warm["ms"])


def wait_for_log(recorder, most):
    """Until the log has its size: it is written at leisure, once per database."""
    size, until = -1, time.monotonic() + most
    while size != os.path.getsize(recorder.db + "-wal") and time.monotonic() < until:
        size = os.path.getsize(recorder.db + "-wal")
        time.sleep(2)


def idle(machine, figures):
    """Goal 14, first half: nothing happens in what is recorded."""
    seconds = 5 if machine.quick else 30
    recorder = Recorder(machine)
    with recorder:
        wait_for_log(recorder, 4 if machine.quick else 90)
        time.sleep(5)
        before = recorder.cpu_ns()
        time.sleep(seconds)
        figures["idle.percent"] = (recorder.cpu_ns() - before) / seconds / 1e7
    recorder.forget()


def start(machine, figures):
    """Goal 14, second half: what is recorded is an empty cgroup, so the snapshot is empty too."""
    times = []
    for _ in range(3 if machine.quick else 7):
        with Recorder(machine) as recorder:
            times.append(recorder.ready_ms)
    figures["ready_ms"] = statistics.median(times)
    figures["ready_ms.spread"] = spread(times)
    recorder.forget()


def latency(machine, figures):
    """Goal 15: 1 000 events a second are 333 processes."""
    seconds = 3 if machine.quick else 10
    recorder = Recorder(machine)
    with recorder:
        reader = subprocess.Popen([machine.program("seen"), recorder.db, str(seconds + 2)],
                                  stdout=subprocess.PIPE, text=True)
        time.sleep(0.2)
        made = machine.churn("spawn", 1, seconds, "--rate", "333")
        seen = json.loads(reader.communicate()[0])
    figures["visible.p50_ms"], figures["visible.p99_ms"] = seen["p50_ms"], seen["p99_ms"]
    figures["visible.missed"] = made["made"] - seen["seen"]
    recorder.forget()


def instructions(machine, figures, events=50_000):
    """Instructions per event in the daemon's path, without making the records: callgrind counts."""
    for prefix, options in (("", ()), ("storm.", ("--storm",))):
        result, total = counted(machine, events, *options)
        figures[f"{prefix}instructions"] = total / result["events"]
        figures[f"{prefix}statements"] = result["statements_per_event"]


def counted(machine, events, *options):
    out = machine.path("callgrind.out")
    functions = ("recorder_batch", "shape_next", "shape_ahead_ns")
    result = json.loads(output(
        "valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
        *(f"--toggle-collect={name}" for name in functions), machine.program("replay"),
        "--db", machine.path("counted.db"), "--events", events, "--no-checkpoints", *options))
    with open(out, encoding="utf-8") as file:
        total = next(int(line.split()[1]) for line in file if line.startswith(("summary:", "totals:")))
    os.unlink(machine.path("counted.db"))
    return result, total
