"""What the benchmarks of whole runs share: programs to watch, and their CPU time."""
import dataclasses
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a user of bpftrace would probe of a program with swiss maps, at the first instruction.
FUNCTIONS = ["internal/runtime/maps.(*table).rehash", "internal/runtime/maps.(*Map).growToTable",
             "internal/runtime/maps.NewMap", "runtime.makemap_small"]
COUNT = "@[probe] = count();"
PRINT = 'printf("%llu %d %d %s %lx %s\\n", nsecs, pid, tid, probe, reg("ax"), ustack);'


def workload(go, name):
    return str(ROOT / "build/workloads" / go / "plain" / name)


def bpftrace(command, action):
    """The command line of bpftrace that does `action` at each of the functions while `command` runs."""
    script = " ".join(f'uprobe:{command[0]}:"{function}" {{ {action} }}' for function in FUNCTIONS)
    return ["bpftrace", "-e", script, "-c", " ".join(command)]


@dataclasses.dataclass
class Cost:
    """CPU time of one run: of the program in its rounds, and of all, tools and start included."""
    fastest_ns: float       # for one operation, in the program's fastest round
    program_seconds: float  # of all rounds
    all_seconds: float

    @property
    def rest_seconds(self):
        """Of whoever watches, and of the program outside of its rounds."""
        return self.all_seconds - self.program_seconds


def measure(command):
    """Runs a program that prints its rounds, watched or bare."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
    rounds, seconds = [], []
    for line in process.stdout:  # of bpftrace's own output nothing is kept
        if match := re.search(r"cpu_ms=([0-9.]+) cpu_ns_per_operation=([0-9.]+)", line):
            seconds.append(float(match[1]) / 1e3)
            rounds.append(float(match[2]))
    _, status, usage = os.wait4(process.pid, 0)
    if not rounds:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)} and printed no round")
    return Cost(min(rounds), sum(seconds), usage.ru_utime + usage.ru_stime)
