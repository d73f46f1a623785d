//! What must not be done, done.

use super::*;

#[test]
fn headers_of_other_versions_are_refused() {
    let mut options = core::ptr::dangling_mut();
    // SAFETY: the output is here.
    let status = unsafe { affiant_options_new(AFFIANT_VERSION + 1, &raw mut options) };
    assert_eq!((status, options.is_null()), (AFFIANT_VERSION_MISMATCH, true));
    assert_eq!(affiant_check_version(AFFIANT_VERSION), AFFIANT_OK);
}

#[test]
fn options_say_what_they_do_not_take() {
    let options = options();
    // SAFETY: the slices are here.
    unsafe {
        let sealing = |kind| affiant_options_set_sealing(options, kind, affiant_slice::EMPTY);
        for (status, words) in [
            (affiant_options_set_directory(options, text("")), "path is empty"),
            (sealing(9), "9 is no AFFIANT_SEALING_... constant"),
            (affiant_options_set_platform(options, 0), "0 is no AFFIANT_PLATFORM_... constant"),
            (affiant_options_set_signature_delay(options, 0), "it is 1 at least"),
            (affiant_options_set_threads(options, 1, 1 << 20), "at most 1024 threads"),
            (affiant_options_add_user(options, text("x"), text("{")), "data_json is not JSON"),
        ] {
            assert_eq!(status, AFFIANT_INVALID_ARGUMENT, "{words}");
        }
        assert!(reason(options).contains("data_json is not JSON"), "{}", reason(options));
        ok(affiant_options_add_user(options, text("no certificate"), text("")), options);
        let mut runtime = core::ptr::dangling_mut();
        let status = affiant_runtime_open(options, &raw mut runtime);
        assert!(status != AFFIANT_OK && runtime.is_null() && !reason(options).is_empty());
        ok(affiant_options_listen(options, text("no address")), options);
        assert_ne!(affiant_runtime_open(options, &raw mut runtime), AFFIANT_OK);
    }
    assert_eq!(affiant_options_free(options), AFFIANT_OK);
}

#[test]
fn what_a_callback_may_not_do_is_refused() {
    let runtime = in_memory();
    let handle = runtime.runtime;
    boundary::calling_back(|| {
        assert_eq!(affiant_runtime_stop(handle, 0), AFFIANT_REENTRANT);
        assert_eq!(affiant_runtime_free(handle), AFFIANT_REENTRANT);
    });
    write(&runtime, "a", "1");
}

#[test]
fn outputs_are_checked() {
    let runtime = in_memory();
    let tx = begin(&runtime);
    put(tx, "a", "1");
    let mut words = [0_u64; 4];
    // SAFETY: one byte off what is here, with as much room after it.
    let misaligned = unsafe { words.as_mut_ptr().byte_add(1) };
    // SAFETY: what is not NULL is here.
    unsafe {
        let null = core::ptr::null_mut();
        assert_eq!(affiant_tx_get(tx, text("notes"), text("a"), null), AFFIANT_NULL_ARGUMENT);
        assert_eq!(reason(tx), "value is NULL");
        let status = affiant_tx_count(tx, text("notes"), misaligned);
        assert_eq!(status, AFFIANT_INVALID_ARGUMENT);
        assert_eq!(affiant_tx_begin(runtime.runtime, core::ptr::null_mut()), AFFIANT_NULL_ARGUMENT);
        let other = runtime.runtime.cast::<affiant_tx>();
        assert_eq!(affiant_tx_put(other, text("a"), text("a"), text("a")), AFFIANT_WRONG_TYPE);
    }
    assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
    assert_eq!(affiant_tx_free(tx), AFFIANT_INVALID_HANDLE);
    assert_eq!(affiant_runtime_free(core::ptr::null_mut()), AFFIANT_OK);
}
