"""Is it better? All components beside the peers that a user would pick, in one run, and the report drawn from it.

    python -m benchmarks [--full] [--data DATA] [--only COMPONENT …] [--peers-python PEERS/bin/python …]
    python -m benchmarks report
    python -m benchmarks gate [RUN.json] [--raise [ROW …]] [--lower ROW --why "…"] [--partial]

The first measures the rows of `benchmarks/table.py`: small samples of the public sets, some minutes on two cores, or
with `--full` all of them. Without `--data` it measures what needs none, and says what it left out. Each job's results
are in `benchmarks/history` as soon as it ends; the same command goes on with a run that was interrupted. `report` draws
`benchmarks/report.md` from the history and fills the numbers of the README and the documentation. `gate` compares the
newest run with the floors in `benchmarks/floors.json`, and ends with status 1 where one is not reached.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gate import gate
from benchmarks.history import HISTORY
from benchmarks.report import draw
from benchmarks.run import measure
from benchmarks.setting import Setting
from benchmarks.table import COMPONENTS, JOBS


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; the exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "report":
        draw()
        return 0
    if options.command == "gate":
        return gate(options)
    if options.data and not options.data.is_dir():
        sys.exit(f"--data {options.data} is no folder; see benchmarks/README.md for what it holds.")
    setting = Setting(options.data, options.peers_python, options.cache, options.threads, options.seed)
    run, path = measure(setting, "full" if options.full else "quick", options.only, options.history)
    print(f"\n{len(run.results)} rows in {path}; python -m benchmarks report draws them.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*COMPONENTS, *JOBS]
    parser.add_argument("--full", action="store_true", help="everything; hours")
    parser.add_argument("--data", type=Path, help="folder of the public sets, see benchmarks/README.md")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    parser.add_argument("--peers-python", nargs="+", default=[], help="interpreters of environments that have peers")
    parser.add_argument("--threads", type=int, default=1, help="that each contender of a speed row has")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Setting.cache, help="folder for what is made on the way")
    parser.add_argument("--history", type=Path, default=HISTORY, help="folder of the results")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("report", help="draw the report from the history")
    gated = commands.add_parser("gate", help="compare the newest run with the floors")
    gated.add_argument("run", nargs="?", type=Path, help="file of a run; default: the newest")
    gated.add_argument("--raise", dest="raised", nargs="*", metavar="ROW", help="raise floors to what was reached")
    gated.add_argument("--lower", nargs="+", default=[], metavar="ROW", help="lower floors to what was reached")
    gated.add_argument("--why", default="", help="the reason, which is kept beside a floor that was lowered")
    gated.add_argument("--partial", action="store_true", help="let floors pass of rows that the run does not have")
    return parser


if __name__ == "__main__":
    sys.exit(main())
