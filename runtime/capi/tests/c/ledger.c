/* A ledger on disk, written, closed, opened again and written on: what others are asked to validate
 * (ledgers.sh). Leaves its data directory in AFFIANT_TEST_DIR, and beside it
 *   data.expect   every entry of the maps it used: map, key and value in hex, tabs between them
 *   data.proof    the service's certificate, receipts in both forms, and which transactions they are of
 */
#define _POSIX_C_SOURCE 200809L

#include "../check.h"

#include <inttypes.h>
#include <sys/stat.h>

#define RECEIPTS 5

static const char *const MAPS[] = {"public:accounts", "accounts"};

static struct {
    affiant_txid txid;
    bool claims;
} proven[RECEIPTS];

static uint8_t claims[32];

static FILE *file_in(const char *directory, const char *name) {
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    return file;
}

static void save(const char *directory, const char *name, affiant_slice bytes) {
    FILE *file = file_in(directory, name);
    CHECK(fwrite(bytes.data, 1, bytes.size, file) == bytes.size && fclose(file) == 0);
}

/* What lies under a key after `rounds` rounds of writing; false if nothing does. */
static bool wanted(unsigned number, unsigned rounds, char *value, size_t capacity) {
    unsigned round = rounds > 1 && number % 3 == 0 ? 2 : 1;
    snprintf(value, capacity, "value %u of round %u, %0*d", number, round, 1 + (int)(number % 90), 0);
    return number % 7 != 6;
}

/* One transaction for each number: an entry in either map. */
static void write_round(affiant_runtime *runtime, unsigned count, unsigned round) {
    affiant_tx *tx;
    OK(affiant_tx_begin(runtime, &tx), runtime);
    for (unsigned number = 0; number < count; number++) {
        if (round == 2 && number % 3 != 0) {
            continue;
        }
        char key[32];
        char value[160];
        affiant_txid txid;
        bool kept = wanted(number, round, value, sizeof value);
        bool proof = number < RECEIPTS * 3 && number % 3 == 0 && round == 2;
        snprintf(key, sizeof key, "account-%05u", number);
        for (size_t map = 0; map < 2; map++) {
            OK(affiant_tx_put(tx, affiant_text(MAPS[map]), affiant_text(key), affiant_text(value)), tx);
        }
        if (proof && number % 2 == 0) {
            OK(affiant_tx_set_claims_digest(tx, affiant_data(claims, sizeof claims)), tx);
        }
        OK(affiant_tx_commit(tx, &txid), tx);
        if (proof) {
            proven[number / 3].txid = txid;
            proven[number / 3].claims = number % 2 == 0;
        }
        if (!kept) {
            for (size_t map = 0; map < 2; map++) {
                OK(affiant_tx_remove(tx, affiant_text(MAPS[map]), affiant_text(key)), tx);
            }
            OK(affiant_tx_commit(tx, &txid), tx);
        }
    }
    OK(affiant_tx_free(tx), tx);
    OK(affiant_runtime_sync(runtime, LONG_MS, NULL), runtime);
}

static void read_all(affiant_runtime *runtime, unsigned count, unsigned rounds) {
    affiant_snapshot *snapshot;
    OK(affiant_runtime_snapshot(runtime, &snapshot), runtime);
    for (unsigned number = 0; number < count; number++) {
        char key[32];
        char value[160];
        bool kept = wanted(number, rounds, value, sizeof value);
        snprintf(key, sizeof key, "account-%05u", number);
        for (size_t map = 0; map < 2; map++) {
            affiant_slice found;
            affiant_status status =
                affiant_snapshot_get(snapshot, affiant_text(MAPS[map]), affiant_text(key), &found);
            if (!kept) {
                CHECK(status == AFFIANT_NOT_FOUND);
                continue;
            }
            OK(status, snapshot);
            CHECK(found.size == strlen(value) && memcmp(found.data, value, found.size) == 0);
        }
    }
    OK(affiant_snapshot_free(snapshot), snapshot);
}

/* Receipts of what was remembered, checked here and kept for others. */
static void prove(affiant_runtime *runtime, const char *directory) {
    char path[5000];
    affiant_slice pem;
    snprintf(path, sizeof path, "%s/receipts", directory);
    CHECK(mkdir(directory, 0755) == 0 && mkdir(path, 0755) == 0);
    OK(affiant_runtime_service_certificate(runtime, &pem), runtime);
    save(directory, "service_cert.pem", pem);
    FILE *list = file_in(directory, "transactions.json");
    fputs("{\"chosen\": [", list);
    for (size_t index = 0; index < RECEIPTS; index++) {
        affiant_receipt *receipt;
        affiant_slice json;
        affiant_slice cose;
        char name[80];
        char id[64];
        snprintf(id, sizeof id, "%" PRIu64 ".%" PRIu64, proven[index].txid.view, proven[index].txid.seqno);
        OK(affiant_runtime_receipt(runtime, proven[index].txid, LONG_MS, &receipt), runtime);
        OK(affiant_receipt_json(receipt, &json), receipt);
        OK(affiant_receipt_cose(receipt, &cose), receipt);
        OK(affiant_verify_receipt(json, pem, NULL, NULL), NULL);
        OK(affiant_verify_receipt(cose, pem, NULL, NULL), NULL);
        snprintf(name, sizeof name, "%s.json", id);
        save(path, name, json);
        snprintf(name, sizeof name, "%s.cose", id);
        save(path, name, cose);
        OK(affiant_receipt_free(receipt), receipt);
        fprintf(list, "%s[\"%s\", ", index == 0 ? "" : ", ", id);
        if (proven[index].claims) {
            fputc('"', list);
            for (size_t byte = 0; byte < sizeof claims; byte++) {
                fprintf(list, "%02x", claims[byte]);
            }
            fputs("\"]", list);
        } else {
            fputs("null]", list);
        }
    }
    fputs("]}\n", list);
    CHECK(fclose(list) == 0);
}

static void expect(unsigned count) {
    FILE *file = fopen(test_path("data.expect"), "wb");
    CHECK(file != NULL);
    for (unsigned number = 0; number < count; number++) {
        char value[160];
        char key[32];
        if (!wanted(number, 2, value, sizeof value)) {
            continue;
        }
        snprintf(key, sizeof key, "account-%05u", number);
        for (size_t map = 0; map < 2; map++) {
            fprintf(file, "%s\t", MAPS[map]);
            for (const char *at = key; *at != 0; at++) {
                fprintf(file, "%02x", (unsigned)(unsigned char)*at);
            }
            fputc('\t', file);
            for (const char *at = value; *at != 0; at++) {
                fprintf(file, "%02x", (unsigned)(unsigned char)*at);
            }
            fputc('\n', file);
        }
    }
    CHECK(fclose(file) == 0);
}

int main(void) {
    unsigned count = quick() ? 60 : 2000;
    char directory[4096];
    char proof[4096];
    snprintf(directory, sizeof directory, "%s", test_path("data"));
    snprintf(proof, sizeof proof, "%s", test_path("data.proof"));
    for (size_t byte = 0; byte < sizeof claims; byte++) {
        claims[byte] = (uint8_t)(byte * 7 + 1);
    }

    affiant_runtime *runtime = open_runtime(directory);
    write_round(runtime, count, 1);
    read_all(runtime, count, 1);
    OK(affiant_runtime_stop(runtime, LONG_MS), runtime);
    OK(affiant_runtime_free(runtime), runtime);

    runtime = open_runtime(directory);
    read_all(runtime, count, 1);
    write_round(runtime, count, 2);
    read_all(runtime, count, 2);
    prove(runtime, proof);
    OK(affiant_runtime_free(runtime), runtime);
    expect(count);
    printf("%u accounts\n", count);
    return 0;
}
