/* kv: a key-value store in a directory, on the command line. Every write is on disk, encrypted and signed before the
 * command ends, and `verify` proves it. */
#include <affiant.h>

#include <stdio.h>
#include <string.h>

#define MAP "kv"
#define WAIT_MS 60000

static const char USAGE[] =
    "usage: kv DIRECTORY put KEY VALUE\n"
    "       kv DIRECTORY get KEY\n"
    "       kv DIRECTORY delete KEY\n"
    "       kv DIRECTORY scan [PREFIX]\n"
    "       kv DIRECTORY verify KEY\n";

/* Says why a call failed; always 1, the exit code. */
static int failed(const char *what, affiant_status status, const void *object) {
    char text[512];
    if (affiant_error_text(object, text, sizeof text) == 0) {
        fprintf(stderr, "kv: %s: %s\n", what, affiant_status_text(status));
    } else {
        fprintf(stderr, "kv: %s: %s\n", what, text);
    }
    return 1;
}

static void print(affiant_slice slice) {
    fwrite(slice.data, 1, slice.size, stdout);
}

/* Commits what was written, and says where it is. */
static int commit(affiant_tx *tx, affiant_status written) {
    affiant_txid txid;
    char text[48];
    affiant_status status = written;
    if (status == AFFIANT_OK) {
        status = affiant_tx_commit_and_wait(tx, WAIT_MS, &txid);
    }
    if (status != AFFIANT_OK) {
        return failed("it was not written", status, tx);
    }
    affiant_txid_format(txid, text, sizeof text);
    printf("committed as transaction %s\n", text);
    return 0;
}

static int put(affiant_tx *tx, const char *key, const char *value) {
    return commit(tx,
                  affiant_tx_put(tx, affiant_text(MAP), affiant_text(key), affiant_text(value)));
}

static int delete_key(affiant_tx *tx, const char *key) {
    return commit(tx, affiant_tx_remove(tx, affiant_text(MAP), affiant_text(key)));
}

static int get(affiant_tx *tx, const char *key) {
    affiant_slice value;
    affiant_status status = affiant_tx_get(tx, affiant_text(MAP), affiant_text(key), &value);
    if (status != AFFIANT_OK) {
        return failed(key, status, tx);
    }
    print(value);
    putchar('\n');
    return 0;
}

static int scan(affiant_tx *tx, const char *prefix) {
    affiant_range range = {0};
    affiant_iterator *iterator;
    affiant_slice key, value;
    affiant_status status;
    range.size = sizeof range;
    range.prefix = affiant_text(prefix);
    status = affiant_tx_range(tx, affiant_text(MAP), &range, &iterator);
    if (status != AFFIANT_OK) {
        return failed("scan", status, tx);
    }
    while ((status = affiant_iterator_next(iterator, &key, &value)) == AFFIANT_OK) {
        print(key);
        putchar('\t');
        print(value);
        putchar('\n');
    }
    if (status != AFFIANT_END) {
        failed("scan", status, iterator);
    }
    affiant_iterator_free(iterator);
    return status == AFFIANT_END ? 0 : 1;
}

/* Checks the receipt of the transaction that last wrote a key, and prints each check. */
static int judge(affiant_receipt *receipt, affiant_slice certificate) {
    static const char *const outcomes[] = {"?", "passed", "failed", "skipped"};
    affiant_slice json;
    affiant_verdict *verdict;
    size_t index, count = 0;
    affiant_status status = affiant_receipt_json(receipt, &json);
    if (status != AFFIANT_OK) {
        return failed("receipt", status, receipt);
    }
    status = affiant_verify_receipt(json, certificate, NULL, &verdict);
    if (verdict == NULL) {
        return failed("receipt", status, NULL);
    }
    affiant_verdict_count(verdict, &count);
    for (index = 0; index < count; index++) {
        affiant_check check = {0};
        check.size = sizeof check;
        if (affiant_verdict_check(verdict, index, &check) == AFFIANT_OK && check.outcome < 4) {
            printf("  %-8s", outcomes[check.outcome]);
            print(check.name);
            fputs(": ", stdout);
            print(check.explanation);
            putchar('\n');
        }
    }
    affiant_verdict_free(verdict);
    puts(status == AFFIANT_OK ? "the receipt holds" : "THE RECEIPT DOES NOT HOLD");
    return status == AFFIANT_OK ? 0 : 1;
}

static int verify(affiant_runtime *runtime, affiant_tx *tx, const char *key) {
    uint64_t seqno;
    affiant_txid txid;
    affiant_slice certificate;
    affiant_receipt *receipt;
    char text[48];
    int code;
    affiant_status status =
        affiant_tx_version_of(tx, affiant_text(MAP), affiant_text(key), &seqno);
    if (status != AFFIANT_OK) {
        return failed(key, status, tx);
    }
    status = affiant_runtime_txid_at(runtime, seqno, &txid);
    if (status == AFFIANT_OK) {
        status = affiant_runtime_receipt(runtime, txid, WAIT_MS, &receipt);
    }
    if (status != AFFIANT_OK) {
        return failed(key, status, runtime);
    }
    status = affiant_runtime_service_certificate(runtime, &certificate);
    affiant_txid_format(txid, text, sizeof text);
    printf("%s was last written by transaction %s\n", key, text);
    code = status == AFFIANT_OK ? judge(receipt, certificate)
                                : failed("certificate", status, runtime);
    affiant_receipt_free(receipt);
    return code;
}

static int command(affiant_runtime *runtime, affiant_tx *tx, int count, char **words) {
    const char *name = words[0];
    if (strcmp(name, "put") == 0 && count == 3) {
        return put(tx, words[1], words[2]);
    }
    if (strcmp(name, "get") == 0 && count == 2) {
        return get(tx, words[1]);
    }
    if (strcmp(name, "delete") == 0 && count == 2) {
        return delete_key(tx, words[1]);
    }
    if (strcmp(name, "scan") == 0 && count <= 2) {
        return scan(tx, count == 2 ? words[1] : "");
    }
    if (strcmp(name, "verify") == 0 && count == 2) {
        return verify(runtime, tx, words[1]);
    }
    fputs(USAGE, stderr);
    return 2;
}

int main(int argc, char **argv) {
    affiant_options *options;
    affiant_runtime *runtime = NULL;
    affiant_tx *tx;
    affiant_status status;
    int code = 1;
    if (argc < 3) {
        fputs(USAGE, stderr);
        return 2;
    }
    status = affiant_options_new(AFFIANT_VERSION, &options);
    if (status != AFFIANT_OK) {
        return failed("affiant", status, NULL);
    }
    status = affiant_options_set_directory(options, affiant_text(argv[1]));
    if (status == AFFIANT_OK) {
        status = affiant_runtime_open(options, &runtime);
    }
    if (status != AFFIANT_OK) {
        failed(argv[1], status, options);
    } else if ((status = affiant_tx_begin(runtime, &tx)) != AFFIANT_OK) {
        failed("begin", status, runtime);
    } else {
        code = command(runtime, tx, argc - 2, argv + 2);
        affiant_tx_free(tx);
    }
    affiant_options_free(options);
    affiant_runtime_free(runtime);
    return code;
}
