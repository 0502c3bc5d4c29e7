"""Every fault of the soak once, within seconds: the same checks as of `make soak`, which takes minutes."""
import subprocess
import sys

import harness

SEED = 1  # of the order; one that fails is to be added here
MINUTES_AT_MOST = 15


class SoakTest(harness.EndToEndTest):
    def test_every_fault_once(self):
        done = subprocess.run([sys.executable, harness.ROOT / "tests/soak/soak.py", "--each-once", "--seed", str(SEED), "--pause", "0.1"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=MINUTES_AT_MOST * 60)
        if done.returncode == harness.SKIPPED:
            self.skipTest(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout[-12000:])


if __name__ == "__main__":
    harness.main()
