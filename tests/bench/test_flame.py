"""Flame graphs: what py-spy says of a real process, drawn without this machine's folders."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import flame, flame_svg

SCOPE = Path("/proc/sys/kernel/yama/ptrace_scope")


@pytest.mark.parametrize(
    ("said", "frame"),
    [
        ("Task._run (/somewhere/checkout/streams/task.py:12)", "Task._run (streams/task.py)"),
        ("judge (processors/routing/judge.py:3)", "judge (processors/routing/judge.py)"),
        ("send (/v/lib/site-packages/aiokafka/conn.py:1)", "send (aiokafka/conn.py)"),
        ("decode (<string>:1)", "decode (schemas/compiled.py)"),
    ],
)
def test_a_frame_names_package_and_module_only(said, frame):
    assert flame._frame(said) == frame


def test_own_shares_count_a_module_where_it_ran_itself():
    stacks = Counter({("a (streams/task.py)",): 1, ("a (streams/task.py)", "b (schemas/codec.py)"): 3})
    assert flame.own_shares(stacks) == {"streams.task": 250, "schemas.codec": 750}


def test_a_frame_is_as_wide_as_its_share_and_tiny_ones_are_left_out():
    stacks = Counter({("run (streams/task.py)", "merge <x> (streams/inbox.py)"): 50, ("idle (mode/x.py)",): 149})
    picture = ET.fromstring(flame_svg.draw(stacks + Counter({("rare (mode/y.py)",): 1}), "a & b"))
    space = "{http://www.w3.org/2000/svg}"
    widths = {
        box.find(f"{space}title").text: float(box.find(f"{space}rect").get("width"))
        for box in picture.iter(f"{space}g")
    }
    assert widths["merge <x> (streams/inbox.py) 25.0%"] == pytest.approx(flame_svg.WIDTH / 4 - 0.5)
    assert widths["idle (mode/x.py) 74.5%"] == pytest.approx(flame_svg.WIDTH * 0.745 - 0.5)
    assert len(widths) == 4
    stacks[("rare (mode/y.py)",)] = 1
    stacks[("idle (mode/x.py)",)] = 1_000
    assert "rare" not in flame_svg.draw(stacks, "again")


@pytest.mark.skipif(os.geteuid() != 0 and SCOPE.exists() and SCOPE.read_text() != "0\n", reason="no ptrace for us here")
def test_a_process_is_sampled(tmp_path, monkeypatch):
    monkeypatch.setattr(flame, "SECONDS", 1)
    busy = "def spin():\n  while True: sum(range(1000))\nprint('on', flush=True)\nspin()"
    with subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            stacks = flame.sample(process.pid, tmp_path / "stacks")
        finally:
            process.kill()
    assert stacks.total() > 20
    assert any(frame.startswith("spin ") for frames in stacks for frame in frames)
