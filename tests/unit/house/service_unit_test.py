"""systemd accepts the unit, and finds it no more exposed than docs/daemon.md says."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
SKIPPED = 77


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def main():
    unit, executable = sys.argv[1:]
    if shutil.which("systemd-analyze") is None:
        print("skipped: there is no systemd-analyze to ask")
        sys.exit(SKIPPED)
    # systemd wants the executable to be there, and it is installed by nobody yet.
    text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={executable}", pathlib.Path(unit).read_text())
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "mapscope.service")
        path.write_text(text)
        verified = run("systemd-analyze", "verify", "--man=no", path)
        if verified.returncode != 0 or verified.stderr.strip():
            sys.exit(f"systemd-analyze verify says:\n{verified.stderr}")
        score = run("systemd-analyze", "security", "--offline=true", path)
    found = re.search(r"exposure level for mapscope.service: ([\d.]+)", score.stdout)
    if found is None:
        print(f"skipped: this systemd gives no score: {score.stderr.strip()}")
        sys.exit(SKIPPED)
    documented = re.search(r"mapscope.service: ([\d.]+)", (ROOT / "docs/daemon.md").read_text())
    # Later systemd versions know more ways to be exposed.
    if float(found.group(1)) > float(documented.group(1)) + 0.5:
        sys.exit(f"the score is {found.group(1)}, and docs/daemon.md says {documented.group(1)}")


if __name__ == "__main__":
    main()
