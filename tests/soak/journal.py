"""What happened in a soak, as it happened: faults, runs, problems. A line of JSON each, with its second."""
import collections
import json
import time


class Journal:
    def __init__(self, path):
        self.file = open(path, "w", buffering=1)
        self.begin = time.monotonic()
        self.faults = collections.Counter()
        self.problems = []

    def seconds(self):
        return time.monotonic() - self.begin

    def note(self, what, **details):
        self.file.write(json.dumps({"second": round(self.seconds(), 2), "what": what, **details}, default=str) + "\n")

    def fault(self, kind, **details):
        self.faults[kind] += 1
        self.note("fault", kind=kind, **details)

    def problem(self, sentence, **details):
        """Something that must not be. The soak goes on, and fails at its end."""
        self.problems.append(sentence)
        self.note("PROBLEM", sentence=sentence, **details)
        print(f"soak: PROBLEM after {self.seconds():.0f} s: {sentence}", flush=True)
