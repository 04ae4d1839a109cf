"""The queue with one annotator, several, and processes that end."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browser_env.errors import UsageError
from recorder.queue.leases import Leases, Process
from recorder.queue.queue import Job, Queue

HERE = Process.current()
ELSEWHERE = replace(HERE, machine="another machine")
QUESTIONS = [f"question {number}" for number in range(5)]


class Clock:
    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(job: Job | None) -> str:
    assert job is not None
    return job.item


@pytest.mark.parametrize(("seed", "is_shuffled"), [(None, False), (3, True)], ids=["in order", "shuffled"])
def test_one_annotator_gets_every_question_once(tmp_path: Path, seed: int | None, is_shuffled: bool) -> None:
    taken_items = []
    queue = Queue(tmp_path, QUESTIONS, "ann", seed=seed)
    while job := queue.take():
        taken_items.append(job.item)
        job.finish(2.5)
    assert sorted(taken_items) == QUESTIONS
    assert (taken_items != QUESTIONS) == is_shuffled
    assert Queue(tmp_path / "again", QUESTIONS, "bob", seed=seed).take().item == taken_items[0]  # type: ignore[union-attr]
    progress = queue.progress()
    assert (progress.total, progress.done, progress.held, progress.left, progress.mine) == (5, 5, 0, 0, 5)
    assert (progress.annotators["ann"].seconds, progress.annotators["ann"].median_seconds) == (12.5, 2.5)
    assert progress.seconds == dict.fromkeys(QUESTIONS, 2.5)


def test_unfinished_items_come_first_for_their_annotator(tmp_path: Path) -> None:
    ann = Queue(tmp_path, QUESTIONS, "ann")
    first = ann.take()
    second = ann.take()
    assert first is not None
    assert second is not None
    second.release(4)
    assert taken(Queue(tmp_path, QUESTIONS, "ann").take()) == QUESTIONS[1]
    assert taken(Queue(tmp_path, QUESTIONS, "bob").take()) == QUESTIONS[2]
    first.release()
    assert taken(Queue(tmp_path, QUESTIONS, "cy").take()) == QUESTIONS[0]


def test_skipped_items_are_left_to_other_annotators(tmp_path: Path) -> None:
    ann, bob = Queue(tmp_path, QUESTIONS[:1], "ann"), Queue(tmp_path, QUESTIONS[:1], "bob")
    job = ann.take()
    assert job is not None
    with pytest.raises(UsageError, match="a reason is needed"):
        job.skip(" ")
    job.skip("not my field", 3)
    assert ann.take() is None
    assert [(skip.item, skip.annotator, skip.reason) for skip in ann.progress().skipped] == [
        (QUESTIONS[0], "ann", "not my field")
    ]
    assert ann.progress().left == 1
    other = bob.take()
    assert taken(other) == QUESTIONS[0]
    assert other is not None
    other.release()
    assert ann.take() is None
    other = bob.take()
    assert other is not None
    other.finish(1)
    assert (ann.progress().done, ann.progress().annotators["ann"].skipped) == (1, 1)


def test_recordings_of_different_items_or_annotators_have_different_folders(tmp_path: Path) -> None:
    names = ["A?", "a?", "A:", "../../etc", "x" * 300, "ü"]
    folders = [Queue(tmp_path, names, annotator).folder_of(name) for name in names for annotator in ("ann", "Ann", "a/b")]
    assert len({str(folder).casefold() for folder in folders}) == len(folders)
    assert all(folder.parent.parent == tmp_path / "recordings" for folder in folders)


def test_common_questions_go_to_every_annotator(tmp_path: Path) -> None:
    queues = [Queue(tmp_path, QUESTIONS, name, common=QUESTIONS[:2]) for name in ("ann", "bob")]
    taken_items: Counter[str] = Counter()
    for _ in QUESTIONS:
        for queue in queues:
            if job := queue.take():
                taken_items[job.item] += 1
                job.finish(1)
    assert taken_items == Counter(QUESTIONS) + Counter(QUESTIONS[:2])


def test_a_lease_is_abandoned_if_it_is_not_renewed_while_watched(tmp_path: Path, clock: Clock) -> None:
    far = Queue(tmp_path, QUESTIONS[:1], "ann", ttl=60, clock=Clock(), process=ELSEWHERE)
    near = Queue(tmp_path, QUESTIONS[:1], "bob", ttl=60, clock=clock)
    job = far.take()
    assert job is not None
    clock.now += 1e9  # time before the lease is first seen does not count
    assert near.take() is None
    assert near.progress().held == 1
    for _ in range(10):
        clock.now += 50
        assert near.take() is None
        assert job.renew()
        assert near.take() is None
    clock.now += 59
    assert near.take() is None
    clock.now += 1
    assert taken(near.take()) == QUESTIONS[0]
    assert not job.renew()
    job.finish(10)  # too late: bob holds the item now
    assert (near.progress().done, near.progress().held) == (0, 1)


@pytest.mark.parametrize(
    ("process", "is_gone"),
    [
        (HERE, False),
        (replace(HERE, pid=2**22 + 1), True),
        (replace(HERE, started="0"), True),
        (replace(HERE, boot="before"), True),
        (replace(HERE, space="another container", pid=2**22 + 1), False),
        (replace(ELSEWHERE, boot="before", pid=2**22 + 1), False),
    ],
    ids=["runs", "ended", "its id was given again", "before the machine started", "in a container", "on another machine"],
)
def test_a_lease_of_an_ended_process_can_be_taken_at_once(
    tmp_path: Path, clock: Clock, process: Process, is_gone: bool
) -> None:
    assert Queue(tmp_path, QUESTIONS[:1], "ann", process=process).take() is not None
    assert (Queue(tmp_path, QUESTIONS[:1], "ann", clock=clock).take() is not None) == is_gone


def test_an_incomplete_lease_file_counts_as_a_lease(tmp_path: Path, clock: Clock) -> None:
    queue = Queue(tmp_path, QUESTIONS[:1], "ann", clock=clock)
    assert queue.take() is not None
    (path,) = (tmp_path / "queue").iterdir()
    for torn in (b"", path.read_bytes()[:20]):
        path.write_bytes(torn)
        watching = Queue(tmp_path, QUESTIONS[:1], "bob", clock=clock)
        assert watching.take() is None
    clock.now += 60
    assert taken(watching.take()) == QUESTIONS[0]


def test_only_one_of_two_processes_takes_an_item(tmp_path: Path) -> None:
    both = [Leases(tmp_path, name) for name in ("ann", "bob")]
    assert both[0].take("item", None) is not None
    assert both[1].take("item", None) is None
    (file,) = both[0].all()["item"]
    assert both[1].take("item", file) is not None
    assert both[0].take("item", file) is None
    assert [json.loads(path.read_bytes())["annotator"] for path in sorted(tmp_path.iterdir())] == ["ann", "bob"]


@pytest.mark.parametrize(
    ("questions", "name", "problem"), [(["a", "a"], "ann", "'a' is listed twice"), (["a"], " ", "annotator is empty")]
)
def test_invalid_queues_are_rejected(tmp_path: Path, questions: list[str], name: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Queue(tmp_path, questions, name)


@pytest.mark.usefixtures("no_fsync")
@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "finish", "skip", "release", "vanish"])), max_size=40))
def test_no_item_is_held_or_done_twice(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]) -> None:
    folder = tmp_path_factory.mktemp("queue")
    gone = replace(HERE, started="0")
    queues = [Queue(folder, QUESTIONS[:3], f"annotator {number}") for number in range(3)]
    held: list[list[Job]] = [[], [], []]
    done: list[str] = []
    for who, what in steps:
        if what == "take":
            if job := queues[who].take():
                assert job.item not in done
                assert job.item not in [other.item for jobs in held for other in jobs]
                held[who].append(job)
        elif what == "vanish":
            held[who] = [job for job in held[who] if not vanish(job, gone)]
        elif held[who]:
            job = held[who].pop()
            if what == "finish":
                done.append(job.item)
                job.finish(1)
            elif what == "skip":
                job.skip("no")
            else:
                job.release()
    assert sorted(queues[0].progress().seconds) == sorted(done)
    assert queues[0].progress().held == sum(map(len, held))


def vanish(job: Job, gone: Process) -> bool:
    """Change a lease as if its process had ended."""
    lease = job._lease
    lease._write(replace(lease._content, process=gone))
    return True


WORKER = """
import sys
from pathlib import Path
from recorder.queue.queue import Queue

queue = Queue(Path(sys.argv[1]), [f"question {number}" for number in range(40)], sys.argv[2], seed=1)
sys.stdin.readline()
while job := queue.take():
    job.renew()
    print(job.item, flush=True)
    if job.item == "question 7" and sys.argv[2] == "annotator 0":
        sys.stdin.readline()  # holds the item until the process is killed
    job.finish(1.0)
"""


def start(folder: Path, name: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", WORKER, str(folder), name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def test_concurrent_processes_never_take_the_same_question(tmp_path: Path) -> None:
    workers = [start(tmp_path, f"annotator {number}") for number in range(3)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    took = [worker.communicate()[0].splitlines() for worker in workers[1:]]
    workers[0].kill()
    took.append(workers[0].communicate()[0].splitlines())
    everything = [item for items in took for item in items]
    assert len(everything) == len(set(everything)) == 40
    held = 40 - Queue(tmp_path, [f"question {number}" for number in range(40)], "eve").progress().done
    heir = start(tmp_path, "heir")
    assert heir.communicate("go\n")[0].splitlines() == (["question 7"] if held else [])
    assert Queue(tmp_path, [f"question {number}" for number in range(40)], "eve").progress().done == 40
