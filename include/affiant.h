/* Affiant: a ledger in your process.
 *
 * A runtime is a replicated, transactional key-value store whose every write goes to an encrypted,
 * signed ledger; receipts prove to anybody what is in it. Open one, begin a transaction, put, commit.
 *
 * Status      Functions that can fail return affiant_status: AFFIANT_OK (0), or why not. Outputs are
 *             the last parameters, and are written on success only; a handle that is an output is NULL
 *             otherwise. affiant_error_text(object, ...) says what happened, where, and what to do: of
 *             the first handle that was given to the function, for the calling thread.
 * Handles     affiant_x_new, _open and their like make an object, affiant_x_free frees it; freeing NULL
 *             is allowed. A handle is a number that looks like a pointer: one that is NULL, freed, or of
 *             another type gives a status, never undefined behaviour. All other pointers must be valid.
 * Threads     A const handle may be used by any number of threads at once. One that is not const is for
 *             one thread at a time, whichever; another one meanwhile is told AFFIANT_BUSY. Nobody waits
 *             for a handle.
 * Callbacks   What a callback is given lives until it returns, is for its thread, and is not freed by
 *             it. Its first parameter is the userdata that it was registered with.
 * Memory      What goes in is copied, unless it is said to be borrowed. What comes out as an affiant_slice is a
 *             view into an object; each function says how long it lives.
 * Structs     Those that are passed by pointer begin with their size: set it to sizeof.
 * Text        UTF-8. affiant_text("...") makes an affiant_slice of a C string.
 * fork        Runtimes do not survive it: in the child, handles of the parent give AFFIANT_FORKED.
 * Settings    There are no global ones, and nothing is to be initialised.
 */

#ifndef AFFIANT_H
#define AFFIANT_H

/* Generated from runtime/capi by `make header`. Do not edit. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 The major version of this header.
 */
#define AFFIANT_VERSION_MAJOR 0

/*
 The minor version of this header.
 */
#define AFFIANT_VERSION_MINOR 1

/*
 The patch of this header.
 */
#define AFFIANT_VERSION_PATCH 0

/*
 The version of this header as one number: major * 1000000 + minor * 1000 + patch.
 */
#define AFFIANT_VERSION 1000

/*
 Bytes that belong to the program: made by a function of the library, to be freed with
 `affiant_bytes_free`, which overwrites them.
 */
typedef struct affiant_bytes affiant_bytes;

/*
 How a call ended: `AFFIANT_OK`, or why not. `affiant_status_name` and `affiant_status_text` put it
 into words; `affiant_error_text` has what is known of this very failure.
 */
typedef uint32_t affiant_status;

/*
 Bytes that lie somewhere else: `size` bytes from `data` on. Text is UTF-8 and needs no NUL at its end.
 Empty is any `data`, NULL too, with the size 0. In the header, `affiant_text("...")` and
 `affiant_data(pointer, size)` make one.
 */
typedef struct {
    /*
     The first byte.
     */
    const uint8_t *data;
    /*
     How many bytes.
     */
    size_t size;
} affiant_slice;

/*
 It was done.
 */
#define AFFIANT_OK 0

/*
 A pointer that must not be NULL is.
 */
#define AFFIANT_NULL_ARGUMENT 8001

/*
 The handle was freed before, or never was one.
 */
#define AFFIANT_INVALID_HANDLE 8002

/*
 The handle is of another type.
 */
#define AFFIANT_WRONG_TYPE 8003

/*
 The handle was lent to a callback on another thread.
 */
#define AFFIANT_WRONG_THREAD 8004

/*
 Another thread is using the object at this moment.
 */
#define AFFIANT_BUSY 8005

/*
 It cannot be done from inside a callback, or to what was lent to one.
 */
#define AFFIANT_REENTRANT 8006

/*
 The object belongs to the process that this one was forked from.
 */
#define AFFIANT_FORKED 8007

/*
 The runtime has stopped.
 */
#define AFFIANT_CLOSED 8008

/*
 The header that the program was compiled with does not fit this library.
 */
#define AFFIANT_VERSION_MISMATCH 8009

/*
 An argument is not what the function takes.
 */
#define AFFIANT_INVALID_ARGUMENT 8010

/*
 Something is larger than its bound.
 */
#define AFFIANT_TOO_LARGE 8011

/*
 There is no such key, header, parameter, address or feature.
 */
#define AFFIANT_NOT_FOUND 8012

/*
 Another transaction changed what this one read; nothing of it was kept. Run it again.
 */
#define AFFIANT_CONFLICT 8013

/*
 It was not done in time; it may still be.
 */
#define AFFIANT_TIMEOUT 8014

/*
 A write where only reading is allowed.
 */
#define AFFIANT_READ_ONLY 8015

/*
 Too many transactions wait for commit; wait a little, or call `affiant_runtime_sync`.
 */
#define AFFIANT_TOO_MANY_PENDING 8016

/*
 This node does not take transactions now.
 */
#define AFFIANT_NOT_PRIMARY 8017

/*
 The node has failed and accepts nothing more; open the runtime anew.
 */
#define AFFIANT_FAILED 8018

/*
 The disk cannot be read or written.
 */
#define AFFIANT_STORAGE 8019

/*
 Data on disk is damaged.
 */
#define AFFIANT_CORRUPT 8020

/*
 The directory is open already, here or in another process.
 */
#define AFFIANT_IN_USE 8021

/*
 The ledger has no such transaction, or it was rolled back.
 */
#define AFFIANT_NO_SUCH_TRANSACTION 8022

/*
 A receipt, evidence or signature was checked and refused.
 */
#define AFFIANT_NOT_VERIFIED 8023

/*
 A receipt, evidence, key, certificate or policy cannot be read.
 */
#define AFFIANT_UNREADABLE 8024

/*
 An app could not be loaded.
 */
#define AFFIANT_APPLICATION 8025

/*
 This library was built without it, or this machine does not have it.
 */
#define AFFIANT_UNSUPPORTED 8026

/*
 A callback threw an exception.
 */
#define AFFIANT_CALLBACK_FAILED 8027

/*
 A defect of the library. The object that was called may be of no further use; please report it.
 */
#define AFFIANT_PANIC 8028

/*
 A bound on the number of handles or of other objects is reached.
 */
#define AFFIANT_TOO_MANY 8029

/*
 The iteration has come to its end.
 */
#define AFFIANT_END 8030

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Shows the bytes, which stay where they are until they are freed. Any number of threads at once.

 # Safety
 `view` leads to room for an `affiant_slice`.
 */
affiant_status affiant_bytes_view(const affiant_bytes *bytes, affiant_slice *view);

/*
 Overwrites the bytes and frees them. NULL is allowed.
 */
affiant_status affiant_bytes_free(affiant_bytes *bytes);

/*
 Why the last failed call with `object` on this thread failed: what happened, where, what to do.

 `object` is a handle of any type: the first one that the failed function was given. Copies at most
 `capacity` bytes into `buffer`, the last of which is NUL, and returns the length of the whole text in
 bytes without NUL, as snprintf does; 0 if there is no such text. `buffer` may be NULL if `capacity` is 0. From any
 thread.

 # Safety
 `buffer` leads to `capacity` bytes.
 */
size_t affiant_error_text(const void *object,
                          char *buffer,
                          size_t capacity);

/*
 The name of a status, such as "AFFIANT_CONFLICT"; "AFFIANT_UNKNOWN_STATUS" for other numbers. Lives for ever.
 */
const char *affiant_status_name(affiant_status status);

/*
 What a status means, in a sentence. Lives for ever.
 */
const char *affiant_status_text(affiant_status status);

/*
 The version of the library that runs, as `AFFIANT_VERSION` has that of the header.
 */
uint32_t affiant_version(void);

/*
 The version of the library that runs, such as "0.1.0". Lives for ever.
 */
const char *affiant_version_text(void);

/*
 Whether a program that was compiled with the header of version `header` (pass `AFFIANT_VERSION`) can use
 this library: both have the same major version, while that is 0 also the same minor version, and the
 library is not older than the header. `AFFIANT_VERSION_MISMATCH` if not.
 */
affiant_status affiant_check_version(uint32_t header);

/*
 Whether the library was built with a feature: "js", "python". Unknown names: false.

 # Safety
 `name` leads to as many bytes as it says.
 */
bool affiant_has_feature(affiant_slice name);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* AFFIANT_H */

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
