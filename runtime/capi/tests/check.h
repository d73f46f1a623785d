/* What the test programs share: a check that says where and what failed, for C and C++. */
#ifndef AFFIANT_TEST_CHECK_H
#define AFFIANT_TEST_CHECK_H

#include <affiant.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);               \
            exit(1);                                                                              \
        }                                                                                         \
    } while (0)

/* The call succeeds; `object` has the reason if not. */
#define OK(call, object) check_status((call), AFFIANT_OK, (object), #call, __FILE__, __LINE__)

/* The call ends with this status. */
#define IS(wanted, call) check_status((call), (wanted), NULL, #call, __FILE__, __LINE__)

#define LONG_MS 120000

static inline void check_status(affiant_status found, affiant_status wanted, const void *object,
                                const char *call, const char *file, int line) {
    char text[1024] = "";
    if (found == wanted) {
        return;
    }
    affiant_error_text(object, text, sizeof text);
    fprintf(stderr, "%s:%d: %s: %s, not %s: %s\n", file, line, call, affiant_status_name(found),
            affiant_status_name(wanted), text);
    exit(1);
}

static inline int slice_is(affiant_slice slice, const char *text) {
    return slice.size == strlen(text) && memcmp(slice.data, text, slice.size) == 0;
}

/* Whether the text of the last failure with `object` has these words. */
static inline int says(const void *object, const char *words) {
    char text[1024] = "";
    affiant_error_text(object, text, sizeof text);
    if (strstr(text, words) == NULL) {
        fprintf(stderr, "%s\n", text);
        return 0;
    }
    return 1;
}

/* A directory of this program's own, for `name` in it. */
static inline const char *test_path(const char *name) {
    static char path[4096];
    const char *directory = getenv("AFFIANT_TEST_DIR");
    if (directory == NULL) {
        fprintf(stderr, "set AFFIANT_TEST_DIR to an empty directory\n");
        exit(2);
    }
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

/* Less where each step takes long. */
static inline int quick(void) {
    return getenv("AFFIANT_TEST_QUICK") != NULL;
}

/* A runtime with its data in a directory, or in memory for NULL. */
static inline affiant_runtime *open_runtime(const char *directory) {
    affiant_options *options;
    affiant_runtime *runtime;
    IS(AFFIANT_OK, affiant_options_new(AFFIANT_VERSION, &options));
    if (directory != NULL) {
        OK(affiant_options_set_directory(options, affiant_text(directory)), options);
    }
    OK(affiant_runtime_open(options, &runtime), options);
    IS(AFFIANT_OK, affiant_options_free(options));
    return runtime;
}

#endif
