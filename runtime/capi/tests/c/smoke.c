/* The least a program does: the version, what the statuses are called, misuse that gets an answer. */
#include <affiant.h>
#include <stdio.h>
#include <string.h>

static int faults;

static void check(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "wrong: %s\n", what);
        faults++;
    }
}

static void versions(void) {
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", AFFIANT_VERSION_MAJOR, AFFIANT_VERSION_MINOR,
             AFFIANT_VERSION_PATCH);
    check(affiant_version() == AFFIANT_VERSION, "the version of the library");
    check(strcmp(affiant_version_text(), text) == 0, "the version as text");
    check(affiant_check_version(AFFIANT_VERSION) == AFFIANT_OK, "this header fits");
    check(affiant_check_version(AFFIANT_VERSION + 1) == AFFIANT_VERSION_MISMATCH, "a later header");
    check(affiant_check_version(AFFIANT_VERSION + 1000) == AFFIANT_VERSION_MISMATCH, "the next minor version");
    check(affiant_check_version(AFFIANT_VERSION + 1000000) == AFFIANT_VERSION_MISMATCH,
          "the next major version");
    check(affiant_has_feature(affiant_text("js")), "it was built with js");
    check(!affiant_has_feature(affiant_text("j")), "no feature is called j");
    check(!affiant_has_feature(affiant_text(NULL)), "nor has one no name");
}

static void statuses(void) {
    check(strcmp(affiant_status_name(AFFIANT_OK), "AFFIANT_OK") == 0, "the name of 0");
    check(strcmp(affiant_status_name(AFFIANT_CONFLICT), "AFFIANT_CONFLICT") == 0, "the name of a conflict");
    check(strcmp(affiant_status_name(77), "AFFIANT_UNKNOWN_STATUS") == 0, "the name of no status");
    for (affiant_status status = AFFIANT_NULL_ARGUMENT; status <= AFFIANT_END; status++) {
        const char *name = affiant_status_name(status);
        check(strncmp(name, "AFFIANT_", 8) == 0 && strcmp(name, "AFFIANT_UNKNOWN_STATUS") != 0, name);
        check(strlen(affiant_status_text(status)) > 10, name);
    }
}

static void misuse(void) {
    affiant_slice view;
    int mine = 0;
    check(affiant_bytes_view(NULL, &view) == AFFIANT_NULL_ARGUMENT, "bytes at NULL");
    affiant_status status = affiant_bytes_view((const affiant_bytes *)(const void *)&mine, &view);
    check(status == AFFIANT_INVALID_HANDLE || status == AFFIANT_WRONG_TYPE, "bytes that are no handle");
    check(affiant_bytes_free(NULL) == AFFIANT_OK, "freeing NULL");
    check(affiant_error_text(NULL, NULL, 0) == 0, "no reason for nothing");
}

int main(void) {
    versions();
    statuses();
    misuse();
    printf("affiant %s\n", affiant_version_text());
    return faults == 0 ? 0 : 1;
}
