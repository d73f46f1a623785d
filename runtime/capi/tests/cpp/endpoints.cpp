// Lambdas as endpoints, what they throw, and who frees what they hold; the same through C's own functions.
#include <affiant.hpp>

#include "../check.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

std::atomic<int> alive{0};

// Counts the copies that exist.
struct counted {
    counted() { alive++; }
    counted(const counted &) { alive++; }
    ~counted() { alive--; }
};

affiant_status throws_through_c(void *userdata, const affiant_request *, affiant_tx *tx,
                                affiant_response *) {
    affiant_tx_put(tx, affiant_text("thrown"), affiant_text("k"), affiant_text("v"));
    switch (*static_cast<int *>(userdata)) {
    case 1:
        throw std::runtime_error("through C");
    case 2:
        throw 42;
    default:
        throw std::string("no exception class");
    }
}

void add_raw(affiant::options &options, const char *path, int *kind) {
    affiant_endpoint endpoint = {};
    endpoint.size = sizeof endpoint;
    endpoint.method = affiant_text("POST");
    endpoint.path = affiant_text(path);
    endpoint.handler = throws_through_c;
    endpoint.userdata = kind;
    OK(affiant_options_add_endpoint(options.handle(), &endpoint), options.handle());
}

bool has(std::string_view text, std::string_view words) {
    return text.find(words) != std::string_view::npos;
}

void answers(const affiant::runtime &service) {
    affiant::response put = service.call("PUT", "/app/notes/7?by=alice%20b", "hello");
    CHECK(put.status() == 201 && put.body().text() == "alice b");
    CHECK(put.header("x-length") == "5");
    affiant::response got = service.call("GET", "/app/notes/7");
    CHECK(got.status() == 200 && got.body().text() == "hello");
    CHECK(service.call("GET", "/app/notes/8").status() == 404);
    affiant::response refused = service.call("GET", "/app/writes-but-reads");
    CHECK(refused.status() == 500 && has(refused.body().text(), "read-only"));
}

void failures(const affiant::runtime &service) {
    affiant::response failed = service.call("POST", "/app/throws", "");
    CHECK(failed.status() == 500 && has(failed.body().text(), "on purpose"));
    CHECK(!service.snapshot().has("thrown", "lambda"));
    for (const char *path : {"/app/raw/1", "/app/raw/2", "/app/raw/3"}) {
        affiant::response raw = service.call("POST", path);
        CHECK(raw.status() == 500);
        CHECK(std::uncaught_exceptions() == 0);
    }
    CHECK(!service.snapshot().has("thrown", "k"));
    affiant::response inside = service.call("POST", "/app/stops");
    CHECK(inside.status() == 200 && inside.body().text() == "AFFIANT_REENTRANT AFFIANT_REENTRANT");
    CHECK(service.call("GET", "/app/notes/7").status() == 200);
}

void from_many_threads(const affiant::runtime &service) {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; caller++) {
        callers.emplace_back([&] {
            for (int round = 0; round < (quick() ? 2 : 20); round++) {
                CHECK(service.call("POST", "/app/count").status() == 200);
            }
        });
    }
    for (std::thread &caller : callers) {
        caller.join();
    }
    CHECK(service.snapshot().get("count", "n")->text() == std::to_string(quick() ? 8 : 80));
}

} // namespace

int main() {
    {
        affiant::options options;
        counted state;
        int kinds[] = {1, 2, 3};
        affiant_runtime *inside = nullptr;
        options
            .endpoint("PUT", "/notes/{id}",
                      [state](const affiant::request &request, affiant::transaction_ref &tx,
                              affiant::reply &reply) {
                          CHECK(request.method() == "PUT" && request.path() == "/app/notes/7");
                          tx.put("notes", *request.param("id"), request.body());
                          reply.status(201);
                          reply.header("x-length", std::to_string(request.body().size()));
                          reply.body(*request.query_parameter("by"));
                      })
            .endpoint("GET", "/notes/{id}",
                      [](const auto &request, auto &tx, auto &reply) {
                          auto found = tx.get("notes", *request.param("id"));
                          if (!found) {
                              reply.error(404, "NotFound", "There is no such note.");
                              return;
                          }
                          reply.body(*found);
                      },
                      affiant::endpoint_options::read_only())
            .endpoint("GET", "/writes-but-reads",
                      [](const auto &, auto &tx, auto &) { tx.put("notes", "a", "b"); },
                      affiant::endpoint_options::read_only())
            .endpoint("POST", "/throws",
                      [](const auto &, auto &tx, auto &) {
                          tx.put("thrown", "lambda", "v");
                          throw std::runtime_error("on purpose");
                      })
            .endpoint("POST", "/stops",
                      [&inside](const auto &, auto &tx, auto &reply) {
                          affiant_status stop = affiant_runtime_stop(inside, 0);
                          affiant_status commit = affiant_tx_commit(tx.handle(), nullptr);
                          reply.body(std::string(affiant_status_name(stop)) + " " +
                                     affiant_status_name(commit));
                      })
            .endpoint("POST", "/count", [](const auto &, auto &tx, auto &reply) {
                auto before = tx.get("count", "n");
                int number = before ? std::stoi(before->str()) : 0;
                tx.put("count", "n", std::to_string(number + 1));
                reply.body(std::to_string(number + 1));
            });
        add_raw(options, "/raw/1", &kinds[0]);
        add_raw(options, "/raw/2", &kinds[1]);
        add_raw(options, "/raw/3", &kinds[2]);
        affiant::runtime first = options.open();
        affiant::runtime second = options.open();
        CHECK(alive == 2);
        inside = first.handle();
        answers(first);
        failures(first);
        from_many_threads(first);
        CHECK(!second.snapshot().has("notes", "7"));
        // A refused endpoint frees what it was given, once.
        options.endpoint("NO METHOD", "/x", [state](const auto &, auto &, auto &) {});
        CHECK(alive == 2);
    }
    CHECK(alive == 0);
    return 0;
}
