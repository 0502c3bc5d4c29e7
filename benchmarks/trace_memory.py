#!/usr/bin/env python3
"""Whether the memory of `mapscope trace` stays level while maps are made and grown without end.

    tools/build-workloads --go 1.26.8 --mode plain storm
    sudo benchmarks/trace_memory.py build/release/userspace/mapscope --seconds 600

The program makes new maps all the time, from as many different stacks as asked for. Prints the resident set of
mapscope and its parser as time goes by. Exit status 1: it still grew in the second half.
"""
import argparse
import pathlib
import re
import signal
import subprocess
import sys
import time

from measuring import workload

ALLOWED = 1.03
FIRST = 0.5  # of the time: tables fill up


def family(pid):
    """A process and its children, without the program that it watches."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def resident_kib(pid):
    return int(re.search(r"^VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def sample(options, tracer):
    """(seconds, KiB) of the whole time."""
    samples, start = [], time.monotonic()
    while (elapsed := time.monotonic() - start) < options.seconds:
        time.sleep(max(0.5, options.seconds / 60))
        if tracer.poll() is not None:
            sys.exit(f"mapscope ended with {tracer.returncode}")
        samples.append((elapsed, sum(map(resident_kib, family(tracer.pid)))))
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--go", default="1.26.8", metavar="VERSION", help="which build of the program")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--stacks", type=int, default=5000, help="how deep the program recurses, for that many stacks")
    parser.add_argument("arguments", nargs="*", default=["--all"], help="of trace, behind --")
    options = parser.parse_args()

    program = subprocess.Popen([workload(options.go, "storm"), "-rounds", str(10**9), "-depths", str(options.stacks)])
    command = [options.mapscope, "trace", "-o", "/dev/null", *options.arguments, "-p", str(program.pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        samples = sample(options, tracer)
    finally:
        tracer.send_signal(signal.SIGINT)
        messages = tracer.communicate()[1]
        program.kill()
        program.wait()
    for elapsed, kib in samples[::max(1, len(samples) // 12)]:
        print(f"{elapsed:7.1f} s  {kib / 1024:7.1f} MiB")
    early = max(kib for elapsed, kib in samples if elapsed <= FIRST * options.seconds)
    last = samples[-1][1]
    print(f"{early / 1024:.1f} MiB after the first half, {last / 1024:.1f} MiB at the end; exit status {tracer.returncode}")
    sys.stderr.write(messages)
    return 1 if last > early * ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
