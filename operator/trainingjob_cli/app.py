"""All commands."""

import typer

from trainingjob_cli.commands import (
    completion,
    deleting,
    describing,
    doctor,
    files,
    histories,
    listing,
    local,
    logs,
    pausing,
    starting,
    submitting,
    version,
    waiting,
    watching,
)

app = typer.Typer(
    name="trainingjob",
    help="Train PyTorch models on Kubernetes: TrainingJobs from a terminal.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("submit")(submitting.submit)
app.command("list")(listing.list_jobs)
app.command("get")(listing.get)
app.command("describe")(describing.describe)
app.command("watch")(watching.watch)
app.command("logs")(logs.logs)
app.command("pause")(pausing.pause)
app.command("resume")(pausing.resume)
app.command("wait")(waiting.wait)
app.command("history")(histories.history)
app.command("plot")(histories.plot)
app.command("compare")(histories.compare)
app.command("checkpoints")(files.checkpoints)
app.command("download")(files.download)
app.command("upload")(files.upload)
app.command("delete")(deleting.delete)
app.command("init")(starting.init)
app.command("doctor")(doctor.doctor)
app.command("run")(local.run)
app.command("examples")(local.examples)
app.command("version")(version.version)
app.command("completion")(completion.completion)
