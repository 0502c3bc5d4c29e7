"""The list of Go releases, tools/go-releases.txt, for the tools that read and change it."""
import dataclasses
import pathlib
import re

LIST = pathlib.Path(__file__).resolve().parent / "go-releases.txt"
LAYOUTS, WORKLOADS, QUICK, THIN = USES = ("layouts", "workloads", "quick", "thin")
COLUMN = 20  # where the uses begin

# 1.24.13, 1.24.13-noswissmap, 1.28rc1, 1.18
VERSION = re.compile(r"1\.(?P<minor>\d+)(?:\.(?P<patch>\d+))?(?P<before>beta\d+|rc\d+)?(?:-(?P<experiment>[a-z]+))?")


@dataclasses.dataclass
class Release:
    version: str
    uses: set[str]

    def __str__(self):
        return f"{self.version:<{COLUMN}}{' '.join(use for use in USES if use in self.uses)}".rstrip() + "\n"


def order(version):
    """What releases are sorted by: candidates come before their release, experiments behind it."""
    match = VERSION.fullmatch(version)
    if not match:
        raise ValueError(f"'{version}' is no Go version; expected one such as 1.27.4.")
    before = match["before"] or "~"  # behind every letter
    return int(match["minor"]), int(match["patch"] or 0), re.sub(r"\d+", lambda digits: digits[0].zfill(3), before), match["experiment"] or ""


def minor(version):
    return order(version)[0]


def read(path=LIST):
    """The comment at the top, and the releases in their order."""
    lines = path.read_text().splitlines(keepends=True)
    releases = [Release(words[0], set(words[1:])) for words in map(str.split, lines) if words and words[0] != "#"]
    return "".join(line for line in lines if line.startswith("#")), releases


def write(comment, releases, path=LIST):
    path.write_text(comment + "".join(map(str, sorted(releases, key=lambda release: order(release.version)))))


def used_for(use, path=LIST):
    """Versions of the list that have this use, oldest first."""
    return [release.version for release in read(path)[1] if use in release.uses]
