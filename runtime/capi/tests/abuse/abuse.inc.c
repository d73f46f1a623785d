#define _GNU_SOURCE 1
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#define T(text) affiant_text(text)
#define S(data, size) affiant_data((data), (size))
#define THREADS 8

/* One handle of each type, and some that are none any more. */
typedef struct {
    affiant_options *options, *freed_options;
    affiant_runtime *runtime, *freed_runtime;
    affiant_tx *tx, *freed_tx, *lent_tx, *stale_tx;
    affiant_snapshot *snapshot, *freed_snapshot;
    affiant_iterator *iterator, *freed_iterator;
    affiant_receipt *receipt, *freed_receipt;
    affiant_verdict *verdict, *freed_verdict;
    affiant_evidence *evidence, *freed_evidence;
    affiant_key *key, *freed_key;
    affiant_bytes *bytes, *freed_bytes;
    affiant_response *response, *freed_response, *lent_response, *stale_response;
    const affiant_request *lent_request, *stale_request;
    affiant_txid txid;
    uint64_t room[8];
    /* Others use these handles: nothing of them is freed. */
    bool gentle;
    /* This is a callback's thread. */
    bool inside;
} world;

static atomic_ulong calls;
static char long_text[70000];
static const uint8_t thirty_two_bytes[32] = {7};
static world *visited;
static void *(*in_callback)(world *);

static void counted(void) {
    atomic_fetch_add(&calls, 1);
}

/* A status that the library has a name for. */
static void answered(affiant_status status, const char *function) {
    counted();
    if (strcmp(affiant_status_name(status), "AFFIANT_UNKNOWN_STATUS") == 0 ||
        status == AFFIANT_PANIC) {
        fprintf(stderr, "%s returned %u: %s\n", function, (unsigned)status,
                affiant_status_name(status));
        exit(1);
    }
}

/* The struct, saying that it has so many bytes. */
static void *sized(void *with, size_t size) {
    memcpy(with, &size, sizeof size);
    return with;
}

static void frees_nothing(void *userdata) {
    (void)userdata;
}

static affiant_status callback(void *userdata, const affiant_request *request, affiant_tx *tx,
                               affiant_response *response) {
    (void)userdata;
    if (in_callback != NULL && visited != NULL) {
        void *(*act)(world *) = in_callback;
        in_callback = NULL;
        visited->lent_request = request;
        visited->lent_tx = tx;
        visited->lent_response = response;
        act(visited);
        visited->stale_request = request;
        visited->stale_tx = tx;
        visited->stale_response = response;
        visited->lent_request = NULL;
        visited->lent_tx = NULL;
        visited->lent_response = NULL;
    }
    return AFFIANT_OK;
}

static affiant_options *make_options(void) {
    affiant_options *options;
    affiant_endpoint endpoint = {
        .size = sizeof endpoint, .method = T("GET"), .path = T("/plain"), .handler = callback};
    IS(AFFIANT_OK, affiant_options_new(AFFIANT_VERSION, &options));
    OK(affiant_options_add_endpoint(options, &endpoint), options);
    endpoint.path = T("/visit");
    OK(affiant_options_add_endpoint(options, &endpoint), options);
    return options;
}

static affiant_runtime *make_runtime(const char *address) {
    affiant_options *options = make_options();
    affiant_runtime *runtime;
    if (address != NULL) {
        OK(affiant_options_listen(options, T(address)), options);
    }
    OK(affiant_runtime_open(options, &runtime), options);
    IS(AFFIANT_OK, affiant_options_free(options));
    return runtime;
}

static affiant_tx *make_tx(affiant_runtime *runtime) {
    affiant_tx *tx = NULL;
    answered(affiant_tx_begin(runtime, &tx), "affiant_tx_begin");
    return tx;
}

static affiant_snapshot *make_snapshot(affiant_runtime *runtime) {
    affiant_snapshot *snapshot = NULL;
    answered(affiant_runtime_snapshot(runtime, &snapshot), "affiant_runtime_snapshot");
    return snapshot;
}

static affiant_iterator *make_iterator(affiant_runtime *runtime) {
    affiant_snapshot *snapshot = make_snapshot(runtime);
    affiant_iterator *iterator = NULL;
    answered(affiant_snapshot_maps(snapshot, &iterator), "affiant_snapshot_maps");
    affiant_snapshot_free(snapshot);
    return iterator;
}

static affiant_receipt *make_receipt(affiant_runtime *runtime) {
    affiant_receipt *receipt = NULL;
    affiant_txid txid = {2, 1};
    answered(affiant_runtime_receipt(runtime, txid, LONG_MS, &receipt), "affiant_runtime_receipt");
    return receipt;
}

static affiant_verdict *make_verdict(affiant_runtime *runtime) {
    affiant_receipt *receipt = make_receipt(runtime);
    affiant_verdict *verdict = NULL;
    affiant_slice json = {0}, certificate = {0};
    affiant_receipt_json(receipt, &json);
    affiant_runtime_service_certificate(runtime, &certificate);
    answered(affiant_verify_receipt(json, certificate, NULL, &verdict), "affiant_verify_receipt");
    affiant_receipt_free(receipt);
    return verdict;
}

static affiant_evidence *make_evidence(affiant_runtime *runtime) {
    affiant_evidence *evidence = NULL;
    answered(affiant_runtime_attestation(runtime, T("x"), &evidence),
             "affiant_runtime_attestation");
    return evidence;
}

static affiant_key *make_key(void) {
    affiant_key *key = NULL;
    answered(affiant_key_generate(AFFIANT_KEY_P256, &key), "affiant_key_generate");
    return key;
}

static affiant_bytes *make_bytes(void) {
    affiant_bytes *bytes = NULL;
    answered(affiant_digest(AFFIANT_HASH_SHA256, T("x"), &bytes), "affiant_digest");
    return bytes;
}

static affiant_response *make_response(affiant_runtime *runtime) {
    affiant_response *response = NULL;
    affiant_call call = {.size = sizeof call, .method = T("GET"), .target = T("/app/plain")};
    answered(affiant_runtime_call(runtime, &call, &response), "affiant_runtime_call");
    return response;
}

/* THE CALLS */

static void *all(void *argument) {
    world *w = (world *)argument;
    size_t index;
    for (index = 0; index < sizeof ALL / sizeof ALL[0]; index++) {
        ALL[index](w);
    }
    return NULL;
}

static void on_threads(world *w, int count) {
    pthread_t threads[THREADS];
    int index;
    for (index = 0; index < count; index++) {
        CHECK(pthread_create(&threads[index], NULL, all, w) == 0);
    }
    for (index = 0; index < count; index++) {
        CHECK(pthread_join(threads[index], NULL) == 0);
    }
}

static void *here(world *w) {
    w->inside = true;
    all(w);
    w->inside = false;
    return NULL;
}

static void *elsewhere(world *w) {
    on_threads(w, 1);
    return NULL;
}

static void visit(world *w, void *(*act)(world *)) {
    affiant_response *response = NULL;
    affiant_call call = {.size = sizeof call, .method = T("GET"), .target = T("/app/visit")};
    visited = w;
    in_callback = act;
    OK(affiant_runtime_call(w->runtime, &call, &response), w->runtime);
    IS(AFFIANT_OK, affiant_response_free(response));
    CHECK(in_callback == NULL);
}

static void open_world(world *w) {
    affiant_tx *tx;
    memset(w, 0, sizeof *w);
    w->runtime = make_runtime(NULL);
    w->options = make_options();
    tx = make_tx(w->runtime);
    OK(affiant_tx_put(tx, T("some"), T("some"), T("value")), tx);
    OK(affiant_tx_commit_and_wait(tx, LONG_MS, &w->txid), tx);
    w->tx = tx;
    w->snapshot = make_snapshot(w->runtime);
    w->iterator = make_iterator(w->runtime);
    w->receipt = make_receipt(w->runtime);
    w->verdict = make_verdict(w->runtime);
    w->evidence = make_evidence(w->runtime);
    w->key = make_key();
    w->bytes = make_bytes();
    w->response = make_response(w->runtime);
#define FREED(name, made)                                                                         \
    w->freed_##name = made;                                                                       \
    IS(AFFIANT_OK, affiant_##name##_free(w->freed_##name))
    FREED(options, make_options());
    FREED(runtime, make_runtime(NULL));
    FREED(tx, make_tx(w->runtime));
    FREED(snapshot, make_snapshot(w->runtime));
    FREED(iterator, make_iterator(w->runtime));
    FREED(receipt, make_receipt(w->runtime));
    FREED(verdict, make_verdict(w->runtime));
    FREED(evidence, make_evidence(w->runtime));
    FREED(key, make_key());
    FREED(bytes, make_bytes());
    FREED(response, make_response(w->runtime));
}

static void close_world(world *w) {
    IS(AFFIANT_OK, affiant_tx_free(w->tx));
    IS(AFFIANT_OK, affiant_snapshot_free(w->snapshot));
    IS(AFFIANT_OK, affiant_iterator_free(w->iterator));
    IS(AFFIANT_OK, affiant_receipt_free(w->receipt));
    IS(AFFIANT_OK, affiant_verdict_free(w->verdict));
    IS(AFFIANT_OK, affiant_evidence_free(w->evidence));
    IS(AFFIANT_OK, affiant_key_free(w->key));
    IS(AFFIANT_OK, affiant_bytes_free(w->bytes));
    IS(AFFIANT_OK, affiant_response_free(w->response));
    IS(AFFIANT_OK, affiant_options_free(w->options));
    IS(AFFIANT_OK, affiant_runtime_free(w->runtime));
}

/* The parent's handles, where none of its threads is. The child says by a byte that it came to its end, and is then
 * killed: leak checkers, which would look at it if it exited, take what the parent's threads hold for lost. */
static void in_child(world *w) {
    int ends[2], status = 0;
    pid_t child;
    char byte = 0;
    CHECK(pipe(ends) == 0);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        affiant_tx *tx;
        affiant_slice value;
        alarm(60);
        IS(AFFIANT_FORKED, affiant_tx_begin(w->runtime, &tx));
        IS(AFFIANT_FORKED, affiant_snapshot_get(w->snapshot, T("some"), T("some"), &value));
        IS(AFFIANT_FORKED, affiant_runtime_stop(w->runtime, 0));
        IS(AFFIANT_FORKED, affiant_runtime_free(w->runtime));
        IS(AFFIANT_FORKED, affiant_tx_free(w->tx));
        IS(AFFIANT_FORKED, affiant_key_free(w->key));
        CHECK(write(ends[1], "x", 1) == 1);
        kill(getpid(), SIGKILL);
    }
    CHECK(close(ends[1]) == 0);
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');
    CHECK(close(ends[0]) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void it_still_works(void) {
    affiant_runtime *runtime = make_runtime("127.0.0.1:0");
    affiant_tx *tx = make_tx(runtime);
    affiant_slice value;
    OK(affiant_tx_put(tx, T("m"), T("k"), T("v")), tx);
    OK(affiant_tx_commit_and_wait(tx, LONG_MS, NULL), tx);
    OK(affiant_tx_get(tx, T("m"), T("k"), &value), tx);
    CHECK(slice_is(value, "v"));
    IS(AFFIANT_OK, affiant_tx_free(tx));
    IS(AFFIANT_OK, affiant_runtime_free(runtime));
}

int main(void) {
    static world w;
    memset(long_text, 'a', sizeof long_text);
    IS(AFFIANT_VERSION_MISMATCH, affiant_options_new(AFFIANT_VERSION - 1000, &w.options));
    open_world(&w);
    in_child(&w);
    all(&w);
    w.gentle = true;
    visit(&w, here);
    all(&w);
    if (!quick()) {
        visit(&w, elsewhere);
        on_threads(&w, THREADS);
    }
    OK(affiant_runtime_stop(w.runtime, LONG_MS), w.runtime);
    all(&w);
    close_world(&w);
    it_still_works();
    printf("abuse: %lu calls\n", (unsigned long)atomic_load(&calls));
    return 0;
}
