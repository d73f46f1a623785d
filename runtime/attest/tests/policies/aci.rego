package policy

import future.keywords.every
import future.keywords.in

api_version := "0.10.0"
framework_version := "0.2.3"

fragments := [
  {
    "feed": "example.test/infrastructure/sidecar",
    "includes": [
      "containers"
    ],
    "issuer": "did:x509:0:sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA::eku:1.3.6.1.4.1.99999.1",
    "minimum_svn": "4"
  }
]

containers := [
  {
    "allow_elevated": false,
    "allow_stdio_access": false,
    "capabilities": {
      "ambient": [],
      "bounding": ["CAP_NET_BIND_SERVICE"],
      "effective": ["CAP_NET_BIND_SERVICE"],
      "inheritable": [],
      "permitted": ["CAP_NET_BIND_SERVICE"]
    },
    "command": ["/app/ledger", "--listen", "0.0.0.0:8443"],
    "env_rules": [
      {"pattern": "PATH=/usr/bin:/bin", "required": true, "strategy": "string"},
      {"pattern": "LEDGER_SHARD=[0-9]{1,3}", "required": false, "strategy": "re2"},
      {
        "name": "LEDGER_NAME", "name_strategy": "string",
        "value": "[a-z]+", "value_strategy": "re2", "required": false
      }
    ],
    "exec_processes": [],
    "id": "example.test/ledger:1.4",
    "layers": [
      "1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100",
      "2f2e2d2c2b2a292827262524232221200f0e0d0c0b0a09080706050403020100"
    ],
    "mounts": [
      {
        "destination": "/etc/resolv.conf",
        "options": ["rbind", "rshared", "rw"],
        "source": "sandbox:///tmp/atlas/resolvconf/.+",
        "type": "bind"
      },
      {
        "destination": "/data",
        "options": ["rbind", "rshared", "rw"],
        "source": "sandbox:///tmp/atlas/emptydir/.+",
        "type": "bind"
      }
    ],
    "name": "ledger",
    "no_new_privileges": true,
    "seccomp_profile_sha256": "",
    "signals": [15],
    "user": {
      "group_idnames": [{"pattern": "", "strategy": "any"}],
      "umask": "0022",
      "user_idname": {"pattern": "1000", "strategy": "id"}
    },
    "working_dir": "/"
  },
  {
    "allow_elevated": false,
    "allow_stdio_access": true,
    "command": ["/pause"],
    "env_rules": [{"pattern": `TERM=xterm`, "required": false, "strategy": "string"}],
    "exec_processes": [],
    "layers": ["16b514057a06ad665f92c02863aca074fd5976c755d26bff16365299169e8415"],
    "mounts": [],
    "no_new_privileges": false,
    "seccomp_profile_sha256": "",
    "signals": [],
    "working_dir": "/",
  },
]

allow_properties_access := false
allow_dump_stacks := false
allow_runtime_logging := false
allow_environment_variable_dropping := false
allow_unencrypted_scratch := false
allow_capability_dropping := true

# Every question of the guest's agent is answered by the framework.
mount_device := data.framework.mount_device
unmount_device := data.framework.unmount_device
mount_overlay := data.framework.mount_overlay
unmount_overlay := data.framework.unmount_overlay
create_container := data.framework.create_container
exec_in_container := data.framework.exec_in_container
exec_external := data.framework.exec_external
shutdown_container := data.framework.shutdown_container
signal_container_process := data.framework.signal_container_process
plan9_mount := data.framework.plan9_mount
plan9_unmount := data.framework.plan9_unmount
get_properties := data.framework.get_properties
dump_stacks := data.framework.dump_stacks
runtime_logging := data.framework.runtime_logging
load_fragment := data.framework.load_fragment
scratch_mount := data.framework.scratch_mount
scratch_unmount := data.framework.scratch_unmount

reason := {"errors": data.framework.errors}
