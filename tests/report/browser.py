# SPDX-License-Identifier: Apache-2.0
"""The report in headless Chromium, clicked through as a reader would.

    browser.py LINEAGE_QUERY HOSTILE_DATABASE LARGE_DATABASE DIRECTORY_FOR_SCREENSHOTS
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import database
from webdriver import Browser

QUERY, HOSTILE, LARGE, SHOTS = sys.argv[1:5]
checks = 0


def expect(what, condition):
    global checks
    checks += 1
    if not condition:
        raise SystemExit(f"FAIL {what}")


def report(path, *question):
    done = subprocess.run([QUERY, "report", "--utc", "-o", path, *question], capture_output=True, text=True)
    expect(f"report: {done.returncode} {done.stderr}", done.returncode == 0)
    expect("report: only its owner may read it", os.stat(path).st_mode & 0o777 == 0o600)


def shown(b):
    """The rows in sight, as (pid, text)."""
    return b.run("return [...document.querySelectorAll('.row')].map(r =>"
                 "[r.querySelector('.c-pid').textContent, r.querySelector('.c-command').textContent])")


def found(b):
    return b.run("return document.getElementById('found').textContent")


def details(b):
    return b.run("return document.getElementById('details').innerText")


def quiet(b, what):
    """Nothing ran that is not ours, nothing was asked of any network, no error, no violation of the policy."""
    expect(f"{what}: console {b.log()}", not b.log())
    expect(f"{what}: nothing is loaded", b.run("return performance.getEntriesByType('resource').length") == 0)
    urls = {json.loads(e["message"])["message"]["params"].get("request", {}).get("url", "")[:8]
            for e in b.log("performance") if '"Network.requestWillBeSent"' in e["message"]}
    # chrome:// and data: are the browser's own pages and the cross of its search field.
    expect(f"{what}: no request but for the file: {urls}", "file:///" in urls and
           all(u.split(":")[0] in ("file", "data", "chrome") for u in urls))


def check_hostile(b, path):
    report(path, "200", "--db", HOSTILE)
    with open(path, "rb") as file:
        page = file.read()
    block = page.split(b'id="data">')[1].split(b"</script>")[0]
    expect("the data block has no markup", not any(c in block for c in b"<>&"))
    for text in "\u2028", "\u2029", "\u202e", "\x1b", "\x9b":
        expect(f"the page has no raw {text!a}", text.encode() not in page)
    expect("it says what it may do", b"default-src 'none'; script-src 'sha256-" in page)
    expect("it names no address", b"http://" not in page and b"src=\"" not in page.split(b'id="data">')[0])
    b.open(path)
    b.click("#expand")
    rows = shown(b)
    expect("rows", len(rows) > 20)
    b.screenshot(os.path.join(SHOTS, "hostile.png"))
    # Each process in turn: what it calls itself is shown, and does nothing.
    b.click("#tree")
    b.keys("home")
    texts = []
    for _ in range(55):
        b.keys("down")
        texts.append(details(b))
    everything = "\n".join(texts)
    for word in "<img src=x onerror=", "</script><script>", "\\u202egpj.exe", "\\x1b]0;owned", "\\xff", "javascript:":
        expect(f"{word!r} is to be read", word in everything)
    expect("the failed exec", "ENOENT" in everything and "no\\u202esuch" in everything)
    expect("nothing ran", "owned" not in b.run("return document.title"))
    expect("nothing became an element", b.run(
        "return document.querySelectorAll('#tree img, #details img, #details script, main b b, iframe').length") == 0)
    b.type("#search", "</script>")
    expect("search for markup", "2 matches" in found(b))
    expect("marks in it", b.run("return document.querySelector('mark').textContent") == "</script>")
    quiet(b, "hostile")


def check_policy(b, path):
    """The policy holds: had something got in, it would not run."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    page = page.replace("<noscript>", "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
                        "<noscript>", 1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)
    b.open(path)
    b.frame()
    expect("what is not ours does not run", "owned" not in b.run("return document.title"))
    expect("and is told", any("Content Security Policy" in e["message"] for e in b.log()))


def timed(what, most, action):
    """most: seconds, of a machine that has other work; what takes longer grows faster than the report does."""
    begin = time.monotonic()
    action()
    took = time.monotonic() - begin
    print(f"{what}: {took * 1000:.0f} ms")
    expect(f"{what}: {took:.2f} s, more than {most}", took < most)


def check_large(b, path):
    report(path, "--db", LARGE)
    timed("load 50000 processes", 45, lambda: (b.open(path), b.frame()))
    expect("ready", b.run("return document.documentElement.dataset.ready") == "1")
    expect("all are there", b.run("return document.querySelector('#facts b').textContent") == "50,000")
    expect("few elements", b.run("return document.querySelectorAll('.row').length") < 60)
    expect("what is missing", "7,210 events" in b.run("return document.getElementById('complete').textContent"))
    b.screenshot(os.path.join(SHOTS, "light.png"))

    timed("open all", 10, lambda: b.click("#expand"))
    expect("all rows have a place", b.run("return document.getElementById('spacer').offsetHeight") == 50000 * 22)
    timed("scroll to the end", 10, lambda: (b.run("document.getElementById('scroller').scrollTop = 1e9"), b.frame()))
    expect("rows at the end", len(shown(b)) > 10 and len(shown(b)) < 60)
    b.screenshot(os.path.join(SHOTS, "end.png"))

    timed("search", 10, lambda: b.type("#search", "curl exit:!0"))
    with_jq = subprocess.run([QUERY, "search", "-o", "ndjson", "--exe", "curl", "--ended", "--status", "!0", "--db", LARGE],
                             capture_output=True, text=True).stdout.splitlines()
    expect(f"as many as lineage-query finds: {found(b)}", found(b) == f"{len(with_jq) - 1} matches")
    expect("marked", b.run("return document.querySelector('mark').textContent") == "curl")
    b.screenshot(os.path.join(SHOTS, "search.png"))
    b.keys("enter")
    expect("the next match", found(b).startswith("2 of"))
    b.keys("escape")
    expect("the search has ended", found(b) == "")

    b.click("#collapse")
    before = b.run("return visible.length")
    b.keys("home", "down", "right")
    expect("a key opens", b.run("return visible.length") > before)
    pid = b.run("return rows[selected][PID]")
    b.keys("right")
    expect("to the child", b.run("return rows[rows[selected][PARENT]][PID]") == pid)
    b.keys("left")
    expect("to the parent", b.run("return rows[selected][PID]") == pid)
    b.keys("left")
    expect("a key closes", b.run("return visible.length") == before)
    check_timeline(b)
    quiet(b, "large")


def alike(path):
    """A service that did the same thing forty times, one of them with another end, and what it did was two deep."""
    d = database.Database(path)
    d.boot()
    d.cgroup(1, "/system.slice/cron.service")
    d.context(1, 0, 1)
    second = database.SECOND
    top = d.process(1, 0, None, d.image("/lib/systemd/systemd", ["/sbin/init"]))
    cron = d.process(50, second, top, d.image("/usr/sbin/cron", ["cron"]))
    for i in range(40):
        shell = d.process(100 + i, (10 + 10 * i) * second, cron, d.image("/bin/sh", ["sh", "-c", "curl"]), 3 * second,
                          256 if i == 20 else 0)
        d.process(200 + i, (11 + 10 * i) * second, shell, d.image("/usr/bin/curl", ["curl", "x"]), second)
        if i == 30:
            d.process(300, (12 + 10 * i) * second, shell, d.image("/usr/bin/id", ["id"]), second)
    d.finish()


def check_fold(b, directory):
    path, page = os.path.join(directory, "alike.db"), os.path.join(directory, "alike.html")
    alike(path)
    report(page, "50", "--db", path)
    b.open(page)
    b.frame()
    text = subprocess.run([QUERY, "tree", "50", "--db", path, "-q"], capture_output=True, text=True).stdout
    folded = len(text.splitlines())
    expect(f"as many rows as the tree has lines: {folded}\n{text}", folded == 9 and len(shown(b)) == folded)
    labels = b.run("return [...document.querySelectorAll('.fold')].map(e => e.textContent)")
    expect(f"how many each stands for: {labels}", labels == ["38×"])
    expect("38 lives are in its lane", b.run("let n = 0; for (let j = leader[2]; j >= 0; j = nextAlike[j]) n++; return n") == 38)
    pixel = ("const c = document.getElementById('lanes'), g = c.getContext('2d'), y = place[2] * 22 + 11;"
             "const d = g.getImageData(0, y, c.width, 1).data; let n = 0, on = false;"
             "for (let i = 0; i < d.length; i += 4) { const now = d[i + 3] > 60 && d[i + 1] > d[i] + 10; n += now && !on; on = now }"
             "return n")
    b.screenshot(os.path.join(SHOTS, "folded.png"))
    expect(f"and drawn: {b.run(pixel)}", b.run(pixel) > 20)
    b.click(".fold")
    expect("each in a row of its own", b.run("return visible.length") == folded + 37)
    b.screenshot(os.path.join(SHOTS, "unfolded.png"))
    b.keys("end", "up", "up", "f")
    expect("folded again by a key", b.run("return visible.length") == folded)
    expect("what was chosen is the row itself", b.run("return selected === leader[selected]"))
    b.type("#search", "pid:139")
    expect("a search finds what is folded", found(b) == "1 match" and ["139"] == [r[0] for r in shown(b)][-1:])
    b.keys("escape")
    b.run("reveal(rows.findIndex(p => p[PID] === 239)); draw()")
    b.frame()
    expect("a link to one that is folded shows it", b.run("return place[rows.findIndex(p => p[PID] === 239)] > 0"))
    b.click("#collapse")
    b.click("#expand")
    expect("all of them", b.run("return visible.length") == 2 + 81)
    quiet(b, "fold")


def check_timeline(b):
    whole = b.run("return [view.from, view.to]")
    b.drag("#density", (.19, .4), (.25, .4))
    part = b.run("return [view.from, view.to]")
    expect("dragging chooses a time", .05 < (part[1] - part[0]) / (whole[1] - whole[0]) < .07)
    b.click("#within")
    expect("only what was then", b.run("return matches.length > 100 && matches.every(inView)"))
    b.screenshot(os.path.join(SHOTS, "gap.png"))
    b.wheel("#lanes", -300, ctrl=True)
    closer = b.run("return [view.from, view.to]")
    expect("the wheel zooms", closer[1] - closer[0] < (part[1] - part[0]) * .8)
    b.drag("#lanes", (.7, .5), (.3, .5))
    moved = b.run("return [view.from, view.to]")
    expect("dragging moves", moved[0] > closer[0] and abs((moved[1] - moved[0]) - (closer[1] - closer[0])) < 1000)
    b.click("#within")
    b.click("#fit")
    expect("all of it", b.run("return [view.from, view.to]") == whole)
    # A gap is drawn as one, over every lane: its colour is there, and not beside it.
    pixel = ("const c = document.getElementById('lanes'), g = c.getContext('2d'), at = Math.round((arguments[0] -"
             " view.from) / (view.to - view.from) * c.width); let n = 0;"
             "const d = g.getImageData(at - 1, c.height - 60, 3, 50).data;"
             "for (let i = 0; i < d.length; i += 4) n += d[i + 3] > 0 && d[i] > d[i + 1] + 40; return n")
    gap = b.run("return (timeGaps[2].from + timeGaps[2].to) / 2")
    expect("the gap is drawn", b.run(pixel, gap) > 20)
    expect("and nothing where there is none", b.run(pixel, gap - 1.2e12) == 0)
    b.click("#complete")
    b.click("#missing li button")
    near = b.run("return [view.from <= timeGaps[0].from, view.to >= timeGaps[0].to, view.to - view.from]")
    expect("to the gap", near[0] and near[1] and near[2] < 3e11)
    b.click("#theme")
    expect("dark", b.run("return document.documentElement.classList.contains('dark')"))
    b.screenshot(os.path.join(SHOTS, "dark.png"))
    b.click("#zone")
    b.click("#zone")
    b.keys("?")
    expect("keys", b.run("return document.getElementById('keys').open"))
    b.screenshot(os.path.join(SHOTS, "keys.png"))


os.makedirs(SHOTS, exist_ok=True)
browser = Browser()
try:
    with tempfile.TemporaryDirectory() as directory:
        check_hostile(browser, os.path.join(directory, "hostile.html"))
        check_policy(browser, os.path.join(directory, "hostile.html"))
        check_fold(browser, directory)
        check_large(browser, os.path.join(directory, "large.html"))
finally:
    browser.quit()
print(f"browser: {checks} checks passed, {len(database.HOSTILE)} hostile names")
