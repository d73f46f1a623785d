// The actions that proposals are made of. An action has two halves: `validate(args)` looks at the
// arguments alone when the proposal is made and throws if they are wrong; `apply(args, proposalId)`
// brings it about once the proposal is accepted, and throws if the state does not allow it.
//
// More actions can be added by a file that follows this one: actions.set(name, new Action(...)).

class Action {
  constructor(validate, apply) {
    this.validate = validate;
    this.apply = apply;
  }
}

const GOV = "public:ccf.gov.";
const ALLOWED = "AllowedToJoin";
const VALIDITY_DAYS_DEFAULT = 365;
const MANIFEST_BYTES_MAX = 1 << 20;

// Checks of arguments. `type` is what typeof says, or integer or array; a trailing ? admits absence.

function checkType(value, type, field) {
  const optional = type.endsWith("?");
  const wanted = optional ? type.slice(0, -1) : type;
  if (value === undefined || value === null) {
    if (optional) return;
    throw new Error(`${field} is missing; it must be of type ${wanted}`);
  }
  const fits =
    wanted === "integer"
      ? Number.isInteger(value)
      : wanted === "array"
        ? Array.isArray(value)
        : typeof value === wanted && !(wanted === "object" && Array.isArray(value));
  if (!fits) {
    throw new Error(`${field} must be of type ${wanted}, not ${describeType(value)}`);
  }
}

function describeType(value) {
  return Array.isArray(value) ? "array" : typeof value;
}

function checkArgs(args) {
  checkType(args, "object", "args");
}

function checkNone(args) {
  if (args !== undefined && args !== null) {
    throw new Error("this action takes no args");
  }
}

function checkEnum(value, members, field) {
  if (!members.includes(value)) {
    throw new Error(`${field} is ${JSON.stringify(value)}; it must be one of ${members.join(", ")}`);
  }
}

function checkBounds(value, low, high, field) {
  if (low !== null && value < low) {
    throw new Error(`${field} is ${value}; the least is ${low}`);
  }
  if (high !== null && value > high) {
    throw new Error(`${field} is ${value}; the most is ${high}`);
  }
}

function checkLength(value, shortest, longest, field) {
  checkBounds(value.length, shortest, longest, `the length of ${field}`);
}

function checkHex(value, digits, field) {
  checkType(value, "string", field);
  if (!/^[0-9a-fA-F]*$/.test(value) || (digits !== null && value.length !== digits)) {
    const count = digits === null ? "" : `${digits} `;
    throw new Error(`${field} must consist of ${count}hexadecimal digits`);
  }
}

// Ids of members, users and nodes: a SHA-256 digest.
function checkEntityId(value, field) {
  checkHex(value, 64, field);
}

function checkCertificate(value, field) {
  checkType(value, "string", field);
  try {
    return ccf.pemToId(value);
  } catch (error) {
    throw new Error(`${field} is no PEM certificate: ${error.message}`);
  }
}

function checkX509CertBundle(value, field) {
  checkType(value, "string", field);
  const end = "-----END CERTIFICATE-----";
  const parts = value.split(end);
  if (parts.pop().trim() !== "" || parts.length === 0) {
    throw new Error(`${field} must consist of PEM certificates`);
  }
  parts.forEach((part, index) => checkCertificate(part.trim() + "\n" + end, `${field}[${index}]`));
}

function checkPublicKey(value, field) {
  checkType(value, "string", field);
  if (!value.includes("-----BEGIN PUBLIC KEY-----")) {
    throw new Error(`${field} must be a PEM public key`);
  }
}

function checkMoment(value, field) {
  checkType(value, "string", field);
  const compact = /^(\d\d)?\d{12}Z$/;
  const iso = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?$/;
  if (!compact.test(value) && !iso.test(value)) {
    throw new Error(`${field} must be a moment, such as 2026-01-31T12:00:00Z or 260131120000Z`);
  }
}

function checkValidity(args) {
  checkArgs(args);
  checkMoment(args.valid_from, "valid_from");
  checkType(args.validity_period_days, "integer?", "validity_period_days");
  if (args.validity_period_days != null) {
    checkBounds(args.validity_period_days, 1, null, "validity_period_days");
  }
}

function checkJwks(value, field) {
  checkType(value, "object", field);
  checkType(value.keys, "array", `${field}.keys`);
  value.keys.forEach((key, index) => {
    const at = `${field}.keys[${index}]`;
    checkType(key, "object", at);
    checkType(key.kid, "string", `${at}.kid`);
    checkType(key.kty, "string", `${at}.kty`);
    const material =
      (key.n !== undefined && key.e !== undefined) ||
      (key.x !== undefined && key.y !== undefined && key.crv !== undefined) ||
      (Array.isArray(key.x5c) && key.x5c.length > 0);
    if (!material) {
      throw new Error(`${at} has neither n and e, nor x, y and crv, nor x5c`);
    }
    checkType(key.issuer, "string?", `${at}.issuer`);
  });
}

function checkHttpsUrl(value, field) {
  if (!/^https:\/\/[^\/?#\s]+(\/[^?#\s]*)?$/.test(value)) {
    throw new Error(`${field} must be an https URL without query or fragment`);
  }
}

// Applications. `language` is the prefix of the properties that name an endpoint's handler: js, py.

const MODES = ["readwrite", "readonly", "historical"];
const FORWARDING = ["sometimes", "always", "never"];

function checkBundle(bundle, language, checkEndpoint) {
  checkType(bundle, "object", "bundle");
  checkType(bundle.modules, "array", "bundle.modules");
  const modules = new Set();
  bundle.modules.forEach((module, index) => {
    checkType(module, "object", `bundle.modules[${index}]`);
    checkType(module.name, "string", `bundle.modules[${index}].name`);
    checkType(module.module, "string", `bundle.modules[${index}].module`);
    modules.add(withSlash(module.name));
  });
  checkType(bundle.metadata, "object", "bundle.metadata");
  checkType(bundle.metadata.endpoints, "object", "bundle.metadata.endpoints");
  for (const [path, verbs] of Object.entries(bundle.metadata.endpoints)) {
    const at = `bundle.metadata.endpoints[${JSON.stringify(path)}]`;
    checkType(verbs, "object", at);
    for (const [verb, properties] of Object.entries(verbs)) {
      const place = `${at}.${verb}`;
      checkType(properties, "object", place);
      checkHandler(properties, place, language, modules);
      checkEndpoint(properties, place);
    }
  }
}

function checkHandler(properties, at, language, modules) {
  const field = `${language}_module`;
  checkType(properties[field], "string", `${at}.${field}`);
  checkType(properties[`${language}_function`], "string", `${at}.${language}_function`);
  if (!modules.has(withSlash(properties[field]))) {
    throw new Error(`${at}.${field}: ${properties[field]} is not among the modules`);
  }
}

function checkJsEndpoint(properties, at) {
  checkEnum(properties.mode, MODES, `${at}.mode`);
  checkEnum(properties.forwarding_required, FORWARDING, `${at}.forwarding_required`);
  checkAccess(properties, at);
  checkType(properties.interpreter_reuse, "object?", `${at}.interpreter_reuse`);
  if (properties.interpreter_reuse != null) {
    checkType(properties.interpreter_reuse.key, "string", `${at}.interpreter_reuse.key`);
  }
}

function checkPythonEndpoint(properties, at) {
  for (const field of ["js_module", "js_function"]) {
    if (field in properties) throw new Error(`${at}.${field}: a bundle has one language`);
  }
  for (const [field, members] of [
    ["py_interface", ["handler", "wsgi", "asgi"]],
    ["mode", MODES],
    ["respond", ["committed", "early", "receipt"]],
    ["forwarding_required", FORWARDING],
  ]) {
    if (field in properties) checkEnum(properties[field], members, `${at}.${field}`);
  }
  checkAccess(properties, at);
}

function checkManifest(manifest) {
  checkType(manifest, "object?", "bundle.manifest");
  if (manifest == null) return;
  const size = ccf.jsonCompatibleToBuf(manifest).byteLength;
  checkBounds(size, null, MANIFEST_BYTES_MAX, "the size of bundle.manifest in bytes");
}

// Who may call an endpoint, from where, and how it is described.
function checkAccess(properties, at) {
  if (properties.redirection_strategy != null) {
    const strategies = ["none", "to_primary", "to_backup"];
    checkEnum(properties.redirection_strategy, strategies, `${at}.redirection_strategy`);
  }
  checkType(properties.authn_policies, "array", `${at}.authn_policies`);
  properties.authn_policies.forEach((policy, index) => {
    if (typeof policy === "string") return;
    const place = `${at}.authn_policies[${index}]`;
    checkType(policy, "object", place);
    checkType(policy.all_of, "array", `${place}.all_of`);
    checkLength(policy.all_of, 1, null, `${place}.all_of`);
    policy.all_of.forEach((name) => checkType(name, "string", `${place}.all_of`));
  });
  checkType(properties.openapi, "object?", `${at}.openapi`);
  checkType(properties.openapi_hidden, "boolean?", `${at}.openapi_hidden`);
}

// Tables.

function table(name) {
  return ccf.kv[GOV + name];
}

function getSingletonKvKey() {
  return new ArrayBuffer(8);
}

function readJson(name, key) {
  const bytes = table(name).get(key);
  return bytes === undefined ? undefined : ccf.bufToJsonCompatible(bytes);
}

function writeJson(name, key, value) {
  table(name).set(key, ccf.jsonCompatibleToBuf(value));
}

function readOnly(name) {
  return readJson(name, getSingletonKvKey());
}

function writeOnly(name, value) {
  writeJson(name, getSingletonKvKey(), value);
}

function idKey(id) {
  return ccf.strToBuf(id.toLowerCase());
}

function withSlash(name) {
  return name.startsWith("/") ? name : "/" + name;
}

function toHex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function service() {
  const info = readOnly("service.info");
  if (info === undefined) throw new Error("there is no service");
  return info;
}

// What was voted on may mean something else from now on.
function invalidateOtherOpenProposals(proposalId) {
  const stale = [];
  table("proposals_info").forEach((value, key) => {
    const info = ccf.bufToJsonCompatible(value);
    if (info.state === "Open" && ccf.bufToStr(key) !== proposalId) stale.push([key, info]);
  });
  for (const [key, info] of stale) {
    writeJson("proposals_info", key, { ...info, state: "Dropped" });
  }
}

function isRecoveryParticipant(key, info) {
  return (
    info.status === "Active" &&
    table("members.encryption_public_keys").has(key) &&
    (info.recovery_role ?? "Participant") === "Participant"
  );
}

function countRecoveryParticipants(except) {
  let count = 0;
  table("members.info").forEach((value, key) => {
    const id = ccf.bufToStr(key);
    if (id !== except && isRecoveryParticipant(key, ccf.bufToJsonCompatible(value))) count++;
  });
  return count;
}

// Changes fields of the service's configuration; new shares are due where their number changes.
function updateServiceConfig(changes) {
  const config = readOnly("service.config") ?? {};
  const status = service().status;
  const threshold = changes.recovery_threshold;
  if (threshold !== undefined && threshold !== config.recovery_threshold) {
    if (status === "WaitingForRecoveryShares") {
      throw new Error("the recovery threshold cannot be changed while shares are collected");
    }
    const participants = countRecoveryParticipants(null);
    if (status === "Open" && threshold > participants) {
      throw new Error(
        `recovery_threshold is ${threshold}, but only ${participants} active members hold a share`,
      );
    }
  }
  writeOnly("service.config", { ...config, ...changes });
  if (threshold !== undefined && threshold !== config.recovery_threshold && status === "Open") {
    ccf.node.triggerRecoverySharesRefresh();
  }
}

function readNode(id) {
  const info = readJson("nodes.info", idKey(id));
  if (info === undefined) throw new Error(`there is no node ${id}`);
  return info;
}

// How long a certificate is to be valid: as proposed, else as long as the service allows.
function validityDays(args, limit) {
  const most = (readOnly("service.config") ?? {})[limit] ?? VALIDITY_DAYS_DEFAULT;
  const days = args.validity_period_days ?? most;
  checkBounds(days, 1, most, "validity_period_days");
  return days;
}

function endorseNode(id, info, args) {
  if (info.certificate_signing_request === undefined) {
    throw new Error(`node ${id} has no certificate signing request`);
  }
  const certificate = ccf.network.generateEndorsedCertificate(
    info.certificate_signing_request,
    args.valid_from,
    validityDays(args, "maximum_node_certificate_validity_days"),
  );
  table("nodes.endorsed_certificates").set(idKey(id), ccf.strToBuf(certificate));
}

function storeApp(bundle, language) {
  clearApp();
  for (const module of bundle.modules) {
    table("modules").set(ccf.strToBuf(withSlash(module.name)), ccf.strToBuf(module.module));
  }
  const field = `${language}_module`;
  for (const [path, verbs] of Object.entries(bundle.metadata.endpoints)) {
    for (const [verb, properties] of Object.entries(verbs)) {
      const key = ccf.strToBuf(`${verb.toUpperCase()} ${withSlash(path)}`);
      writeJson("endpoints", key, { ...properties, [field]: withSlash(properties[field]) });
    }
  }
}

function clearApp() {
  for (const name of [
    "modules",
    "modules_quickjs_bytecode",
    "modules_quickjs_version",
    "endpoints",
    "affiant.app_manifest",
  ]) {
    table(name).clear();
  }
  writeOnly("interpreter.flush", true);
}

// One text by which joining nodes are judged.
function allowing(name, argument) {
  return new Action(
    (args) => {
      checkArgs(args);
      checkType(args[argument], "string", argument);
    },
    (args, proposalId) => {
      writeJson(name, ccf.strToBuf(args[argument]), ALLOWED);
      invalidateOtherOpenProposals(proposalId);
    },
  );
}

function disallowing(name, argument) {
  return new Action(
    (args) => {
      checkArgs(args);
      checkType(args[argument], "string", argument);
    },
    (args) => table(name).delete(ccf.strToBuf(args[argument])),
  );
}

function effect(name) {
  return new Action(checkNone, () => ccf.node[name]());
}

const HOST_DATA_DIGITS = 64;
const CPUID_DIGITS = 8;
const TCB_DIGITS = 16;

const actions = new Map([
  [
    "set_constitution",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.constitution, "string", "constitution");
        ccf.gov.validateConstitution(args.constitution);
      },
      (args, proposalId) => {
        writeOnly("constitution", args.constitution);
        invalidateOtherOpenProposals(proposalId);
      },
    ),
  ],

  // Members and users.
  [
    "set_member",
    new Action(
      (args) => {
        checkArgs(args);
        checkCertificate(args.cert, "cert");
        checkType(args.member_data, "object?", "member_data");
        const hasKey = args.encryption_pub_key != null;
        if (hasKey) checkPublicKey(args.encryption_pub_key, "encryption_pub_key");
        if (args.recovery_role != null) {
          const roles = ["NonParticipant", "Participant", "Owner"];
          checkEnum(args.recovery_role, roles, "recovery_role");
          if (!hasKey) throw new Error("a recovery_role goes with an encryption_pub_key only");
        }
      },
      (args) => {
        const key = ccf.strToBuf(ccf.pemToId(args.cert));
        table("members.certs").set(key, ccf.strToBuf(args.cert));
        if (args.encryption_pub_key == null) {
          table("members.encryption_public_keys").delete(key);
        } else {
          const pem = ccf.strToBuf(args.encryption_pub_key);
          table("members.encryption_public_keys").set(key, pem);
        }
        writeJson("members.info", key, {
          member_data: args.member_data ?? undefined,
          recovery_role: args.recovery_role ?? undefined,
          status: "Accepted",
        });
        const signature = ccf.kv["public:ccf.internal.signatures"].get(getSingletonKvKey());
        const root = signature === undefined ? "" : ccf.bufToJsonCompatible(signature).root;
        writeJson("members.acks", key, { state_digest: root });
      },
    ),
  ],
  [
    "set_member_data",
    new Action(
      (args) => {
        checkArgs(args);
        checkEntityId(args.member_id, "member_id");
        checkType(args.member_data, "object?", "member_data");
      },
      (args) => {
        const key = idKey(args.member_id);
        const info = readJson("members.info", key);
        if (info === undefined) throw new Error(`there is no member ${args.member_id}`);
        writeJson("members.info", key, { ...info, member_data: args.member_data ?? undefined });
      },
    ),
  ],
  [
    "remove_member",
    new Action(
      (args) => {
        checkArgs(args);
        checkEntityId(args.member_id, "member_id");
      },
      (args) => {
        const key = idKey(args.member_id);
        const info = readJson("members.info", key);
        if (info === undefined) return;
        const held = table("members.encryption_public_keys").has(key);
        const role = info.recovery_role ?? "Participant";
        const heldShare = held && info.status === "Active" && role !== "NonParticipant";
        if (heldShare && role === "Participant") {
          const threshold = (readOnly("service.config") ?? {}).recovery_threshold ?? 0;
          const left = countRecoveryParticipants(args.member_id.toLowerCase());
          if (left < threshold) {
            throw new Error(
              `${left} active members would still hold a share, but ${threshold} are needed to recover`,
            );
          }
        }
        for (const name of ["certs", "encryption_public_keys", "info", "acks"]) {
          table(`members.${name}`).delete(key);
        }
        table("history").delete(key);
        // A share that was held must be worth nothing from now on.
        if (heldShare) ccf.node.triggerLedgerRekey();
      },
    ),
  ],
  [
    "set_user",
    new Action(
      (args) => {
        checkArgs(args);
        checkCertificate(args.cert, "cert");
        checkType(args.user_data, "object?", "user_data");
      },
      (args) => {
        const key = ccf.strToBuf(ccf.pemToId(args.cert));
        table("users.certs").set(key, ccf.strToBuf(args.cert));
        if (args.user_data == null) table("users.info").delete(key);
        else writeJson("users.info", key, { user_data: args.user_data });
      },
    ),
  ],
  [
    "set_user_data",
    new Action(
      (args) => {
        checkArgs(args);
        checkEntityId(args.user_id, "user_id");
        checkType(args.user_data, "object?", "user_data");
      },
      (args) => {
        const key = idKey(args.user_id);
        if (!table("users.certs").has(key)) throw new Error(`there is no user ${args.user_id}`);
        if (args.user_data == null) table("users.info").delete(key);
        else writeJson("users.info", key, { user_data: args.user_data });
      },
    ),
  ],
  [
    "remove_user",
    new Action(
      (args) => {
        checkArgs(args);
        checkEntityId(args.user_id, "user_id");
      },
      (args) => {
        table("users.certs").delete(idKey(args.user_id));
        table("users.info").delete(idKey(args.user_id));
      },
    ),
  ],

  // The service.
  [
    "set_recovery_threshold",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.recovery_threshold, "integer", "recovery_threshold");
        checkBounds(args.recovery_threshold, 1, 254, "recovery_threshold");
      },
      (args) => updateServiceConfig({ recovery_threshold: args.recovery_threshold }),
    ),
  ],
  [
    "set_service_configuration",
    new Action(
      (args) => {
        checkArgs(args);
        const known = [
          "reconfiguration_type",
          "recovery_threshold",
          "recent_cose_proposals_window_size",
        ];
        for (const name of Object.keys(args)) {
          if (!known.includes(name)) throw new Error(`${name} cannot be configured`);
        }
        checkType(args.reconfiguration_type, "string?", "reconfiguration_type");
        checkType(args.recovery_threshold, "integer?", "recovery_threshold");
        if (args.recovery_threshold != null) {
          checkBounds(args.recovery_threshold, 1, 254, "recovery_threshold");
        }
        const window = args.recent_cose_proposals_window_size;
        checkType(window, "integer?", "recent_cose_proposals_window_size");
        if (window != null) checkBounds(window, 1, 10000, "recent_cose_proposals_window_size");
      },
      (args) => {
        const changes = Object.entries(args).filter(([, value]) => value != null);
        updateServiceConfig(Object.fromEntries(changes));
      },
    ),
  ],
  [
    "transition_service_to_open",
    new Action(
      (args) => {
        checkArgs(args);
        checkCertificate(args.next_service_identity, "next_service_identity");
        if (args.previous_service_identity != null) {
          checkCertificate(args.previous_service_identity, "previous_service_identity");
        }
      },
      (args) => {
        const previous = args.previous_service_identity;
        const recovering = service().status === "Recovering";
        if (recovering && previous == null) {
          throw new Error("previous_service_identity is missing; a service is being recovered");
        }
        ccf.node.transitionServiceToOpen(
          previous == null ? undefined : ccf.strToBuf(previous),
          ccf.strToBuf(args.next_service_identity),
        );
      },
    ),
  ],
  [
    "assert_service_identity",
    new Action(
      (args) => {
        checkArgs(args);
        const id = checkCertificate(args.service_identity, "service_identity");
        if (id !== ccf.pemToId(service().cert)) {
          throw new Error("service_identity is not the certificate of this service");
        }
      },
      (args) => {
        if (ccf.pemToId(args.service_identity) !== ccf.pemToId(service().cert)) {
          throw new Error("service_identity is not the certificate of this service");
        }
      },
    ),
  ],
  [
    "set_service_certificate_validity",
    new Action(checkValidity, (args) => {
      const days = validityDays(args, "maximum_service_certificate_validity_days");
      const cert = ccf.network.generateNetworkCertificate(args.valid_from, days);
      writeOnly("service.info", { ...service(), cert });
    }),
  ],
  ["trigger_ledger_rekey", effect("triggerLedgerRekey")],
  ["trigger_recovery_shares_refresh", effect("triggerRecoverySharesRefresh")],
  ["trigger_ledger_chunk", effect("triggerLedgerChunk")],
  ["trigger_snapshot", effect("triggerSnapshot")],

  // The application.
  [
    "set_js_app",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.disable_bytecode_cache, "boolean?", "disable_bytecode_cache");
        checkBundle(args.bundle, "js", checkJsEndpoint);
      },
      (args) => {
        storeApp(args.bundle, "js");
        if (args.disable_bytecode_cache !== true) ccf.refreshAppBytecodeCache();
      },
    ),
  ],
  [
    "set_python_app",
    new Action(
      (args) => {
        checkArgs(args);
        checkBundle(args.bundle, "py", checkPythonEndpoint);
        checkManifest(args.bundle.manifest);
      },
      (args) => {
        storeApp(args.bundle, "py");
        const manifest = args.bundle.manifest;
        if (manifest != null) writeOnly("affiant.app_manifest", manifest);
      },
    ),
  ],
  // Whatever the language.
  ["remove_js_app", new Action(checkNone, clearApp)],
  ["remove_python_app", new Action(checkNone, clearApp)],
  [
    "set_js_runtime_options",
    new Action(
      (args) => {
        checkArgs(args);
        for (const name of ["max_heap_bytes", "max_stack_bytes", "max_execution_time_ms"]) {
          checkType(args[name], "integer", name);
          checkBounds(args[name], 1, null, name);
        }
        checkType(args.log_exception_details, "boolean?", "log_exception_details");
        checkType(args.return_exception_details, "boolean?", "return_exception_details");
        checkType(args.max_cached_interpreters, "integer?", "max_cached_interpreters");
        if (args.max_cached_interpreters != null) {
          checkBounds(args.max_cached_interpreters, 0, null, "max_cached_interpreters");
        }
      },
      (args) => writeOnly("js_runtime_options", args),
    ),
  ],
  ["refresh_js_app_bytecode_cache", new Action(checkNone, () => ccf.refreshAppBytecodeCache())],

  // Who else is trusted to say who calls.
  [
    "set_ca_cert_bundle",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.name, "string", "name");
        checkX509CertBundle(args.cert_bundle, "cert_bundle");
      },
      (args) => writeJson("tls.ca_cert_bundles", ccf.strToBuf(args.name), args.cert_bundle),
    ),
  ],
  [
    "remove_ca_cert_bundle",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.name, "string", "name");
      },
      (args) => table("tls.ca_cert_bundles").delete(ccf.strToBuf(args.name)),
    ),
  ],
  [
    "set_jwt_issuer",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.issuer, "string", "issuer");
        checkType(args.auto_refresh, "boolean?", "auto_refresh");
        checkType(args.ca_cert_bundle_name, "string?", "ca_cert_bundle_name");
        if (args.jwks != null) checkJwks(args.jwks, "jwks");
        if (args.auto_refresh) {
          checkType(args.ca_cert_bundle_name, "string", "ca_cert_bundle_name");
          checkHttpsUrl(args.issuer, "issuer");
        }
      },
      (args) => {
        const { jwks, ...metadata } = args;
        metadata.auto_refresh = args.auto_refresh ?? false;
        const bundle = args.ca_cert_bundle_name;
        if (args.auto_refresh && !table("tls.ca_cert_bundles").has(ccf.strToBuf(bundle))) {
          throw new Error(`there is no CA certificate bundle ${bundle}; set_ca_cert_bundle makes one`);
        }
        if (jwks != null) ccf.setJwtPublicSigningKeys(args.issuer, metadata, jwks);
        writeJson("jwt.issuers", ccf.strToBuf(args.issuer), metadata);
      },
    ),
  ],
  [
    "set_jwt_public_signing_keys",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.issuer, "string", "issuer");
        checkJwks(args.jwks, "jwks");
      },
      (args) => {
        const metadata = readJson("jwt.issuers", ccf.strToBuf(args.issuer));
        if (metadata === undefined) {
          throw new Error(`there is no issuer ${args.issuer}; set_jwt_issuer makes one`);
        }
        ccf.setJwtPublicSigningKeys(args.issuer, metadata, args.jwks);
      },
    ),
  ],
  [
    "remove_jwt_issuer",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.issuer, "string", "issuer");
      },
      (args) => {
        const key = ccf.strToBuf(args.issuer);
        if (!table("jwt.issuers").has(key)) return;
        table("jwt.issuers").delete(key);
        ccf.removeJwtPublicSigningKeys(args.issuer);
      },
    ),
  ],

  // Nodes.
  [
    "set_node_data",
    new Action(
      (args) => {
        checkArgs(args);
        checkEntityId(args.node_id, "node_id");
        checkType(args.node_data, "object?", "node_data");
      },
      (args) => {
        const info = readNode(args.node_id);
        const node_data = args.node_data ?? undefined;
        writeJson("nodes.info", idKey(args.node_id), { ...info, node_data });
      },
    ),
  ],
  [
    "transition_node_to_trusted",
    new Action(
      (args) => {
        checkValidity(args);
        checkEntityId(args.node_id, "node_id");
      },
      (args) => {
        const info = readNode(args.node_id);
        if (info.status !== "Pending") {
          throw new Error(`node ${args.node_id} is ${info.status}; only a pending node becomes trusted`);
        }
        writeJson("nodes.info", idKey(args.node_id), {
          ...info,
          status: "Trusted",
          ledger_secret_seqno: ccf.network.getLatestLedgerSecretSeqno(),
        });
        if (info.certificate_signing_request !== undefined) {
          endorseNode(args.node_id, info, args);
        }
      },
    ),
  ],
  [
    "remove_node",
    new Action(
      (args) => {
        checkArgs(args);
        checkEntityId(args.node_id, "node_id");
      },
      (args) => {
        const key = idKey(args.node_id);
        const info = readJson("nodes.info", key);
        if (info === undefined) return;
        if (info.status === "Pending") table("nodes.info").delete(key);
        else writeJson("nodes.info", key, { ...info, status: "Retired" });
      },
    ),
  ],
  [
    "set_node_certificate_validity",
    new Action(
      (args) => {
        checkValidity(args);
        checkEntityId(args.node_id, "node_id");
      },
      (args) => {
        const info = readNode(args.node_id);
        if (info.status !== "Trusted") {
          throw new Error(`node ${args.node_id} is ${info.status}; only a trusted node has a certificate`);
        }
        endorseNode(args.node_id, info, args);
      },
    ),
  ],
  [
    "set_all_nodes_certificate_validity",
    new Action(checkValidity, (args) => {
      const trusted = [];
      table("nodes.info").forEach((value, key) => {
        const info = ccf.bufToJsonCompatible(value);
        if (info.status === "Trusted" && info.certificate_signing_request !== undefined) {
          trusted.push([ccf.bufToStr(key), info]);
        }
      });
      for (const [id, info] of trusted) endorseNode(id, info, args);
    }),
  ],

  // Which nodes may join.
  ["add_node_code", allowing("nodes.code_ids", "code_id")],
  ["remove_node_code", disallowing("nodes.code_ids", "code_id")],
  ["add_virtual_measurement", allowing("nodes.virtual.measurements", "measurement")],
  ["remove_virtual_measurement", disallowing("nodes.virtual.measurements", "measurement")],
  [
    "add_virtual_host_data",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.host_data, "string", "host_data");
      },
      (args, proposalId) => {
        table("nodes.virtual.host_data").set(ccf.strToBuf(args.host_data), getSingletonKvKey());
        invalidateOtherOpenProposals(proposalId);
      },
    ),
  ],
  ["remove_virtual_host_data", disallowing("nodes.virtual.host_data", "host_data")],
  ["add_snp_measurement", allowing("nodes.snp.measurements", "measurement")],
  ["remove_snp_measurement", disallowing("nodes.snp.measurements", "measurement")],
  [
    "add_snp_host_data",
    new Action(
      (args) => {
        checkArgs(args);
        checkHex(args.host_data, HOST_DATA_DIGITS, "host_data");
        checkType(args.security_policy, "string", "security_policy");
        if (args.security_policy !== "") {
          const digest = ccf.crypto.digest("SHA-256", ccf.strToBuf(args.security_policy));
          if (toHex(digest) !== args.host_data.toLowerCase()) {
            throw new Error("host_data is not the SHA-256 of security_policy");
          }
        }
      },
      (args, proposalId) => {
        const key = ccf.strToBuf(args.host_data.toLowerCase());
        writeJson("nodes.snp.host_data", key, args.security_policy);
        invalidateOtherOpenProposals(proposalId);
      },
    ),
  ],
  [
    "remove_snp_host_data",
    new Action(
      (args) => {
        checkArgs(args);
        checkHex(args.host_data, HOST_DATA_DIGITS, "host_data");
      },
      (args) => table("nodes.snp.host_data").delete(ccf.strToBuf(args.host_data.toLowerCase())),
    ),
  ],
  [
    "add_snp_uvm_endorsement",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.did, "string", "did");
        checkType(args.feed, "string", "feed");
        checkType(args.svn, "string", "svn");
      },
      (args, proposalId) => {
        const key = ccf.strToBuf(args.did);
        const feeds = readJson("nodes.snp.uvm_endorsements", key) ?? {};
        writeJson("nodes.snp.uvm_endorsements", key, {
          ...feeds,
          [args.feed]: { svn: args.svn },
        });
        invalidateOtherOpenProposals(proposalId);
      },
    ),
  ],
  [
    "remove_snp_uvm_endorsement",
    new Action(
      (args) => {
        checkArgs(args);
        checkType(args.did, "string", "did");
        checkType(args.feed, "string", "feed");
      },
      (args) => {
        const key = ccf.strToBuf(args.did);
        const feeds = readJson("nodes.snp.uvm_endorsements", key);
        if (feeds === undefined) return;
        delete feeds[args.feed];
        if (Object.keys(feeds).length === 0) table("nodes.snp.uvm_endorsements").delete(key);
        else writeJson("nodes.snp.uvm_endorsements", key, feeds);
      },
    ),
  ],
  [
    "set_snp_minimum_tcb_version",
    new Action(
      (args) => {
        checkArgs(args);
        checkHex(args.cpuid, CPUID_DIGITS, "cpuid");
        checkType(args.tcb_version, "object", "tcb_version");
        for (const part of ["boot_loader", "tee", "snp", "microcode"]) {
          checkType(args.tcb_version[part], "integer", `tcb_version.${part}`);
          checkBounds(args.tcb_version[part], 0, 255, `tcb_version.${part}`);
        }
      },
      (args, proposalId) => {
        const key = ccf.strToBuf(args.cpuid.toLowerCase());
        writeJson("nodes.snp.tcb_versions", key, args.tcb_version);
        invalidateOtherOpenProposals(proposalId);
      },
    ),
  ],
  [
    "set_snp_minimum_tcb_version_hex",
    new Action(
      (args) => {
        checkArgs(args);
        checkHex(args.cpuid, CPUID_DIGITS, "cpuid");
        checkHex(args.tcb_version, TCB_DIGITS, "tcb_version");
        ccf.tcbHexToPolicy(args.cpuid, args.tcb_version);
      },
      (args, proposalId) => {
        const key = ccf.strToBuf(args.cpuid.toLowerCase());
        const policy = ccf.tcbHexToPolicy(args.cpuid, args.tcb_version);
        writeJson("nodes.snp.tcb_versions", key, policy);
        invalidateOtherOpenProposals(proposalId);
      },
    ),
  ],
  [
    "remove_snp_minimum_tcb_version",
    new Action(
      (args) => {
        checkArgs(args);
        checkHex(args.cpuid, CPUID_DIGITS, "cpuid");
      },
      (args) => {
        const key = ccf.strToBuf(args.cpuid.toLowerCase());
        if (!table("nodes.snp.tcb_versions").has(key)) {
          throw new Error(`there is no minimum TCB version for cpuid ${args.cpuid}`);
        }
        table("nodes.snp.tcb_versions").delete(key);
      },
    ),
  ],
]);
