// affiant.hpp as one would use it: owners, moves, range-for, errors.
#include <affiant.hpp>

#include "../check.h"

#include <thread>
#include <type_traits>
#include <vector>

static_assert(!std::is_copy_constructible<affiant::transaction>::value, "owners move");
static_assert(std::is_nothrow_move_constructible<affiant::runtime>::value, "owners move");

template <class Call> static affiant_status thrown(Call call) {
    try {
        call();
    } catch (const affiant::error &error) {
        CHECK(strlen(error.what()) > strlen(error.name()));
        return error.status();
    }
    return AFFIANT_OK;
}

static void owners(const affiant::runtime &ledger) {
    affiant::transaction first = ledger.begin();
    first.put("accounts", "alice", "10");
    affiant::transaction second = std::move(first);
    CHECK(second.get("accounts", "alice")->text() == "10");
    CHECK(!second.get("accounts", "nobody"));
    affiant::txid id = second.commit_and_wait();
    CHECK(id.view == 2 && id.str() == "2." + std::to_string(id.seqno));
    CHECK(ledger.status(id) == AFFIANT_TX_COMMITTED);
    second = ledger.begin();
    CHECK(second.version_of("accounts", "alice") == id.seqno);
    {
        affiant::transaction dropped = ledger.begin();
        dropped.put("accounts", "mallory", "1000000");
    }
    CHECK(!ledger.snapshot().has("accounts", "mallory"));
}

static void iterating(const affiant::runtime &ledger) {
    ledger.run([](affiant::transaction &tx) {
        for (int index = 0; index < 500; index++) {
            tx.put("numbers", std::to_string(1000 + index), std::to_string(index));
        }
    });
    affiant::snapshot seen = ledger.snapshot();
    int sum = 0;
    for (const auto &[key, value] : seen.range("numbers")) {
        CHECK(std::stoi(key.str()) == 1000 + std::stoi(value.str()));
        sum += std::stoi(value.str());
    }
    CHECK(sum == 500 * 499 / 2);
    std::vector<std::string> keys;
    affiant::range some = affiant::range::of_prefix("14");
    some.limit = 2;
    for (const affiant::entry &entry : seen.range("numbers", some)) {
        keys.push_back(entry.key.str());
    }
    CHECK(keys == (std::vector<std::string>{"1400", "1401"}));
    for (const affiant::entry &entry : seen.range("no such map")) {
        CHECK(entry.key.empty());
        CHECK(false);
    }
    bool found = false;
    for (const auto &[name, nothing] : seen.maps()) {
        found = found || (name == affiant::bytes_view("numbers") && nothing.empty());
    }
    CHECK(found);
}

static void counting_together(const affiant::runtime &ledger) {
    const int threads = 4, rounds = quick() ? 3 : 25;
    std::vector<std::thread> workers;
    for (int thread = 0; thread < threads; thread++) {
        workers.emplace_back([&] {
            for (int round = 0; round < rounds; round++) {
                ledger.run([](affiant::transaction &tx) {
                    auto before = tx.get("counter", "n");
                    int number = before ? std::stoi(before->str()) : 0;
                    tx.put("counter", "n", std::to_string(number + 1));
                });
            }
        });
    }
    for (std::thread &worker : workers) {
        worker.join();
    }
    affiant::snapshot last = ledger.snapshot();
    CHECK(last.get("counter", "n")->text() == std::to_string(threads * rounds));
}

static void receipts(const affiant::runtime &ledger) {
    std::vector<std::uint8_t> digest(32, 7);
    affiant::txid id = ledger.run([&](affiant::transaction &tx) {
        tx.put("claims", "a", "b");
        tx.claims_digest(digest);
    });
    affiant::receipt proof = ledger.receipt(id);
    affiant::expected_claims wanted;
    wanted.digest = digest;
    affiant::verdict verdict = proof.verify(ledger.service_certificate(), wanted);
    CHECK(verdict.valid() && *verdict.txid() == id && proof.txid() == id);
    CHECK(verdict.checks().size() > 3 && verdict.json().find("signature") != std::string::npos);
    CHECK(affiant::verify_receipt(*proof.cose(), ledger.service_certificate()).valid());
    digest[0] = 8;
    wanted.digest = digest;
    CHECK(!proof.verify(ledger.service_certificate(), wanted));
    CHECK(thrown([&] { affiant::verify_receipt("{", ledger.service_certificate()); }) ==
          AFFIANT_UNREADABLE);
}

int main() {
    const std::string path = test_path("data");
    affiant::runtime ledger = affiant::options().directory(path).open();
    owners(ledger);
    iterating(ledger);
    counting_together(ledger);
    receipts(ledger);
    CHECK(thrown([&] { affiant::options().directory("").open(); }) == AFFIANT_INVALID_ARGUMENT);
    CHECK(thrown([&] { ledger.begin().put("ccf.mine", "a", "b"); }) == AFFIANT_INVALID_ARGUMENT);
    affiant::runtime moved = std::move(ledger);
    CHECK(thrown([&] { ledger.begin(); }) == AFFIANT_NULL_ARGUMENT);
    affiant::snapshot kept = moved.snapshot();
    moved.stop();
    CHECK(thrown([&] { moved.begin(); }) == AFFIANT_CLOSED);
    CHECK(kept.get("accounts", "alice")->text() == "10");
    return 0;
}
