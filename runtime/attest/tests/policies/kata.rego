package agent_policy

import future.keywords.in
import input

default AddSwapRequest := false
default CopyFileRequest := false
default CreateContainerRequest := false
default CreateSandboxRequest := false
default DestroySandboxRequest := true
default ExecProcessRequest := false
default GetOOMEventRequest := true
default GuestDetailsRequest := true
default OnlineCPUMemRequest := true
default ReadStreamRequest := false
default RemoveContainerRequest := true
default SetPolicyRequest := false
default SignalProcessRequest := true
default StartContainerRequest := true
default StatsContainerRequest := false
default UpdateInterfaceRequest := true
default WaitProcessRequest := true
default WriteStreamRequest := false
default AllowRequestsFailingPolicy := false

policy_data := {
  "containers": [
    {
      "OCI": {
        "Process": {
          "Args": ["/app/ledger"],
          "Env": ["PATH=/usr/bin:/bin"],
          "Capabilities": {
            "Ambient": [],
            "Bounding": ["$(default_caps)"],
            "Effective": ["CAP_NET_BIND_SERVICE"],
            "Inheritable": [],
            "Permitted": ["$(default_caps)"]
          },
          "NoNewPrivileges": true
        },
        "Root": {"Path": "$(cpath)/$(bundle-id)", "Readonly": true},
        "Mounts": [
          {"destination": "/proc", "source": "proc", "type_": "proc", "options": ["nosuid"]},
          {
            "destination": "/etc/resolv.conf",
            "source": "$(sfprefix)resolv.conf$",
            "type_": "bind",
            "options": ["rbind", "ro"]
          },
          {
            "destination": "/data",
            "source": "^$(cpath)/$(sandbox-id)/local/data$",
            "type_": "local",
            "options": ["rbind", "rw"]
          }
        ],
        "Annotations": {
          "io.kubernetes.cri.container-name": "ledger",
          "io.kubernetes.cri.image-name": "example.test/ledger:1.4"
        }
      },
      "storages": [
        {
          "driver": "overlayfs",
          "options": ["1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"],
          "mount_point": "$(cpath)/$(bundle-id)"
        }
      ],
      "sandbox_pidns": false,
      "exec_commands": []
    }
  ],
  "request_defaults": {
    "CloseStdinRequest": false,
    "CopyFileRequest": ["^$(cpath)/$(bundle-id)-[a-z0-9]{16}-(hosts|hostname)$"],
    "ExecProcessRequest": {"commands": [], "regex": []},
    "ReadStreamRequest": false,
    "UpdateEphemeralMountsRequest": false,
    "WriteStreamRequest": false
  }
}
