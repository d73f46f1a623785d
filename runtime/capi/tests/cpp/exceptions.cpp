// What a handler in C++ throws through the C interface ends there: 500 for its client, and the host goes on.
#include <affiant.h>

#include "../check.h"

#include <exception>
#include <stdexcept>
#include <string>

namespace {

int frees = 0;

// Counts what was unwound.
struct guard {
    ~guard() { frees++; }
};

affiant_status throws(void *, const affiant_request *request, affiant_tx *tx, affiant_response *) {
    affiant_slice query;
    OK(affiant_request_query(request, &query), request);
    OK(affiant_tx_put(tx, affiant_text("notes"), affiant_text("key"), affiant_text("lost")), tx);
    guard unwound;
    if (slice_is(query, "error")) {
        throw std::runtime_error("the disk is on fire");
    }
    if (slice_is(query, "int")) {
        throw 42;
    }
    if (slice_is(query, "string")) {
        throw std::string("no exception");
    }
    if (slice_is(query, "long")) {
        throw std::runtime_error(std::string(100000, 'x'));
    }
    return AFFIANT_OK;
}

void throws_when_freed(void *) {
    frees++;
    throw std::runtime_error("freed");
}

affiant_status owned(void *, const affiant_request *, affiant_tx *, affiant_response *response) {
    return affiant_response_set_body_owned(response, affiant_text("lent"), nullptr,
                                           throws_when_freed);
}

void add(affiant_options *options, const char *path, affiant_handler handler) {
    affiant_endpoint endpoint = {};
    endpoint.size = sizeof endpoint;
    endpoint.method = affiant_text("POST");
    endpoint.path = affiant_text(path);
    endpoint.handler = handler;
    endpoint.free_userdata = throws_when_freed;
    OK(affiant_options_add_endpoint(options, &endpoint), options);
}

std::string call(affiant_runtime *runtime, const char *target, uint16_t wanted) {
    affiant_call call = {};
    call.size = sizeof call;
    call.method = affiant_text("POST");
    call.target = affiant_text(target);
    affiant_response *response = nullptr;
    OK(affiant_runtime_call(runtime, &call, &response), runtime);
    uint16_t status = 0;
    affiant_slice body;
    OK(affiant_response_status(response, &status), response);
    OK(affiant_response_body(response, &body), response);
    CHECK(status == wanted);
    std::string text(reinterpret_cast<const char *>(body.data), body.size);
    IS(AFFIANT_OK, affiant_response_free(response));
    CHECK(std::uncaught_exceptions() == 0);
    return text;
}

bool has(const std::string &text, const char *words) { return text.find(words) != std::string::npos; }

} // namespace

int main() {
    affiant_options *options = nullptr;
    affiant_runtime *runtime = nullptr;
    IS(AFFIANT_OK, affiant_options_new(AFFIANT_VERSION, &options));
    OK(affiant_options_set_exception_details(options, true), options);
    add(options, "/throws", throws);
    add(options, "/owned", owned);
    OK(affiant_runtime_open(options, &runtime), options);
    IS(AFFIANT_OK, affiant_options_free(options));

    for (int round = 0; round < 3; round++) {
        frees = 0;
        CHECK(has(call(runtime, "/app/throws?error", 500), "It threw an exception: the disk is on fire."));
        CHECK(has(call(runtime, "/app/throws?int", 500), "It threw an exception."));
        CHECK(has(call(runtime, "/app/throws?string", 500), "It threw an exception."));
        CHECK(call(runtime, "/app/throws?long", 500).size() < 2000);
        CHECK(frees == 4);
        CHECK(call(runtime, "/app/owned", 200) == "lent");
        CHECK(frees == 5);
    }
    affiant_snapshot *snapshot = nullptr;
    bool found = true;
    OK(affiant_runtime_snapshot(runtime, &snapshot), runtime);
    OK(affiant_snapshot_has(snapshot, affiant_text("notes"), affiant_text("key"), &found), snapshot);
    CHECK(!found);
    IS(AFFIANT_OK, affiant_snapshot_free(snapshot));
    call(runtime, "/app/throws", 200);

    // An exception that is under way meanwhile stays the program's.
    try {
        throw std::logic_error("outer");
    } catch (const std::logic_error &outer) {
        CHECK(has(call(runtime, "/app/throws?error", 500), "the disk is on fire"));
        CHECK(std::string(outer.what()) == "outer");
        CHECK(std::current_exception() != nullptr);
    }
    frees = 0;
    OK(affiant_runtime_free(runtime), runtime);
    CHECK(frees == 2);
    CHECK(std::uncaught_exceptions() == 0 && std::current_exception() == nullptr);
    return 0;
}
