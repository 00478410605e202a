"""Ten jobs at once in three namespaces do not disturb each other."""

import uuid

from quickstart.product import OperatorProcess
from support.cluster import kubectl_of
from support.product import Trainings, trainings_in
from support.waiting import PATIENCE
from trainingjob_api.status import Phase


def test_ten_jobs_in_three_namespaces_end_complete(operator: OperatorProcess, trainings: Trainings) -> None:
    places = [trainings]
    for _ in range(2):
        kubectl = kubectl_of(trainings.kubectl.kubeconfig, f"test-{uuid.uuid4().hex[:10]}")
        kubectl("create", "namespace", kubectl.namespace)
        kubectl("wait", "--for=create", "serviceaccount/default", f"--timeout={PATIENCE:.0f}s")
        places.append(trainings_in(kubectl))
    jobs = [places[number % 3].submit(f"job-{number}", training__epochs=20) for number in range(10)]
    ends = [job.wait_for_end() for job in jobs]
    assert [end.phase for end in ends] == [Phase.SUCCEEDED] * 10
    assert [end.attempt for end in ends] == [1] * 10
    for place in places[1:]:
        place.kubectl("delete", "namespace", place.kubectl.namespace, "--wait=false")
