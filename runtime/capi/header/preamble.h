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
