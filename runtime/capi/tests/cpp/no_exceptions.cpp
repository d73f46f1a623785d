// affiant.hpp without exceptions: every function returns the value or the error.
#define AFFIANT_NO_EXCEPTIONS 1
#include <affiant.hpp>

#include "../check.h"

int main() {
    affiant::expected<affiant::runtime> opened = affiant::options().open();
    CHECK(opened.has_value());
    affiant::runtime &ledger = *opened;
    affiant::expected<affiant::txid> id = ledger.run([](affiant::transaction &tx) {
        CHECK(tx.put("notes", "a", "1"));
        affiant::expected<void> refused = tx.put("ccf.mine", "a", "1");
        CHECK(!refused && refused.error().status() == AFFIANT_INVALID_ARGUMENT);
    });
    CHECK(id.has_value() && id->seqno > 1);
    affiant::expected<affiant::snapshot> snapshot = ledger.snapshot();
    CHECK(snapshot.has_value());
    auto value = snapshot->get("notes", "a");
    CHECK(value && *value && (*value)->text() == "1");
    CHECK(!*snapshot->get("notes", "b"));
    auto entries = snapshot->range("notes");
    CHECK(entries.has_value());
    int count = 0;
    for (const affiant::entry &entry : *entries) {
        CHECK(entry.key.text() == "a");
        count++;
    }
    CHECK(count == 1 && entries->status() == AFFIANT_OK);
    auto receipt = ledger.receipt(*id);
    CHECK(receipt.has_value());
    auto verdict = receipt->verify(*ledger.service_certificate());
    CHECK(verdict.has_value() && verdict->valid());
    affiant::expected<affiant::runtime> refused = affiant::options().directory("").open();
    CHECK(!refused && strstr(refused.error().what(), "path is empty") != nullptr);
    CHECK(ledger.stop());
    CHECK(!ledger.begin());
    return 0;
}
