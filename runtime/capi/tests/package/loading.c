/* A program that knows the library only at run time: loads it, calls it, lets go of it, and again. */
#define _GNU_SOURCE
#include <affiant.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef uint32_t (*number)(void);

int main(int count, char **arguments) {
    if (count != 3) {
        return 2;
    }
    for (int round = 0; round < 2; round++) {
        void *library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        void *plain = dlsym(library, "affiant_version");
        void *versioned = dlvsym(library, "affiant_version", arguments[2]);
        if (plain == NULL || plain != versioned) {
            fprintf(stderr, "affiant_version is %p, of %s %p\n", plain, arguments[2], versioned);
            return 1;
        }
        if (dlsym(library, "JS_NewRuntime") != NULL || dlsym(library, "rust_eh_personality") != NULL) {
            fprintf(stderr, "names of the inside are visible\n");
            return 1;
        }
        number version;
        memcpy(&version, &plain, sizeof version);
        if (version() != AFFIANT_VERSION) {
            fprintf(stderr, "version %u, expected %u\n", version(), (unsigned)AFFIANT_VERSION);
            return 1;
        }
        if (dlclose(library) != 0) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
    }
    return 0;
}
