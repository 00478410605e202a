"""What must hold of a TrainingJob's status whatever goes on around it. Pure: sentences about what does not."""

from collections.abc import Iterator

from unit.operator.world.objects import Raw, is_finished, is_true, reason_of

COUNTS = ("attempt", "restarts", "disruptions", "observedGeneration")
STATES = ("Ready", "Reconciling", "Stalled")
OF_WHAT_RUNS = ("samplesPerSecond", "secondsRemaining", "remainingText")


def broken_rules(raw: Raw, before: Raw) -> Iterator[str]:
    """Of one change of the status."""
    new, old = raw["status"], before["status"]
    yield from (f"{count} fell to {new.get(count, 0)}" for count in COUNTS if new.get(count, 0) < old.get(count, 0))
    if "startTime" in old and new.get("startTime") != old["startTime"]:
        yield "startTime has changed"
    yield from _broken_conditions(raw, before)
    yield from _broken_ends(raw, before)
    yield from _broken_words(new)
    if is_true(raw, "Suspended") and "retryTime" in new:
        yield "Suspended, and yet it says when it goes on"
    shown = [name for name in OF_WHAT_RUNS if name in new.get("progress", {})]
    if shown and not is_true(raw, "Running"):
        yield f"nothing runs, and yet {shown} are shown"


def _broken_conditions(raw: Raw, before: Raw) -> Iterator[str]:
    states = [type for type in STATES if is_true(raw, type)]
    if len(states) != 1:
        yield f"{states} at once"
    old = {condition["type"]: condition for condition in before["status"].get("conditions", [])}
    new = {condition["type"]: condition for condition in raw["status"]["conditions"]}
    yield from (f"condition {type} is gone" for type in old.keys() - new.keys())
    for type in old.keys() & new.keys():
        same = old[type]["status"] == new[type]["status"]
        if same and old[type]["lastTransitionTime"] != new[type]["lastTransitionTime"]:
            yield f"{type} has another time, though it has not turned"
        if new[type].get("observedGeneration", 0) > raw["metadata"]["generation"]:
            yield f"{type} is about a generation to come"


def _broken_ends(raw: Raw, before: Raw) -> Iterator[str]:
    if is_true(raw, "Complete") and is_true(raw, "Failed"):
        yield "Complete and Failed at once"
    if is_finished(before) and _end(raw) != _end(before):
        yield "a finished TrainingJob changed its end"
    if is_finished(raw) != ("completionTime" in raw["status"]):
        yield "completionTime does not go with the end"
    if is_finished(raw) and is_true(raw, "Running"):
        yield "it runs, and is finished"
    allowed = raw["spec"].get("restart", {}).get("maxRestarts", 3)
    if reason_of(raw, "Failed") == "RestartBudgetSpent" and raw["status"].get("restarts", 0) < allowed:
        yield f"the budget of {allowed} is spent after {raw['status'].get('restarts', 0)} restarts"


def _end(raw: Raw) -> tuple[object, ...]:
    return reason_of(raw, "Complete"), reason_of(raw, "Failed"), raw["status"].get("completionTime")


def _broken_words(status: Raw) -> Iterator[str]:
    for condition in status["conditions"]:
        if condition["status"] == "True" and condition["type"] in ("Stalled", "Failed") and not condition["message"]:
            yield f"{condition['type']}/{condition['reason']} without a message"
        if "already exists" in condition["message"]:
            yield f"{condition['type']} tells of our own doing: {condition['message']}"
    failure = status.get("lastFailure")
    if failure is not None and not failure["message"]:
        yield f"a failure without a message: {failure}"
