"""What `mapscope replay` says of a recording, and what was kept of that: the lines that people read in
full, and of what machines read a hash, since it is long.

Used by test_replay.py and tools/make-recordings.
"""
import hashlib
import subprocess

TIMEOUT_SECONDS = 60

# Suffix -> options of `mapscope replay`.
TEXTS = {".trace": [], ".summary": ["-c"], ".verify": ["--verify"]}
HASHED = {"stacks": ["--stack"], "trace json": ["--json"], "summary json": ["-c", "--json"], "verify json": ["--verify", "--json"],
          "perfetto": ["--format", "perfetto"]}


def replay(mapscope, recording, options):
    """Everything that it says: output, messages and exit status."""
    # Run beside the recording, so that no path of this machine is in a message.
    command = [mapscope, "replay", recording.name, *options]
    done = subprocess.run(command, cwd=recording.parent, capture_output=True, timeout=TIMEOUT_SECONDS)
    return done.stdout + done.stderr + b"exit status: %d\n" % done.returncode


def outputs(mapscope, recording):
    """Name of each golden file beside the recording -> what belongs in it."""
    files = {recording.stem + suffix: replay(mapscope, recording, options) for suffix, options in TEXTS.items()}
    hashes = [f"{hashlib.sha256(replay(mapscope, recording, options)).hexdigest()}  {name}\n" for name, options in HASHED.items()]
    return files | {recording.stem + ".sha256": "".join(hashes).encode()}


def write(mapscope, recording):
    for name, content in outputs(mapscope, recording).items():
        (recording.parent / name).write_bytes(content)
