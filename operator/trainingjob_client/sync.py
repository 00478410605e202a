"""`TrainingJobs`: the same as `AsyncTrainingJobs` for programs without an event loop, and for notebooks, which have one
that cannot be waited in."""

import asyncio
import builtins
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from trainingjob_client.api import FIELD_MANAGER
from trainingjob_client.history import JobHistory
from trainingjob_client.job import Change, Event, Job, Page, Pod
from trainingjob_client.jobs import AsyncTrainingJobs, Until
from trainingjob_client.manifest import Given

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_Result = TypeVar("_Result")


class Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="trainingjob-client", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Its result; whoever interrupts this ends it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, iterator: AsyncIterator[_Result]) -> Iterator[_Result]:
        """What it yields; it is closed when nobody wants more."""
        try:
            while True:
                try:
                    yield self.run(_next(iterator))
                except StopAsyncIteration:
                    return
        finally:
            self.run(_closed(iterator))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _next(iterator: AsyncIterator[_Result]) -> _Result:
    return await anext(iterator)


async def _closed(iterator: AsyncIterator[Any]) -> None:
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()


class TrainingJobs:
    """The TrainingJobs of one cluster, as one user. All errors are ClientErrors."""

    def __init__(self, jobs: AsyncTrainingJobs, background: Background) -> None:
        self._jobs, self._background = jobs, background

    @classmethod
    def connect(
        cls,
        *,
        namespace: str | None = None,
        context: str | None = None,
        kubeconfig: str | Path | None = None,
        field_manager: str = FIELD_MANAGER,
    ) -> Self:
        """By a kubeconfig (`KUBECONFIG`, else ~/.kube/config); in a pod as its ServiceAccount."""
        background = Background()
        try:
            jobs = background.run(
                AsyncTrainingJobs.connect(
                    namespace=namespace, context=context, kubeconfig=kubeconfig, field_manager=field_manager
                )
            )
        except BaseException:
            background.close()
            raise
        return cls(jobs, background)

    def close(self) -> None:
        self._background.run(self._jobs.close())
        self._background.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def namespace(self) -> str:
        """Where `namespace` is not given."""
        return self._jobs.namespace

    def submit(self, manifest: Given, *, namespace: str | None = None, dry_run: bool = False) -> Job:
        """Create the TrainingJob of a file, a text or an object; AlreadyExistsError if there is one of its name."""
        return self._background.run(self._jobs.submit(manifest, namespace=namespace, dry_run=dry_run))

    def get(self, name: str, *, namespace: str | None = None) -> Job:
        return self._background.run(self._jobs.get(name, namespace=namespace))

    def list(
        self,
        *,
        namespace: str | None = None,
        all_namespaces: bool = False,
        label_selector: str = "",
        limit: int | None = None,
        page: str = "",
    ) -> Page:
        """By namespace and name. Without a limit all of them."""
        return self._background.run(
            self._jobs.list(
                namespace=namespace,
                all_namespaces=all_namespaces,
                label_selector=label_selector,
                limit=limit,
                page=page,
            )
        )

    def pods(self, name: str, *, namespace: str | None = None) -> builtins.list[Pod]:
        return self._background.run(self._jobs.pods(name, namespace=namespace))

    def events(self, name: str, *, namespace: str | None = None, of_pods: bool = False) -> builtins.list[Event]:
        """What was noted of the job, and of its pods if those are wanted, oldest first."""
        return self._background.run(self._jobs.events(name, namespace=namespace, of_pods=of_pods))

    def history(self, name: str, *, namespace: str | None = None) -> JobHistory:
        """Every epoch since the first, also when no pod is left."""
        return self._background.run(self._jobs.history(name, namespace=namespace))

    def plot(self, name: str, *others: str, namespace: str | None = None) -> "Figure":
        """The curves of a job, or of several over each other, as a matplotlib figure; a notebook shows it."""
        from trainingjob_client.plotting import curves

        return curves([self.history(each, namespace=namespace) for each in (name, *others)])

    def pause(self, name: str, *, namespace: str | None = None) -> Job:
        """Ask for a pause; asking again changes nothing. FinishedError for a job that is over."""
        return self._background.run(self._jobs.pause(name, namespace=namespace))

    def resume(self, name: str, *, namespace: str | None = None) -> Job:
        """Let it go on; asking again changes nothing. FinishedError for a job that is over."""
        return self._background.run(self._jobs.resume(name, namespace=namespace))

    def delete(self, name: str, *, namespace: str | None = None, keep_checkpoints: bool | None = None) -> None:
        """Delete a job and its pods; keep_checkpoints None: as its claimTemplate.retain says."""
        self._background.run(self._jobs.delete(name, namespace=namespace, keep_checkpoints=keep_checkpoints))

    def wait(
        self,
        name: str,
        *,
        until: Until = "complete",
        timeout: float | None = None,
        namespace: str | None = None,
    ) -> Job:
        """The job once it is complete, failed, ended, paused or running; EndedError when it ended otherwise."""
        return self._background.run(self._jobs.wait(name, until=until, timeout=timeout, namespace=namespace))

    def watch(self, name: str, *, namespace: str | None = None) -> Iterator[Job]:
        """The job now and at every change, until it is over or deleted."""
        return self._background.iterate(self._jobs.watch(name, namespace=namespace))

    def watch_all(self, *, namespace: str | None = None, all_namespaces: bool = False) -> Iterator[Change]:
        """All jobs as they are, SYNCED, then every change, for ever."""
        return self._background.iterate(self._jobs.watch_all(namespace=namespace, all_namespaces=all_namespaces))

    def logs(
        self,
        name: str,
        *,
        rank: int = 0,
        follow: bool = False,
        tail: int | None = None,
        namespace: str | None = None,
    ) -> Iterator[str]:
        """Lines of the pod in which a rank runs; followed: to the end of the training."""
        lines = self._jobs.logs(name, rank=rank, follow=follow, tail=tail, namespace=namespace)
        return self._background.iterate(lines)
