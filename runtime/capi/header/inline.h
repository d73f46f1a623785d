#ifdef __cplusplus
extern "C" {
#endif

/* The bytes of a C string, without its NUL; empty for NULL. Borrowed. */
static inline affiant_slice affiant_text(const char *text) {
    affiant_slice slice = {NULL, 0};
    if (text != NULL) {
        slice.data = (const uint8_t *)text;
        slice.size = strlen(text);
    }
    return slice;
}

/* `size` bytes from `data` on. Borrowed. */
static inline affiant_slice affiant_data(const void *data, size_t size) {
    affiant_slice slice = {NULL, 0};
    slice.data = (const uint8_t *)data;
    slice.size = size;
    return slice;
}

#ifdef __cplusplus
}
#endif
