"""The programs that a soak watches: random workloads of random Go releases and build modes, under random circumstances, and what
each has to say at its end if nobody harmed it."""
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import harness

NOBODY = 65534
MODES = ("plain", "stripped", "pie", "cgo")
SAME_EACH_TIME = ("created", "created_hint", "cloned", "cleared")  # of a truth; how often a swiss table splits is chance


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    arguments: tuple = ()
    ends: str = "itself"       # or "input": at the end of its standard input; "fatally": by the runtime's own word
    counts: bool = False       # its truth has every operation that `trace --all` tells
    touches_files: bool = False  # inside of map operations: who says so is right
    misuses: bool = False
    modes: tuple = MODES
    environment: tuple = ()


GCTRACE = (("GODEBUG", "gctrace=1"),)
PROGRAMS = (
    Program("create"), Program("stack"), Program("zerocap"), Program("deletes"), Program("clear"), Program("rangedelete"), Program("clone"),
    Program("syncmap"), Program("promlabels"), Program("ttlcache"), Program("ttlcache", ("-shrink",)), Program("bigelems"),
    Program("watchercache", ("-n", "3000")), Program("quiet", ("-n", "3000")), Program("nilwrite", misuses=True),
    Program("growth", ("-n", "300000"), counts=True), Program("strings", counts=True), Program("pointers", counts=True),
    Program("storm", ("-rounds", "300"), counts=True), Program("storm", ("-rounds", "1500"), counts=True),
    Program("gctrace", ("-n", "50000", "-rounds", "10"), touches_files=True, environment=GCTRACE),
    Program("cgo_mmap", ("-n", "300000"), touches_files=True, modes=("cgo",)),
    Program("concurrent", ("-seconds", "5"), ends="fatally", misuses=True),
    Program("census", ("-n", "3000", "-silent"), ends="input", modes=("plain", "stripped")),
    Program("types", ends="input", modes=("plain", "stripped")), Program("types", ("-mutate", "1"), ends="input", modes=("plain", "stripped")),
    Program("leaks", ends="input"), Program("owners", ends="input"), Program("dropped", ends="input"), Program("bloat", ("-list",)),
    Program("restless", ("-share", "{share}", "-static", "500"), ends="input"),
    Program("beside_c", ends="input", modes=("cgo",)),
)
ILLNESSES = ("waste", "empty", "large", "growing", "hoard", "storm", "churn", "crowd", "leak", "none")
SICK = tuple(Program("sick", ("-illness", illness, "-n", "50000"), ends="input") for illness in ILLNESSES)
MISUSED = Program("sick", ("-illness", "misuse"), ends="fatally", misuses=True)

# What stands before a program. Those that fail for lack of memory prove nothing of their own.
CIRCUMSTANCES = ("none",) * 12 + ("no_memory", "not_dumpable", "another_user", "namespaces")


class Zoo:
    """Executables in one directory of the soak, so that its daemon watches nobody else's."""

    def __init__(self, directory, versions, modes=MODES):
        self.directory, self.versions, self.modes = directory, versions, modes
        self.programs = directory / "programs"
        self.unwatched = {}
        self.number = 0

    def executable(self, name, version, mode):
        """A hard link, so that all targets of it are one file; None: it was not built."""
        path = self.programs / version / mode / name
        if not path.exists():
            source = harness.WORKLOADS / version / mode / name
            if not source.exists():
                return None
            path.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(source, path)
        return path

    def choose(self, random, programs=PROGRAMS + SICK + (MISUSED,)):
        """A program, its release, mode and executable."""
        while True:
            program, version = random.choice(programs), random.choice(self.versions)
            mode = random.choice([mode for mode in program.modes if mode in self.modes] or ["plain"])
            if path := self.executable(program.name, version, mode):
                return program, version, mode, path

    def ask_unwatched(self, program, version, mode):
        """Has the program say the same once more, from a place where the daemon does not look."""
        key = program, version
        if program.ends == "itself" and key not in self.unwatched:
            self.unwatched[key] = subprocess.Popen(["nice", "-n", "10", harness.WORKLOADS / version / mode / program.name, *program.arguments], text=True,
                                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | dict(program.environment))

    def truth(self, program, version):
        """What it says unwatched; None: it was not asked."""
        answer = self.unwatched.get((program, version))
        if isinstance(answer, subprocess.Popen):
            output, _ = answer.communicate()
            answer = self.unwatched[program, version] = truth_of(output)
        return answer

    def close(self):
        for answer in self.unwatched.values():
            if isinstance(answer, subprocess.Popen):
                answer.kill()
                answer.communicate()

    def start(self, program, version, mode, path, circumstances="none", waits=False, nice=10):
        self.number += 1
        return Target(self, program, version, mode, path, circumstances, waits, self.directory / f"targets/{self.number}", nice)


def link_or_copy(source, path):
    try:
        os.link(source, path)
    except OSError:
        shutil.copy2(source, path)


def truth_of(text):
    """The last line of JSON, without what differs each time."""
    try:
        truth = harness.truth_in(text)
    except (AssertionError, json.JSONDecodeError):
        return None
    return {key: truth.get(key) for key in SAME_EACH_TIME}


class Target:
    """One process that is watched. Its standard output is a file, so that it waits for nobody."""

    def __init__(self, zoo, program, version, mode, path, circumstances, waits, directory, nice):
        self.zoo, self.program, self.version, self.mode = zoo, program, version, mode
        self.circumstances, self.waits, self.directory = circumstances, waits, directory
        self.faults = set()
        self.released = not waits
        self.said_fall = False
        self.begin = time.monotonic()
        directory.mkdir(parents=True)
        directory.chmod(0o755)
        self.path = pathlib.Path(path)
        if circumstances == "not_dumpable":  # who may not read a file may not look into its process
            self.path = pathlib.Path(shutil.copy2(path, directory / self.path.name))
            self.path.chmod(0o711)
        arguments = [word.format(share=directory / "share") for word in program.arguments]
        command = [*self.wrapped(circumstances), str(self.path), *arguments, *(["-wait"] if waits else [])]
        with open(directory / "out", "wb") as out, open(directory / "err", "wb") as err:
            self.process = subprocess.Popen(["nice", "-n", str(nice), *command], bufsize=0, stdin=subprocess.PIPE, stdout=out, stderr=err,
                                            env=os.environ | dict(program.environment))

    def wrapped(self, circumstances):
        as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        return {"no_memory": ["prlimit", "--as=700000000"], "not_dumpable": as_nobody, "another_user": as_nobody,
                "namespaces": ["unshare", "--pid", "--mount", "--fork", "--kill-child"]}.get(circumstances, [])

    @property
    def name(self):
        words = " ".join([self.program.name, *self.program.arguments])
        return f"{words} ({self.version} {self.mode}, {self.circumstances}, pid {self.process.pid})"

    def pid(self):
        """Of the program itself; None: it is not there yet, or not any more."""
        if self.circumstances != "namespaces":
            return self.process.pid
        try:
            return harness.child_of(self.process.pid)
        except (ValueError, OSError):
            return None

    def is_itself(self):
        """Whether it has become the program, after what stands before that."""
        try:
            return os.readlink(f"/proc/{self.pid()}/exe") == str(self.path)
        except OSError:
            return False

    def output(self):
        return (self.directory / "out").read_text(errors="replace")

    def errors(self):
        return (self.directory / "err").read_text(errors="replace")

    def is_ready(self):
        return "ready\n" in self.output() if self.waits else True

    def write(self, text):
        try:
            self.process.stdin.write(text.encode())
        except (BrokenPipeError, ValueError):
            pass

    def release(self):
        """Lets one that waits go on."""
        if not self.released:
            self.released = True
            self.write("\n")

    def fall(self):
        if self.program.name == "sick" and not self.said_fall:
            self.said_fall = True
            self.write("fall\n")

    def let_end(self):
        """Asks it to end, in the way in which it does."""
        if "stopped" in self.faults:
            self.signal(signal.SIGCONT)
        self.release()
        self.process.stdin.close()

    def signal(self, number):
        if self.process.poll() is None and (pid := self.pid()):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        self.faults.add("killed")
        self.signal(signal.SIGKILL)

    def harm(self):
        """Why it did not end as it does unwatched; None: it did, or nobody can know."""
        status = self.process.returncode
        if "killed" in self.faults:
            return None
        if self.circumstances == "no_memory" and status != 0:
            # Go says so when it gets no memory; anything else is none of the limit's doing.
            return None if "out of memory" in self.errors() or "failed to" in self.errors() or "cannot allocate" in self.errors() else \
                f"ended with {status} without memory: {self.errors()[:500]}"
        if self.program.ends == "fatally":
            return None if status == 2 and "concurrent map" in self.errors() or status == 0 else f"ended with {status}: {self.errors()[:500]}"
        if status != 0:
            return f"ended with {status}: {self.errors()[:800]}"
        if self.program.ends == "itself":
            expected = self.zoo.truth(self.program, self.version)
            if expected and expected != truth_of(self.output()):
                return f"said {truth_of(self.output())}, and {expected} when nobody watched"
        return None

    def forget(self):
        """What it left on disk."""
        self.process.stdin.close()
        shutil.rmtree(self.directory, ignore_errors=True)
