# SPDX-License-Identifier: Apache-2.0
"""The goals: what is measured, how much is allowed, and the table that says so."""

from machine import NOISE_LIMIT


class Line:
    """One line of the table. text: how the figure is shown; timed: noise forbids a verdict."""

    def __init__(self, goal, what, figure, limit, text, at_least=False, timed=True):
        self.goal, self.what, self.figure, self.limit, self.text = goal, what, figure, limit, text
        self.at_least, self.timed = at_least, timed

    def noise(self, figures):
        return figures.get(self.figure + ".spread", 0) if self.timed else 0

    def verdict(self, figures):
        value = figures.get(self.figure)
        if value is None:
            return "-"
        good = value >= self.limit if self.at_least else value <= self.limit
        if self.noise(figures) > NOISE_LIMIT:
            return "noisy"
        return "ok" if good else "MISSED"


LINES = [
    Line(1, "BPF time per spawn", "bpf_ns", 2000, "{:.0f} ns"),
    Line(1, "  of bpftrace's three tracepoints", "bpf_ns.of_bpftrace", 1 / 15, "{:.3f}"),
    Line(1, "  of execsnoop", "bpf_ns.of_execsnoop", 1 / 8, "{:.3f}"),
    Line(2, "slowdown of a spawn loop, one worker", "spawn_1.slowdown", 1.06, "x{:.3f}"),
    Line(2, "  added time, of bpftrace's", "added.of_bpftrace", 1 / 10, "{:.3f}"),
    Line(2, "  added time, of auditd's", "added.of_auditd", 1 / 40, "{:.4f}"),
    Line(3, "the same, all CPUs saturated", "spawn_2.slowdown", 1.08, "x{:.3f}"),
    Line(4, "dynamic /bin/true, one worker", "true_1.slowdown", 1.01, "x{:.3f}"),
    Line(4, "dynamic /bin/true, all CPUs", "true_2.slowdown", 1.01, "x{:.3f}"),
    Line(5, "storm on all CPUs: events lost or too many", "storm.lost", 0, "{:.0f}", timed=False),
    Line(6, "longest time that the ring is not drained in it", "storm.hold_ms", 25, "{:.1f} ms"),
    Line(7, "daemon CPU per event in it, all threads", "storm.cpu_us", 1.2, "{:.2f} us"),
    Line(7, "daemon CPU per event, fork, exec and exit", "exec_storm.cpu_us", 1.2, "{:.2f} us"),
    Line(7, "  of auditd's", "cpu.of_auditd", 1 / 60, "{:.4f}"),
    Line(8, "bytes per event, indexes included", "bytes", 50, "{:.1f}", timed=False),
    Line(9, "ingest of 10 million events", "ingest.events_per_s", 500_000, "{:,.0f}/s", at_least=True),
    Line(9, "  at 100 million, of that", "huge.rate_ratio", 0.8, "{:.2f}", at_least=True),
    Line(10, "tree of 100, 10 M events, warm", "tree_small.warm_ms", 6, "{:.1f} ms"),
    Line(10, "tree of 10 000, 10 M events, warm", "tree_large.warm_ms", 40, "{:.1f} ms"),
    Line(11, "  the same at 100 M events, of that", "huge.tree_ratio", 1.3, "{:.2f}"),
    Line(12, "window of 10 000 events, warm", "window.warm_ms", 25, "{:.1f} ms"),
    Line(12, "window of 10 000 events, cold", "window.cold_ms", 60, "{:.1f} ms"),
    Line(13, "private memory after the storm", "memory.private_mib", 8, "{:.1f} MiB", timed=False),
    Line(13, "peak RSS with the default ring", "memory.rss_mib", 32, "{:.1f} MiB", timed=False),
    Line(14, "idle CPU, of a core", "idle.percent", 0.05, "{:.3f} %"),
    Line(14, "start to ready", "ready_ms", 80, "{:.0f} ms"),
    Line(15, "exec until a second reader sees it, p99", "visible.p99_ms", 300, "{:.0f} ms"),
]


def show_limit(line):
    sign = ">=" if line.at_least else "<="
    limit = line.text.format(line.limit).replace("x", "")
    if 0 < line.limit < 0.2 and "%" not in line.text:
        limit = f"1/{round(1 / line.limit)}"
    return f"{sign} {limit}"


def table(figures):
    rows = [("#", "what", "measured", "goal", "")]
    last = None
    for line in LINES:
        value = figures.get(line.figure)
        if value is None:
            continue
        verdict = line.verdict(figures)
        if verdict == "noisy":
            verdict = f"noisy: bare runs differ by {100 * line.noise(figures):.0f} %"
        rows.append((str(line.goal) if line.goal != last else "", line.what,
                     line.text.format(value), show_limit(line), verdict))
        last = line.goal
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join(f"{row[0]:>{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}}  "
                     f"{row[3]:<{widths[3]}}  {row[4]}".rstrip() for row in rows)


def missed(figures):
    return [line for line in LINES if line.verdict(figures) == "MISSED"]
