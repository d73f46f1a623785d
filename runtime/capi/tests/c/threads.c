/* Many threads: commits, snapshots that are read by all, one transaction in two hands, and a stop in the middle. */
#define _DEFAULT_SOURCE

#include "../check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS 8
#define MAP affiant_text("numbers")

struct shared {
    affiant_runtime *runtime;
    affiant_snapshot *snapshot;
    affiant_tx *tx;
    atomic_int committed;
    atomic_int closed;
    atomic_int busy;
};

struct worker {
    struct shared *shared;
    int number;
};

static void *commits(void *argument) {
    struct worker *worker = (struct worker *)argument;
    struct shared *shared = worker->shared;
    affiant_tx *tx;
    char key[32];
    int round;
    OK(affiant_tx_begin(shared->runtime, &tx), shared->runtime);
    for (round = 0;; round++) {
        affiant_status status;
        snprintf(key, sizeof key, "%d-%d", worker->number, round);
        OK(affiant_tx_put(tx, MAP, affiant_text(key), affiant_text("x")), tx);
        status = affiant_tx_commit_and_wait(tx, LONG_MS, NULL);
        if (status == AFFIANT_CLOSED) {
            break;
        }
        OK(status, tx);
        atomic_fetch_add(&shared->committed, 1);
    }
    CHECK(atomic_load(&shared->closed));
    IS(AFFIANT_OK, affiant_tx_free(tx));
    return NULL;
}

static void *reads(void *argument) {
    struct shared *shared = ((struct worker *)argument)->shared;
    int round;
    for (round = 0; round < 200; round++) {
        affiant_slice value;
        uint64_t count;
        OK(affiant_snapshot_get(shared->snapshot, MAP, affiant_text("first"), &value),
           shared->snapshot);
        CHECK(slice_is(value, "1"));
        OK(affiant_snapshot_count(shared->snapshot, MAP, &count), shared->snapshot);
        CHECK(count == 1);
    }
    return NULL;
}

static void *shares_a_transaction(void *argument) {
    struct shared *shared = ((struct worker *)argument)->shared;
    int round;
    for (round = 0; round < 2000; round++) {
        affiant_status status =
            affiant_tx_put(shared->tx, MAP, affiant_text("shared"), affiant_text("x"));
        CHECK(status == AFFIANT_OK || status == AFFIANT_BUSY);
        if (status == AFFIANT_BUSY) {
            atomic_fetch_add(&shared->busy, 1);
        }
    }
    return NULL;
}

static void run(struct shared *shared, void *(*work)(void *), void (*meanwhile)(struct shared *)) {
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    int index;
    for (index = 0; index < THREADS; index++) {
        workers[index].shared = shared;
        workers[index].number = index;
        CHECK(pthread_create(&threads[index], NULL, work, &workers[index]) == 0);
    }
    if (meanwhile != NULL) {
        meanwhile(shared);
    }
    for (index = 0; index < THREADS; index++) {
        CHECK(pthread_join(threads[index], NULL) == 0);
    }
}

static void stop(struct shared *shared) {
    while (atomic_load(&shared->committed) < (quick() ? 8 : 64)) {
        usleep(1000);
    }
    atomic_store(&shared->closed, 1);
    OK(affiant_runtime_stop(shared->runtime, LONG_MS), shared->runtime);
}

int main(void) {
    struct shared shared;
    affiant_runtime *other = open_runtime(NULL);
    affiant_snapshot *later;
    affiant_tx *tx;
    uint64_t count;
    memset(&shared, 0, sizeof shared);
    shared.runtime = open_runtime(NULL);
    OK(affiant_tx_begin(shared.runtime, &tx), shared.runtime);
    OK(affiant_tx_put(tx, MAP, affiant_text("first"), affiant_text("1")), tx);
    OK(affiant_tx_commit_and_wait(tx, LONG_MS, NULL), tx);
    OK(affiant_runtime_snapshot(shared.runtime, &shared.snapshot), shared.runtime);
    shared.tx = tx;
    run(&shared, shares_a_transaction, NULL);
    IS(AFFIANT_OK, affiant_tx_free(tx));
    run(&shared, commits, stop);
    run(&shared, reads, NULL);
    IS(AFFIANT_OK, affiant_snapshot_free(shared.snapshot));
    IS(AFFIANT_OK, affiant_runtime_free(shared.runtime));
    IS(AFFIANT_INVALID_HANDLE, affiant_runtime_snapshot(shared.runtime, &later));
    CHECK(later == NULL);

    /* The other runtime of this process never heard of any of it. */
    OK(affiant_runtime_snapshot(other, &later), other);
    OK(affiant_snapshot_count(later, MAP, &count), later);
    CHECK(count == 0);
    IS(AFFIANT_OK, affiant_snapshot_free(later));
    IS(AFFIANT_OK, affiant_runtime_free(other));
    return 0;
}
