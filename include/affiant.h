/* Affiant: a ledger in your process.
 *
 * A runtime is a replicated, transactional key-value store whose every write goes to an encrypted,
 * signed ledger; receipts prove to anybody what is in it. Open one, begin a transaction, put, commit.
 *
 * Status      Functions that can fail return affiant_status: AFFIANT_OK (0), or why not. Outputs are
 *             the last parameters, and are written on success only; a handle that is an output is NULL
 *             otherwise. affiant_error_text(object, ...) says what happened, where, and what to do: of
 *             the first handle that was given to the function, for the calling thread.
 * Handles     affiant_x_new, _open and their like make an object, affiant_x_free frees it; freeing NULL
 *             is allowed. A handle is a number that looks like a pointer: one that is NULL, freed, or of
 *             another type gives a status, never undefined behaviour. All other pointers must be valid.
 * Threads     A const handle may be used by any number of threads at once. One that is not const is for
 *             one thread at a time, whichever; another one meanwhile is told AFFIANT_BUSY. Nobody waits
 *             for a handle.
 * Callbacks   What a callback is given lives until it returns, is for its thread, and is not freed by
 *             it. Its first parameter is the userdata that it was registered with.
 * Memory      What goes in is copied, unless it is said to be borrowed. What comes out as an affiant_slice is a
 *             view into an object; each function says how long it lives.
 * Structs     Those that are passed by pointer begin with their size: set it to sizeof.
 * Text        UTF-8. affiant_text("...") makes an affiant_slice of a C string.
 * fork        Runtimes do not survive it: in the child, handles of the parent give AFFIANT_FORKED.
 * Settings    There are no global ones, and nothing is to be initialised.
 */

#ifndef AFFIANT_H
#define AFFIANT_H

/* Generated from runtime/capi by `make header`. Do not edit. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/**
 * The major version of this header.
 */
#define AFFIANT_VERSION_MAJOR 0

/**
 * The minor version of this header.
 */
#define AFFIANT_VERSION_MINOR 1

/**
 * The patch of this header.
 */
#define AFFIANT_VERSION_PATCH 0

/**
 * The version of this header as one number: major * 1000000 + minor * 1000 + patch.
 */
#define AFFIANT_VERSION 1000

/**
 * Bytes that belong to the program: made by a function of the library, to be freed with
 * `affiant_bytes_free`, which overwrites them.
 */
typedef struct affiant_bytes affiant_bytes;

/**
 * Evidence of the platform under a runtime, from `affiant_runtime_attestation`. Any number of threads at
 * once.
 */
typedef struct affiant_evidence affiant_evidence;

/**
 * An iteration over entries, made by `affiant_tx_range`, `affiant_snapshot_range` or
 * `affiant_snapshot_maps`. For one thread at a time.
 */
typedef struct affiant_iterator affiant_iterator;

/**
 * A key: a pair, or the public half of one. Any number of threads at once. A private key is overwritten when
 * it is freed.
 */
typedef struct affiant_key affiant_key;

/**
 * What a runtime is opened with. Made by `affiant_options_new`, changed by `affiant_options_...`, read by
 * `affiant_runtime_open`, any number of times.
 */
typedef struct affiant_options affiant_options;

/**
 * The proof of one transaction, from `affiant_runtime_receipt`: anybody checks it with the service's
 * certificate and nothing else. Any number of threads at once.
 */
typedef struct affiant_receipt affiant_receipt;

/**
 * A request, as a handler is given it: until it returns, on its thread. Every view into it lives as long.
 */
typedef struct affiant_request affiant_request;

/**
 * An answer: the one that a handler is given to fill in, 200 and empty at first, or the one that
 * `affiant_runtime_call` has made.
 */
typedef struct affiant_response affiant_response;

/**
 * A running node: a ledger, its store, its endpoints and apps. Opened by `affiant_runtime_open`. Any number
 * of threads may use it at once, and a process may have several.
 */
typedef struct affiant_runtime affiant_runtime;

/**
 * One state of the ledger, from `affiant_runtime_snapshot`. Reading it takes no lock and never conflicts;
 * any number of threads at once. It keeps what later transactions replace in memory until it is freed, and
 * stays readable after its runtime has stopped.
 */
typedef struct affiant_snapshot affiant_snapshot;

/**
 * A transaction: begun by `affiant_tx_begin`, or given to a callback. For one thread at a time, whichever.
 */
typedef struct affiant_tx affiant_tx;

/**
 * What came of checking a receipt, evidence or a service. Any number of threads at once.
 */
typedef struct affiant_verdict affiant_verdict;

/**
 * How a call ended: `AFFIANT_OK`, or why not. `affiant_status_name` and `affiant_status_text` put it
 * into words; `affiant_error_text` has what is known of this very failure.
 */
typedef uint32_t affiant_status;

/**
 * Bytes that lie somewhere else: `size` bytes from `data` on. Text is UTF-8 and needs no NUL at its end.
 * Empty is any `data`, NULL too, with the size 0. In the header, `affiant_text("...")` and
 * `affiant_data(pointer, size)` make one.
 */
typedef struct {
    /**
     * The first byte.
     */
    const uint8_t *data;
    /**
     * How many bytes.
     */
    size_t size;
} affiant_slice;

/**
 * How an app is run.
 */
typedef struct {
    /**
     * `sizeof(affiant_app_options)`.
     */
    size_t size;
    /**
     * How long one request's handler may run, in milliseconds; 0: 5000.
     */
    uint64_t execution_ms_max;
    /**
     * Heap of one handler, in bytes; 0: 100 MiB. In Python the memory of all objects in the process, beyond
     * what there is when the app is loaded; 0: no bound.
     */
    uint64_t heap_bytes_max;
    /**
     * Stack of one handler, in bytes; 0: 1 MiB. Python bounds the depth of calls itself.
     */
    uint64_t stack_bytes_max;
    /**
     * 1: clients are told of exceptions and where they were thrown. They are in the log in any case.
     */
    uint8_t exception_details;
    /**
     * 1: the app is also written into the ledger's tables, as governance would, instead of the one that is
     * there: everybody can see what is served.
     */
    uint8_t record;
} affiant_app_options;

/**
 * A header line.
 */
typedef struct {
    /**
     * In whatever case.
     */
    affiant_slice name;
    /**
     * The bytes of its value.
     */
    affiant_slice value;
} affiant_header;

/**
 * A request to an endpoint of a runtime in this process.
 */
typedef struct {
    /**
     * `sizeof(affiant_call)`.
     */
    size_t size;
    /**
     * "GET", "POST", ...
     */
    affiant_slice method;
    /**
     * The path, with "?" and the query if any: "/app/log?id=1".
     */
    affiant_slice target;
    /**
     * The headers; may be NULL where there are none.
     */
    const affiant_header *headers;
    /**
     * How many.
     */
    size_t header_count;
    /**
     * The body.
     */
    affiant_slice body;
    /**
     * Who calls, as if a connection had proved to hold the certificate's key: PEM; empty for nobody.
     */
    affiant_slice certificate_pem;
} affiant_call;

/**
 * A hash function: one of the constants `AFFIANT_HASH_...`.
 */
typedef uint32_t affiant_hash;

/**
 * The kind of a key: one of the constants `AFFIANT_KEY_...`.
 */
typedef uint32_t affiant_key_kind;

/**
 * How an endpoint touches the store: one of the constants `AFFIANT_MODE_...`.
 */
typedef uint32_t affiant_mode;

/**
 * When an answer leaves: one of the constants `AFFIANT_RESPOND_...`.
 */
typedef uint32_t affiant_respond;

/**
 * A function that answers requests: it reads `request`, reads and writes with `tx`, and fills in `response`.
 * What it is given lives until it returns, and is for its thread. `AFFIANT_OK` commits what it wrote (if the
 * answer's status is 200 to 299) and sends the answer; any other status, or an exception, drops what it
 * wrote and answers 500, or what `affiant_response_set_error` said. It may run on any thread, on several at
 * once, and again for the same request when another transaction got in its way.
 */
typedef affiant_status (*affiant_handler)(void *userdata,
                                          const affiant_request *request,
                                          affiant_tx *tx,
                                          affiant_response *response);

/**
 * An endpoint: where it is, who may call it, how it runs, and the function that answers.
 */
typedef struct {
    /**
     * `sizeof(affiant_endpoint)`.
     */
    size_t size;
    /**
     * "GET", "POST", ...
     */
    affiant_slice method;
    /**
     * Where it is, below "/app" or at the root: "/log/{id}". Each `{name}` is a part of the path.
     */
    affiant_slice path;
    /**
     * `AFFIANT_MODE_...`; 0 is reading and writing.
     */
    affiant_mode mode;
    /**
     * `AFFIANT_RESPOND_...`; 0 is at commit.
     */
    affiant_respond respond;
    /**
     * Who may call, tried in order: "user_cert", "member_cert", "any_cert", "jwt", "user_cose_sign1", "no_auth".
     */
    const affiant_slice *policies;
    /**
     * How many policies; 0: anybody may call, and nobody is identified.
     */
    size_t policy_count;
    /**
     * The function.
     */
    affiant_handler handler;
    /**
     * Given to it with each request, on any thread and on several at once.
     */
    void *userdata;
    /**
     * NULL, or called with `userdata` once nothing can call the handler any more, on any thread.
     */
    void (*free_userdata)(void *userdata);
} affiant_endpoint;

/**
 * What is asked of a service beside the policy; all fields but `size` may be zero.
 */
typedef struct {
    /**
     * sizeof(affiant_service_options).
     */
    size_t size;
    /**
     * The certificate of the service that it must be, PEM; data NULL: any service whose node the policy
     * accepts.
     */
    affiant_slice service_certificate_pem;
    /**
     * A receipt that the service must have signed; data NULL: none.
     */
    affiant_slice receipt;
    /**
     * How long it may take, in milliseconds; 0: as long as is usual.
     */
    uint64_t timeout_ms;
    /**
     * Not 0: evidence of any age will do. CCF's nodes make none on demand.
     */
    uint8_t any_age;
    /**
     * Zero.
     */
    uint8_t reserved[7];
} affiant_service_options;

/**
 * What seals the node's keys at rest: one of the constants `AFFIANT_SEALING_...`.
 */
typedef uint32_t affiant_sealing;

/**
 * Where evidence of the platform comes from: one of the constants `AFFIANT_PLATFORM_...`.
 */
typedef uint32_t affiant_platform;

/**
 * The id of a transaction: "2.17" is view 2, seqno 17. 0.0 is no transaction.
 */
typedef struct {
    /**
     * The view: counts the times that the service chose a primary, or was resumed.
     */
    uint64_t view;
    /**
     * The position in the ledger, from 1.
     */
    uint64_t seqno;
} affiant_txid;

/**
 * What a receipt is checked against beside the service's certificate; all fields but `size` may be zero.
 */
typedef struct {
    /**
     * sizeof(affiant_receipt_options).
     */
    size_t size;
    /**
     * What was claimed: its SHA-256 must be the claims digest. Data NULL: not compared.
     */
    affiant_slice claims;
    /**
     * The claims digest, 32 bytes, instead of `claims`. Data NULL: not compared.
     */
    affiant_slice claims_digest;
    /**
     * When the certificates must be valid, in seconds since 1970. 0: that is not checked; a receipt speaks
     * of the past.
     */
    uint64_t at_unix_s;
} affiant_receipt_options;

/**
 * What is known of a transaction: one of the constants `AFFIANT_TX_...`.
 */
typedef uint32_t affiant_tx_status;

/**
 * A range of keys; all fields but `size` may be zero, which means no bound.
 */
typedef struct {
    /**
     * sizeof(affiant_range).
     */
    size_t size;
    /**
     * The first key, or what precedes it; data NULL: from the first one on.
     */
    affiant_slice from;
    /**
     * Where it ends; data NULL: after the last one. This key itself is not part of it, unless `to_included`.
     */
    affiant_slice to;
    /**
     * Only keys that begin with this; empty: all.
     */
    affiant_slice prefix;
    /**
     * How many entries at most; 0: all.
     */
    uint64_t limit;
    /**
     * Not 0: `from` itself is not part of it.
     */
    uint8_t from_excluded;
    /**
     * Not 0: `to` itself is part of it.
     */
    uint8_t to_included;
    /**
     * Zero.
     */
    uint8_t reserved[6];
} affiant_range;

/**
 * How a check ended: one of the constants `AFFIANT_CHECK_...`.
 */
typedef uint32_t affiant_outcome;

/**
 * One check of a verdict. The views live as long as the verdict.
 */
typedef struct {
    /**
     * sizeof(affiant_check), set by the program.
     */
    size_t size;
    /**
     * Its name, such as "signature".
     */
    affiant_slice name;
    /**
     * What was found.
     */
    affiant_slice explanation;
    /**
     * How it ended.
     */
    affiant_outcome outcome;
    /**
     * Zero.
     */
    uint32_t reserved;
} affiant_check;

/**
 * SHA-256 (FIPS 180-4).
 */
#define AFFIANT_HASH_SHA256 1

/**
 * SHA-384 (FIPS 180-4).
 */
#define AFFIANT_HASH_SHA384 2

/**
 * SHA-512 (FIPS 180-4).
 */
#define AFFIANT_HASH_SHA512 3

/**
 * ECDSA on P-256.
 */
#define AFFIANT_KEY_P256 1

/**
 * ECDSA on P-384.
 */
#define AFFIANT_KEY_P384 2

/**
 * ECDSA on P-521.
 */
#define AFFIANT_KEY_P521 3

/**
 * Ed25519 (RFC 8032).
 */
#define AFFIANT_KEY_ED25519 4

/**
 * X25519 (RFC 7748): for key agreement, it cannot sign.
 */
#define AFFIANT_KEY_X25519 5

/**
 * RSA of any size that is taken: what `affiant_key_get_kind` says of RSA keys.
 */
#define AFFIANT_KEY_RSA 6

/**
 * RSA of 2048 bits, to be made.
 */
#define AFFIANT_KEY_RSA2048 2048

/**
 * RSA of 3072 bits, to be made.
 */
#define AFFIANT_KEY_RSA3072 3072

/**
 * RSA of 4096 bits, to be made.
 */
#define AFFIANT_KEY_RSA4096 4096

/**
 * It reads and writes. The default.
 */
#define AFFIANT_MODE_READ_WRITE 0

/**
 * It reads; writes are refused.
 */
#define AFFIANT_MODE_READ_ONLY 1

/**
 * It reads one past transaction, which the request names in the header `x-ms-ccf-transaction-id`, with
 * `affiant_request_past_...`. Writes are refused.
 */
#define AFFIANT_MODE_HISTORICAL 2

/**
 * Once its transaction is committed: on disk, and signed. The default.
 */
#define AFFIANT_RESPOND_AT_COMMIT 0

/**
 * As soon as its transaction has its id; it may still come to nothing.
 */
#define AFFIANT_RESPOND_AT_ONCE 1

/**
 * At commit, with the receipt in the answer.
 */
#define AFFIANT_RESPOND_WITH_RECEIPT 2

/**
 * A key in a file: who can read the file and the data can read everything. What a disk holds is only as
 * secret as this file is.
 */
#define AFFIANT_SEALING_KEY_FILE 1

/**
 * A key that the secure processor of an AMD SEV-SNP guest derives for this very software.
 */
#define AFFIANT_SEALING_SNP 2

/**
 * From nowhere: "evidence" that no verifier accepts unless its policy names it. The default.
 */
#define AFFIANT_PLATFORM_VIRTUAL 1

/**
 * From what is there: the kernel's reports, the guest device; the virtual one where neither is.
 */
#define AFFIANT_PLATFORM_DETECT 2

/**
 * It was done.
 */
#define AFFIANT_OK 0

/**
 * A pointer that must not be NULL is.
 */
#define AFFIANT_NULL_ARGUMENT 8001

/**
 * The handle was freed before, or never was one.
 */
#define AFFIANT_INVALID_HANDLE 8002

/**
 * The handle is of another type.
 */
#define AFFIANT_WRONG_TYPE 8003

/**
 * The handle was lent to a callback on another thread.
 */
#define AFFIANT_WRONG_THREAD 8004

/**
 * Another thread is using the object at this moment.
 */
#define AFFIANT_BUSY 8005

/**
 * It cannot be done from inside a callback, or to what was lent to one.
 */
#define AFFIANT_REENTRANT 8006

/**
 * The object belongs to the process that this one was forked from.
 */
#define AFFIANT_FORKED 8007

/**
 * The runtime has stopped.
 */
#define AFFIANT_CLOSED 8008

/**
 * The header that the program was compiled with does not fit this library.
 */
#define AFFIANT_VERSION_MISMATCH 8009

/**
 * An argument is not what the function takes.
 */
#define AFFIANT_INVALID_ARGUMENT 8010

/**
 * Something is larger than its bound.
 */
#define AFFIANT_TOO_LARGE 8011

/**
 * There is no such key, header, parameter, address or feature.
 */
#define AFFIANT_NOT_FOUND 8012

/**
 * Another transaction changed what this one read; nothing of it was kept. Run it again.
 */
#define AFFIANT_CONFLICT 8013

/**
 * It was not done in time; it may still be.
 */
#define AFFIANT_TIMEOUT 8014

/**
 * A write where only reading is allowed.
 */
#define AFFIANT_READ_ONLY 8015

/**
 * Too many transactions wait for commit; wait a little, or call `affiant_runtime_sync`.
 */
#define AFFIANT_TOO_MANY_PENDING 8016

/**
 * This node does not take transactions now.
 */
#define AFFIANT_NOT_PRIMARY 8017

/**
 * The node has failed and accepts nothing more; open the runtime anew.
 */
#define AFFIANT_FAILED 8018

/**
 * The disk cannot be read or written.
 */
#define AFFIANT_STORAGE 8019

/**
 * Data on disk is damaged.
 */
#define AFFIANT_CORRUPT 8020

/**
 * The directory is open already, here or in another process.
 */
#define AFFIANT_IN_USE 8021

/**
 * The ledger has no such transaction, or it was rolled back.
 */
#define AFFIANT_NO_SUCH_TRANSACTION 8022

/**
 * A receipt, evidence or signature was checked and refused.
 */
#define AFFIANT_NOT_VERIFIED 8023

/**
 * A receipt, evidence, key, certificate or policy cannot be read.
 */
#define AFFIANT_UNREADABLE 8024

/**
 * An app could not be loaded.
 */
#define AFFIANT_APPLICATION 8025

/**
 * This library was built without it, or this machine does not have it.
 */
#define AFFIANT_UNSUPPORTED 8026

/**
 * A callback threw an exception.
 */
#define AFFIANT_CALLBACK_FAILED 8027

/**
 * A defect of the library. The object that was called may be of no further use; please report it.
 */
#define AFFIANT_PANIC 8028

/**
 * A bound on the number of handles or of other objects is reached.
 */
#define AFFIANT_TOO_MANY 8029

/**
 * The iteration has come to its end.
 */
#define AFFIANT_END 8030

/**
 * The ledger has not heard of it.
 */
#define AFFIANT_TX_UNKNOWN 0

/**
 * It is in the ledger, and not yet committed.
 */
#define AFFIANT_TX_PENDING 1

/**
 * Final: it is on disk and signed.
 */
#define AFFIANT_TX_COMMITTED 2

/**
 * Final: it never was, since another transaction has its seqno.
 */
#define AFFIANT_TX_INVALID 3

/**
 * It was made, and all is as it should be.
 */
#define AFFIANT_CHECK_PASSED 1

/**
 * It was made, and refuses.
 */
#define AFFIANT_CHECK_FAILED 2

/**
 * It was not made; the explanation says why.
 */
#define AFFIANT_CHECK_SKIPPED 3

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Loads an app and serves it from now on, beside the endpoints of the options and the apps that were loaded
 * before. `path` is a directory with `app.json` and `src/`, a `bundle.json`, or a Python app (`app.py`,
 * `app.py:attribute`, a directory with one); the language is told from what is there. `options` may be NULL.
 *
 * `AFFIANT_APPLICATION`, with file, line and reason, for an app that is faulty, of which something would
 * fail when it is called, or that has an endpoint which is served already: what was served before is served
 * on. `AFFIANT_UNSUPPORTED` for a language that this library was built without. Blocks while the app is
 * loaded.
 *
 * The first Python app starts CPython in this process, unless the program has; `VIRTUAL_ENV` names the
 * environment that packages come from. It installs no signal handler, and is there until the process ends.
 * All Python apps of a process share it, each with a thread for its handlers, whichever thread calls;
 * functions of this library let the GIL go while they run, should their thread hold it, and so callbacks
 * are called without it.
 */
affiant_status affiant_runtime_load_app(const affiant_runtime *runtime,
                                        affiant_slice path,
                                        const affiant_app_options *options);

/**
 * Serves none of the apps any more that were loaded; requests that they are answering are answered. The
 * endpoints of the options stay.
 */
affiant_status affiant_runtime_unload_apps(const affiant_runtime *runtime);

/**
 * Shows the bytes, which stay where they are until they are freed. Any number of threads at once.
 */
affiant_status affiant_bytes_view(const affiant_bytes *bytes, affiant_slice *view);

/**
 * Overwrites the bytes and frees them. NULL is allowed.
 */
affiant_status affiant_bytes_free(affiant_bytes *bytes);

/**
 * Has a request served by this runtime, on this thread (a handler in Python: on its app's), and waits for
 * the answer: for the commit too, where the endpoint says so. It goes the way of one that came over a
 * connection, through policies, handler and commit; an answer is an answer, whatever its status. From
 * inside a handler it has a transaction of its own, which does not see what the handler's has not
 * committed. `AFFIANT_INVALID_ARGUMENT` for what is no HTTP; `AFFIANT_UNREADABLE` for a certificate;
 * `AFFIANT_REENTRANT` where calls nest too deeply; `AFFIANT_CLOSED`. To be freed with
 * `affiant_response_free`.
 */
affiant_status affiant_runtime_call(const affiant_runtime *runtime,
                                    const affiant_call *call,
                                    affiant_response **response);

/**
 * A certificate for a private key on P-384 or P-256, signed by itself, as users and members have: PEM.
 * `subject` is a name such as "CN=alice". To be freed with `affiant_bytes_free`.
 */
affiant_status affiant_key_self_signed_certificate(const affiant_key *key,
                                                   affiant_slice subject,
                                                   uint32_t validity_days,
                                                   affiant_bytes **pem);

/**
 * Whether the first certificate of `chain_pem` leads, by way of the others, to one of `trusted_pem`, at
 * `at_unix_s` seconds since 1970 (0: now). `AFFIANT_NOT_VERIFIED` if not. From any thread.
 */
affiant_status affiant_verify_certificate_chain(affiant_slice chain_pem,
                                                affiant_slice trusted_pem,
                                                uint64_t at_unix_s);

/**
 * The SHA-256 of `data`: 32 bytes to `digest`. From any thread.
 */
affiant_status affiant_sha256(affiant_slice data, uint8_t *digest);

/**
 * The hash of `data`. To be freed with `affiant_bytes_free`. From any thread.
 */
affiant_status affiant_digest(affiant_hash hash, affiant_slice data, affiant_bytes **digest);

/**
 * The HMAC (RFC 2104) of `data` under `key`. To be freed with `affiant_bytes_free`. From any thread.
 */
affiant_status affiant_hmac(affiant_hash hash,
                            affiant_slice key,
                            affiant_slice data,
                            affiant_bytes **tag);

/**
 * Whether `tag` is the HMAC of `data` under `key`, compared in constant time: `AFFIANT_NOT_VERIFIED` if not.
 * From any thread.
 */
affiant_status affiant_hmac_verify(affiant_hash hash,
                                   affiant_slice key,
                                   affiant_slice data,
                                   affiant_slice tag);

/**
 * Fills `bytes` with `size` random bytes from the system, 1 MiB at most. From any thread.
 */
affiant_status affiant_random(uint8_t *bytes, size_t size);

/**
 * Makes a key pair. RSA takes up to seconds. To be freed with `affiant_key_free`. From any thread.
 */
affiant_status affiant_key_generate(affiant_key_kind kind, affiant_key **key);

/**
 * Reads a key in PEM: a private key (PKCS#8, or as OpenSSL writes EC and RSA keys), a public one, or a
 * certificate, whose public key it is. `AFFIANT_UNREADABLE`. To be freed with `affiant_key_free`. From any
 * thread.
 */
affiant_status affiant_key_from_pem(affiant_slice pem,
                                    affiant_key **key);

/**
 * Reads a key from a JWK (RFC 7517), with its private half if it has the member "d". `AFFIANT_UNREADABLE`. To be freed
 * with `affiant_key_free`. From any thread.
 */
affiant_status affiant_key_from_jwk(affiant_slice json,
                                    affiant_key **key);

/**
 * Overwrites a key and frees it. NULL is allowed.
 */
affiant_status affiant_key_free(affiant_key *key);

/**
 * The kind of a key, and whether its private half is here. Either output may be NULL.
 */
affiant_status affiant_key_get_kind(const affiant_key *key,
                                    affiant_key_kind *kind,
                                    bool *is_private);

/**
 * The public key in PEM (SubjectPublicKeyInfo). To be freed with `affiant_bytes_free`.
 */
affiant_status affiant_key_public_pem(const affiant_key *key, affiant_bytes **pem);

/**
 * The private key in PEM (PKCS#8). To be freed with `affiant_bytes_free`.
 */
affiant_status affiant_key_private_pem(const affiant_key *key, affiant_bytes **pem);

/**
 * The public key as a JWK, with a "kid" unless `kid` is empty. To be freed with `affiant_bytes_free`.
 */
affiant_status affiant_key_public_jwk(const affiant_key *key,
                                      affiant_slice kid,
                                      affiant_bytes **json);

/**
 * The private key as a JWK, with a "kid" unless `kid` is empty. To be freed with `affiant_bytes_free`.
 */
affiant_status affiant_key_private_jwk(const affiant_key *key,
                                       affiant_slice kid,
                                       affiant_bytes **json);

/**
 * Signs `data` with a private key. `hash` is 0 for what goes with the key: ECDSA with the hash of its
 * curve's length, RSA-PSS with SHA-256, Ed25519. An ECDSA signature is r || s (IEEE P1363); the salt of
 * RSA-PSS is as long as the hash. To be freed with `affiant_bytes_free`.
 */
affiant_status affiant_key_sign(const affiant_key *key,
                                affiant_hash hash,
                                affiant_slice data,
                                affiant_bytes **signature);

/**
 * Whether `signature` is one of `data` by this key, made as `affiant_key_sign` makes it.
 * `AFFIANT_NOT_VERIFIED` if not.
 */
affiant_status affiant_key_verify(const affiant_key *key,
                                  affiant_hash hash,
                                  affiant_slice data,
                                  affiant_slice signature);

/**
 * Wraps `data` with AES-KWP (RFC 5649) under an AES key of 16, 24 or 32 bytes. To be freed with
 * `affiant_bytes_free`. From any thread.
 */
affiant_status affiant_aes_kwp_wrap(affiant_slice key, affiant_slice data, affiant_bytes **wrapped);

/**
 * Unwraps what `affiant_aes_kwp_wrap` has wrapped. To be freed with `affiant_bytes_free`. From any thread.
 */
affiant_status affiant_aes_kwp_unwrap(affiant_slice key,
                                      affiant_slice wrapped,
                                      affiant_bytes **data);

/**
 * Encrypts `data` with RSA-OAEP (RFC 8017), SHA-256. `label` may be empty. To be freed with
 * `affiant_bytes_free`.
 */
affiant_status affiant_rsa_oaep_wrap(const affiant_key *key,
                                     affiant_slice data,
                                     affiant_slice label,
                                     affiant_bytes **wrapped);

/**
 * Decrypts what `affiant_rsa_oaep_wrap` has encrypted. To be freed with `affiant_bytes_free`.
 */
affiant_status affiant_rsa_oaep_unwrap(const affiant_key *key,
                                       affiant_slice wrapped,
                                       affiant_slice label,
                                       affiant_bytes **data);

/**
 * Wraps `data` of any length: AES-KWP under a fresh key of `aes_key_bits` (128, 192, 256), which is
 * encrypted with RSA-OAEP and precedes it. `label` may be empty. To be freed with `affiant_bytes_free`.
 */
affiant_status affiant_rsa_oaep_aes_kwp_wrap(const affiant_key *key,
                                             uint32_t aes_key_bits,
                                             affiant_slice data,
                                             affiant_slice label,
                                             affiant_bytes **wrapped);

/**
 * Unwraps what `affiant_rsa_oaep_aes_kwp_wrap` has wrapped. To be freed with `affiant_bytes_free`.
 */
affiant_status affiant_rsa_oaep_aes_kwp_unwrap(const affiant_key *key,
                                               affiant_slice wrapped,
                                               affiant_slice label,
                                               affiant_bytes **data);

/**
 * Adds an endpoint that the runtimes serve which are opened with these options. `AFFIANT_INVALID_ARGUMENT`
 * for a method, path or policy that is none. `free_userdata` is called right away where this function fails;
 * otherwise once the options are freed and the runtimes that were opened with them have stopped.
 */
affiant_status affiant_options_add_endpoint(affiant_options *options,
                                            const affiant_endpoint *endpoint);

/**
 * Why the last failed call with `object` on this thread failed: what happened, where, what to do.
 *
 * `object` is a handle of any type: the first one that the failed function was given. Copies at most
 * `capacity` bytes into `buffer`, the last of which is NUL, and returns the length of the whole text in
 * bytes without NUL, as snprintf does; 0 if there is no such text. `buffer` may be NULL if `capacity` is 0.
 * From any thread.
 */
size_t affiant_error_text(const void *object,
                          char *buffer,
                          size_t capacity);

/**
 * The name of a status, such as "AFFIANT_CONFLICT"; "AFFIANT_UNKNOWN_STATUS" for other numbers. Lives for ever.
 */
const char *affiant_status_name(affiant_status status);

/**
 * What a status means, in a sentence. Lives for ever.
 */
const char *affiant_status_text(affiant_status status);

/**
 * Fresh evidence of the platform under a runtime, bound to up to 64 KiB of the program's own and to the keys
 * of node and service. It takes as long as firmware takes. `AFFIANT_TOO_MANY` if it is asked for too often;
 * `AFFIANT_UNSUPPORTED` where the platform gives none. To be freed with `affiant_evidence_free`.
 */
affiant_status affiant_runtime_attestation(const affiant_runtime *runtime,
                                           affiant_slice bound,
                                           affiant_evidence **evidence);

/**
 * The evidence as JSON: an object with "format", "raw", "endorsements", "uvm_endorsements", "endorsed_tcb",
 * "policy_text" and "bound", all but the first in base64. The view lives as long as the evidence.
 */
affiant_status affiant_evidence_json(const affiant_evidence *evidence,
                                     affiant_slice *json);

/**
 * Frees evidence. NULL is allowed.
 */
affiant_status affiant_evidence_free(affiant_evidence *evidence);

/**
 * Checks evidence in any form that is known, JSON or a bare report, against a policy (JSON;
 * docs/attestation.md explains every field). Offline. `bound` is what the evidence must be bound to; data
 * NULL: what it says itself. (That of `affiant_runtime_attestation` says a statement, in which the program's
 * own bytes are.) `AFFIANT_OK` if the policy accepts it, `AFFIANT_NOT_VERIFIED` if not; `verdict`, which may
 * be NULL, says which checks were made, and is to be freed with `affiant_verdict_free`.
 * `AFFIANT_UNREADABLE`: there is nothing to judge. From any thread.
 */
affiant_status affiant_verify_evidence(affiant_slice evidence,
                                       affiant_slice policy_json,
                                       affiant_slice bound,
                                       affiant_verdict **verdict);

/**
 * Connects to a service, such as "https://127.0.0.1:8000", and checks what runs there: that the key of the connection
 * is the one which fresh evidence is bound to, and that the policy (JSON) accepts the guest. `options` may
 * be NULL. `AFFIANT_OK`, or `AFFIANT_NOT_VERIFIED`; `verdict`, which may be NULL, says which checks were
 * made, and is to be freed with `affiant_verdict_free`. `AFFIANT_TIMEOUT` if it does not answer,
 * `AFFIANT_UNREADABLE` if not with what can be read. From any thread.
 */
affiant_status affiant_verify_service(affiant_slice url,
                                      affiant_slice policy_json,
                                      const affiant_service_options *options,
                                      affiant_verdict **verdict);

/**
 * Shows the next entry. `AFFIANT_END` after the last one. The views live until the next call with this
 * iterator. Where it goes over a transaction: `AFFIANT_INVALID_HANDLE` once that is freed, `AFFIANT_BUSY`
 * while another thread uses it.
 */
affiant_status affiant_iterator_next(affiant_iterator *iterator,
                                     affiant_slice *key,
                                     affiant_slice *value);

/**
 * Ends an iteration. NULL is allowed.
 */
affiant_status affiant_iterator_free(affiant_iterator *iterator);

/**
 * Makes options: a new ledger in memory, without an address, until told otherwise. `header_version` is
 * `AFFIANT_VERSION`: `AFFIANT_VERSION_MISMATCH` if this library is another one than the program was compiled
 * for (`affiant_check_version` has the rule). To be freed with `affiant_options_free`. From any thread.
 */
affiant_status affiant_options_new(uint32_t header_version,
                                   affiant_options **options);

/**
 * Frees options. Runtimes that were opened with them live on. NULL is allowed; `AFFIANT_REENTRANT` from
 * inside a callback.
 */
affiant_status affiant_options_free(affiant_options *options);

/**
 * Where the data lies: a directory, made if it is missing. What is in it is resumed: the same service, its
 * transactions, its keys. One process at a time.
 */
affiant_status affiant_options_set_directory(affiant_options *options,
                                             affiant_slice path);

/**
 * What seals the node's keys at rest, where there is a directory. `path` is the file of the key, or with
 * `AFFIANT_SEALING_SNP` that of the versions it was derived for; empty: beside the data. The default is
 * `AFFIANT_SEALING_KEY_FILE`, beside the data.
 */
affiant_status affiant_options_set_sealing(affiant_options *options,
                                           affiant_sealing kind,
                                           affiant_slice path);

/**
 * Where evidence of the platform comes from. The default is `AFFIANT_PLATFORM_VIRTUAL`.
 */
affiant_status affiant_options_set_platform(affiant_options *options, affiant_platform platform);

/**
 * Serves HTTPS at an address, such as "127.0.0.1:8000"; port 0 lets the system choose
 * (`affiant_runtime_address` has it then). May be called several times. Without any, nothing listens.
 */
affiant_status affiant_options_listen(affiant_options *options,
                                      affiant_slice address);

/**
 * Adds a name or IP address to those in the node's certificates, under which clients reach it.
 */
affiant_status affiant_options_add_name(affiant_options *options, affiant_slice name);

/**
 * How old the oldest unsigned transaction may become before a signature is made, in milliseconds; default
 * 1000. Whoever waits for a commit has one made at once.
 */
affiant_status affiant_options_set_signature_delay(affiant_options *options,
                                                   uint64_t delay_ms);

/**
 * How many threads serve connections, and how many run handlers that take long; 0 leaves the default.
 */
affiant_status affiant_options_set_threads(affiant_options *options,
                                           uint32_t http_threads,
                                           uint32_t executor_threads);

/**
 * Adds a member of the consortium that governs a new service: certificate and public encryption key
 * (RSA) in PEM, the latter empty for a member who holds no recovery share; `data_json` is any JSON or empty.
 */
affiant_status affiant_options_add_member(affiant_options *options,
                                          affiant_slice certificate_pem,
                                          affiant_slice encryption_key_pem,
                                          affiant_slice data_json);

/**
 * Adds a user of a new service: certificate in PEM; `data_json` is any JSON or empty.
 */
affiant_status affiant_options_add_user(affiant_options *options,
                                        affiant_slice certificate_pem,
                                        affiant_slice data_json);

/**
 * Whether clients are told why a handler of the program's failed: the text of the exception, or what
 * `affiant_error_text` had. It is in the log in any case. The default is false.
 */
affiant_status affiant_options_set_exception_details(affiant_options *options,
                                                     bool exception_details);

/**
 * The receipt as JSON, as CCF's `GET /receipt` answers it. The view lives as long as the receipt.
 */
affiant_status affiant_receipt_json(const affiant_receipt *receipt, affiant_slice *json);

/**
 * The receipt as a COSE_Sign1 message (draft-ietf-cose-merkle-tree-proofs). `AFFIANT_NOT_FOUND` for that of
 * a signature transaction, which has none in this form. The view lives as long as the receipt.
 */
affiant_status affiant_receipt_cose(const affiant_receipt *receipt,
                                    affiant_slice *cose);

/**
 * The transaction that it is the receipt of.
 */
affiant_status affiant_receipt_txid(const affiant_receipt *receipt, affiant_txid *txid);

/**
 * Frees a receipt. NULL is allowed.
 */
affiant_status affiant_receipt_free(affiant_receipt *receipt);

/**
 * Checks a receipt, JSON or COSE, against the service's certificate, PEM. Offline: no runtime is needed.
 * `options` may be NULL. `AFFIANT_OK` if it holds, `AFFIANT_NOT_VERIFIED` if not; `verdict`, which may be
 * NULL, then says which checks were made, and is to be freed with `affiant_verdict_free`.
 * `AFFIANT_UNREADABLE` if there is nothing to judge. From any thread.
 */
affiant_status affiant_verify_receipt(affiant_slice receipt,
                                      affiant_slice service_certificate_pem,
                                      const affiant_receipt_options *options,
                                      affiant_verdict **verdict);

/**
 * The method, in upper case.
 */
affiant_status affiant_request_method(const affiant_request *request, affiant_slice *method);

/**
 * The path as it was sent, without the query; with "/app" in front if the client wrote that.
 */
affiant_status affiant_request_path(const affiant_request *request, affiant_slice *path);

/**
 * The query as it was sent, not decoded, without the "?"; empty if there is none.
 */
affiant_status affiant_request_query(const affiant_request *request, affiant_slice *query);

/**
 * The body.
 */
affiant_status affiant_request_body(const affiant_request *request, affiant_slice *body);

/**
 * The first parameter of that name in the query, decoded. `AFFIANT_NOT_FOUND` if there is none.
 */
affiant_status affiant_request_query_parameter(const affiant_request *request,
                                               affiant_slice name,
                                               affiant_slice *value);

/**
 * What stands in the path where the endpoint's template has `{name}`, as it was sent, not decoded.
 * `AFFIANT_NOT_FOUND` if the template has no such placeholder.
 */
affiant_status affiant_request_param(const affiant_request *request,
                                     affiant_slice name,
                                     affiant_slice *value);

/**
 * The value of the first header of that name, in whatever case. `AFFIANT_NOT_FOUND` if there is none.
 */
affiant_status affiant_request_header(const affiant_request *request,
                                      affiant_slice name,
                                      affiant_slice *value);

/**
 * How many header lines there are.
 */
affiant_status affiant_request_header_count(const affiant_request *request, size_t *count);

/**
 * A header line by position from 0: its name, in lower case, and its value. `AFFIANT_NOT_FOUND` beyond the
 * last.
 */
affiant_status affiant_request_header_at(const affiant_request *request,
                                         size_t index,
                                         affiant_slice *name,
                                         affiant_slice *value);

/**
 * The policy that has admitted the caller: "user_cert", "jwt", ... `AFFIANT_NOT_FOUND` where the endpoint has no
 * policies.
 */
affiant_status affiant_request_caller(const affiant_request *request,
                                      affiant_slice *policy);

/**
 * The id of the user or member who calls: the SHA-256 of the certificate, in hex. `AFFIANT_NOT_FOUND` where
 * the policy tells of nobody by certificate.
 */
affiant_status affiant_request_caller_id(const affiant_request *request,
                                         affiant_slice *id);

/**
 * Everything that is known of the caller, a JSON object: `policy`; `id`, `data` and `cert` (PEM) of who has
 * a certificate; `key_issuer`, `header` and `payload` of a token; `callers`, by policy, of several.
 */
affiant_status affiant_request_caller_json(const affiant_request *request,
                                           affiant_slice *json);

/**
 * The transaction that the request is about, for an endpoint that is `AFFIANT_MODE_HISTORICAL`; otherwise
 * `AFFIANT_NOT_FOUND`.
 */
affiant_status affiant_request_past_txid(const affiant_request *request,
                                         affiant_txid *txid);

/**
 * What that transaction wrote under a key. `AFFIANT_NOT_FOUND` if it did not write it.
 */
affiant_status affiant_request_past_get(const affiant_request *request,
                                        affiant_slice map,
                                        affiant_slice key,
                                        affiant_slice *value);

/**
 * The receipt of that transaction. To be freed with `affiant_receipt_free`, before or after the handler
 * returns.
 */
affiant_status affiant_request_past_receipt(const affiant_request *request,
                                            affiant_receipt **receipt);

/**
 * The status of the answer, 200 to 599. The default is 200. Writes are kept if it is 200 to 299, unless
 * `affiant_response_keep_writes` says otherwise.
 */
affiant_status affiant_response_set_status(affiant_response *response,
                                           uint16_t status);

/**
 * Sets a header, instead of one of the same name that was set before. `AFFIANT_INVALID_ARGUMENT` for a name
 * that is no token (RFC 9110) and for values with control characters, such as line breaks;
 * `AFFIANT_TOO_LARGE`; `AFFIANT_TOO_MANY`. The length of the body and how it is sent are the library's to
 * say.
 */
affiant_status affiant_response_set_header(affiant_response *response,
                                           affiant_slice name,
                                           affiant_slice value);

/**
 * Sets the body, which is copied.
 */
affiant_status affiant_response_set_body(affiant_response *response, affiant_slice body);

/**
 * Sets the body without a copy: the library keeps `body` where it is, nobody changes it, and `free_userdata`
 * (may be NULL) is called with `userdata` once it is no longer needed: when the answer is sent, or right
 * away where this function fails. That may be on any thread.
 */
affiant_status affiant_response_set_body_owned(affiant_response *response,
                                               affiant_slice body,
                                               void *userdata,
                                               void (*free_userdata)(void*));

/**
 * Makes the answer an error as CCF writes it: `{"error": {"code": ..., "message": ...}}` with the status, 400 to
 * 599. Body and headers that were set are not sent.
 */
affiant_status affiant_response_set_error(affiant_response *response,
                                          uint16_t status,
                                          affiant_slice code,
                                          affiant_slice message);

/**
 * Whether what the handler wrote is kept, whatever the status. It never is where the handler fails.
 */
affiant_status affiant_response_keep_writes(affiant_response *response, bool keep);

/**
 * The status.
 */
affiant_status affiant_response_status(const affiant_response *response, uint16_t *status);

/**
 * The body. The view lives until the body is set or the answer is freed.
 */
affiant_status affiant_response_body(const affiant_response *response, affiant_slice *body);

/**
 * The value of the first header of that name, in whatever case. `AFFIANT_NOT_FOUND` if there is none. The
 * view lives until a header is set or the answer is freed.
 */
affiant_status affiant_response_header(const affiant_response *response,
                                       affiant_slice name,
                                       affiant_slice *value);

/**
 * How many headers there are.
 */
affiant_status affiant_response_header_count(const affiant_response *response, size_t *count);

/**
 * A header by position from 0: its name, in lower case, and its value. `AFFIANT_NOT_FOUND` beyond the last.
 * The views live until a header is set or the answer is freed.
 */
affiant_status affiant_response_header_at(const affiant_response *response,
                                          size_t index,
                                          affiant_slice *name,
                                          affiant_slice *value);

/**
 * Frees an answer of `affiant_runtime_call`. NULL is allowed; that of a handler ends with it
 * (`AFFIANT_REENTRANT`).
 */
affiant_status affiant_response_free(affiant_response *response);

/**
 * Starts a node as the options say: a new service, or the one whose data is in their directory. Returns once
 * it is ready. The options stay the program's, and have the text of a failure: `AFFIANT_IN_USE`,
 * `AFFIANT_CORRUPT`, `AFFIANT_STORAGE`, `AFFIANT_INVALID_ARGUMENT`, `AFFIANT_FORKED` where this process was
 * forked while a runtime was open. To be freed with `affiant_runtime_free`.
 */
affiant_status affiant_runtime_open(const affiant_options *options,
                                    affiant_runtime **runtime);

/**
 * Takes no new calls and requests, waits up to `timeout_ms` for those under way, signs and syncs what there
 * is, and ends every thread. Calls that come later: `AFFIANT_CLOSED`; snapshots and receipts stay readable.
 * A second call does nothing. `AFFIANT_TIMEOUT` if calls remain under way: nothing new is taken, call it
 * again. `AFFIANT_REENTRANT` from inside a callback.
 */
affiant_status affiant_runtime_stop(const affiant_runtime *runtime,
                                    uint64_t timeout_ms);

/**
 * Stops a runtime if that was not done, and frees it. What belongs to it (transactions, snapshots, receipts)
 * is freed by itself, before or after. NULL is allowed. `AFFIANT_BUSY` while other threads are in calls with
 * it, `AFFIANT_REENTRANT` from inside a callback: it is not freed then.
 */
affiant_status affiant_runtime_free(affiant_runtime *runtime);

/**
 * Where it listens: "127.0.0.1:41234", by position from 0. `AFFIANT_NOT_FOUND` beyond the last. The view lives as
 * long as the runtime.
 */
affiant_status affiant_runtime_address(const affiant_runtime *runtime,
                                       size_t index,
                                       affiant_slice *address);

/**
 * The service's certificate, PEM: what receipts and TLS connections are checked against. The view lives as
 * long as the runtime.
 */
affiant_status affiant_runtime_service_certificate(const affiant_runtime *runtime,
                                                   affiant_slice *pem);

/**
 * The node's id: the SHA-256 of its public key, in hex. The view lives as long as the runtime.
 */
affiant_status affiant_runtime_node_id(const affiant_runtime *runtime, affiant_slice *id);

/**
 * The newest transaction, committed or not.
 */
affiant_status affiant_runtime_last(const affiant_runtime *runtime, affiant_txid *txid);

/**
 * The newest committed transaction: it and all before it are on disk and signed.
 */
affiant_status affiant_runtime_committed(const affiant_runtime *runtime, affiant_txid *txid);

/**
 * What is known of a transaction.
 */
affiant_status affiant_runtime_tx_status(const affiant_runtime *runtime,
                                         affiant_txid txid,
                                         affiant_tx_status *status);

/**
 * The id of the transaction with that seqno. `AFFIANT_NO_SUCH_TRANSACTION` if the ledger is not that long.
 */
affiant_status affiant_runtime_txid_at(const affiant_runtime *runtime,
                                       uint64_t seqno,
                                       affiant_txid *txid);

/**
 * Waits up to `timeout_ms` until a transaction is committed. `AFFIANT_TIMEOUT`;
 * `AFFIANT_NO_SUCH_TRANSACTION`.
 */
affiant_status affiant_runtime_wait(const affiant_runtime *runtime,
                                    affiant_txid txid,
                                    uint64_t timeout_ms);

/**
 * Waits up to `timeout_ms` until everything is committed that is there now. `last`, which may be NULL: the
 * newest of it.
 */
affiant_status affiant_runtime_sync(const affiant_runtime *runtime,
                                    uint64_t timeout_ms,
                                    affiant_txid *last);

/**
 * The receipt of a transaction, for whose commit it waits up to `timeout_ms`. `AFFIANT_TIMEOUT`;
 * `AFFIANT_NO_SUCH_TRANSACTION`. To be freed with `affiant_receipt_free`.
 */
affiant_status affiant_runtime_receipt(const affiant_runtime *runtime,
                                       affiant_txid txid,
                                       uint64_t timeout_ms,
                                       affiant_receipt **receipt);

/**
 * The newest state, which stays as it is however the ledger goes on. To be freed with
 * `affiant_snapshot_free`.
 */
affiant_status affiant_runtime_snapshot(const affiant_runtime *runtime,
                                        affiant_snapshot **snapshot);

/**
 * Begins a transaction: it sees one state of the ledger, and its own writes. Nothing of it is kept unless it
 * is committed. To be freed with `affiant_tx_free`.
 */
affiant_status affiant_tx_begin(const affiant_runtime *runtime,
                                affiant_tx **tx);

/**
 * Frees a snapshot, and with it every view into it. NULL is allowed.
 */
affiant_status affiant_snapshot_free(affiant_snapshot *snapshot);

/**
 * The newest transaction in the snapshot.
 */
affiant_status affiant_snapshot_version(const affiant_snapshot *snapshot, affiant_txid *txid);

/**
 * The value under a key. `AFFIANT_NOT_FOUND` if there is none. The view lives as long as the snapshot.
 */
affiant_status affiant_snapshot_get(const affiant_snapshot *snapshot,
                                    affiant_slice map,
                                    affiant_slice key,
                                    affiant_slice *value);

/**
 * Whether there is a value under a key.
 */
affiant_status affiant_snapshot_has(const affiant_snapshot *snapshot,
                                    affiant_slice map,
                                    affiant_slice key,
                                    bool *found);

/**
 * How many keys a map has; 0 for one that was never written.
 */
affiant_status affiant_snapshot_count(const affiant_snapshot *snapshot,
                                      affiant_slice map,
                                      uint64_t *count);

/**
 * The seqno of the transaction that last wrote a key. `AFFIANT_NOT_FOUND` if there is no such key.
 */
affiant_status affiant_snapshot_version_of(const affiant_snapshot *snapshot,
                                           affiant_slice map,
                                           affiant_slice key,
                                           uint64_t *seqno);

/**
 * Iterates over the entries of a map in a range, ascending by key; `range` may be NULL: all. To be freed
 * with `affiant_iterator_free`, before or after the snapshot.
 */
affiant_status affiant_snapshot_range(const affiant_snapshot *snapshot,
                                      affiant_slice map,
                                      const affiant_range *range,
                                      affiant_iterator **iterator);

/**
 * Iterates over the names of the maps that were ever written, ascending: each is a key, with an empty value.
 * To be freed with `affiant_iterator_free`.
 */
affiant_status affiant_snapshot_maps(const affiant_snapshot *snapshot,
                                     affiant_iterator **iterator);

/**
 * Frees a transaction; what was not committed leaves no trace. NULL is allowed.
 */
affiant_status affiant_tx_free(affiant_tx *tx);

/**
 * The value under a key, as this transaction sees it. `AFFIANT_NOT_FOUND` if there is none. The view lives
 * until the next call with this transaction.
 */
affiant_status affiant_tx_get(affiant_tx *tx,
                              affiant_slice map,
                              affiant_slice key,
                              affiant_slice *value);

/**
 * Whether there is a value under a key, as this transaction sees it.
 */
affiant_status affiant_tx_has(affiant_tx *tx, affiant_slice map, affiant_slice key, bool *found);

/**
 * Writes a value under a key. A map comes to be with its first write; what is in one whose name begins with
 * "public:" is in the clear in the ledger, everything else is encrypted. `AFFIANT_TOO_LARGE`,
 * `AFFIANT_READ_ONLY`, or `AFFIANT_INVALID_ARGUMENT` for a name that no map may have.
 */
affiant_status affiant_tx_put(affiant_tx *tx,
                              affiant_slice map,
                              affiant_slice key,
                              affiant_slice value);

/**
 * Removes a key; that it was not there is no failure.
 */
affiant_status affiant_tx_remove(affiant_tx *tx, affiant_slice map, affiant_slice key);

/**
 * Removes every key of a map.
 */
affiant_status affiant_tx_clear(affiant_tx *tx, affiant_slice map);

/**
 * How many keys a map has. The transaction then depends on the whole map.
 */
affiant_status affiant_tx_count(affiant_tx *tx, affiant_slice map, uint64_t *count);

/**
 * The seqno of the transaction before this one that last wrote a key. `AFFIANT_NOT_FOUND` if the key was not
 * there when this one began.
 */
affiant_status affiant_tx_version_of(affiant_tx *tx,
                                     affiant_slice map,
                                     affiant_slice key,
                                     uint64_t *seqno);

/**
 * Attaches the SHA-256, 32 bytes, of what the transaction claims to the world: its receipt proves it.
 */
affiant_status affiant_tx_set_claims_digest(affiant_tx *tx,
                                            affiant_slice digest);

/**
 * Iterates over the entries of a map in a range, ascending by key; `range` may be NULL: all. It sees the
 * transaction as it is when it gets there: what is written ahead of it is seen. The transaction then
 * depends on the whole map. To be freed with `affiant_iterator_free`, before or after the transaction.
 */
affiant_status affiant_tx_range(affiant_tx *tx,
                                affiant_slice map,
                                const affiant_range *range,
                                affiant_iterator **iterator);

/**
 * Commits: gives the transaction its id and its place in the ledger. Others see it from then on; it is on
 * disk once `affiant_runtime_wait` says so. Its handle then holds a fresh transaction, as it does after
 * `AFFIANT_CONFLICT`, where nothing was kept: run it again. The id of one that only read is that of what it
 * read; 0.0 if it read nothing. `AFFIANT_TOO_MANY_PENDING`, `AFFIANT_FAILED`, `AFFIANT_CLOSED`;
 * `AFFIANT_REENTRANT` for the transaction of a callback, which the runtime ends.
 */
affiant_status affiant_tx_commit(affiant_tx *tx,
                                 affiant_txid *txid);

/**
 * As `affiant_tx_commit`, and waits up to `timeout_ms` until it is on disk, signed and final. On
 * `AFFIANT_TIMEOUT` it has its id, which is written, and may still come to be committed.
 */
affiant_status affiant_tx_commit_and_wait(affiant_tx *tx, uint64_t timeout_ms, affiant_txid *txid);

/**
 * Begins the transaction anew: what it has done is forgotten. `AFFIANT_REENTRANT` for that of a callback.
 */
affiant_status affiant_tx_reset(affiant_tx *tx);

/**
 * Writes an id as text, such as "2.17". Copies at most `capacity` bytes, the last of which is NUL, and
 * returns the length of the whole text in bytes without NUL; 48 bytes are always enough. From any thread.
 */
size_t affiant_txid_format(affiant_txid txid,
                           char *buffer,
                           size_t capacity);

/**
 * Reads an id, such as "2.17". `AFFIANT_INVALID_ARGUMENT` if the text is none. From any thread.
 */
affiant_status affiant_txid_parse(affiant_slice text, affiant_txid *txid);

/**
 * Frees a verdict. NULL is allowed.
 */
affiant_status affiant_verdict_free(affiant_verdict *verdict);

/**
 * Whether it holds: what proves it was checked, and no check failed.
 */
affiant_status affiant_verdict_is_valid(const affiant_verdict *verdict, bool *valid);

/**
 * The transaction that a receipt speaks of. `AFFIANT_NOT_FOUND` if it does not say, or was no receipt.
 */
affiant_status affiant_verdict_txid(const affiant_verdict *verdict,
                                    affiant_txid *txid);

/**
 * How many checks there are.
 */
affiant_status affiant_verdict_count(const affiant_verdict *verdict, size_t *count);

/**
 * One check, by position from 0, in the order in which they were made. `check->size` is set before the call.
 * `AFFIANT_NOT_FOUND` beyond the last.
 */
affiant_status affiant_verdict_check(const affiant_verdict *verdict,
                                     size_t index,
                                     affiant_check *check);

/**
 * The whole verdict as JSON: {"valid", "txid", "checks": [{"name", "outcome", "explanation"}]}. The view lives
 * as long as the verdict.
 */
affiant_status affiant_verdict_json(const affiant_verdict *verdict,
                                    affiant_slice *json);

/**
 * The version of the library that runs, as `AFFIANT_VERSION` has that of the header.
 */
uint32_t affiant_version(void);

/**
 * The version of the library that runs, such as "0.1.0". Lives for ever.
 */
const char *affiant_version_text(void);

/**
 * Whether a program that was compiled with the header of version `header` (pass `AFFIANT_VERSION`) can use
 * this library: both have the same major version, while that is 0 also the same minor version, and the
 * library is not older than the header. `AFFIANT_VERSION_MISMATCH` if not.
 */
affiant_status affiant_check_version(uint32_t header);

/**
 * Whether the library was built with a feature: "js", "python". Unknown names: false.
 */
bool affiant_has_feature(affiant_slice name);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes of a C string, without its NUL; empty for NULL. Borrowed. */
static inline affiant_slice affiant_text(const char *text) {
    affiant_slice slice = {NULL, 0};
    if (text != NULL) {
        slice.data = (const uint8_t *)text;
        slice.size = strlen(text);
    }
    return slice;
}

/* `size` bytes from `data` on. Borrowed. */
static inline affiant_slice affiant_data(const void *data, size_t size) {
    affiant_slice slice = {NULL, 0};
    slice.data = (const uint8_t *)data;
    slice.size = size;
    return slice;
}

#ifdef __cplusplus
}
#endif

#endif  /* AFFIANT_H */
