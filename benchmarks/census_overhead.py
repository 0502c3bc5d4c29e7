#!/usr/bin/env python3
"""What `mapscope maps` costs, and what it costs the process that it looks at.

    tools/build-workloads --go 1.26.8 --mode plain bench_census
    benchmarks/census_overhead.py build/release/userspace/mapscope --maps 100000 --maps 1000000

For each number of maps: CPU time, wall time and peak memory of one run, of a second look by --watch, and the
longest gap in the program's heartbeat of 1 ms, at rest and while runs follow each other without a pause. Peers run
beside it if they are installed: grf (goref) and gcore.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from measuring import workload


class Program:
    """A running bench_census."""

    def __init__(self, go, maps):
        self.process = subprocess.Popen([workload(go, "bench_census"), "-n", str(maps)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        print(self.process.stdout.readline().strip())

    def gap_ms(self):
        """The longest since the last call."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline().split("=")[1]) / 1e3

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def run(command):
    """CPU seconds, wall seconds and peak MiB of a command, whose output is thrown away."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    messages = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {messages}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost_of_looking_again(mapscope, pid, looks):
    """CPU seconds of each look of --watch but the first."""
    watcher = subprocess.Popen([mapscope, "maps", "--json", "--top", "1", "--watch", "0.01", "-p", str(pid)], stdout=subprocess.PIPE)
    watcher.stdout.readline()
    before = cpu_seconds(watcher.pid)
    for _ in range(looks):
        watcher.stdout.readline()
    spent = cpu_seconds(watcher.pid) - before
    watcher.kill()
    watcher.wait()
    return spent / looks


def gaps(program, seconds, command=None):
    """The longest gap at rest, or while `command` runs again and again."""
    program.gap_ms()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run(command) if command else time.sleep(0.1)
    return program.gap_ms()


def report(name, costs):
    cpu, wall, peak = (statistics.median(column) for column in zip(*costs))
    print(f"{name:28} CPU {cpu:7.3f} s   wall {wall:7.3f} s   peak {peak:6.1f} MiB   (median of {len(costs)})")


def peers(pid, program):
    with tempfile.TemporaryDirectory(prefix="mapscope-bench-") as directory:
        for name, command in {"grf": ["grf", "attach", str(pid), "-o", f"{directory}/grf.pb"],
                              "gcore": ["gcore", "-o", f"{directory}/core", str(pid)]}.items():
            if not shutil.which(name):
                continue
            program.gap_ms()
            report(name, [run(command)])
            print(f"{'':28} longest gap {program.gap_ms():.1f} ms")


def measure(options, maps):
    program = Program(options.go, maps)
    pid = program.process.pid
    look = [options.mapscope, "maps", "--json", "-p", str(pid)]
    report("maps", [run(look) for _ in range(options.rounds)])
    print(f"{'maps --watch, looks after':28} CPU {cost_of_looking_again(options.mapscope, pid, options.rounds):7.3f} s")
    for turn in range(2):
        print(f"longest gap in {options.seconds:.0f} s: {gaps(program, options.seconds):6.1f} ms at rest, "
              f"{gaps(program, options.seconds, look):6.1f} ms while runs follow each other")
    if options.peers:
        peers(pid, program)
    program.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--go", default="1.26.8", metavar="VERSION", help="which build of the program")
    parser.add_argument("--maps", type=int, action="append", metavar="COUNT", help="default: 100000 and 1000000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement of gaps")
    parser.add_argument("--peers", action="store_true", help="run those that are installed; they stop the program")
    options = parser.parse_args()
    for maps in options.maps or [100_000, 1_000_000]:
        measure(options, maps)


if __name__ == "__main__":
    main()
