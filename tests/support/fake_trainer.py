"""Behaves like a trainer as far as the operator can see, and fails on request; standard library only.

FAKE_STEP_SECONDS: of a step, ten to an epoch. FAKE_FAIL: `attempt:step:code[:silent]`, comma-separated.
FAKE_SAVE_SECONDS: how long a save on request takes.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RUN = json.loads(os.environ["TRAININGJOB_RUN"])
RANK = int(os.environ.get("PET_NODE_RANK") or 0)
EPOCHS = RUN["training"].get("epochs", 100)
STEPS = 10
STATE = Path(RUN["checkpointPath"]) / "fake.json"
OUTCOMES = {0: "Completed", 1: "Crash", 43: "Stopped", 44: "UserError", 45: "NonFinite", 46: "Hang", 47: "PeerLost"}
OUTCOMES |= {48: "NotSaved", 49: "OutOfDeviceMemory", 50: "DataError", 51: "CheckpointCorrupt"}
stop = threading.Event()
progress = {
    "uid": RUN["uid"],
    "attempt": RUN["attempt"],
    "state": "starting",
    "epochs": EPOCHS,
    "steps": EPOCHS * STEPS,
    "epoch": 0,
    "step": 0,
}


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(progress).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def save(on_request):
    checkpoint = {
        "step": progress["step"],
        "epoch": progress["epoch"],
        "attempt": RUN["attempt"],
        "path": f"step-{progress['step']}.{RUN['attempt']}",
        "sizeBytes": 100,
        "saveTime": now(),
        "saveSeconds": 0.01,
        "onRequest": on_request,
    }
    if RANK == 0:
        STATE.parent.mkdir(parents=True, exist_ok=True)
        temporary = STATE.with_suffix(".tmp")
        temporary.write_text(json.dumps({**checkpoint, "done": progress["step"] >= EPOCHS * STEPS}))
        temporary.replace(STATE)
    progress["checkpoint"] = checkpoint


def leave(code, message="", silent=False):
    if not silent:
        said = {
            "uid": RUN["uid"],
            "attempt": RUN["attempt"],
            "nodeRank": RANK,
            "outcome": OUTCOMES.get(code, "Crash"),
            "exitCode": code,
            "message": message,
            "time": now(),
            "progress": progress,
        }
        Path(os.environ["TRAININGJOB_TERMINATION_LOG"]).write_text(json.dumps(said))
    print(f"leaving with {code} at step {progress['step']}", flush=True)
    os._exit(code)


def failures():
    for rule in filter(None, os.environ.get("FAKE_FAIL", "").split(",")):
        attempt, step, code, *silent = rule.split(":")
        if int(attempt) in (0, RUN["attempt"]):
            yield int(step), int(code), bool(silent)


def main():
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if RANK == 0:
        server = ThreadingHTTPServer((os.environ.get("POD_IP") or "127.0.0.1", 9464), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if STATE.exists() and RANK == 0:
        saved = json.loads(STATE.read_text())
        progress.update(step=saved["step"], epoch=saved["epoch"])
        progress["checkpoint"] = {key: value for key, value in saved.items() if key != "done"}
        progress["resume"] = {
            "fromStep": saved["step"],
            "fromAttempt": saved["attempt"],
            "exactness": "Bitwise",
            "saveTime": saved["saveTime"],
            "onRequest": saved["onRequest"],
        }
    time.sleep(float(os.environ.get("FAKE_START_SECONDS", "0")))
    progress["state"] = "training"
    bad = {step: (code, silent) for step, code, silent in failures()}
    while progress["step"] < EPOCHS * STEPS:
        if progress["step"] in bad:
            code, silent = bad[progress["step"]]
            if code > 128:
                os.kill(os.getpid(), code - 128)
            leave(code, f"asked to fail with {code}", silent)
        if stop.wait(float(os.environ.get("FAKE_STEP_SECONDS", "0.1"))):
            progress["state"] = "stopping"
            time.sleep(float(os.environ.get("FAKE_SAVE_SECONDS", "0")))
            save(on_request=True)
            leave(43, "stopped on request")
        progress["step"] += 1
        if progress["step"] % STEPS == 0:
            progress["epoch"] += 1
            loss = 1.0 / (1 + progress["epoch"])
            progress["latest"] = progress["best"] = {
                "epoch": progress["epoch"],
                "trainLoss": loss,
                "validationLoss": loss,
                "secondsPerEpoch": 0.1,
            }
            progress["secondsRemaining"] = float(EPOCHS - progress["epoch"])
            save(on_request=False)
    progress["state"] = "finished"
    leave(0, "all epochs done")


if __name__ == "__main__":
    sys.exit(main())
