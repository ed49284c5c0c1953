#!/usr/bin/python3
"""Every request of the bot's encryption against the schemas of the Matrix specification."""
import os
import subprocess
import sys
import tempfile

NAME = "matrix_schema_of_key_requests"
VALIDATE = "../shared/tools/matrix-validate"

if os.environ.get("ONLY", "") not in NAME:
    sys.exit(0)
if not os.path.exists(VALIDATE):
    print("ok 1 - %s # skip the specification's schemas are not there" % NAME)
    sys.exit(0)
with tempfile.TemporaryDirectory() as folder:
    traffic = os.path.join(folder, "traffic.jsonl")
    env = dict(os.environ, MATRIX_TRAFFIC=traffic, ONLY="matrix_crypto")
    played = subprocess.run(["build/san/unit/matrix_crypto"], env=env, capture_output=True)
    p = subprocess.run([sys.executable, "-W", "ignore", VALIDATE, traffic, "tests/net/matrix_keys_exceptions"],
                       capture_output=True, text=True)
    for line in (p.stdout + p.stderr).splitlines():
        print("# " + line)
    good = played.returncode == 0 and p.returncode == 0
print("ok" if good else "not ok", 1, "-", NAME)
sys.exit(not good)
