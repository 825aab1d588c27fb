"""What a step frees is there for the next one."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from orthogon.train.allocator import freed_memory_kept

def faults():
    for _ in range(20): torch.ones(16_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5): torch.ones(16_000_000)  # 64 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

torch.set_num_threads(1)
outside = faults()
with freed_memory_kept():
    inside, held = faults(), resident()
print(outside, inside, held - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's")
def test_pages_are_asked_for_once_within_and_given_back_at_the_end():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    outside, inside, given_back = map(int, done.stdout.split())
    assert inside < 0.1 * outside
    assert given_back > 50_000_000
