#!/usr/bin/env python3
"""What `mapscope daemon` itself takes of a host: CPU time and memory, with its parser children.

    tools/build-workloads sick
    benchmarks/daemon_scale.py build/release/userspace/mapscope

Four hosts, one after the other, default rules on each: one without Go programs; one with 200 that do nothing; one with
100 that hold 1,000 maps each and write to one ten times a second; one on which 50 different Go executables run when
the daemon starts. Prints a table; exit status 1: a limit was passed. Only programs that the benchmark started are
watched.
"""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from measuring import workload

MIB = 1 << 20


def tasks_of(pid):
    """The process and its children, deeper ones included."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                waiting += map(int, pathlib.Path(f"/proc/{one}/task/{task}/children").read_text().split())
    return found


def cpu_seconds(pid):
    """User and system time, of children that ended too."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """Bytes in memory, pages of files shared with others included; of proportional shares; anonymous ones."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return [int(re.search(rf"^{name}:\s+(\d+)", text, re.M)[1]) * 1024 for name in ("Rss", "Pss", "Pss_Anon")]


class Host:
    """A daemon that watches programs of one directory."""

    def __init__(self, mapscope, directory, interval):
        self.directory = pathlib.Path(directory)
        config = self.directory / "mapscope.yaml"
        config.write_text(f"""
watch: {{include: [{{exe: ["{directory}/programs/*"]}}]}}
census: {{interval: {interval}s, snapshot_directory: "{directory}/snapshots"}}
alerts: {{database: "{directory}/alerts.db"}}
serve: {{address: "127.0.0.1:0", socket: "{directory}/api.sock"}}
log: {{target: console}}
""")
        self.log = open(self.directory / "log", "wb")
        self.begin = time.monotonic()
        self.process = subprocess.Popen([mapscope, "daemon", "--config", config], stdout=self.log, stderr=self.log)
        self.peak_bytes = self.children_max = 0
        self.ended = False
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while not self.ended:
            with contextlib.suppress(OSError, TypeError):
                tasks = tasks_of(self.process.pid)
                self.children_max = max(self.children_max, len(tasks) - 1)
                self.peak_bytes = max(self.peak_bytes, sum(memory(one)[1] for one in tasks))
            time.sleep(0.02)

    def ready_after(self):
        while True:
            if self.process.poll() is not None:
                sys.exit((self.directory / "log").read_text())
            found = re.search(r"metrics and API: (\S+?),", (self.directory / "log").read_text())
            if found:
                with contextlib.suppress(urllib.error.URLError):
                    urllib.request.urlopen(f"http://{found[1]}/readyz", timeout=5)
                    return time.monotonic() - self.begin
            time.sleep(0.02)

    def stop(self):
        self.ended = True
        self.process.terminate()
        self.process.wait()
        return time.monotonic()


@contextlib.contextmanager
def host(mapscope, interval, programs=()):
    """`programs`: (file to copy, arguments, first line to write) of each."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        folder = pathlib.Path(directory) / "programs"
        folder.mkdir()
        running = []
        for number, (file, name, arguments, line) in enumerate(programs):
            path = folder / name
            if not path.exists():
                shutil.copy(file, path)
            process = subprocess.Popen([path, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.kill)
            running.append((process, line))
        for process, line in running:
            if line:
                process.stdin.write(line)
                process.stdin.flush()
                process.stdout.readline()
        one = Host(mapscope, directory, interval)
        stack.callback(one.stop)
        yield one


def measure(one, settle, seconds):
    """Share of a core in percent, its resident bytes, and memory() with its children, when it has settled."""
    time.sleep(settle)
    before, begin = sum(map(cpu_seconds, tasks_of(one.process.pid)[:1])), time.monotonic()
    time.sleep(seconds)
    share = (cpu_seconds(one.process.pid) - before) / (time.monotonic() - begin)
    own, *children = [memory(task) for task in tasks_of(one.process.pid)]
    return share * 100, own[0], [sum(column) for column in zip(own, *children)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--go", default="1.26.8", metavar="VERSION", help="which build of the programs")
    parser.add_argument("--settle", type=float, default=90, help="seconds before it is measured")
    parser.add_argument("--seconds", type=float, default=120, help="of measuring")
    parser.add_argument("--only", choices=["none", "idle", "maps", "start"])
    arguments = parser.parse_args()
    sick = pathlib.Path(workload(arguments.go, "sick"))
    builds = sorted(path for path in sick.parents[2].glob("*/*/sick"))
    passed = True

    def row(name, value, unit, limit):
        nonlocal passed
        passed &= value <= limit
        print(f"{name:<58} {value:8.2f} {unit:<6} limit {limit:g}", flush=True)

    def steady(name, programs, limits):
        with host(arguments.mapscope, 60, programs) as one:
            one.ready_after()
            share, resident, (_, pss, anonymous) = measure(one, arguments.settle, arguments.seconds)
            row(f"{name}: CPU", share, "%", limits[0])
            row(f"{name}: resident", resident / MIB, "MiB", limits[1])
            print(f"{'  with its children, by proportional shares':<58} {pss / MIB:8.2f} MiB, {anonymous / MIB:.2f} MiB of it anonymous")

    if arguments.only in (None, "none"):
        steady("no Go program", [], (1, 24))
    if arguments.only in (None, "idle"):
        steady("200 idle programs", [(sick, "sick", [], None)] * 200, (1, 60))
    if arguments.only in (None, "maps"):
        steady("100 programs, 100,000 maps", [(sick, "sick", ["-illness", "none"], "fall\n")] * 100, (1, 1000))
    if arguments.only in (None, "start"):
        # Builds of one program wait for words; a copy with other bytes at its end is another executable.
        files = [(path, f"{path.parts[-3]}-{path.parts[-2]}") for path in builds]
        files += [(sick, f"copy-{number}") for number in range(50 - len(files))]
        with host(arguments.mapscope, 60, [(path, name, [], None) for path, name in files[:50]]) as one:
            row("50 executables: ready", one.ready_after(), "s", 3)
            time.sleep(20)
            # One more child starts them.
            row("50 executables: parser children at once", one.children_max - 1, "", os.cpu_count())
            row("50 executables: peak memory", one.peak_bytes / MIB, "MiB", 150)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
