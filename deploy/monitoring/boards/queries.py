"""PromQL that several boards need. The operator's mirror and the trainer's pages name a training differently."""

MIRROR = 'training_namespace=~"$namespace", training_name=~"$training"'
PODS = 'namespace=~"$namespace", training_name=~"$training"'
RUNNING = "Running|Finishing"
"""Phases in which pods train, or test and write the model."""
_BY = "training_namespace, training_name"


def mirror(metric: str, selector: str = MIRROR) -> str:
    """What the operator says of each TrainingJob, also of one that has ended; once, whoever answers."""
    return f"max by ({_BY}) (trainingjob_operator_job_{metric}{{{selector}}})"


def of_the_last(metric: str) -> str:
    """As mirror(), without those of an earlier TrainingJob of the same name: curves over epochs would mix the two."""
    series = f"max by ({_BY}, training_uid) (trainingjob_operator_job_{metric}{{{MIRROR}}})"
    return f"max by ({_BY}) ({series} and on (training_uid) trainingjob_operator_job_phase{{{MIRROR}}} @ end())"


def since_the_start() -> str:
    """Seconds from the first attempt's beginning to the end, or until now."""
    start = of_the_last("start_timestamp_seconds")
    return f"({of_the_last('completion_timestamp_seconds')} or {start} * 0 + time()) - {start}"


def in_phase(phases: str, selector: str = MIRROR) -> str:
    """1 for each TrainingJob in one of these phases (a regular expression)."""
    return f'max by ({_BY}) (trainingjob_operator_job_phase{{{selector}, phase=~"{phases}"}})'


def running(expression: str, selector: str = MIRROR) -> str:
    """The expression, of TrainingJobs that run."""
    return f"{expression} and on ({_BY}) {in_phase(RUNNING, selector)}"


def increase(metric: str, window: str, selector: str = MIRROR) -> str:
    """By how much one of the mirror's counters grew, over all TrainingJobs."""
    return f"sum(max by ({_BY}, training_uid) (increase(trainingjob_operator_job_{metric}{{{selector}}}[{window}])))"


def rank_0(metric: str, labels: str = "", by: str = "") -> str:
    """What rank 0 serves of the whole training, whichever attempt it is of."""
    selector = f'{PODS}, rank="0"{labels and ", " + labels}'
    return f"max by ({by}) (trainingjob_{metric}{{{selector}}})"


def live_or_mirrored(metric: str, split: str, mirrored: str) -> str:
    """The trainer's number while it can be scraped, the operator's mirror of it when not."""
    of_mirror = f'label_replace(max(trainingjob_operator_job_{mirrored}{{{MIRROR}}}), "split", "{split}", "", "")'
    live = rank_0(metric, f'split="{split}"', "split")
    return f"{live} or {of_mirror}"


def as_mirrored(expression: str) -> str:
    """A trainer's series under the mirror's labels, so that the two can stand in one table."""
    return f'label_replace({expression}, "training_namespace", "$1", "namespace", "(.+)")'


def of_the_training(alerts: str) -> str:
    """With the training's namespace in one label: in alerts from the mirror, `namespace` is the operator's."""
    both = f'label_join({alerts}, "training_namespace", ";", "training_namespace", "namespace")'
    return f'label_replace({both}, "training_namespace", "$1", "training_namespace", ";?([^;]*).*")'


def of_the_last_pods(expression: str) -> str:
    """Pods' series without those of an earlier TrainingJob of the same name."""
    there_are = f"trainingjob_info{{{PODS}}} and on (training_uid) trainingjob_operator_job_phase{{{MIRROR}}} @ end()"
    return f"{expression} and on (namespace, pod) ({there_are})"


def measured_by_pods() -> str:
    """The chosen measure as pods tell it: of the same moment as their steps, which the mirror's is not."""
    names = "trainingjob_(loss|accuracy_ratio|mae)"
    told = f'label_replace({{__name__=~"{names}", {PODS}, rank="0"}}, "measure", "$1", "__name__", "{names}")'
    chosen = 'label_replace(vector(1), "measure", "${measure}", "", "")'
    return f'label_join({told}, "measure", "_", "split", "measure") and on (measure) {chosen}'


def quantile(share: float, histogram: str, selector: str = "", by: str = "", window: str = "$__rate_interval") -> str:
    """Quantile of a histogram over all series, or by some labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{selector}}}[{window}])))"
