"""The manual page and the completions of every shell know every command and option that --help names."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
DOCUMENTS = ["packaging/man/mapscope.1", "packaging/completions/mapscope.bash",
             "packaging/completions/_mapscope", "packaging/completions/mapscope.fish"]


def help_of(executable, *command):
    return subprocess.run([executable, *command, "--help"], check=True, capture_output=True, text=True).stdout


def names(executable):
    """Every command, and every long option of each without its dashes."""
    commands = re.findall(r"^  ([a-z][a-z-]*) ", help_of(executable).partition("Subcommands:")[2], re.MULTILINE)
    for command in commands:
        yield command
        yield from re.findall(r"^  (?:-\w,)?--([a-z-]+)", help_of(executable, command), re.MULTILINE)


def main():
    wanted = sorted(set(names(sys.argv[1])) - {"help"})
    if len(wanted) < 8:
        sys.exit(f"--help was not understood: it named {wanted}")
    missing = []
    for path in DOCUMENTS:
        text = (ROOT / path).read_text().replace("\\-", "-")
        missing += [f"{path} lacks {name}" for name in wanted if not re.search(rf"(?<![\w-])(?:--)?{name}(?![\w-])", text)]
    sys.exit("\n".join(missing) or 0)


if __name__ == "__main__":
    main()
