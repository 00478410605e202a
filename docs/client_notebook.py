"""Writes docs/client.ipynb and runs it on the cluster of KUBECONFIG, which has an operator: `make notebook` does."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

DOCS = Path(__file__).parent
_PATIENCE = 600  # seconds for a cell
_CELLS = (
    (
        "markdown",
        """# TrainingJobs from a notebook

This notebook was run on the embedded cluster: `make up`, and `KUBECONFIG` as it says.
[client.md](client.md) has the rest.""",
    ),
    (
        "code",
        """from trainingjob_client import ClientError, TrainingJobs

jobs = TrainingJobs.connect()
jobs.namespace""",
    ),
    (
        "markdown",
        """## Submit and watch

A manifest with its ConfigMap. `watch` shows the job now and at every change; here it is left in the middle.""",
    ),
    (
        "code",
        """job = jobs.submit("../deploy/examples/digits.yaml")
job.name, job.phase, job.spec.training.epochs""",
    ),
    (
        "code",
        """for job in jobs.watch("digits"):
    progress = job.status.progress
    print(job.phase, progress.epoch_text if progress else "")
    if progress and progress.epoch >= 20:
        break""",
    ),
    (
        "markdown",
        """## Pause and resume

The pause is over once the state is saved and no pod is left; status says which step that is.
The resume goes on from there, exactly.""",
    ),
    (
        "code",
        """jobs.pause("digits")
job = jobs.wait("digits", until="paused")
print(job.message)
jobs.pods("digits")""",
    ),
    (
        "code",
        """jobs.resume("digits")
job = jobs.wait("digits")
print(job.phase, "-", job.message)
job.status.resume.from_step, job.status.resume.exactness""",
    ),
    ("markdown", "## Every epoch\n\nOver all attempts, also now that it is over."),
    (
        "code",
        """history = jobs.history("digits")
attempts = [tuple(start) for start in history.attempts]
print(len(history.rows), "epochs, best:", history.best, "attempts and their first epochs:", attempts)
history.rows[-1].metrics""",
    ),
    (
        "code",
        """table = history.to_arrow().select(["epoch", "attempt", "trainLoss", "validationLoss"])
table.slice(0, 5).to_pydict()""",
    ),
    ("code", 'jobs.plot("digits")'),
    ("markdown", "## Logs and errors"),
    (
        "code",
        """for line in jobs.logs("digits", tail=2):
    print(line[:150])""",
    ),
    (
        "code",
        """try:
    jobs.pause("digits")
except ClientError as error:
    print(type(error).__name__ + ":", error)""",
    ),
    (
        "code",
        """jobs.delete("digits", keep_checkpoints=False)
jobs.close()""",
    ),
)


def notebook() -> nbformat.NotebookNode:
    """Not run yet."""
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for number, (kind, source) in enumerate(_CELLS):
        new = nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_code_cell
        made.cells.append(new(source, id=f"cell-{number}"))
    return made


def main() -> None:
    made = notebook()
    NotebookClient(made, timeout=_PATIENCE, resources={"metadata": {"path": str(DOCS)}}).execute()
    for cell in made.cells:
        cell.metadata.pop("execution", None)  # when it ran
    made.metadata["language_info"] = {"name": "python"}
    nbformat.write(made, DOCS / "client.ipynb")


if __name__ == "__main__":
    main()
