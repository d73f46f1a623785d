/* Links Affiant and another library in Rust statically, and uses both by turns. */
#include <affiant.h>
#include <stdio.h>

uint32_t second_divide(uint32_t dividend, uint32_t divisor);

int main(void) {
    for (int round = 0; round < 2; round++) {
        if (second_divide(84, 2) != 42 || second_divide(84, 0) != 0) {
            fprintf(stderr, "the other library is wrong\n");
            return 1;
        }
        if (affiant_version() != AFFIANT_VERSION) {
            fprintf(stderr, "the version is %u\n", affiant_version());
            return 1;
        }
    }
    return 0;
}
