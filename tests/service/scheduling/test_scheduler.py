"""The queue at work, with real threads that wait for the test's word."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.errors import DeadlineError, OverloadedError
from service.scheduling.scheduler import Batch, Limits, Scheduler

pytestmark = pytest.mark.anyio


class Work:
    """Doubles numbers once it is let; remembers what it was given, and how much ran at a time."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.batches: list[list[int]] = []
        self.most_at_a_time = 0
        self._running = 0
        self._lock = threading.Lock()

    def __call__(self, items: Sequence[int]) -> list[int]:
        with self._lock:
            self.batches.append(list(items))
            self._running += 1
            self.most_at_a_time = max(self.most_at_a_time, self._running)
        assert self.go.wait(30)
        with self._lock:
            self._running -= 1
        if -1 in items:
            raise ValueError("minus one")
        return [2 * i for i in items]


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.go.set()


@pytest.fixture
def executor(work: Work) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor
        work.go.set()


@contextlib.asynccontextmanager
async def submitted(
    scheduler: Scheduler[str, int, int], *pairs: tuple[str, int]
) -> AsyncIterator[list[asyncio.Task[int]]]:
    """These have been submitted, in this order; they are ended at the latest with the block."""
    tasks = [asyncio.create_task(scheduler.submit(key, item)) for key, item in pairs]
    while scheduler.waiting + scheduler.running < len(pairs):
        await asyncio.sleep(0)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def scheduler(
    work: Work, executor: ThreadPoolExecutor, slots: int = 1, queue: int = 100, batch: int = 1
) -> Scheduler[str, int, int]:
    return Scheduler(work, executor, Limits(slots, queue, batch))


async def test_a_free_slot_is_taken_at_once(work: Work, executor: ThreadPoolExecutor) -> None:
    work.go.set()
    assert await scheduler(work, executor, queue=0).submit("a", 21) == 42


async def test_no_more_run_at_a_time_than_there_are_slots(
    work: Work, executor: ThreadPoolExecutor
) -> None:
    two = scheduler(work, executor, slots=2)
    async with submitted(two, *(("a", i) for i in range(20))) as tasks:
        assert (two.running, two.waiting) == (2, 18)
        work.go.set()
        assert await asyncio.gather(*tasks) == [2 * i for i in range(20)]
    assert work.most_at_a_time <= 2
    assert (two.running, two.waiting) == (0, 0)


async def test_without_batching_each_runs_alone_in_order(
    work: Work, executor: ThreadPoolExecutor
) -> None:
    one = scheduler(work, executor)
    async with submitted(one, *(("a", i) for i in range(5))) as tasks:
        work.go.set()
        await asyncio.gather(*tasks)
    assert work.batches == [[0], [1], [2], [3], [4]]


async def test_what_waits_when_a_slot_is_free_runs_together(
    work: Work, executor: ThreadPoolExecutor
) -> None:
    one = scheduler(work, executor, batch=3)
    pairs = [("a", 0), ("a", 1), ("b", 2), ("a", 3), ("b", 4), ("a", 5), ("a", 6)]
    async with submitted(one, *pairs) as tasks:
        work.go.set()
        assert await asyncio.gather(*tasks) == [2 * i for _, i in pairs]
    assert work.batches == [[0], [1, 3, 5], [2, 4], [6]]


async def test_a_full_queue_refuses_and_says_when_to_come_again(
    work: Work, executor: ThreadPoolExecutor
) -> None:
    one = scheduler(work, executor, queue=2)
    async with submitted(one, ("a", 0), ("a", 1), ("a", 2)):
        with pytest.raises(OverloadedError, match="2 requests wait already") as refused:
            await one.submit("a", 3)
        assert int(refused.value.headers["Retry-After"]) >= 1
    work.go.set()


async def test_who_leaves_the_queue_never_runs_and_makes_room(
    work: Work, executor: ThreadPoolExecutor
) -> None:
    one = scheduler(work, executor, queue=1)
    async with submitted(one, ("a", 0), ("a", 1)) as (first, second):
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert one.waiting == 0
        work.go.set()
        assert await one.submit("a", 3) == 6
        assert await first == 0
    assert work.batches == [[0], [3]]


async def test_who_leaves_a_running_batch_does_not_disturb_the_others(
    work: Work, executor: ThreadPoolExecutor
) -> None:
    one = scheduler(work, executor, batch=4)
    async with submitted(one, ("a", 0)), submitted(one, ("b", 1), ("b", 2), ("b", 3)) as tasks:
        work.go.set()
        while one.waiting:
            await asyncio.sleep(0)
        tasks[1].cancel()
        assert (await tasks[0], await tasks[2]) == (2, 6)


async def test_an_entry_past_its_deadline_is_dropped_before_it_runs(
    work: Work, executor: ThreadPoolExecutor
) -> None:
    one = scheduler(work, executor)
    async with submitted(one, ("a", 0)):
        past = asyncio.get_running_loop().time() - 1.0
        late = asyncio.create_task(one.submit("a", 1, deadline=past))
        while not one.waiting:
            await asyncio.sleep(0)
        work.go.set()
        with pytest.raises(DeadlineError, match="before its turn"):
            await late
    assert work.batches == [[0]]


async def test_a_failure_reaches_its_own_batch_and_no_other(
    work: Work, executor: ThreadPoolExecutor
) -> None:
    one = scheduler(work, executor, batch=2)
    work.go.set()
    pairs = [("a", 0), ("b", -1), ("b", 1), ("c", 2)]
    async with submitted(one, *pairs) as tasks:
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] == 0
    assert isinstance(results[1], ValueError)
    assert isinstance(results[2], ValueError)
    assert results[3] == 4


async def test_batches_are_reported_with_the_time_their_entries_waited(
    work: Work, executor: ThreadPoolExecutor
) -> None:
    seen: list[Batch] = []
    one: Scheduler[str, int, int] = Scheduler(work, executor, Limits(1, 9, 9), seen.append)
    async with submitted(one, ("a", 0), ("a", 1), ("a", 2)) as tasks:
        work.go.set()
        await asyncio.gather(*tasks)
    assert [b.size for b in seen] == [1, 2]
    assert all(seconds >= 0 for b in seen for seconds in b.waited_s)


async def test_entries_are_cancelled_where_the_executor_is_shut_down(work: Work) -> None:
    executor = ThreadPoolExecutor(1)
    two = scheduler(work, executor, slots=2)
    async with submitted(two, ("a", 0), ("a", 1)) as (first, second):
        executor.shutdown(wait=False, cancel_futures=True)
        with pytest.raises(asyncio.CancelledError):
            await second
        work.go.set()
        assert await first == 0


async def test_what_runs_here_waits_for_its_turn_and_needs_no_thread() -> None:
    threads: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        threads.append(threading.get_ident())
        if -1 in items:
            raise ValueError("minus one")
        return [2 * i for i in items]

    with ThreadPoolExecutor(1) as executor:
        one: Scheduler[str, int, int] = Scheduler(work, executor, Limits(1, 3))
        asked = [asyncio.create_task(one.submit("a", i, here=True)) for i in (1, -1, 2, 3)]
        await asyncio.sleep(0)
        assert (one.running, one.waiting) == (1, 3)
        with pytest.raises(OverloadedError):
            await one.submit("a", 4, here=True)
        first, failed, *others = await asyncio.gather(*asked, return_exceptions=True)
    assert first == 2
    assert isinstance(failed, ValueError)
    assert others == [4, 6]
    assert set(threads) == {threading.get_ident()}


async def test_others_are_looked_after_between_two_that_run_here() -> None:
    order: list[str] = []

    def work(items: Sequence[int]) -> list[int]:
        order.append("work")
        return list(items)

    async def other() -> None:
        for _ in range(3):
            order.append("other")
            await asyncio.sleep(0)

    with ThreadPoolExecutor(1) as executor:
        one: Scheduler[str, int, int] = Scheduler(work, executor, Limits(1, 3))
        await asyncio.gather(*(one.submit("a", i, here=True) for i in range(3)), other())
    first = order.index("work")
    assert "other" in order[first : len(order) - order[::-1].index("work")]
