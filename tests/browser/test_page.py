"""What people do on the page, in a real browser, with trainings that really run."""

import pytest

from browser.accounts import Accounts
from browser.gateway import Gateway
from browser.page import Page
from quickstart.product import OperatorProcess
from support.product import Trainings
from trainingjob_api.status import Phase

MANIFEST = """
apiVersion: trainingjob.dev/v1alpha1
kind: TrainingJob
metadata: {name: pasted}
spec:
  training:
    task: classification
    epochs: many
    data: {format: synthetic, validation: {fraction: 0.2}}
    model: {type: mlp, hiddenUnits: [8]}
  checkpoint: {volume: {claimTemplate: {size: 1Gi}}}
"""

NAMELESS = """return [...document.querySelectorAll("a, button, input, select, textarea")]
    .filter((e) => e.checkVisibility() && !e.labels?.length && !e.textContent.trim() && !e.getAttribute("aria-label"))
    .map((e) => e.outerHTML)"""


@pytest.fixture
def token(accounts: Accounts) -> str:
    return accounts.create("anna")


def test_a_training_is_started_by_the_form_and_watched_to_its_end(
    page: Page, token: str, namespace: str, operator: OperatorProcess
) -> None:
    page.log_in(token, "/new")
    page.choose("select[name=source]", "default")
    page.type("input[name=name]", "第一次训练 <b>first</b>")
    page.type("input[name=namespace]", namespace)
    page.type("input[name=epochs]", "0")
    page.press("button.primary", "Start training")
    page.wait(".field-error", "greater than or equal to 1")

    page.type("input[name=epochs]", "3")
    page.press("button.primary", "Start training")
    page.wait("h1", "第一次训练 <b>first</b>")
    page.has_state("completed")
    page.find(lambda: page.points("Validation") == 3, "three epochs in the curve")
    page.press("[role=tab]", "What happened")
    page.wait(".timeline li", "The training is complete.")

    page.open("/")
    page.wait(".jobs .job-name", "第一次训练 <b>first</b>")
    page.wait(".jobs .bar-words", "3 / 3")


def test_a_training_is_paused_and_resumed_while_one_watches(page: Page, token: str, trainings: Trainings) -> None:
    job = trainings.submit("lasting")
    page.log_in(token)
    page.press(".job-name", "lasting")
    page.has_state("running")
    page.find(lambda: page.points("Training") >= 2, "two epochs in the curve")

    page.press("#step", "Pause")
    page.has_state("paused")
    saved = job.wait_for_phase(Phase.PAUSED).pause
    assert saved is not None
    page.wait(".story", f"Step {saved.saved_step} is saved.")

    page.press("#step", "Resume")
    page.has_state("running")
    page.wait(".story", f"Went on from step {saved.saved_step}")
    page.press("[role=tab]", "Log")
    page.wait(".log", "epoch")


def test_a_training_is_deleted_only_after_a_question(page: Page, token: str, trainings: Trainings) -> None:
    trainings.submit("unwanted").wait_for_phase(Phase.RUNNING)
    page.log_in(token)
    page.press(".job-name", "unwanted")
    page.press("#delete")
    page.press("dialog button", "Cancel")
    page.wait("#delete")

    page.press("#delete")
    page.press("#drop")
    page.press("dialog button", "Delete the training")
    page.wait(".empty", "No trainings yet")
    (kept,) = trainings.kubectl.list("persistentvolumeclaims")
    assert "ownerReferences" not in kept["metadata"]


def test_a_training_that_does_not_begin_says_why_in_the_list(page: Page, token: str, trainings: Trainings) -> None:
    trainings.submit("waiting", claim="nowhere")
    page.log_in(token)
    page.wait(f"{page.row('waiting')} .job-why", "Its volume claim does not exist.")
    page.press(".job-name", "waiting")
    page.wait(".story .note", "Create the claim")


def test_a_file_that_was_meant_is_asked_for(page: Page, token: str) -> None:
    page.log_in(token, "/new")
    page.type("input[name=name]", "forgotten")
    page.press("button.primary", "Start training")
    page.wait(".field-error", "Choose a file")


def test_trainings_are_compared(page: Page, token: str, trainings: Trainings) -> None:
    for name, rate in (("slow", 0.001), ("fast", 0.05)):
        trainings.submit(name, training__epochs=4, training__optimizer={"type": "adamw", "learningRate": rate})
    page.log_in(token)
    for name in ("slow", "fast"):
        page.press(f"{page.row(name)} .tick input")
        page.has_state("completed", page.row(name))
    page.press(".compare-bar a", "Compare")

    page.find(lambda: page.points("slow") == 4 and page.points("fast") == 4, "a whole curve for each")
    page.wait(".compare-table tbody tr", "slow")
    page.wait(".numbers", "0.001 0.05")


def test_a_pasted_manifest_is_judged_at_its_fields(
    page: Page, token: str, namespace: str, operator: OperatorProcess
) -> None:
    page.log_in(token, "/new/yaml")
    page.type("textarea", MANIFEST.strip())
    page.wait(".manifest-errors", "spec.training.epochs")
    page.wait(".gutter .wrong", "7")

    page.press(".manifest-errors button", "line 7")
    page.browser.switch_to.active_element.send_keys("    epochs: 2")
    page.wait(".check-status[data-kind=good]", "The cluster would accept this, in namespace")
    page.press("button.primary", "Start training")
    page.wait("h1", "pasted")
    page.has_state("completed")


def test_a_lost_connection_is_shown_and_made_up_for(
    page: Page, token: str, trainings: Trainings, gateway: Gateway
) -> None:
    trainings.submit("before", training__epochs=2)
    page.log_in(token)
    page.wait(page.row("before"))
    gateway.stop()
    try:
        page.wait("[data-banner=lost]", "The connection is lost")
        trainings.submit("meanwhile", training__epochs=2)
    finally:
        gateway.start()
    page.wait_until_gone("[data-banner=lost]")
    page.wait(page.row("meanwhile"))
    page.has_state("completed", page.row("meanwhile"))


def test_a_token_that_counts_no_more_is_replaced_where_one_is(
    page: Page, token: str, accounts: Accounts, trainings: Trainings
) -> None:
    trainings.submit("lasting")
    page.log_in(token)
    page.press(".job-name", "lasting")
    page.has_state("running")
    accounts.delete("anna")
    page.wait("[data-banner=expired]", "not accepted any more")

    page.paste_token("nonsense")
    page.wait(".field-error", "This token is not accepted.")
    page.paste_token(accounts.create("berta"))
    page.wait_until_gone("[data-banner=expired]")
    page.wait("h1", "lasting")
    epochs = page.points("Training")
    page.find(lambda: page.points("Training") > epochs, "the curve to go on")


def test_the_page_speaks_chinese(page: Page, token: str, trainings: Trainings) -> None:
    trainings.submit("lasting")
    page.log_in(token)
    page.press("#language")
    page.wait("h1", "训练")
    page.has_state("running", page.row("lasting"))
    page.wait(f"{page.row('lasting')} .badge", "训练中")


def test_everything_that_can_be_used_has_a_name(page: Page, token: str, trainings: Trainings) -> None:
    trainings.submit("lasting")
    page.log_in(token)
    page.wait(page.row("lasting"))
    for place in ("/", "/compare", "/new", "/new/yaml"):
        page.open(place)
        page.wait("h1")
        assert page.browser.execute_script(NAMELESS) == [], place
