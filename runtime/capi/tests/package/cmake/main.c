/* A program of somebody who found the library with CMake. */
#include <affiant.h>

int main(void) {
    return affiant_version() == AFFIANT_VERSION ? 0 : 1;
}
