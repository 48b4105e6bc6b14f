# SPDX-License-Identifier: Apache-2.0
"""Each example of lineage-query(1), as it stands there, answers its question on a node where something happened.

    examples.py LINEAGE_QUERY MANUAL_PAGE
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

import database

QUERY, PAGE = sys.argv[1:3]
SECOND, HOUR, DAY = database.SECOND, 3600 * database.SECOND, 86400 * database.SECOND
NOW = int(time.time()) * SECOND
# Where it is ten in the morning: the page's nights are over there, and the last hour is none of them.
EAST = 10 * HOUR - NOW % DAY // HOUR * HOUR
ZONE = f"<here>{-EAST // HOUR}"
TODAY = (NOW + EAST) // DAY * DAY - EAST

# What must be in the answer, and what must not. Every example of the page has an entry.
WANTED = {
    "why 4242": ([r"sudo", r"bash", r"sshd", r"login"], [r"curl"]),
    "tree 4242": ([r"systemd", r"sshd", r"/usr/bin/curl -sSf https://example\.org/x", r"/usr/bin/nc -l 4444", r" 7  "], [r"nginx"]),
    "window --since 03:00 --until 03:20": ([r"/usr/bin/curl", r"/usr/bin/nc", r"12 events lost"], [r"nginx", r"agent"]),
    "window --container web --since -1d": ([r"nginx", r"sh -c", r"SIGSEGV", r"\[container web\]"], [r"curl"]),
    "search --exe curl": ([r"\[uid 0\]|/usr/bin/curl -sSf https://example\.org/x", r"\[uid 1000\] /usr/bin/curl -O"], [r"nginx"]),
    "window --since 03:00 --until 03:20 -o csv --fields start,pid,ppid,uid,command_line":
        ([r"^start,pid,ppid,uid,command_line\r?\n", r",4243,4242,0,\"curl -sSf"], [r"nginx"]),
    "window --since 03:00 --until 03:20 -o perfetto": ([r'"traceEvents"', r"curl"], [r"nginx"]),
    "search --since yesterday --longer 1s -o table --fields start,pid,uid,life,max_rss_kib,command":
        ([r"^START +PID +UID +LIFE +MAX_RSS_KIB +COMMAND", r"4096 /usr/bin/nc"], [r"old"]),
    "export --since 03:00 --until 04:00 --redact -o case.lineage": ([r"case\.lineage: \d+ processes", r"sha256: [0-9a-f]{64}"], []),
    "report --since -1h -o report.html": ([r"report\.html: \d+ processes"], []),
    "diff --since today --than-since yesterday --than-until today": ([r"\+ executable .*/usr/bin/nc", r"- executable .*/usr/bin/rsync"],
                                                                    [r"executable .*/usr/bin/true"]),
    "search --signal any --since -1d": ([r"SIGKILL", r"SIGSEGV"], [r"/usr/bin/curl"]),
    "search --uid root --loginuid 1000": ([r"/usr/bin/sudo", r"/usr/bin/nc"], [r"nginx", r"cron"]),
    "search --failed --since -1h": ([r"! ENOENT /usr/bin/wget", r"! EACCES /etc/shadow"], [r"SIGKILL"]),
    "stats --failed --since -1d": ([r"2 execs failed", r"ENOENT  /usr/bin/wget"], []),
    "tree 1 --at 03:12": ([r"as it stood at", r"/usr/bin/curl", r"/usr/bin/nc"], [r"nginx", r"rsync"]),
    "window --boot -1": ([r"/usr/bin/old-tool"], [r"curl"]),
    "stats --since -7d": ([r"executables, most frequent", r"seen once or twice", r"→ /usr/bin/nc"], []),
    'sql "SELECT * FROM gap"': ([r"ring_full"], []),
    "verify --db copy.db": ([r"copy\.db: sound"], []),
}


def build(path):
    d = database.Database(path)
    d.cgroup(1, "/system.slice")
    d.cgroup(2, "/user.slice/user-1000.slice/session-3.scope")
    d.cgroup(3, "/system.slice/docker-%s.scope" % ("ab" * 32), "ab" * 32, "docker", "web", "nginx:1", None, None, None)
    d.context(1, 0, 1)
    d.context(2, 1000, 2, 34819)
    d.context(3, 0, 2, 34819, 1000)
    d.context(4, 101, 3)
    begin = TODAY - 5 * DAY
    d.boot("node1", 1, "11111111-aaaa-4aaa-8aaa-111111111111", begin)
    top = d.process(1, SECOND, None, d.image("/lib/systemd/systemd", ["/sbin/init"]), 20 * HOUR)
    d.process(300, HOUR, top, d.image("/usr/bin/old-tool", ["old-tool"]), SECOND)
    d.finish_boot()
    begin = TODAY - 3 * DAY
    d.boot("node1", 4, "22222222-aaaa-4aaa-8aaa-222222222222", begin)

    def run(pid, unix, parent, exe, args, life=SECOND, status=0, context=1):
        return d.process(pid, unix - begin, parent, d.image(exe, args), life, status, context)
    top = run(1, begin + SECOND, None, "/lib/systemd/systemd", ["/sbin/init"], None)
    sshd = run(100, begin + 2 * SECOND, top, "/usr/sbin/sshd", ["sshd", "-D"], None)
    cron = run(101, begin + 2 * SECOND, top, "/usr/sbin/cron", ["cron"], None)
    for day in (TODAY - DAY, TODAY):
        run(500, day + 1, cron, "/usr/bin/true", ["true"])
    run(501, TODAY - DAY + HOUR, cron, "/usr/bin/rsync", ["rsync", "-a", "/", "/mnt"], 60 * SECOND)
    run(502, TODAY - DAY + 2 * HOUR, cron, "/usr/bin/curl", ["curl", "-O", "http://example.org/"], context=2)
    # The intruder, at three in the morning.
    login = run(4000, TODAY + 3 * HOUR + 60 * SECOND, sshd, "/usr/sbin/sshd", ["sshd: ann [priv]"], HOUR)
    bash = run(4200, TODAY + 3 * HOUR + 61 * SECOND, login, "/usr/bin/bash", ["-bash"], HOUR, 0, 2)
    sudo = run(4242, TODAY + 3 * HOUR + 300 * SECOND, bash, "/usr/bin/sudo", ["sudo", "-s"], 1800 * SECOND, 0, 3)
    run(4243, TODAY + 3 * HOUR + 719 * SECOND, sudo, "/usr/bin/curl", ["curl", "-sSf", "https://example.org/x"],
        60 * SECOND, 7 << 8, 3)
    run(4244, TODAY + 3 * HOUR + 710 * SECOND, sudo, "/usr/bin/nc", ["nc", "-l", "4444"], 600 * SECOND, 0, 3)
    d.lose(TODAY + 3 * HOUR + 900 * SECOND - begin, TODAY + 3 * HOUR + 901 * SECOND - begin, 12)
    # The container, which died half an hour ago.
    nginx = run(6000, NOW - 40 * 60 * SECOND, top, "/usr/sbin/nginx", ["nginx"], 600 * SECOND, 11, 4)
    shell = run(6001, NOW - 35 * 60 * SECOND, nginx, "/bin/sh", ["sh", "-c", "wget x || cat /etc/shadow"], 2 * SECOND, 127 << 8, 4)
    d.failure(shell, NOW - 35 * 60 * SECOND + SECOND - begin, d.attempt("/usr/bin/wget", ["wget", "x"]), 2)
    d.failure(shell, NOW - 35 * 60 * SECOND + 2 * SECOND - begin - 1, d.attempt("/etc/shadow", ["cat"]), 13)
    run(7000, NOW - 3 * HOUR, cron, "/usr/bin/python3", ["python3", "job.py"], 60 * SECOND, 9)
    d.finish()


def examples():
    """The commands between ``` lines."""
    with open(PAGE, encoding="utf-8") as file:
        text = file.read().split("\n# EXAMPLES\n")[1].split("\n# ")[0]
    questions = [q for q in re.findall(r"^([A-Z][^\n]*\?)$", text, re.M)]
    commands = [line for block in re.findall(r"^```\n(.*?)^```$", text, re.M | re.S) for line in block.splitlines()]
    if len(questions) < 10 or any(not c.startswith("lineage-query ") for c in commands):
        raise SystemExit(f"FAIL {len(questions)} questions, {commands}")
    return [c.removeprefix("lineage-query ") for c in commands]


def ask(directory, example):
    words = shlex.split(example)
    if "--db" not in words:
        words += ["--db", "copy.db"]
    done = subprocess.run([QUERY, *words], capture_output=True, cwd=directory, text=True,
                          env={"TZ": ZONE, "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]})
    return done.returncode, done.stdout + done.stderr


with tempfile.TemporaryDirectory() as work:
    build(os.path.join(work, "copy.db"))
    all_examples = examples()
    if sorted(all_examples) != sorted(WANTED):
        raise SystemExit(f"FAIL not the examples of the page: {set(all_examples) ^ set(WANTED)}")
    for one in all_examples:
        status, answer = ask(work, one)
        wanted, unwanted = WANTED[one]
        for pattern in wanted:
            if not re.search(pattern, answer, re.M):
                raise SystemExit(f"FAIL {one}: no {pattern} in\n{answer}")
        for pattern in unwanted:
            if re.search(pattern, answer, re.M):
                raise SystemExit(f"FAIL {one}: {pattern} in\n{answer}")
        if status:
            raise SystemExit(f"FAIL {one}: status {status}\n{answer}")
    if "curl" not in ask(work, "tree 4242 --db case.lineage")[1] or os.path.getsize(os.path.join(work, "report.html")) < 10000:
        raise SystemExit("FAIL the files that examples write")
print(f"examples: {len(all_examples)} of lineage-query(1)")
