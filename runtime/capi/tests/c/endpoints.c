/* Handlers in C, called in process and from many threads. Linked without a C++ library: nothing here throws. */
#include "../check.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 4
#define ROUNDS 50
#define MAP affiant_text("counts")

static atomic_int freed;

static void free_count(void *userdata) {
    atomic_fetch_add((atomic_int *)userdata, 1);
}

/* POST /count/{name}: adds one. */
static affiant_status count(void *userdata, const affiant_request *request, affiant_tx *tx,
                            affiant_response *response) {
    affiant_slice name, value;
    affiant_status status;
    char text[32];
    int before = 0;
    CHECK(userdata == &freed);
    OK(affiant_request_param(request, affiant_text("name"), &name), request);
    if (slice_is(name, "broken")) {
        return AFFIANT_STORAGE;
    }
    if (slice_is(name, "taken")) {
        return affiant_response_set_error(response, 409, affiant_text("Taken"),
                                          affiant_text("That is taken."));
    }
    status = affiant_tx_get(tx, MAP, name, &value);
    if (status == AFFIANT_OK) {
        CHECK(value.size < sizeof text);
        memcpy(text, value.data, value.size);
        text[value.size] = '\0';
        before = atoi(text);
    } else if (status != AFFIANT_NOT_FOUND) {
        return status;
    }
    snprintf(text, sizeof text, "%d", before + 1);
    OK(affiant_tx_put(tx, MAP, name, affiant_text(text)), tx);
    OK(affiant_response_set_header(response, affiant_text("content-type"),
                                   affiant_text("text/plain")), response);
    return affiant_response_set_body(response, affiant_text(text));
}

static void call(const affiant_runtime *runtime, const char *target, unsigned wanted,
                 const char *words) {
    affiant_call call = {sizeof call, {NULL, 0}, {NULL, 0}, NULL, 0, {NULL, 0}, {NULL, 0}};
    affiant_response *response;
    affiant_slice body;
    uint16_t status;
    call.method = affiant_text("POST");
    call.target = affiant_text(target);
    OK(affiant_runtime_call(runtime, &call, &response), runtime);
    OK(affiant_response_status(response, &status), response);
    OK(affiant_response_body(response, &body), response);
    CHECK(status == wanted);
    if (words != NULL) {
        char text[1024];
        CHECK(body.size < sizeof text);
        memcpy(text, body.data, body.size);
        text[body.size] = '\0';
        CHECK(strstr(text, words) != NULL);
    }
    IS(AFFIANT_OK, affiant_response_free(response));
}

static void *calls(void *runtime) {
    int round;
    for (round = 0; round < ROUNDS; round++) {
        call((const affiant_runtime *)runtime, "/app/count/a", 200, NULL);
    }
    return NULL;
}

int main(void) {
    affiant_options *options;
    affiant_runtime *runtime;
    affiant_endpoint endpoint = {sizeof endpoint, {NULL, 0}, {NULL, 0}, AFFIANT_MODE_READ_WRITE,
                                 AFFIANT_RESPOND_AT_ONCE, NULL, 0, count, &freed, free_count};
    pthread_t threads[THREADS];
    char total[32];
    int index;
    endpoint.method = affiant_text("POST");
    endpoint.path = affiant_text("/count/{name}");
    IS(AFFIANT_OK, affiant_options_new(AFFIANT_VERSION, &options));
    OK(affiant_options_add_endpoint(options, &endpoint), options);
    IS(AFFIANT_INVALID_ARGUMENT, affiant_options_add_endpoint(options, &endpoint));
    CHECK(says(options, "was added before"));
    CHECK(atomic_load(&freed) == 1);
    OK(affiant_runtime_open(options, &runtime), options);
    IS(AFFIANT_OK, affiant_options_free(options));

    call(runtime, "/app/count/broken", 500, "The handler of this endpoint failed.");
    call(runtime, "/app/count/taken", 409, "That is taken.");
    for (index = 0; index < THREADS; index++) {
        CHECK(pthread_create(&threads[index], NULL, calls, runtime) == 0);
    }
    for (index = 0; index < THREADS; index++) {
        CHECK(pthread_join(threads[index], NULL) == 0);
    }
    snprintf(total, sizeof total, "%d", THREADS * ROUNDS + 1);
    call(runtime, "/app/count/a", 200, total);
    CHECK(atomic_load(&freed) == 1);
    OK(affiant_runtime_free(runtime), runtime);
    CHECK(atomic_load(&freed) == 2);
    return 0;
}
