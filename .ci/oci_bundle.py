"""Print what crun needs to start an image as compose does: `oci_bundle.py IMAGE ROOT DATA PORT`."""

import json
import sys
from pathlib import Path

inspected, root, data, port = sys.argv[1:]
config = json.loads(Path(inspected).read_text(encoding="utf-8"))["Docker"]["config"]
user = [int(number) for number in config["User"].split(":")]  # numeric, as Kubernetes wants it
tmpfs = {"type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]}
mounts = [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
    {"destination": "/dev/shm", **tmpfs},
    {"destination": "/tmp", **tmpfs},
    {"destination": "/data", "type": "bind", "source": data, "options": ["rbind", "rw"]},
]
# The machine's own network: what is asked here is not its isolation.
names = ["pid", "ipc", "uts", "mount"]
print(
    json.dumps(
        {
            "ociVersion": "1.0.0",
            "root": {"path": root, "readonly": True},
            "process": {
                "args": config["Cmd"],
                "cwd": config["WorkingDir"],
                "env": [*config["Env"], f"STREAMLIT_SERVER_PORT={port}"],
                "user": {"uid": user[0], "gid": user[1]},
                "capabilities": {},
                "noNewPrivileges": True,
            },
            "mounts": mounts,
            "linux": {"namespaces": [{"type": name} for name in names]},
        }
    )
)
