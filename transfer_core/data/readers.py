"""Reading many files at once: with threads where they are few, with processes of ours where Python's lock would hold threads up."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from transfer_core.data.file_facts import Facts, facts_of
from transfer_core.processes import child_environment, module_command

THREADS = 4
# Files from which on processes pay for their start of half a second.
MANY = 5_000
PROCESSES = 2
CHUNK = 256

Answer = Callable[[], list[Facts]]


class File(NamedTuple):
    """A file to read, and why it is left out without being read."""

    path: str
    size: int
    reason: str | None = None


@contextmanager
def readers() -> Iterator[Callable[[Sequence[File]], Answer]]:
    """A function that begins to read files and gives what waits for their facts, in order; what is not waited for ends unread."""
    with ExitStack() as started, ExitStack() as pools:
        own = threading.local()

        def ask(files: Sequence[File]) -> list[Facts]:
            # Each thread has a process of its own, and does nothing but wait for it.
            if not hasattr(own, "reader"):
                own.reader = started.enter_context(_Reader())
            return own.reader.ask(files)

        threads, processes = ThreadPoolExecutor(THREADS), ThreadPoolExecutor(PROCESSES)
        for pool in (threads, processes):
            pools.callback(pool.shutdown, cancel_futures=True)
        asked = 0

        def read(files: Sequence[File]) -> Answer:
            nonlocal asked
            asked += len(files)
            if asked < MANY:
                return _answer(threads.map(_facts, files))
            chunks = [files[start : start + CHUNK] for start in range(0, len(files), CHUNK)]
            return _answer(facts for part in processes.map(ask, chunks) for facts in part)

        yield read


def _answer(facts: Iterable[Facts]) -> Answer:
    return lambda: list(facts)


class _Reader:
    """A process that reads files. It ends when its input does, so also with us, however we end."""

    def __enter__(self) -> _Reader:
        command = module_command("transfer_core.data.readers")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=child_environment())
        return self

    def __exit__(self, *_error: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe and pipe.close()
        self._process.wait()

    def ask(self, files: Sequence[File]) -> list[Facts]:
        """The facts of `files`."""
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps(files).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = b""
        # Ended from outside, maybe in the middle of a line, it leaves the work to us.
        if not line.endswith(b"\n"):
            return [_facts(file) for file in files]
        return [Facts(*values) for values in json.loads(line)]


def _facts(file: File) -> Facts:
    return Facts(problem=file.reason) if file.reason else facts_of(Path(file.path), file.size)


def main() -> None:
    """Answer lines of files with lines of facts."""
    for line in sys.stdin.buffer:
        answers = [_facts(File(*values)) for values in json.loads(line)]
        sys.stdout.buffer.write(json.dumps(answers).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
