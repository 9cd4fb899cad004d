"""The notebooks of the cookbook: found, read, and executed in fresh kernels that reach no network."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
from cookbook_facts import FACTS
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
COOKBOOK = ROOT / "cookbook"
NOTEBOOKS = sorted(COOKBOOK.glob("*.ipynb"))


def numbered(remainder):
    """Half of the notebooks: those of even or of odd number, so that two processes share the work."""
    return [path for path in NOTEBOOKS if int(path.name[:2]) % 2 == remainder]


def read(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_executed(path, folder):
    """Run a notebook: nothing fails or warns, each cell gives what it gave when it was stored, and its facts hold."""
    stored = read(path)
    fresh = read(path)
    for cell in code_cells(fresh):
        cell.outputs = []
    asserted = "\n".join(f"assert {fact}" for fact in FACTS[path.stem].true)
    fresh.cells.append(nbformat.v4.new_code_cell(asserted))
    client = NotebookClient(
        fresh, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(COOKBOOK)}}, record_timing=False
    )
    client.execute(env=_environment(folder))
    for before, after in zip(code_cells(stored), code_cells(fresh), strict=False):
        complaints = [output.text for output in after.outputs if output.get("name") == "stderr"]
        assert not complaints, f"{path.name} writes to stderr in\n{after.source}\n\n{''.join(complaints)}"
        assert shapes(after) == shapes(before), f"{path.name} is stored with other outputs of\n{after.source}"


def shapes(cell):
    """What kinds of output a cell gives, in their order; a text that comes in several parts counts once."""
    found = []
    for output in cell.outputs:
        kind = (output.output_type, *sorted(output.get("data", ())), output.get("name", ""))
        if not (found and found[-1] == kind and output.output_type == "stream"):
            found.append(kind)
    return found


def _environment(folder):
    """That of a newcomer without network, keys or settings of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JINA", "OPENAI", "JUPYTER"))}
    own = {
        "HF_HUB_OFFLINE": "1",
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "loopback_only"), os.environ.get("PYTHONPATH", "")]),
    }
    environment = kept | own
    # Its first import in a folder tells on stderr that it lists the fonts.
    listing = [sys.executable, "-c", "import matplotlib.font_manager"]
    subprocess.run(listing, env=environment, check=True, capture_output=True)
    return environment
