# SPDX-License-Identifier: Apache-2.0
"""The figures that hardly depend on the machine, against tests/bench/limits. Seconds, not minutes."""

import os
import sys

import measure
from machine import Failure, Machine

# Enough that starting up does not count.
EVENTS = 20_000
STORED_EVENTS = 200_000


def limits(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            fields = line.split("#", 1)[0].split()
            if fields:
                yield fields[0], float(fields[1])


def stored(machine, figures):
    """Bytes per event, above what an empty database takes."""
    result = machine.replay("--db", machine.path("gate.db"), "--paced", "--events", STORED_EVENTS)
    figures["bytes"] = result["bytes_per_event"]
    os.unlink(machine.path("gate.db"))


def bpf_share(machine, figures):
    """BPF time in percent of what a process takes without lineaged: both grow on a machine that is slow just now."""
    bare = [machine.churn("spawn", 1, 0.5)["rate"] for _ in range(2)]
    measure.bpf_cost(machine, figures, slices=4, warm=0.5)
    bare += [machine.churn("spawn", 1, 0.5)["rate"] for _ in range(2)]
    figures["bpf_share"] = figures["bpf_ns"] * max(bare) / 1e7
    print(f"      {figures['bpf_ns']:.0f} ns of BPF time per process, which takes {1e6 / max(bare):.1f} us")


def judge(figures, path):
    over = 0
    for name, limit in limits(path):
        value = figures.get(name)
        if value is None:
            print(f"skip  {name}: not measured here")
            continue
        word = "ok" if value <= limit else "OVER"
        over += value > limit
        print(f"{word:<5} {name}: {value:.4g}, limit {limit:g}")
    return over


def main(build, path):
    figures, machine = {}, None
    try:
        machine = Machine(build)
        stored(machine, figures)
        measure.instructions(machine, figures, EVENTS)
        try:
            bpf_share(machine, figures)
        except Failure as failure:
            print(f"      BPF time: {failure}")
    except Failure as failure:
        print(f"gate: {failure}")
        return 77
    finally:
        if machine:
            machine.close()
    return 1 if judge(figures, path) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
