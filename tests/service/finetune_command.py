"""Stands in for `jina-components finetune run`: goes through its stages as files beside it say.

    python finetune_command.py MODEL --to=RUN … -- SOURCE

The folder of the job's parent holds `hold`: wait there for its end; `fail`: end with that text; `kill`: be killed.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path


def watch() -> None:
    while os.read(0, 64):
        pass
    os._exit(130)


def tell(**event: object) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


threading.Thread(target=watch, daemon=True).start()
model, *arguments = sys.argv[1:]
run = Path(next(each.removeprefix("--to=") for each in arguments if each.startswith("--to=")))
state = run.parent.parent
run.mkdir(exist_ok=True)
with (run.parent / "starts.txt").open("a") as starts:
    starts.write(" ".join(arguments) + "\n")
tell(stage="synthesize", passages=3, tokens=42, train=1, dev=1, test=1)
sys.stdout.write("no event\n")
tell(stage="fit", step=1, steps=2, losses={"contrastive": 0.5}, dev={})
while (state / "hold").exists():
    time.sleep(0.01)
if (state / "kill").exists():
    os.kill(os.getpid(), signal.SIGKILL)
if (state / "fail").exists():
    sys.stderr.write(f"jina-components: {run.parent}/documents.jsonl {(state / 'fail').read_text()}\n")
    sys.exit(2)
    sys.exit(f"jina-components: {run.parent}/documents.jsonl {(state / 'fail').read_text()}")
shutil.copytree(model, run / "model", dirs_exist_ok=True)
report = {"verdict": "no proof", "reason": "It holds 0.", "questions": 3, "groups": 3, "metrics": {}, "seed": 0}
(run / "report.json").write_text(json.dumps(report))
tell(stage="compared", verdict="no proof", before=str(run), after=str(run))
sys.exit(1)
