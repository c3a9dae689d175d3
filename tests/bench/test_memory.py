"""What a process has used, read from /proc."""

import os
import threading
import time
from pathlib import Path

from bench.memory import cpu_seconds, thread_seconds


def test_a_threads_time_is_told_from_the_others_by_its_name():
    done = threading.Event()

    def spin():
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("C2 CompilerThre")
        while not done.is_set():
            sum(range(1_000))

    before = cpu_seconds(os.getpid())
    thread = threading.Thread(target=spin)
    thread.start()
    deadline = time.monotonic() + 30
    while (used := thread_seconds(os.getpid(), "CompilerThre")) < 0.1 and time.monotonic() < deadline:
        time.sleep(0.05)
    done.set()
    thread.join()
    assert 0.1 <= used <= cpu_seconds(os.getpid()) - before + 0.005  # both are hundredths, as floats
    assert thread_seconds(os.getpid(), "no such thread") == 0.0
