//! Every bound of the host, with its unit in its name.
//!
//! ```
//! use affiant::Listener;
//! use affiant::limits::BODY_BYTES_MAX_DEFAULT;
//!
//! assert_eq!(Listener::new("main", "127.0.0.1:0").body_bytes_max, BODY_BYTES_MAX_DEFAULT);
//! ```

/// Bytes of the OpenAPI document of an application; a larger one is left out.
pub const OPENAPI_BYTES_MAX: usize = 4 << 20;
/// Placeholders in one path template.
pub const TEMPLATE_PARAMETERS_MAX: usize = 8;
/// Bytes of one path template.
pub const TEMPLATE_BYTES_MAX: usize = 1024;
/// Endpoints of one application.
pub const ENDPOINTS_COUNT_MAX: usize = 4096;
/// Bytes of a bundle's metadata (`app.json` or `bundle.json`).
pub const BUNDLE_METADATA_BYTES_MAX: u64 = 64 << 20;
/// Bytes of one module.
pub const MODULE_BYTES_MAX: u64 = 32 << 20;
/// Modules of one bundle.
pub const MODULES_COUNT_MAX: usize = 10_000;
/// Bytes of a bundle's manifest.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;
/// Depth of directories below a bundle's `src`.
pub const MODULE_DEPTH_MAX: usize = 32;
/// Worker processes for Python handlers.
pub const PYTHON_WORKERS_MAX: u16 = 256;

/// Attempts to run a handler whose transaction conflicts.
pub const COMMIT_ATTEMPTS_MAX: usize = 30;
/// Attempts to put an app into the tables against concurrent transactions.
pub const DEPLOY_ATTEMPTS_MAX: usize = 100;
/// Seconds after which a refused client should try again (`retry-after`).
pub const RETRY_AFTER_S: u64 = 3;
/// Default wait for commit before a 202 leaves, in milliseconds.
pub const COMMIT_WAIT_MS_DEFAULT: u64 = 10_000;
/// Longest wait for commit that a request may ask for, in milliseconds.
pub const COMMIT_WAIT_MS_MAX: u64 = 120_000;

/// Default bound on a request's body, in bytes.
pub const BODY_BYTES_MAX_DEFAULT: usize = 1 << 20;
/// Default bound on a request's headers, in bytes.
pub const HEADER_BYTES_MAX_DEFAULT: usize = 16 << 10;
/// Default bound on the number of a request's headers.
pub const HEADER_COUNT_MAX_DEFAULT: usize = 256;
/// Slack above the header bounds within which the refusal still has an OData body, in bytes.
pub const HEADER_SLACK_BYTES: usize = 48 << 10;
/// Default number of sessions on a listener above which new ones are answered 503.
pub const SESSIONS_SOFT_MAX_DEFAULT: usize = 1_000;
/// Default number of sessions on a listener above which new ones are closed at once.
pub const SESSIONS_HARD_MAX_DEFAULT: usize = 1_010;
/// Time for a TLS handshake, in milliseconds.
pub const HANDSHAKE_MS_MAX: u64 = 10_000;
/// Time from the first byte of a request's head to its last, in milliseconds.
pub const HEADER_READ_MS_MAX: u64 = 10_000;
/// Time from the end of a request's head to the end of its body, in milliseconds.
pub const BODY_READ_MS_MAX: u64 = 30_000;
/// Time a client may leave an answer unread while the socket is full, in milliseconds.
pub const WRITE_STALL_MS_MAX: u64 = 30_000;
/// Default time a session may be idle, in milliseconds.
pub const IDLE_MS_MAX_DEFAULT: u64 = 60_000;
/// Connections that wait to be accepted.
pub const LISTEN_BACKLOG: u32 = 1_024;
/// How often a session's timers are looked at, in milliseconds.
pub const SESSION_SWEEP_MS: u64 = 400;
/// Bytes of answers that gather on a session before they leave.
pub const ANSWERS_BYTES_MAX: usize = 64 << 10;
/// Sessions of one thread that put off what they have to send before it leaves.
pub const OUTBOX_COUNT_MAX: usize = 64;
/// Time a refused request's remaining bytes are read and dropped, so that the refusal arrives.
pub const LINGER_MS_MAX: u64 = 1_000;
/// Bytes read and dropped likewise.
pub const LINGER_BYTES_MAX: usize = 8 << 20;
/// Time that requests in flight have to end when the host stops, in milliseconds.
pub const STOP_MS_MAX: u64 = 5_000;
/// Concurrent streams of one HTTP/2 connection.
pub const H2_STREAMS_MAX: u32 = 250;
/// Streams of one HTTP/2 connection that run before others of its thread have their turn.
pub const H2_STREAMS_RUN_MAX: usize = 64;
/// Flow-control window of one HTTP/2 stream, in bytes.
pub const H2_STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// Flow-control window of one HTTP/2 connection, in bytes.
pub const H2_CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// Largest HTTP/2 frame taken, in bytes.
pub const H2_FRAME_BYTES_MAX: u32 = 16 << 10;
/// Bytes of answers that one HTTP/2 stream may buffer.
pub const H2_SEND_BUFFER_BYTES_MAX: usize = 256 << 10;
/// Streams reset by the client that one HTTP/2 connection remembers before it is closed.
pub const H2_RESET_STREAMS_MAX: usize = 64;

/// A caller's row in `users.info` or `members.info` up to which a session keeps what it says, in bytes.
pub const CALLER_KEPT_BYTES_MAX: usize = 4 << 10;

/// Requests waiting for an executor thread.
pub const EXECUTOR_QUEUE_COUNT_MAX: usize = 1_024;
/// Stack of an executor thread, in bytes of address space: interpreters bound their recursion by count,
/// for the stacks that main threads have and more.
pub const EXECUTOR_STACK_BYTES: usize = 64 << 20;
/// Time that a stopping executor gives to the jobs that run, in milliseconds.
pub const EXECUTOR_STOP_MS_MAX: u64 = 5_000;
/// Threads of its own that one front end may have.
pub const OWN_THREADS_COUNT_MAX: usize = 256;
/// How often a watchdog looks at the handlers that run, in milliseconds.
pub const STUCK_LOOK_MS: u64 = 50;
/// Answers that a thread of a front end holds back while it runs quick handlers.
pub const HELD_ANSWERS_COUNT_MAX: usize = 64;
/// Default number of executor threads.
pub const EXECUTOR_THREADS_DEFAULT: usize = 4;
/// Recent run time up to which answers that are ready wait for a handler, in nanoseconds.
pub const QUICK_RUN_NS_MAX: u64 = 50_000;
/// Recent run time above which an endpoint moves to the executor threads, in nanoseconds.
pub const INLINE_RUN_NS_MAX: u64 = 1_000_000;
/// Recent run time below which it comes back, in nanoseconds.
pub const INLINE_RUN_NS_RETURN: u64 = 500_000;
/// Applications whose interpreters one thread keeps (the newest, and its predecessor draining).
pub const THREAD_APPLICATIONS_MAX: usize = 2;

const _: () = assert!(SESSIONS_SOFT_MAX_DEFAULT < SESSIONS_HARD_MAX_DEFAULT);
const _: () = assert!(INLINE_RUN_NS_RETURN < INLINE_RUN_NS_MAX);
const _: () = assert!(QUICK_RUN_NS_MAX < INLINE_RUN_NS_RETURN);
const _: () = assert!(COMMIT_WAIT_MS_DEFAULT <= COMMIT_WAIT_MS_MAX);

/// Bytes of a URL that this process asks for.
pub const CLIENT_URL_BYTES_MAX: usize = 8 << 10;

/// Bytes of a configured text, with the environment variables that it names put in.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Servers for the chain of a chip's key.
pub const ENDORSEMENT_SERVERS_MAX: usize = 16;
/// Default number of attempts at one such server.
pub const ENDORSEMENT_ATTEMPTS_DEFAULT: u32 = 3;
/// Most attempts at one such server.
pub const ENDORSEMENT_ATTEMPTS_MAX: u32 = 100;
/// Time for one answer of such a server, in milliseconds.
pub const ENDORSEMENT_ANSWER_MS_MAX: u64 = 10_000;
/// Time from asking the first server to asking one again, in milliseconds.
pub const ENDORSEMENT_WHOLE_MS_MAX: u64 = 60_000;
/// Time between two attempts at one server, in milliseconds.
pub const ENDORSEMENT_PAUSE_MS: u64 = 1_000;
/// Most of the time that a busy server may ask for, in milliseconds.
pub const ENDORSEMENT_PAUSE_MS_MAX: u64 = 30_000;
/// Time until servers that had no chain are asked again, in milliseconds.
pub const ENDORSEMENT_FAILED_MS: u64 = 30_000;
/// Chains that are kept, by chip and firmware.
pub const ENDORSEMENT_CHAINS_KEPT_MAX: usize = 8;
/// Bytes of one answer of such a server.
pub const ENDORSEMENT_BYTES_MAX: usize = 256 << 10;

/// Head of an answer of a service for evidence, in bytes.
pub const SERVICE_HEADER_BYTES_MAX: usize = 64 << 10;
/// Characters of a service's own words in a message.
pub const SERVICE_WORDS_BYTES_MAX: usize = 512;
/// Time for one answer of the key release sidecar, which asks others in turn, in milliseconds.
pub const SIDECAR_ANSWER_MS_MAX: u64 = 30_000;
/// One answer of the key release sidecar, in bytes.
pub const SIDECAR_ANSWER_BYTES_MAX: usize = 1 << 20;
/// Time for one answer of the attestation service, in milliseconds.
pub const MAA_ANSWER_MS_MAX: u64 = 30_000;
/// One answer of the attestation service, in bytes.
pub const MAA_ANSWER_BYTES_MAX: usize = 256 << 10;
/// Nonce for the attestation service, in bytes.
pub const MAA_NONCE_BYTES_MAX: usize = 1024;
/// Bytes of one answer of a TPM.
pub const TPM_ANSWER_BYTES_MAX: usize = 4 << 10;
/// Bytes of an NV index that are read at a time: as many as every TPM has room for.
pub const TPM_NV_CHUNK_BYTES: usize = 512;
/// Times that a virtual TPM is asked for a report about what was written.
pub const HCL_ATTEMPTS_MAX: u32 = 10;
/// Time between them, in milliseconds.
pub const HCL_PAUSE_MS: u64 = 500;
/// Callers that wait for the platform's evidence at one time.
pub const ATTESTATION_WAITING_MAX: usize = 8;
/// What the platform's evidence takes, where the host throttles it, in milliseconds.
pub const ATTESTATION_THROTTLED_MS: u64 = 2_000;
/// File with the versions that a derived sealing key depends on, in bytes.
pub const SEALING_VERSIONS_BYTES_MAX: u64 = 4 << 10;

/// Bytes of a bearer token.
pub const JWT_BYTES_MAX: usize = 64 << 10;
/// Bytes of the id of a key that tokens are signed with.
pub const JWT_KID_BYTES_MAX: usize = 1024;
/// Keys in one set that an issuer publishes.
pub const JWKS_KEYS_COUNT_MAX: usize = 256;
/// Default time between fetches of an issuer's keys, in milliseconds.
pub const JWT_REFRESH_MS_DEFAULT: u64 = 1_800_000;
/// How often the tables are looked at for issuers whose keys must be fetched, in milliseconds.
pub const JWT_REFRESH_LOOK_MS: u64 = 500;
/// Time until a failed fetch is tried again, where the usual time is longer, in milliseconds.
pub const JWT_REFRESH_RETRY_MS: u64 = 60_000;
/// Issuers whose keys are fetched at one time.
pub const ISSUERS_AT_ONCE_MAX: usize = 8;
/// Time for one answer of an issuer, from connecting to the body's end, in milliseconds.
pub const ISSUER_ANSWER_MS_MAX: u64 = 10_000;
/// Body of an issuer's answer, in bytes.
pub const ISSUER_ANSWER_BYTES_MAX: usize = 1 << 20;
/// Headers of an issuer's answer, in bytes.
pub const ISSUER_HEADER_BYTES_MAX: usize = 64 << 10;
/// Certificates in one bundle that an issuer's server may chain to.
pub const CA_BUNDLE_COUNT_MAX: usize = 1024;
/// Parsed public keys that a policy remembers.
pub const KNOWN_KEYS_COUNT_MAX: usize = 1024;

/// Disk batches between the core thread and the disk thread.
pub const DISK_BATCHES_COUNT_MAX: usize = 64;
/// Largest disk batch that is performed in the core's own round, in bytes.
pub const ROUND_BATCH_BYTES_MAX: usize = 1 << 16;
/// Patience from which on a thread that waits for its transaction may do the core's work itself, in
/// milliseconds: it may then wait longer, for a disk that hangs.
pub const HELP_PATIENCE_MS_MIN: u64 = 1_000;
/// Callers that wait for commit at one time.
pub const WAITERS_COUNT_MAX: usize = 200_000;
/// Longest sleep of an idle core, in milliseconds.
pub const CORE_IDLE_MS_MAX: u64 = 100;
/// Sleep of the core while entries gather, in milliseconds.
pub const CORE_GATHER_MS_MAX: u64 = 1;
/// Looks of the core at an empty queue, while somebody waits, before it sleeps.
pub const CORE_YIELDS_MAX: u32 = 64;
/// Time between batches that waiters cause, while fewer wait than did before, for each of those, in
/// microseconds: about what a signature or a sync costs.
pub const COMMIT_PACE_US: u64 = 100;
/// Longest such time, in microseconds.
pub const COMMIT_PACE_US_MAX: u64 = 1_000;
/// Time a stopping node has to sign and sync what it has, in milliseconds.
pub const CORE_STOP_MS_MAX: u64 = 10_000;
/// Largest sealed identity file, in bytes.
pub const SEALED_IDENTITY_BYTES_MAX: u64 = 1 << 20;
/// Largest configuration file, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 4 << 20;
/// Largest file that the configuration names, in bytes.
pub const CONFIG_FILE_BYTES_MAX: u64 = 32 << 20;

/// Smallest RSA modulus of an application's key, in bits.
pub const RSA_BITS_MIN: usize = 2_048;
/// Largest RSA modulus of an application's key, in bits.
pub const RSA_BITS_MAX: usize = 8_192;
/// Longest PEM text of one key, in bytes.
pub const PEM_BYTES_MAX: usize = 64 << 10;
/// Characters of one member of a JWK: the modulus of the largest RSA key, and slack.
pub const JWK_MEMBER_CHARS_MAX: usize = 2_048;

/// Default bound on the memory of past transactions that are kept, in bytes
/// (`historical_cache_soft_limit`).
pub const HISTORICAL_BYTES_MAX_DEFAULT: usize = 512 << 20;
/// Entries of one range of past transactions.
pub const HISTORICAL_ENTRIES_COUNT_MAX: u64 = 10_000;
/// Handles of past transactions in one namespace; beyond it the least recently used goes.
pub const HISTORICAL_HANDLES_COUNT_MAX: usize = 1_000;
/// Handles of past transactions in all namespaces, likewise.
pub const HISTORICAL_SLOTS_COUNT_MAX: usize = 4_000;
/// Longest time for which past transactions are kept after they were last asked for, in milliseconds.
pub const HISTORICAL_EXPIRY_MS_MAX: u64 = 86_400_000;
/// The same time where nobody names one, in seconds.
pub const HISTORICAL_EXPIRY_S_DEFAULT: u64 = 1_800;
/// Entries loaded before the next range has its turn.
pub const HISTORICAL_PIECE_COUNT_MAX: u64 = 128;
/// Signatures that the loader remembers to have verified.
pub const HISTORICAL_ROOTS_COUNT_MAX: usize = 256;
/// Time for which a request waits for the past transaction it names, in milliseconds.
pub const HISTORICAL_WAIT_MS: u64 = 100;
/// How often expired past transactions are dropped while nothing is loaded, in milliseconds.
pub const HISTORICAL_SWEEP_MS: u64 = 1_000;
/// Bytes wrapped or unwrapped with an AES key at once.
pub const WRAPPED_BYTES_MAX: usize = 16 << 20;
/// RSA keys made until two of their primes take the exponent asked for; one prime in two takes 3, and
/// one in five the least likely exponents.
pub const RSA_EXPONENT_ATTEMPTS_MAX: usize = 16;
/// Bytes of a bundle of certificates in PEM.
pub const CERTIFICATE_BUNDLE_BYTES_MAX: usize = 1 << 20;
/// Certificates of one bundle.
pub const CERTIFICATE_BUNDLE_COUNT_MAX: usize = 128;
/// Certificates of one path, the trusted one included.
pub const CERTIFICATE_PATH_COUNT_MAX: usize = 10;
/// Signatures verified while a path is looked for.
pub const CERTIFICATE_SIGNATURES_COUNT_MAX: usize = 64;

pub use affiant_attest::limits::STATEMENT_BOUND_BYTES_MAX;

/// How long the same bytes have the same evidence, in milliseconds.
pub const EVIDENCE_KEPT_MS: u64 = 2_000;
/// Pieces of evidence that are kept for that.
pub const EVIDENCE_KEPT_COUNT_MAX: usize = 64;
/// Bytes of all of them.
pub const EVIDENCE_KEPT_BYTES_MAX: usize = 4 << 20;
/// Time between two pieces of fresh evidence for apps, once the burst is used up, in milliseconds.
pub const EVIDENCE_APPS_INTERVAL_MS: u64 = 10;
/// Pieces of fresh evidence that apps may have at once.
pub const EVIDENCE_APPS_BURST: u32 = 200;
/// The same time for strangers who ask the node, in milliseconds.
pub const EVIDENCE_NODE_INTERVAL_MS: u64 = 200;
/// Pieces of fresh evidence that they may have at once.
pub const EVIDENCE_NODE_BURST: u32 = 20;
/// Bytes of a nonce that strangers bring.
pub const EVIDENCE_NONCE_BYTES_MAX: usize = 64;

/// How often an embedding host's work is tried that conflicts each time.
pub const RUN_ATTEMPTS_MAX: u32 = 100;
/// The bound of the first pause between two attempts, in microseconds; it doubles.
pub const RUN_BACKOFF_US_MIN: u64 = 500;
/// The longest pause between two attempts, in microseconds.
pub const RUN_BACKOFF_US_MAX: u64 = 50_000;
/// How long the commit of such work is waited for, in milliseconds.
pub const RUN_WAIT_MS_MAX: u64 = 60_000;

/// Bytes that are read of the file that says who has a ledger directory.
pub const LOCK_FILE_BYTES_MAX: u64 = 32;

/// Default time that verifying a service may take, each for connecting and for asking, in milliseconds.
pub const RELYING_MS_DEFAULT: u64 = 30_000;
/// Bytes of the head of an answer that a relying party takes.
pub const RELYING_HEADER_BYTES_MAX: usize = 64 << 10;
/// Bytes of the body of an answer that a relying party takes from a verified service.
pub const RELYING_ANSWER_BYTES_MAX: usize = 64 << 20;
/// Bytes of a nonce that is chosen at random.
pub const RELYING_NONCE_BYTES: usize = 32;
/// Bytes of a nonce that a caller chooses: at least, so that it cannot be guessed.
pub const RELYING_NONCE_BYTES_MIN: usize = 8;
/// Bytes of a nonce that a caller chooses: at most.
pub const RELYING_NONCE_BYTES_MAX: usize = 64;
/// How long a verified client believes a verdict before it asks again, in milliseconds.
pub const RELYING_VERDICT_MS_MAX: u64 = 3_600_000;
/// How long a verified client's connection may be idle before it opens another, in milliseconds; well
/// below the time after which nodes close theirs, so that requests do not meet the end of one.
pub const RELYING_IDLE_MS_MAX: u64 = 15_000;
/// Keys of nodes of one service that a verified client remembers.
pub const RELYING_KEYS_MAX: usize = 64;
