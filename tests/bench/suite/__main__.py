# SPDX-License-Identifier: Apache-2.0
"""The order of the benchmark: what is measured for which goal, the table, and the file of figures."""

import argparse
import json
import os
import signal
import sys
import time

import goals
import measure
import peers
from machine import Failure, Machine


def interrupted(*_):
    raise Failure("stopped by a signal")


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--json")
    for option in ("--peers", "--huge", "--quick"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("goals", nargs="*", type=int)
    return parser.parse_args()


def steps(arguments):
    """(goals, what is said, function). Without peers and huge: less than five minutes."""
    yield {1}, "BPF time", measure.bpf_cost
    yield {2}, "slowdown, one worker", lambda m, f: measure.slowdown(m, f, ["spawn_1"])
    yield {3}, "slowdown, all CPUs", lambda m, f: measure.slowdown(m, f, ["spawn_2"])
    yield {4}, "slowdown of /bin/true", lambda m, f: measure.slowdown(m, f, ["true_1", "true_2"])
    yield {5, 6, 7, 13}, "storm", measure.storm
    yield {7}, "storm of execs", measure.exec_storm
    yield {8, 9, 10, 11, 12}, "replay", measure.replays
    yield {10, 11, 12}, "queries", measure.queries
    if arguments.huge:
        yield {9, 11}, "replay and queries, ten times as large", measure.huge
    yield {14}, "idle", measure.idle
    yield {14}, "start", measure.start
    yield {15}, "latency", measure.latency
    yield {7, 9}, "instructions", measure.instructions


def run(arguments, machine, figures):
    wanted = set(arguments.goals) or set(range(1, 16))
    for numbers, what, function in steps(arguments):
        if not numbers & wanted:
            continue
        began = time.monotonic()
        function(machine, figures)
        measure.say(f"{what}: {time.monotonic() - began:.0f} s")
    if arguments.peers:
        peers.run(machine, figures)


def main():
    arguments = parse()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    figures, machine = {}, None
    try:
        machine = Machine(arguments.build, arguments.quick)
        run(arguments, machine, figures)
    except (Failure, KeyboardInterrupt) as failure:
        print(f"\nbench: {failure}", file=sys.stderr)
        return 2
    finally:
        if machine:
            machine.close()
    where = arguments.json or os.path.join(arguments.build, "bench.json")
    with open(where, "w", encoding="utf-8") as file:
        json.dump({**Machine.describe(), "command": "tests/bench/run " + " ".join(sys.argv[3:]),
                   "goals": [{"goal": line.goal, "what": line.what.strip(), "limit": line.limit,
                              "measured": figures[line.figure], "verdict": line.verdict(figures)}
                             for line in goals.LINES if line.figure in figures],
                   "figures": figures}, file, indent=1)
        file.write("\n")
    print(goals.table(figures))
    if arguments.peers:
        print(f"\n{peers.table(figures)}\n")
    for key in ("date", "kernel", "cpu", "cpus"):
        print(f"{key}: {Machine.describe()[key]}", end="; " if key != "cpus" else "\n")
    return 1 if goals.missed(figures) else 0


sys.exit(main())
