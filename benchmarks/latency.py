#!/usr/bin/env python3
"""How long `mapscope verify` takes to place its probes and to go away again, and its peak memory.

    sudo benchmarks/latency.py build/release/userspace/mapscope -- prometheus --version

The command should end by itself at once. The time to its first instruction is that of a watched run
less that of a bare one; a second copy that sleeps is attached to and interrupted. Each is the fastest
of some turns.
"""
import argparse
import os
import signal
import subprocess
import sys
import time


def timed(command):
    """Wall seconds from start to end, and the largest resident set among it and its children, in MiB."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return time.monotonic() - start, usage.ru_maxrss / 1024


def interrupted(mapscope, pid):
    """Seconds from SIGINT to the end of a `verify -p` that has settled."""
    process = subprocess.Popen([mapscope, "verify", "-o", "/dev/null", "-p", str(pid)], stderr=subprocess.DEVNULL)
    time.sleep(1)
    if process.poll() is not None:
        sys.exit(f"verify -p {pid} ended by itself with {process.returncode}")
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait()
    return time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--pid", type=int, help="a running Go process, to attach to and to let go of")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    bare = min(timed(options.command)[0] for _ in range(options.turns))
    watched = [timed([options.mapscope, "verify", "-o", "/dev/null", "--", *options.command]) for _ in range(options.turns)]
    print(f"bare run             {bare * 1e3:8.0f} ms")
    print(f"watched run          {min(seconds for seconds, _ in watched) * 1e3:8.0f} ms, all in all")
    print(f"peak resident memory {max(peak for _, peak in watched):8.1f} MiB, of mapscope, its parser or the command")
    if options.pid:
        print(f"from SIGINT to exit  {min(interrupted(options.mapscope, options.pid) for _ in range(options.turns)) * 1e3:8.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
