#!/usr/bin/env python3
"""What `mapscope maps --learn` costs the program that it learns from.

    tools/build-workloads --go 1.26.8 --mode plain bench_hot
    benchmarks/learn_overhead.py build/release/userspace/mapscope

One bench_hot assigns and looks up without a pause, and prints the CPU time of each round. It runs bare and is learned
from in turn; each time gives the ratio of the CPU time of an operation to that in the bare halves before and after.
Exit status 1: the median of them is above --limit.
"""
import argparse
import json
import re
import statistics
import subprocess
import sys
import threading
import time

from measuring import workload


class Program:
    """A running bench_hot, and the CPU time of its rounds."""

    def __init__(self, go, operations):
        self.rounds = []  # ns for each operation
        self.process = subprocess.Popen([workload(go, "bench_hot"), "-rounds", "100000000", "-k", str(operations)],
                                        stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.rounds.append(float(re.search(r"cpu_ns_per_operation=([0-9.]+)", line)[1]))

    def mean_while(self, act):
        """CPU ns for each operation, and what `act` returns."""
        first = len(self.rounds)
        result = act()
        return statistics.fmean(self.rounds[first:]), result

    def bare(self, seconds):
        return self.mean_while(lambda: time.sleep(seconds))[0]


def learn(mapscope, pid, seconds):
    done = subprocess.run([mapscope, "maps", "-p", str(pid), "--json", "--top", "0", "--learn", f"{seconds:g}s"], stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{mapscope} ended with {done.returncode}")
    return json.loads(done.stdout)["learned"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--go", default="1.26.8", metavar="VERSION", help="which build of the program")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of learning, and of both bare halves")
    parser.add_argument("--operations", type=int, default=100_000, help="in a round")
    parser.add_argument("--limit", type=float, default=1.05)
    options = parser.parse_args()

    program = Program(options.go, options.operations)
    time.sleep(1)  # until its map has its final size, and the processor its speed
    ratios, bare_before = [], program.bare(options.seconds / 2)
    for _ in range(options.pairs):
        learned_from, learned = program.mean_while(lambda: learn(options.mapscope, program.process.pid, options.seconds))
        bare_after = program.bare(options.seconds / 2)
        bare, bare_before = (bare_before + bare_after) / 2, bare_after
        ratios.append(learned_from / bare)
        print(f"bare {bare:6.2f} ns, learned from {learned_from:6.2f} ns: {ratios[-1]:.4f}x   {learned['flashes']:3} flashes, "
              f"{learned['attached_ns'] / 1e6:6.1f} ms of {learned['duration_ns'] / 1e6:.0f} ms, {learned['writes']} writes seen", flush=True)
    program.process.kill()
    median = statistics.median(ratios)
    print(f"median of {len(ratios)} pairs: {median:.4f}x (limit {options.limit:g}x)")
    sys.exit(median > options.limit)


if __name__ == "__main__":
    main()
