# SPDX-License-Identifier: Apache-2.0
"""Databases for the tests of formats, report and export, filled by Python's sqlite3 with the real schema.

hostile: everything that a process can call itself, in every place that a process fills.
large:   a busy node, many processes deep and wide, over some hours, with gaps.

    database.py hostile|large FILE [PROCESSES]
"""
import json
import os
import random
import sqlite3
import sys

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "schema")
EPOCH_NS = 1795132800 * 10**9  # 2026-11-20 00:00:00 UTC
SECOND = 10**9
BOOT_ID = "11111111-aaaa-4aaa-8aaa-111111111111"

# What must not act, break a line, or turn text around, in any format.
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\tTAB first",
    "\rCR first",
    " =blank first",
    "\uff1dfull-width",
    "quote\"comma,semicolon;",
    "line\nbreak\r\nand another",
    "\x1b]0;owned\x07\x1b[2J",
    "\u202egpj.exe",
    "\u2028\u2029\u200b\ufeff",
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "&lt;b&gt;&amp;<!--",
    "]]>{{constructor}}${7*7}",
    "back\\slash \\n \\N \\l \\\"",
    "javascript:document.title='owned'",
    "--password=hunter2",
    "https://user:hunter2@example.org/",
    "\x9b31m",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ё 漢字",
    "",
]


class Database:
    def __init__(self, path):
        for suffix in "", "-wal", "-shm":
            if os.path.exists(path + suffix):
                os.unlink(path + suffix)
        self.db = sqlite3.connect(path, isolation_level=None)
        for name in "0001_init.sql", "views.sql":
            with open(os.path.join(SCHEMA, name), encoding="utf-8") as file:
                self.db.executescript(file.read())
        self.db.execute("PRAGMA application_id = 0x4c4e4745")
        self.db.execute("PRAGMA user_version = 1")
        self.db.execute("BEGIN")
        self.texts = {}
        self.images = {}
        self.ids = {"text": 0, "image": 0, "exec": 0, "process": 0}
        self.seq = [0, 0]
        self.boots = 0

    def run(self, sql, *values):
        self.db.execute(sql, values)

    def next(self, kind):
        self.ids[kind] += 1
        return self.ids[kind]

    def boot(self, hostname="node1", days=1, boot_id=BOOT_ID, epoch_ns=EPOCH_NS):
        """Another boot, which what follows belongs to."""
        self.boots += 1
        self.run("INSERT INTO boot VALUES (?, ?, ?, 'x86_64', '6.12.0')", self.boots, boot_id, hostname)
        self.run("INSERT INTO clock VALUES (?, 0, ?)", self.boots, epoch_ns)
        end = days * 86400 * SECOND
        self.run("INSERT INTO recorder_row VALUES (?, ?, '0.1.0', 'c0ffee', '6.12.0', NULL, 0, ?, ?, 'stopped')",
                 self.boots, self.boots, end, end)

    def cgroup(self, number, path, *names):
        self.run("INSERT INTO cgroup VALUES (?, 1, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)", number, number, path,
                 *(names or [None] * 7))

    def context(self, number, uid, cgroup, tty=0, loginuid=None):
        self.run("INSERT INTO context (context, uid, euid, suid, gid, egid, sgid, loginuid, sessionid, sid, tty,"
                 " cgroup) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 3, 1, ?, ?)",
                 number, uid, uid, uid, uid, uid, uid, loginuid or uid or 4294967295, tty, cgroup)

    def text(self, value):
        raw = value if isinstance(value, bytes) else None
        if raw is not None:
            value = raw.decode("utf-8", "replace")
        key = raw if raw is not None else value
        if key not in self.texts:
            self.texts[key] = self.next("text")
            self.run("INSERT INTO text VALUES (?, ?, ?)", self.texts[key], value, raw)
        return self.texts[key]

    def image(self, exe, args, comm=None):
        raw = None
        if any(isinstance(a, bytes) for a in args):
            raw = b"".join((a if isinstance(a, bytes) else a.encode()) + b"\0" for a in args)
            args = [a.decode("utf-8", "replace") if isinstance(a, bytes) else a for a in args]
        if comm is None:
            name = exe.decode("utf-8", "replace") if isinstance(exe, bytes) else exe
            comm = name.rsplit("/", 1)[-1][:15]
        key = (exe, tuple(args), comm, raw)
        if key not in self.images:
            number = self.images[key] = self.next("image")
            size = len(raw) if raw is not None else sum(len(a.encode()) + 1 for a in args)
            self.run("INSERT INTO program VALUES (?, ?, NULL, NULL, ?, 0, ?, ?)", number, self.text(exe), comm,
                     8 << 20 | 1, number + 100)
            plain = args and raw is None and not any("\x7f" in a for a in args)
            self.run("INSERT INTO image VALUES (?, ?, ?)", number, number, "\x7f".join(args) if plain else None)
            if not plain:
                self.run("INSERT INTO argv VALUES (?, ?, ?, ?, ?)", number, json.dumps(args, ensure_ascii=False), raw,
                         len(args), size)
        return self.images[key]

    def number(self):
        """The next (cpu, seq)."""
        cpu = self.ids["process"] & 1
        self.seq[cpu] += 1
        return cpu, self.seq[cpu] - 1

    def number_after(self, fork):
        cpu, seq = self.number()
        return cpu, seq - (fork[1] or 0)

    def process(self, pid, start, parent, image, life=None, status=0, context=1, inherited=False, comm=None,
                cwd=None, snapshot=0):
        number = self.next("process")
        provenance = snapshot | (7 if inherited else snapshot) << 3 | (7 if life is None else 0) << 6
        none = (None, None)
        fork = none if snapshot else self.number()
        run = none if inherited or snapshot else self.number_after(fork)
        end = none if life is None else self.number_after(fork)
        self.run("INSERT INTO process_row (process_id, boot, pid, start_boot_ns, parent_id, provenance, fork_cpu,"
                 " fork_seq, context, comm, ns_pid, pgid, exec_after_ns, exec_cpu, exec_after_seq, exec_context,"
                 " exec_parent_id, image, cwd, end_after_ns, end_cpu, end_after_seq, end_parent_id, status, user_us,"
                 " system_us, max_rss_kib)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
                 number, self.boots, pid, start, parent, provenance, *fork, context, comm and self.text(comm),
                 None if inherited or snapshot else min(1000000, life or 1000000), *run, image, cwd and self.text(cwd), life,
                 *end, None if life is None else status, *((12000, 3000, 4096) if life else (None, None, None)))
        return number

    def earlier_image(self, process, boot_ns, image):
        self.run("INSERT INTO exec_row VALUES (?, ?, ?, ?, 0, ?, ?, 0, 0, ?, NULL, NULL, 0)", self.next("exec"),
                 process, self.boots, boot_ns, *self.number(), image)

    def attempt(self, filename, args):
        """What an exec that failed asked for: no executable, no inode."""
        number = self.image(filename, args)
        self.run("UPDATE program SET filename = exe, exe = NULL, dev = 0, inode = 0 WHERE program = ?", number)
        del self.images[next(k for k, n in self.images.items() if n == number)]
        return number

    def failure(self, process, boot_ns, image, errno):
        self.run("INSERT INTO exec_failure_row (process_id, boot, boot_ns, provenance, cpu, seq, image, errno)"
                 " VALUES (?, ?, ?, 0, ?, ?, ?, ?)", process, self.boots, boot_ns, *self.number(), image, errno)

    def lose(self, start, end, count, cause="ring_full"):
        """Numbers that were taken and never arrived."""
        cpu, first = self.number()
        self.seq[cpu] += count - 1
        self.run("INSERT INTO gap_row (boot, cause, cpu, from_boot_ns, to_boot_ns, first_seq, last_seq, lost)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.boots, cause, cpu, start, end, first, first + count - 1, count)

    def finish_boot(self):
        for cpu in 0, 1:
            self.run("INSERT INTO cpu_position VALUES (?, ?, 0, ?, 0, 0)", self.boots, cpu, self.seq[cpu])
        self.seq = [0, 0]

    def finish(self):
        self.finish_boot()
        self.run("INSERT INTO zone SELECT process_id >> 12, boot, min(start_boot_ns), max(start_boot_ns)"
                 " FROM process_row GROUP BY 1, 2")
        self.db.execute("COMMIT")
        self.db.close()


def hostile(path):
    d = Database(path)
    d.boot("node<b>&\"1\u202e")
    d.cgroup(1, "/user.slice/<i>&amp;\u202e\n.scope")
    nasty = "=\"<img src=x onerror=document.title='owned'>\u202e\n,;"
    d.cgroup(2, "/docker/0123", "0123456789abcdef" * 4, "docker", nasty, nasty, nasty, nasty, nasty)
    d.context(1, 0, 1)
    d.context(2, 1000, 1, 34819)
    d.context(3, 1000, 2)
    # A pod whose containers have no name here.
    d.cgroup(3, "/kubepods/pod1", None, None, None, None, "01234567-89ab-cdef-0123-456789abcdef", nasty, nasty)
    d.context(4, 1000, 3)
    top = d.process(1, 0, None, d.image("/lib/systemd/systemd", ["/sbin/init"]), snapshot=1)
    shell = d.process(200, 10 * SECOND, top, d.image("/bin/bash", ["-bash"]), context=2)
    d.failure(shell, 11 * SECOND, d.attempt("/no/such\n<b>", ["no\u202esuch"]), 2)
    for i, word in enumerate(HOSTILE):
        image = d.image("/tmp/" + word, [word, "x", word, word + word], comm=word[:15])
        p = d.process(300 + i, (20 + i) * SECOND, shell, image, SECOND, 9 if i % 3 == 0 else i << 8, 1 + i % 3,
                      comm=word, cwd="/home/" + word)
        d.earlier_image(p, (20 + i) * SECOND + 1000, d.image("/usr/bin/env", ["env", word]))
        d.process(400 + i, (20 + i) * SECOND + 2000, p, image, 1000, inherited=True)
    d.process(499, 59 * SECOND, shell, d.image("/pause", ["/pause"]), SECOND, 0, 4)
    image = d.image(b"/tmp/\xff\xfe", ["a", b"\xff\xc0\x80", b"\xed\xa0\x80"])
    d.process(500, 60 * SECOND, shell, image, SECOND, cwd=b"/\x80")
    d.lose(70 * SECOND, 80 * SECOND, 12)
    d.finish()


PROGRAMS = [
    ("/usr/bin/git", ["git", "fetch", "--all"]),
    ("/usr/bin/make", ["make", "-j8", "all"]),
    ("/usr/bin/gcc", ["gcc", "-O2", "-c", "main.c"]),
    ("/usr/bin/curl", ["curl", "-sSf", "https://example.org/health"]),
    ("/bin/sh", ["sh", "-c", "test -e /run/lock && exit 1"]),
    ("/usr/bin/python3.11", ["python3", "/opt/app/worker.py", "--queue", "mail"]),
    ("/usr/sbin/sshd", ["sshd: deploy [priv]"]),
    ("/usr/bin/sed", ["sed", "-e", "s/a/b/"]),
    ("/usr/bin/date", ["date", "+%s"]),
    ("/usr/bin/sleep", ["sleep", "5"]),
]


def large(path, count, hostname="node1", boot_id=BOOT_ID):
    r = random.Random(7 if hostname == "node1" else hostname)
    d = Database(path)
    d.boot(hostname, 1, boot_id)
    d.cgroup(1, "/system.slice/cron.service")
    d.cgroup(2, "/user.slice/user-1000.slice/session-3.scope")
    for i in range(3, 7):
        d.cgroup(i, "/kubepods.slice/pod%d/cri-%d" % (i, i), "%064x" % i, "containerd", "web-%d" % i,
                 "registry/web:%d" % i, "uid-%d" % i, "web-%d" % i, "shop")
    for i in range(1, 7):
        d.context(i, 0 if i == 1 else 1000, i, 34819 if i == 2 else 0)
    span = 6 * 3600 * SECOND
    top = d.process(1, 0, None, d.image("/lib/systemd/systemd", ["/sbin/init"]), context=1, snapshot=1)
    servers = [("cron", "/usr/sbin/cron", 1), ("sshd", "/usr/sbin/sshd", 2), ("runner", "/usr/bin/runner", 1),
               ("containerd", "/usr/bin/containerd-shim-runc-v2", 3), ("shim", "/usr/bin/containerd-shim", 4),
               ("dockerd", "/usr/bin/dockerd", 5), ("agent", "/opt/agent/bin/agent", 6)]
    parents = []
    for i, (name, exe, context) in enumerate(servers):
        parents.append((d.process(100 + i, (1 + i) * SECOND, top, d.image(exe, [name, "--foreground"]),
                                  context=context), (1 + i) * SECOND, span * 2, context))
    fixed = list(parents)
    step = span // max(count, 1)
    for i in range(count - len(fixed) - 1):
        start = 20 * SECOND + i * step + r.randrange(step)
        while True:
            parent, born, life, context = r.choice(parents[-40:] if r.random() < .7 else fixed)
            if born < start < born + life:
                break
            if parents and parents[-1][1] + parents[-1][2] < start and len(parents) > len(fixed):
                parents.pop()
        life = int(r.expovariate(1 / (3 * SECOND))) + 500000
        if r.random() < .02:
            life *= 100
        image = d.image(*r.choice(PROGRAMS)) if r.random() < .97 else d.image(
            "/tmp/build/tool-%d" % (i % 50), ["tool", "--job", str(i), "--input", "/srv/data/%d.bin" % i])
        inherited = r.random() < .08
        status = 0 if r.random() < .9 else 9 if r.random() < .3 else 256
        alive = r.random() < .002
        p = d.process(1000 + i % 30000, start, parent, image, None if alive else life, status, context,
                      inherited=inherited)
        if r.random() < .3:
            parents.append((p, start, span * 2 if alive else life, context))
            del parents[len(fixed):-200]
    for at in (.21, .22, .55, .83):
        d.lose(int(span * at), int(span * (at + .004)), r.randrange(5, 4000))
    d.finish()


if __name__ == "__main__":
    if sys.argv[1] == "hostile":
        hostile(sys.argv[2])
    else:
        large(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 50000)
