"""Each recording says what it said when it was kept, to the byte: in text, in JSON, for Perfetto and as
a verdict. Needs neither root nor Go nor a kernel with BPF.

    tools/make-recordings --goldens       # keep what is said now; then read the difference

From the environment: MAPSCOPE, the executable under test; MAPSCOPE_GO, one Go version (default: all).
"""
import os
import pathlib
import unittest

import goldens

RECORDINGS = pathlib.Path(__file__).resolve().parent / "recordings"


class ReplayTest(unittest.TestCase):
    maxDiff = 4000

    def test_recordings_say_what_they_said(self):
        mapscope = os.path.abspath(os.environ["MAPSCOPE"])
        recordings = sorted(RECORDINGS.glob(f"go{os.environ.get('MAPSCOPE_GO', '*')}/*.rec"))
        self.assertTrue(recordings, "there are no recordings: tools/make-recordings makes them")
        for recording in recordings:
            for name, said in goldens.outputs(mapscope, recording).items():
                with self.subTest(golden=f"{recording.parent.name}/{name}"):
                    kept = (recording.parent / name).read_bytes()
                    self.assertEqual(said.decode().splitlines(), kept.decode().splitlines())
                    self.assertEqual(said, kept)


if __name__ == "__main__":
    unittest.main()
