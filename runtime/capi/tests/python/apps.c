/* A Python app in a program in C: called from many threads, its state read through C, its failures told. The
 * program stays its own: signals, locale. */
#include "../check.h"

#include <locale.h>
#include <pthread.h>
#include <signal.h>

#define THREADS 4
#define ROUNDS 25

static affiant_txid last_txid;

/* Status of the answer; `body`, terminated, has as much of it as fits. */
static unsigned call(const affiant_runtime *runtime, const char *method, const char *target,
                     const char *sent, char *body, size_t capacity, affiant_txid *txid) {
    affiant_call call = {sizeof call, {NULL, 0}, {NULL, 0}, NULL, 0, {NULL, 0}, {NULL, 0}};
    affiant_response *response;
    affiant_slice view;
    uint16_t status;
    call.method = affiant_text(method);
    call.target = affiant_text(target);
    call.body = affiant_text(sent);
    OK(affiant_runtime_call(runtime, &call, &response), runtime);
    OK(affiant_response_status(response, &status), response);
    OK(affiant_response_body(response, &view), response);
    if (body != NULL) {
        size_t size = view.size < capacity ? view.size : capacity - 1;
        if (size > 0) {
            memcpy(body, view.data, size);
        }
        body[size] = '\0';
    }
    if (txid != NULL) {
        affiant_slice text;
        OK(affiant_response_header(response, affiant_text("x-ms-ccf-transaction-id"), &text),
           response);
        OK(affiant_txid_parse(text, txid), runtime);
    }
    IS(AFFIANT_OK, affiant_response_free(response));
    return status;
}

/* The call is answered with this status, and with these words somewhere in the body. */
static void answers(const affiant_runtime *runtime, const char *method, const char *target,
                    const char *sent, unsigned wanted, const char *words) {
    char body[4096];
    unsigned status = call(runtime, method, target, sent, body, sizeof body, NULL);
    if (status != wanted || strstr(body, words) == NULL) {
        fprintf(stderr, "%s %s: %u %s\n", method, target, status, body);
        exit(1);
    }
}

static affiant_app_options app_options(void) {
    affiant_app_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.execution_ms_max = quick() ? 10000 : 300;
    options.exception_details = 1;
    return options;
}

static void load(const affiant_runtime *runtime) {
    affiant_app_options options = app_options();
    char path[4096];
    const char *root = getenv("AFFIANT_TEST_ROOT");
    CHECK(root != NULL);
    snprintf(path, sizeof path, "%s/runtime/capi/tests/apps/python", root);
    OK(affiant_runtime_load_app(runtime, affiant_text(path), &options), runtime);
}

static void *transfers(void *runtime) {
    int round;
    for (round = 0; round < (quick() ? 2 : ROUNDS); round++) {
        answers((const affiant_runtime *)runtime, "POST", "/app/transfer",
                "{\"from\": \"alice\", \"to\": \"bob\", \"amount\": 1}", 200, "left");
    }
    return NULL;
}

/* What the app wrote, as the ledger holds it: JSON under a text. */
static long balance(const affiant_runtime *runtime, const char *name) {
    affiant_tx *tx;
    affiant_slice value;
    char text[32];
    OK(affiant_tx_begin(runtime, &tx), runtime);
    OK(affiant_tx_get(tx, affiant_text("accounts"), affiant_text(name), &value), tx);
    CHECK(value.size < sizeof text);
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    IS(AFFIANT_OK, affiant_tx_free(tx));
    return strtol(text, NULL, 10);
}

/* For those who read the ledger afterwards: the map, and key and value in hex. */
static void expect(const char *path, const affiant_runtime *runtime) {
    static const char *const names[] = {"alice", "bob"};
    size_t index;
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    for (index = 0; index < sizeof names / sizeof *names; index++) {
        char value[32];
        const char *at;
        snprintf(value, sizeof value, "%ld", balance(runtime, names[index]));
        fputs("accounts\t", file);
        for (at = names[index]; *at != '\0'; at++) {
            fprintf(file, "%02x", (unsigned)*at);
        }
        fputc('\t', file);
        for (at = value; *at != '\0'; at++) {
            fprintf(file, "%02x", (unsigned)*at);
        }
        fputc('\n', file);
    }
    CHECK(fclose(file) == 0);
}

static void is_proven(const affiant_runtime *runtime, affiant_txid txid) {
    affiant_receipt *receipt;
    affiant_verdict *verdict;
    affiant_slice json, certificate;
    bool valid = false;
    OK(affiant_runtime_receipt(runtime, txid, LONG_MS, &receipt), runtime);
    OK(affiant_receipt_json(receipt, &json), receipt);
    OK(affiant_runtime_service_certificate(runtime, &certificate), runtime);
    OK(affiant_verify_receipt(json, certificate, NULL, &verdict), NULL);
    OK(affiant_verdict_is_valid(verdict, &valid), verdict);
    CHECK(valid);
    IS(AFFIANT_OK, affiant_verdict_free(verdict));
    IS(AFFIANT_OK, affiant_receipt_free(receipt));
}

static void from_many_threads(affiant_runtime *runtime) {
    pthread_t threads[THREADS];
    long sum = (quick() ? 2 : ROUNDS) * THREADS;
    int index;
    CHECK(call(runtime, "PUT", "/app/accounts/alice", "{\"balance\": 1000}", NULL, 0,
               &last_txid) == 201);
    answers(runtime, "PUT", "/app/accounts/bob", "{\"balance\": 0}", 201, "bob");
    for (index = 0; index < THREADS; index++) {
        CHECK(pthread_create(&threads[index], NULL, transfers, runtime) == 0);
    }
    for (index = 0; index < THREADS; index++) {
        CHECK(pthread_join(threads[index], NULL) == 0);
    }
    CHECK(balance(runtime, "alice") == 1000 - sum);
    CHECK(balance(runtime, "bob") == sum);
    is_proven(runtime, last_txid);
}

static void failures(const affiant_runtime *runtime) {
    answers(runtime, "GET", "/app/accounts/carol", "", 404, "carol has no account");
    answers(runtime, "POST", "/app/transfer", "{\"from\": \"bob\", \"to\": \"alice\", \"amount\": 9999}",
            409, "TooLittle");
    answers(runtime, "POST", "/app/raises", "", 500, "ValueError: on purpose");
    answers(runtime, "POST", "/app/raises", "", 500, "apps/python/app.py");
    answers(runtime, "GET", "/app/accounts/lost", "", 404, "NoSuchAccount");
    answers(runtime, "POST", "/app/spins", "", 500, "Operation took too long to complete.");
    answers(runtime, "GET", "/app/whoami", "", 200, "no_auth");
}

/* An app that cannot be imported: file and line are told, and what is served is served on. */
static void is_refused(const affiant_runtime *runtime) {
    char path[4096];
    FILE *file;
    snprintf(path, sizeof path, "%s", test_path("broken.py"));
    file = fopen(path, "w");
    CHECK(file != NULL);
    fputs("import ccf\n\nTABLE = ccf.no_such_thing\n", file);
    CHECK(fclose(file) == 0);
    IS(AFFIANT_APPLICATION, affiant_runtime_load_app(runtime, affiant_text(path), NULL));
    CHECK(says(runtime, "broken.py\", line 3"));
    CHECK(says(runtime, "no_such_thing"));
    CHECK(remove(path) == 0);
    answers(runtime, "GET", "/app/accounts/bob", "", 200, "balance");
}

static void stays_as_it_was(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGPIPE};
    struct sigaction action;
    sigset_t mask;
    size_t index;
    for (index = 0; index < sizeof signals / sizeof *signals; index++) {
        CHECK(sigaction(signals[index], NULL, &action) == 0);
        CHECK(action.sa_handler == SIG_DFL);
    }
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    CHECK(sigismember(&mask, SIGPIPE) == 0);
    CHECK(strcmp(setlocale(LC_CTYPE, NULL), "C") == 0);
}

int main(void) {
    affiant_runtime *runtime, *other;
    char directory[4096];
    snprintf(directory, sizeof directory, "%s", test_path("accounts"));
    CHECK(affiant_has_feature(affiant_text("python")));
    stays_as_it_was();
    runtime = open_runtime(directory);
    load(runtime);
    from_many_threads(runtime);
    failures(runtime);
    is_refused(runtime);

    other = open_runtime(NULL);
    load(other);
    answers(other, "GET", "/app/accounts/bob", "", 404, "NoSuchAccount");
    answers(other, "GET", "/app/where", "", 200, "/affiant-embedded/affiant/ccf/__init__.py");
    OK(affiant_runtime_free(other), other);

    answers(runtime, "GET", "/app/accounts/bob", "", 200, "balance");
    OK(affiant_runtime_unload_apps(runtime), runtime);
    answers(runtime, "GET", "/app/accounts/bob", "", 404, "Unknown path");
    load(runtime);
    answers(runtime, "GET", "/app/accounts/bob", "", 200, "balance");
    stays_as_it_was();
    expect(test_path("accounts.expect"), runtime);
    OK(affiant_runtime_stop(runtime, LONG_MS), runtime);
    OK(affiant_runtime_free(runtime), runtime);
    return 0;
}
