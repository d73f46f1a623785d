/* Writes a ledger for others to read: AFFIANT_TEST_DIR/data, and expected.json with what is in it. */
#include "../check.h"

int main(void) {
    char path[4096];
    affiant_runtime *runtime;
    affiant_tx *tx;
    affiant_slice certificate;
    affiant_txid txid;
    char key[32], value[64];
    uint8_t digest[32];
    FILE *file;
    int index, count = quick() ? 40 : 200;
    snprintf(path, sizeof path, "%s", test_path("data"));
    runtime = open_runtime(path);
    OK(affiant_tx_begin(runtime, &tx), runtime);
    for (index = 0; index < count; index++) {
        snprintf(key, sizeof key, "key %d", index % 50);
        snprintf(value, sizeof value, "value %d", index);
        OK(affiant_tx_put(tx, affiant_text("public:from.c"), affiant_text(key),
                          affiant_text(value)),
           tx);
        OK(affiant_tx_put(tx, affiant_text("private.from.c"), affiant_text(value),
                          affiant_text(key)),
           tx);
        if (index % 7 == 0) {
            OK(affiant_tx_remove(tx, affiant_text("public:from.c"), affiant_text("key 3")), tx);
        }
        if (index % 5 == 0) {
            memset(digest, index + 1, sizeof digest);
            OK(affiant_tx_set_claims_digest(tx, affiant_data(digest, sizeof digest)), tx);
        }
        OK(affiant_tx_commit(tx, &txid), tx);
        if (index % 20 == 19) {
            OK(affiant_runtime_wait(runtime, txid, LONG_MS), runtime);
        }
    }
    OK(affiant_runtime_sync(runtime, LONG_MS, NULL), runtime);
    IS(AFFIANT_OK, affiant_tx_free(tx));

    OK(affiant_runtime_service_certificate(runtime, &certificate), runtime);
    file = fopen(test_path("service_cert.pem"), "wb");
    CHECK(file != NULL);
    CHECK(fwrite(certificate.data, 1, certificate.size, file) == certificate.size);
    CHECK(fclose(file) == 0);
    file = fopen(test_path("expected.json"), "wb");
    CHECK(file != NULL);
    fprintf(file, "{\"transactions\": %d, \"last\": {\"public:from.c\": {\"key %d\": \"value %d\"}, ",
            count, (count - 1) % 50, count - 1);
    fprintf(file, "\"private.from.c\": {\"value %d\": \"key %d\"}}}\n", count - 1,
            (count - 1) % 50);
    CHECK(fclose(file) == 0);
    OK(affiant_runtime_stop(runtime, LONG_MS), runtime);
    IS(AFFIANT_OK, affiant_runtime_free(runtime));
    return 0;
}
