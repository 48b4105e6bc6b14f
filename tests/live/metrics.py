#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the daemon's two files of figures as their users do, and compares them with each other.

    metrics.py STATUS.JSON METRICS.PROM

The metrics by the rules of the text format that node_exporter and promtool go by: HELP and TYPE once and
before the samples of a family, which stand together; names, labels and values well formed; counters end in
_total; a line feed at the end. Prints what is wrong.
"""
import json
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
problems = []


def metrics(text):
    values, types, helps, family = {}, {}, set(), None
    if not text.endswith("\n"):
        problems.append("no line feed at the end")
    for line in text.splitlines():
        words = line.split(" ", 3)
        if words[:2] == ["#", "HELP"]:
            if words[2] in helps or len(words) < 4 or not words[3].strip():
                problems.append(f"HELP again, or empty: {line}")
            helps.add(words[2])
        elif words[:2] == ["#", "TYPE"]:
            family = words[2]
            if family in types or family not in helps or words[3] not in ("counter", "gauge"):
                problems.append(f"TYPE again, without HELP, or unknown: {line}")
            types[family] = words[3]
        else:
            sample = SAMPLE.fullmatch(line)
            if not sample:
                problems.append(f"not a sample: {line}")
                continue
            name, labels, value = sample.groups()
            if name != family or not name.startswith("lineaged_"):
                problems.append(f"outside its family: {line}")
            if (types.get(name) == "counter") != name.endswith("_total"):
                problems.append(f"a counter, and only a counter, ends in _total: {line}")
            if (name, labels) in values or float(value) < 0:
                problems.append(f"twice, or negative: {line}")
            values[name, labels] = float(value)
    return values


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        status = json.load(f)
    with open(sys.argv[2], encoding="utf-8") as f:
        found = metrics(f.read())
    # Written together: what both have is equal. Names differ, so the figures are compared as a whole.
    figures = [status["uptime_seconds"]]
    figures += [v for part in status.values() if isinstance(part, dict) for v in part.values()]
    others = [v for (name, _), v in found.items() if name not in ("lineaged_info", "lineaged_refused")]
    if sorted(map(float, figures)) != sorted(others):
        problems.append(f"other figures in the metrics: {sorted(figures)}, {sorted(others)}")
    for kind in ("fork", "exec", "exit"):
        if found.get(("lineaged_events_total", f'kind="{kind}"')) != status["events"][kind]:
            problems.append(f"events of kind {kind} differ")
    if status["state"] != "recording" or ("lineaged_refused", None) not in found:
        problems.append(f"state: {status['state']}")


main()
print("\n".join(problems), end="")
sys.exit(1 if problems else 0)
