"""Ten jobs at once in three namespaces do not disturb each other."""

from contextlib import ExitStack

from quickstart.product import OperatorProcess
from support.cluster import new_namespace
from support.product import Trainings, trainings_in
from trainingjob_api.status import Phase


def test_ten_jobs_in_three_namespaces_end_complete(operator: OperatorProcess, trainings: Trainings) -> None:
    with ExitStack() as namespaces:
        others = [namespaces.enter_context(new_namespace(trainings.kubectl.kubeconfig)) for _ in range(2)]
        places = [trainings, *map(trainings_in, others)]
        jobs = [places[number % 3].submit(f"job-{number}", training__epochs=20) for number in range(10)]
        ends = [job.wait_for_end() for job in jobs]
    assert [end.phase for end in ends] == [Phase.SUCCEEDED] * 10
    assert [end.attempt for end in ends] == [1] * 10
