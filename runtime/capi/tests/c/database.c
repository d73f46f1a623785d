/* The ledger as an embedded database: what is written is there, in order, isolated, and after it was closed. */
#include "../check.h"

#define MAP affiant_text("accounts")

static affiant_txid write_one(affiant_runtime *runtime, const char *key, const char *value) {
    affiant_tx *tx;
    affiant_txid txid;
    OK(affiant_tx_begin(runtime, &tx), runtime);
    OK(affiant_tx_put(tx, MAP, affiant_text(key), affiant_text(value)), tx);
    OK(affiant_tx_commit_and_wait(tx, LONG_MS, &txid), tx);
    IS(AFFIANT_OK, affiant_tx_free(tx));
    return txid;
}

static void reading_and_writing(affiant_runtime *runtime) {
    affiant_tx *tx;
    affiant_slice value;
    bool found = true;
    uint64_t count = 0;
    OK(affiant_tx_begin(runtime, &tx), runtime);
    IS(AFFIANT_NOT_FOUND, affiant_tx_get(tx, MAP, affiant_text("alice"), &value));
    OK(affiant_tx_put(tx, MAP, affiant_text("alice"), affiant_data("1\0002", 3)), tx);
    OK(affiant_tx_get(tx, MAP, affiant_text("alice"), &value), tx);
    CHECK(value.size == 3 && memcmp(value.data, "1\0002", 3) == 0);
    OK(affiant_tx_remove(tx, MAP, affiant_text("alice")), tx);
    OK(affiant_tx_has(tx, MAP, affiant_text("alice"), &found), tx);
    OK(affiant_tx_count(tx, MAP, &count), tx);
    CHECK(!found && count == 0);
    OK(affiant_tx_put(tx, MAP, affiant_text(""), affiant_text("")), tx);
    OK(affiant_tx_get(tx, MAP, affiant_text(""), &value), tx);
    CHECK(value.size == 0);
    /* Dropped without commit: no trace. */
    IS(AFFIANT_OK, affiant_tx_free(tx));
    OK(affiant_tx_begin(runtime, &tx), runtime);
    OK(affiant_tx_count(tx, MAP, &count), tx);
    CHECK(count == 0);
    IS(AFFIANT_OK, affiant_tx_free(tx));
}

static void conflicts(affiant_runtime *runtime) {
    affiant_tx *tx;
    affiant_slice value;
    affiant_txid txid = {7, 7};
    write_one(runtime, "alice", "10");
    OK(affiant_tx_begin(runtime, &tx), runtime);
    OK(affiant_tx_get(tx, MAP, affiant_text("alice"), &value), tx);
    OK(affiant_tx_put(tx, MAP, affiant_text("bob"), affiant_text("10")), tx);
    write_one(runtime, "alice", "11");
    IS(AFFIANT_CONFLICT, affiant_tx_commit(tx, &txid));
    CHECK(txid.view == 7 && says(tx, "run it again"));
    OK(affiant_tx_get(tx, MAP, affiant_text("alice"), &value), tx);
    CHECK(slice_is(value, "11"));
    OK(affiant_tx_put(tx, MAP, affiant_text("bob"), affiant_text("11")), tx);
    OK(affiant_tx_commit(tx, &txid), tx);
    OK(affiant_runtime_wait(runtime, txid, LONG_MS), runtime);
    IS(AFFIANT_OK, affiant_tx_free(tx));
}

static void iterating(affiant_runtime *runtime) {
    affiant_tx *tx;
    affiant_snapshot *snapshot;
    affiant_iterator *iterator;
    affiant_slice key, value;
    affiant_range range;
    char text[32];
    int index, count = quick() ? 300 : 3000;
    OK(affiant_tx_begin(runtime, &tx), runtime);
    for (index = 0; index < count; index++) {
        snprintf(text, sizeof text, "k%05d", index);
        OK(affiant_tx_put(tx, affiant_text("keys"), affiant_text(text), affiant_text(text + 1)),
           tx);
    }
    OK(affiant_tx_commit_and_wait(tx, LONG_MS, NULL), tx);
    OK(affiant_runtime_snapshot(runtime, &snapshot), runtime);
    OK(affiant_tx_clear(tx, affiant_text("keys")), tx);
    OK(affiant_tx_commit(tx, NULL), tx);
    IS(AFFIANT_OK, affiant_tx_free(tx));

    OK(affiant_snapshot_range(snapshot, affiant_text("keys"), NULL, &iterator), snapshot);
    for (index = 0; index < count; index++) {
        snprintf(text, sizeof text, "k%05d", index);
        OK(affiant_iterator_next(iterator, &key, &value), iterator);
        CHECK(slice_is(key, text) && slice_is(value, text + 1));
    }
    IS(AFFIANT_END, affiant_iterator_next(iterator, &key, &value));
    IS(AFFIANT_END, affiant_iterator_next(iterator, &key, &value));
    IS(AFFIANT_OK, affiant_iterator_free(iterator));

    memset(&range, 0, sizeof range);
    range.size = sizeof range;
    range.prefix = affiant_text("k0001");
    range.limit = 3;
    OK(affiant_snapshot_range(snapshot, affiant_text("keys"), &range, &iterator), snapshot);
    IS(AFFIANT_OK, affiant_snapshot_free(snapshot));
    for (index = 10; index < 13; index++) {
        snprintf(text, sizeof text, "k%05d", index);
        OK(affiant_iterator_next(iterator, &key, &value), iterator);
        CHECK(slice_is(key, text));
    }
    IS(AFFIANT_END, affiant_iterator_next(iterator, &key, &value));
    IS(AFFIANT_OK, affiant_iterator_free(iterator));
}

static void receipts(affiant_runtime *runtime) {
    affiant_txid txid = write_one(runtime, "carol", "5"), told;
    affiant_receipt *receipt;
    affiant_verdict *verdict;
    affiant_slice json, cose, certificate;
    char *changed;
    OK(affiant_runtime_receipt(runtime, txid, LONG_MS, &receipt), runtime);
    OK(affiant_receipt_json(receipt, &json), receipt);
    OK(affiant_receipt_cose(receipt, &cose), receipt);
    OK(affiant_receipt_txid(receipt, &told), receipt);
    CHECK(told.view == txid.view && told.seqno == txid.seqno);
    OK(affiant_runtime_service_certificate(runtime, &certificate), runtime);
    IS(AFFIANT_OK, affiant_verify_receipt(json, certificate, NULL, NULL));
    IS(AFFIANT_OK, affiant_verify_receipt(cose, certificate, NULL, NULL));
    changed = (char *)malloc(json.size + 1);
    CHECK(changed != NULL);
    memcpy(changed, json.data, json.size);
    changed[json.size] = '\0';
    {
        char *digest = strstr(changed, "\"write_set_digest\":\"");
        CHECK(digest != NULL);
        digest += strlen("\"write_set_digest\":\"");
        *digest = *digest == '0' ? '1' : '0';
    }
    IS(AFFIANT_NOT_VERIFIED,
       affiant_verify_receipt(affiant_text(changed), certificate, NULL, &verdict));
    CHECK(verdict != NULL);
    IS(AFFIANT_OK, affiant_verdict_free(verdict));
    free(changed);
    IS(AFFIANT_OK, affiant_receipt_free(receipt));
}

int main(void) {
    char path[4096];
    affiant_runtime *runtime;
    affiant_tx *tx;
    affiant_slice value;
    snprintf(path, sizeof path, "%s", test_path("data"));
    runtime = open_runtime(path);
    reading_and_writing(runtime);
    conflicts(runtime);
    iterating(runtime);
    receipts(runtime);
    OK(affiant_runtime_stop(runtime, LONG_MS), runtime);
    IS(AFFIANT_CLOSED, affiant_tx_begin(runtime, &tx));
    IS(AFFIANT_OK, affiant_runtime_free(runtime));

    runtime = open_runtime(path);
    OK(affiant_tx_begin(runtime, &tx), runtime);
    OK(affiant_tx_get(tx, MAP, affiant_text("bob"), &value), tx);
    CHECK(slice_is(value, "11"));
    /* Freed after its runtime, which is allowed. */
    IS(AFFIANT_OK, affiant_runtime_free(runtime));
    IS(AFFIANT_CLOSED, affiant_tx_commit(tx, NULL));
    IS(AFFIANT_OK, affiant_tx_free(tx));
    return 0;
}
