#!/usr/bin/env python3
"""What the daemon's probes cost the programs that it watches.

    tools/build-workloads --go 1.26.8 --mode plain bench_growth bench_hot
    benchmarks/daemon_overhead.py build/release/userspace/mapscope --config packaging/mapscope.yaml
    benchmarks/daemon_overhead.py build/release/tests/bpf/event_driver

A program runs bare and watched in turn, and prints the CPU time of each round; each turn gives the ratio of the CPU time
of an operation to that in the bare parts before and after. Programs: bench_growth with maps of 10 and of 1,000 entries (a growth
storm), and bench_hot (assignments and look-ups). The first argument is mapscope, which runs its daemon, or the event_driver of
tests/, which places the same probes without censuses. Exit status 1: a median is above --limit.
"""
import argparse
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

from measuring import workload

PROGRAMS = {"growth of 10": ["bench_growth", "-n", "10", "-k", "20000"],
            "growth of 1000": ["bench_growth", "-n", "1000", "-k", "500"],
            "hot": ["bench_hot", "-k", "100000"]}


class Program:
    """A running benchmark workload, and the CPU time of its rounds."""

    def __init__(self, go, words):
        self.rounds = []  # ns for each operation
        self.process = subprocess.Popen([workload(go, words[0]), "-rounds", "100000000", *words[1:]],
                                        stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.rounds.append(float(re.search(r"cpu_ns_per_operation=([0-9.]+)", line)[1]))

    def mean_of(self, seconds):
        first = len(self.rounds)
        time.sleep(seconds)
        return statistics.fmean(self.rounds[first:])


class Watcher:
    def __init__(self, options, pid):
        if pathlib.Path(options.watcher).name == "event_driver":
            command = [options.watcher, "--growth", "--creation", "--misuse", "--seconds", "100000", str(pid)]
        else:
            command = [options.watcher, "daemon", *(["--config", options.config] if options.config else [])]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("watcher")
    parser.add_argument("--config")
    parser.add_argument("--go", default="1.26.8", metavar="VERSION", help="which build of the programs")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of watching, and of both bare halves")
    parser.add_argument("--settle", type=float, default=2, help="seconds that the watcher gets to start")
    parser.add_argument("--program", choices=PROGRAMS, action="append")
    parser.add_argument("--limit", type=float, default=1.02)
    options = parser.parse_args()

    failed = False
    for name in options.program or PROGRAMS:
        program = Program(options.go, PROGRAMS[name])
        time.sleep(1)  # until its map has its final size, and the processor its speed
        ratios, bare_before = [], program.mean_of(options.seconds / 2)
        for _ in range(options.pairs):
            watcher = Watcher(options, program.process.pid)
            time.sleep(options.settle)
            watched = program.mean_of(options.seconds)
            if watcher.process.poll() is not None:
                sys.exit(f"{options.watcher} ended with {watcher.process.returncode}")
            watcher.end()
            bare_after = program.mean_of(options.seconds / 2)
            bare, bare_before = (bare_before + bare_after) / 2, bare_after
            ratios.append(watched / bare)
            print(f"{name:15} bare {bare:10.2f} ns, watched {watched:10.2f} ns: {ratios[-1]:.4f}x", flush=True)
        program.process.kill()
        median = statistics.median(ratios)
        failed |= median > options.limit
        print(f"{name:15} median of {len(ratios)}: {median:.4f}x (limit {options.limit:g}x)", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
