"""A node with a Python app for the load driver: a sandbox that says when it serves.

usage: node.py DIRECTORY APP [ARGUMENTS OF affiant sandbox]
Prints `READY ADDRESS`; the service's certificate and the user's are then in DIRECTORY.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path


def announce(directory: Path) -> None:
    workspace = directory / "workspace"
    addresses = workspace / "sandbox_0" / "0.rpc_addresses"
    common = workspace / "sandbox_common"
    while not addresses.exists():
        time.sleep(0.05)
    names = {"service_cert.pem": "service_cert.pem", "user0_cert.pem": "user_cert.pem"}
    names["user0_privk.pem"] = "user_privk.pem"
    for name, wanted in names.items():
        shutil.copy(common / name, directory / wanted)
    (address,) = json.loads(addresses.read_text()).values()
    print(f"READY {address}", flush=True)


def main() -> int:
    directory, app, *more = sys.argv[1:]
    if app == "--announce":
        announce(Path(directory))
        return 0
    # A process of its own: in this one, nothing is read but what the app's policy says.
    subprocess.Popen([sys.executable, "-I", __file__, directory, "--announce"])
    from affiant import _native

    workspace = str(Path(directory) / "workspace")
    sandbox = ["affiant", "sandbox", "--app", app, "--workspace", workspace, *more]
    return _native.main([*sandbox, "--node", "local://127.0.0.1:0"])


if __name__ == "__main__":
    sys.exit(main())
