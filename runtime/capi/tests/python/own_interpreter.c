/* A program that runs Python itself, and keeps the GIL: the library lets it go while handlers need it, and gives
 * it back. */
#define _GNU_SOURCE
#include "../check.h"

#include <dlfcn.h>

typedef void (*initialise_function)(int);
typedef int (*check_function)(void);
typedef int (*run_function)(const char *);

/* Where a function is, for a program that is not linked with Python. */
static void find(const char *name, void *function) {
    void *found = dlsym(RTLD_DEFAULT, name);
    if (found == NULL) {
        fprintf(stderr, "%s was not found\n", name);
        exit(1);
    }
    memcpy(function, &found, sizeof found);
}

static void answers(const affiant_runtime *runtime, const char *method, const char *target,
                    const char *sent, unsigned wanted) {
    affiant_call call = {sizeof call, {NULL, 0}, {NULL, 0}, NULL, 0, {NULL, 0}, {NULL, 0}};
    affiant_response *response;
    uint16_t status;
    call.method = affiant_text(method);
    call.target = affiant_text(target);
    call.body = affiant_text(sent);
    OK(affiant_runtime_call(runtime, &call, &response), runtime);
    OK(affiant_response_status(response, &status), response);
    CHECK(status == wanted);
    IS(AFFIANT_OK, affiant_response_free(response));
}

int main(void) {
    initialise_function initialise;
    check_function holds_gil;
    run_function run;
    affiant_runtime *runtime;
    char path[4096];
    const char *root = getenv("AFFIANT_TEST_ROOT");
    CHECK(root != NULL);
    snprintf(path, sizeof path, "%s/runtime/capi/tests/apps/python", root);
    find("Py_InitializeEx", &initialise);
    find("PyGILState_Check", &holds_gil);
    find("PyRun_SimpleString", &run);

    initialise(0);
    CHECK(run("mine = 'kept'") == 0);
    runtime = open_runtime(NULL);
    OK(affiant_runtime_load_app(runtime, affiant_text(path), NULL), runtime);
    CHECK(holds_gil());
    answers(runtime, "PUT", "/app/accounts/alice", "{\"balance\": 7}", 201);
    answers(runtime, "GET", "/app/accounts/alice", "", 200);
    CHECK(holds_gil());
    CHECK(run("assert mine == 'kept'\nimport affiant, ccf, json\nassert ccf.digest") == 0);
    OK(affiant_runtime_unload_apps(runtime), runtime);
    OK(affiant_runtime_free(runtime), runtime);
    CHECK(holds_gil());
    return 0;
}
