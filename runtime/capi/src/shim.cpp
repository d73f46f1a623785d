// Calls functions of the program, which may be written in C++: an exception must not go on into Rust, whose
// frames it would unwind without their consent.
//
// The library is linked into C programs too, where there is no C++ library. So every name of it is weak: in a
// C program they are null, and nobody throws.

#include <cstddef>
#include <cstdint>
#include <exception>

#if defined(__ELF__)
__asm__(".weak __gxx_personality_v0\n"
        ".weak __cxa_begin_catch\n"
        ".weak __cxa_end_catch\n"
        ".weak __cxa_rethrow\n"
        ".weak _ZTISt9exception\n"
        ".weak _ZSt9terminatev\n");
#endif

extern "C" {
extern const char affiantshim_exception_type __asm__("_ZTISt9exception") __attribute__((weak));
void affiantshim_rethrow() __asm__("__cxa_rethrow") __attribute__((weak));
}

namespace {

// A catch clause without its type would take exceptions of every type for one with a text.
bool has_types() {
    const char *volatile type = &affiantshim_exception_type;
    void (*volatile rethrow)() = &affiantshim_rethrow;
    return type != nullptr && rethrow != nullptr;
}

void note(const char *text, char *room, std::size_t capacity) {
    if (capacity == 0) {
        return;
    }
    std::size_t length = 0;
    while (text != nullptr && text[length] != '\0' && length + 1 < capacity) {
        room[length] = text[length];
        length++;
    }
    room[length] = '\0';
}

// The text of the exception that is being handled.
void note_current(char *room, std::size_t capacity) {
    note("", room, capacity);
    if (!has_types()) {
        return;
    }
    try {
        throw;
    } catch (const std::exception &exception) {
        note(exception.what(), room, capacity);
    } catch (...) {
    }
}

} // namespace

extern "C" {

// 0, and what the handler returned; 1 if it threw: what is NUL-terminated then, and empty if it has no text.
int affiantshim_call(std::uint32_t (*handler)(void *, const void *, void *, void *), void *userdata,
                     const void *request, void *tx, void *response, std::uint32_t *status, char *what,
                     std::size_t capacity) {
    try {
        *status = handler(userdata, request, tx, response);
        return 0;
    } catch (...) {
        note_current(what, capacity);
        return 1;
    }
}

// The same for what frees the program's memory.
int affiantshim_free(void (*function)(void *), void *userdata, char *what, std::size_t capacity) {
    try {
        function(userdata);
        return 0;
    } catch (...) {
        note_current(what, capacity);
        return 1;
    }
}
}
