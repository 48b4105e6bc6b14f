# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven through chromedriver by the WebDriver protocol. No network is used."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--force-device-scale-factor=1", "--hide-scrollbars=false"]
KEYS = {"up": "\ue013", "down": "\ue015", "left": "\ue012", "right": "\ue014", "home": "\ue011", "end": "\ue010",
        "pageup": "\ue00e", "pagedown": "\ue00f", "enter": "\ue007", "escape": "\ue00c", "tab": "\ue004"}
NAME = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    def __init__(self, width=1280, height=800):
        self.profile = tempfile.mkdtemp(prefix="lineaged-chromium.")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       text=True, start_new_session=True)
        for line in self.driver.stdout:
            if "successfully on port" in line:
                self.address = "http://127.0.0.1:" + line.split("on port")[1].split()[0].rstrip(".")
                break
        options = {"args": FLAGS + [f"--window-size={width},{height}", "--user-data-dir=" + self.profile]}
        opener = urllib.request.ProxyHandler({})
        self.opener = urllib.request.build_opener(opener)
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.session = "/session/" + answer["sessionId"]
        # The window has borders even where there are none to be seen.
        inner = self.run("return [window.innerWidth, window.innerHeight]")
        self.post("/window/rect", {"width": 2 * width - inner[0], "height": 2 * height - inner[1]})

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.address + path, method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        try:
            with self.opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"FAIL {path}: {json.load(error)['value']['message']}") from None

    def post(self, path, body=None):
        return self.call("POST", self.session + path, body or {})

    def open(self, path):
        self.post("/url", {"url": "file://" + os.path.abspath(path)})

    def run(self, script, *args):
        return self.post("/execute/sync", {"script": script, "args": list(args)})

    def frame(self):
        """Until what was asked for has been drawn."""
        self.post("/execute/async", {"script": "const done = arguments[0];"
                                               "requestAnimationFrame(() => requestAnimationFrame(() => done(0)))",
                                     "args": []})

    def find(self, selector):
        return self.post("/element", {"using": "css selector", "value": selector})[NAME]

    def click(self, selector):
        self.post(f"/element/{self.find(selector)}/click")
        self.frame()

    def type(self, selector, text):
        self.post(f"/element/{self.find(selector)}/value", {"text": text})
        self.frame()

    def keys(self, *names):
        """To what has the focus."""
        actions = []
        for name in names:
            key = KEYS.get(name, name)
            actions += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self.post("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})
        self.frame()

    def drag(self, selector, start, end, double=False):
        """From one place to another, each as parts of width and height."""
        box = self.run("const r = document.querySelector(arguments[0]).getBoundingClientRect();"
                       "return [r.left, r.top, r.width, r.height]", selector)
        points = [(int(box[0] + box[2] * x), int(box[1] + box[3] * y)) for x, y in (start, end)]
        self.post("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [
            {"type": "pointerMove", "x": points[0][0], "y": points[0][1]},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": points[1][0], "y": points[1][1], "duration": 50},
            {"type": "pointerUp", "button": 0}]}]})
        self.frame()

    def wheel(self, selector, amount, ctrl=False):
        box = self.run("const r = document.querySelector(arguments[0]).getBoundingClientRect();"
                       "return [r.left, r.top, r.width, r.height]", selector)
        keys = [{"type": "key", "id": "keys", "actions": [{"type": "keyDown", "value": "\ue009"}]}]
        wheel = {"type": "wheel", "id": "wheel", "actions": [
            {"type": "scroll", "x": int(box[0] + box[2] / 2), "y": int(box[1] + box[3] / 2), "deltaX": 0,
             "deltaY": amount}]}
        if ctrl:
            self.post("/actions", {"actions": keys})
        self.post("/actions", {"actions": [wheel]})
        if ctrl:
            self.call("DELETE", self.session + "/actions")
        time.sleep(.2)
        self.frame()

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", self.session + "/screenshot")))

    def log(self, kind="browser"):
        return self.post("/se/log", {"type": kind})

    def quit(self):
        try:
            self.call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait(20)
            shutil.rmtree(self.profile, ignore_errors=True)
