//! Handlers of the program: what they are given, what they may not do, and how they end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use affiant::relying::{Options, Policy, VerifiedClient};
use serde_json::{Value as Json, json};

use super::*;

type Body = dyn Fn(&Given) -> affiant_status + Send + Sync;

/// What a handler was called with.
pub(super) struct Given {
    pub(super) request: *const affiant_request,
    pub(super) tx: *mut affiant_tx,
    response: *mut affiant_response,
}

impl Given {
    pub(super) fn answer(&self, body: &str) -> affiant_status {
        // SAFETY: the slice is here.
        unsafe { affiant_response_set_body(self.response, text(body)) }
    }

    pub(super) fn asked(
        &self,
        read: unsafe extern "C" fn(*const affiant_request, *mut affiant_slice) -> affiant_status,
    ) -> Result<String, affiant_status> {
        let mut view = affiant_slice::EMPTY;
        // SAFETY: the output is here.
        match unsafe { read(self.request, &raw mut view) } {
            AFFIANT_OK => Ok(String::from_utf8(shown(view)).unwrap()),
            status => Err(status),
        }
    }

    fn named(
        &self,
        read: unsafe extern "C" fn(
            *const affiant_request,
            affiant_slice,
            *mut affiant_slice,
        ) -> affiant_status,
        name: &str,
    ) -> Result<String, affiant_status> {
        let mut view = affiant_slice::EMPTY;
        // SAFETY: name and output are here.
        match unsafe { read(self.request, text(name), &raw mut view) } {
            AFFIANT_OK => Ok(String::from_utf8(shown(view)).unwrap()),
            status => Err(status),
        }
    }
}

struct Closure {
    body: Box<Body>,
    freed: &'static AtomicUsize,
}

unsafe extern "C" fn run(
    userdata: *mut c_void,
    request: *const affiant_request,
    tx: *mut affiant_tx,
    response: *mut affiant_response,
) -> affiant_status {
    // SAFETY: what `serve` has registered.
    let closure = unsafe { &*userdata.cast::<Closure>() };
    (closure.body)(&Given { request, tx, response })
}

unsafe extern "C" fn free(userdata: *mut c_void) {
    // SAFETY: what `serve` has made, freed once.
    let closure = unsafe { Box::from_raw(userdata.cast::<Closure>()) };
    closure.freed.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn counter() -> &'static AtomicUsize {
    Box::leak(Box::default())
}

pub(super) fn endpoint(method: &str, path: &str) -> affiant_endpoint {
    affiant_endpoint {
        size: size_of::<affiant_endpoint>(),
        // Leaked: tests are few.
        method: text(String::leak(method.to_owned())),
        path: text(String::leak(path.to_owned())),
        mode: AFFIANT_MODE_READ_WRITE,
        respond: AFFIANT_RESPOND_AT_COMMIT,
        policies: core::ptr::null(),
        policy_count: 0,
        handler: Some(run),
        userdata: core::ptr::null_mut(),
        free_userdata: Some(free),
    }
}

pub(super) fn add(
    options: *mut affiant_options,
    mut endpoint: affiant_endpoint,
    freed: &'static AtomicUsize,
    body: impl Fn(&Given) -> affiant_status + Send + Sync + 'static,
) -> affiant_status {
    let closure = Box::new(Closure { body: Box::new(body), freed });
    endpoint.userdata = Box::into_raw(closure).cast();
    // SAFETY: the struct is here, and its text lives for ever.
    unsafe { affiant_options_add_endpoint(options, &raw const endpoint) }
}

/// A runtime that serves one handler.
pub(super) fn serving(
    endpoint: affiant_endpoint,
    body: impl Fn(&Given) -> affiant_status + Send + Sync + 'static,
) -> Opened {
    let options = options();
    ok(affiant_options_set_exception_details(options, true), options);
    ok(add(options, endpoint, counter(), body), options);
    open_with(options)
}

/// Status, headers, body.
pub(super) struct Answered {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answered {
    fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(super) fn says(&self, status: u16, words: &str) {
        let body = String::from_utf8_lossy(&self.body);
        assert!(self.status == status && body.contains(words), "{} {body}", self.status);
    }
}

pub(super) fn call_with(
    runtime: *const affiant_runtime,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    certificate: &str,
) -> Result<Answered, affiant_status> {
    let headers: Vec<affiant_header> = headers
        .iter()
        .map(|(name, value)| affiant_header { name: text(name), value: text(value) })
        .collect();
    let call = affiant_call {
        size: size_of::<affiant_call>(),
        method: text(method),
        target: text(target),
        headers: headers.as_ptr(),
        header_count: headers.len(),
        body: text("the body"),
        certificate_pem: text(certificate),
    };
    let mut response = core::ptr::null_mut();
    // SAFETY: the struct and what it leads to are here.
    let status = unsafe { affiant_runtime_call(runtime, &raw const call, &raw mut response) };
    if status != AFFIANT_OK {
        assert!(response.is_null());
        return Err(status);
    }
    Ok(read(response))
}

fn read(response: *mut affiant_response) -> Answered {
    let (mut status, mut count, mut body) = (0, 0, affiant_slice::EMPTY);
    let mut headers = Vec::new();
    // SAFETY: the outputs are here.
    unsafe {
        ok(affiant_response_status(response, &raw mut status), response);
        ok(affiant_response_body(response, &raw mut body), response);
        ok(affiant_response_header_count(response, &raw mut count), response);
        let words = |view| String::from_utf8(shown(view)).unwrap();
        for index in 0..count {
            let (mut name, mut value) = (affiant_slice::EMPTY, affiant_slice::EMPTY);
            let read = affiant_response_header_at(response, index, &raw mut name, &raw mut value);
            ok(read, response);
            headers.push((words(name), words(value)));
        }
        let (mut name, mut value) = (affiant_slice::EMPTY, affiant_slice::EMPTY);
        let beyond = affiant_response_header_at(response, count, &raw mut name, &raw mut value);
        assert_eq!(beyond, AFFIANT_NOT_FOUND);
    }
    let body = shown(body);
    assert_eq!(affiant_response_free(response), AFFIANT_OK);
    assert_eq!(affiant_response_free(response), AFFIANT_INVALID_HANDLE);
    Answered { status, headers, body }
}

pub(super) fn call(runtime: &Opened, method: &str, target: &str) -> Answered {
    call_with(runtime.runtime, method, target, &[], "").unwrap()
}

#[test]
fn a_handler_reads_writes_and_answers() {
    let runtime = serving(endpoint("post", "/log/{id}"), |given| {
        assert_eq!(given.asked(affiant_request_method).unwrap(), "POST");
        assert_eq!(given.asked(affiant_request_path).unwrap(), "/app/log/a%20b");
        assert_eq!(given.asked(affiant_request_query).unwrap(), "x=1%2B2&y=z");
        assert_eq!(given.asked(affiant_request_body).unwrap(), "the body");
        assert_eq!(given.named(affiant_request_param, "id").unwrap(), "a%20b");
        assert_eq!(given.named(affiant_request_param, "no"), Err(AFFIANT_NOT_FOUND));
        assert_eq!(reason(given.request), "this request has no path parameter \"no\"");
        for _ in 0..2 {
            assert_eq!(given.named(affiant_request_query_parameter, "x").unwrap(), "1+2");
        }
        assert_eq!(given.named(affiant_request_query_parameter, "y").unwrap(), "z");
        assert_eq!(given.named(affiant_request_query_parameter, ""), Err(AFFIANT_NOT_FOUND));
        assert_eq!(given.named(affiant_request_header, "X-ONE").unwrap(), "1");
        assert_eq!(given.named(affiant_request_header, "x-two"), Err(AFFIANT_NOT_FOUND));
        assert_eq!(given.asked(affiant_request_caller), Err(AFFIANT_NOT_FOUND));
        let mut count = 0;
        let (mut name, mut value) = (affiant_slice::EMPTY, affiant_slice::EMPTY);
        // SAFETY: the outputs are here.
        unsafe {
            ok(affiant_request_header_count(given.request, &raw mut count), given.request);
            assert_eq!(count, 1);
            let at =
                |index, name, value| affiant_request_header_at(given.request, index, name, value);
            ok(at(0, &raw mut name, &raw mut value), given.request);
            assert_eq!((shown(name), shown(value)), (b"x-one".to_vec(), b"1".to_vec()));
            assert_eq!(at(1, &raw mut name, &raw mut value), AFFIANT_NOT_FOUND);
        }
        put(given.tx, "key", "value");
        assert_eq!(get(given.tx, "key").unwrap(), b"value");
        // SAFETY: the slices are here.
        unsafe {
            ok(
                affiant_response_set_header(given.response, text("X-Two"), text("1")),
                given.response,
            );
            ok(
                affiant_response_set_header(given.response, text("x-two"), text("2")),
                given.response,
            );
        }
        ok(affiant_response_set_status(given.response, 201), given.response);
        given.answer("done")
    });
    let target = "/app/log/a%20b?x=1%2B2&y=z";
    let answer = call_with(runtime.runtime, "POST", target, &[("X-One", "1")], "").unwrap();
    answer.says(201, "done");
    assert_eq!(answer.header("x-two"), Some("2"));
    assert!(answer.header("x-ms-ccf-transaction-id").is_some());
    let tx = begin(&runtime);
    assert_eq!(get(tx, "key").unwrap(), b"value");
    assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
}

#[test]
fn failures_drop_the_writes_and_say_why() {
    let runtime = serving(endpoint("POST", "/x"), |given| {
        put(given.tx, "key", "value");
        match given.asked(affiant_request_query).unwrap().as_str() {
            "status" => AFFIANT_CONFLICT,
            "reason" => {
                // SAFETY: the slices are here.
                unsafe { affiant_tx_put(given.tx, text(""), text("k"), text("v")) }
            }
            "error" => {
                // SAFETY: the slices are here.
                unsafe {
                    affiant_response_set_error(
                        given.response,
                        409,
                        text("Taken"),
                        text("It is taken."),
                    )
                }
            }
            "both" => {
                // SAFETY: the slices are here.
                unsafe {
                    affiant_response_set_error(
                        given.response,
                        409,
                        text("Taken"),
                        text("It is taken."),
                    );
                }
                ok(affiant_response_keep_writes(given.response, true), given.response);
                AFFIANT_STORAGE
            }
            _ => {
                ok(affiant_response_set_status(given.response, 404), given.response);
                affiant_response_keep_writes(given.response, true)
            }
        }
    });
    let kept = || {
        let tx = begin(&runtime);
        let kept = get(tx, "key").is_some();
        assert_eq!(affiant_tx_free(tx), AFFIANT_OK);
        kept
    };
    call(&runtime, "POST", "/app/x?status").says(500, "It returned AFFIANT_CONFLICT (8013).");
    let answer = call(&runtime, "POST", "/app/x?reason");
    answer.says(500, "It returned AFFIANT_INVALID_ARGUMENT (8010): ");
    assert_eq!(answer.json()["error"]["code"], "InternalError");
    let answer = call(&runtime, "POST", "/app/x?error");
    assert_eq!(answer.status, 409);
    assert_eq!(answer.json(), json!({"error": {"code": "Taken", "message": "It is taken."}}));
    call(&runtime, "POST", "/app/x?both").says(409, "It is taken.");
    assert!(!kept());
    assert_eq!(call(&runtime, "POST", "/app/x?keep").status, 404);
    assert!(kept(), "since the handler said so");
}

#[test]
fn clients_are_not_told_why_unless_that_is_wanted() {
    let options = options();
    ok(add(options, endpoint("GET", "/x"), counter(), |_| AFFIANT_STORAGE), options);
    let runtime = open_with(options);
    let answer = call(&runtime, "GET", "/app/x");
    assert_eq!(answer.json()["error"]["message"], "The handler of this endpoint failed.");
}

#[test]
fn a_read_only_handler_does_not_write() {
    let mut declared = endpoint("GET", "/x");
    declared.mode = AFFIANT_MODE_READ_ONLY;
    let runtime = serving(declared, |given| {
        // SAFETY: the slices are here.
        unsafe {
            let status = affiant_tx_put(given.tx, text("notes"), text("k"), text("v"));
            assert_eq!(status, AFFIANT_READ_ONLY);
            assert_eq!(affiant_tx_clear(given.tx, text("notes")), AFFIANT_READ_ONLY);
        }
        given.answer("refused")
    });
    call(&runtime, "GET", "/app/x").says(200, "refused");
}

#[test]
fn what_was_lent_ends_with_the_callback_and_is_for_its_thread() {
    static KEPT: Mutex<Option<[usize; 3]>> = Mutex::new(None);
    let runtime = serving(endpoint("GET", "/x"), |given| {
        let handles = [given.request.addr(), given.tx.addr(), given.response.addr()];
        let elsewhere = std::thread::spawn(move || statuses(handles)).join().unwrap();
        assert_eq!(elsewhere, [AFFIANT_WRONG_THREAD; 3]);
        *KEPT.lock().unwrap() = Some(handles);
        assert_eq!(affiant_tx_free(given.tx), AFFIANT_REENTRANT);
        assert_eq!(affiant_response_free(given.response), AFFIANT_REENTRANT);
        // SAFETY: NULL is allowed.
        let committed = unsafe { affiant_tx_commit(given.tx, core::ptr::null_mut()) };
        assert_eq!(committed, AFFIANT_REENTRANT);
        assert_eq!(affiant_tx_reset(given.tx), AFFIANT_REENTRANT);
        // A number that is no such handle.
        let status = affiant_response_set_status(given.tx.cast(), 200);
        assert_eq!(status, AFFIANT_WRONG_TYPE);
        put(given.tx, "key", "still usable");
        given.answer("done")
    });
    call(&runtime, "GET", "/app/x").says(200, "done");
    let handles = KEPT.lock().unwrap().unwrap();
    assert_eq!(statuses(handles), [AFFIANT_INVALID_HANDLE; 3]);
}

fn statuses([request, tx, response]: [usize; 3]) -> [affiant_status; 3] {
    let mut view = affiant_slice::EMPTY;
    let mut found = false;
    // SAFETY: slices and outputs are here.
    unsafe {
        [
            affiant_request_path(core::ptr::without_provenance(request), &raw mut view),
            affiant_tx_has(
                core::ptr::without_provenance_mut(tx),
                text("notes"),
                text("k"),
                &raw mut found,
            ),
            affiant_response_set_status(core::ptr::without_provenance_mut(response), 200),
        ]
    }
}

#[test]
fn a_handler_does_not_end_what_runs_it() {
    static RUNTIME: AtomicUsize = AtomicUsize::new(0);
    static OPTIONS: AtomicUsize = AtomicUsize::new(0);
    let options = options();
    let body = |given: &Given| {
        let runtime = core::ptr::without_provenance_mut(RUNTIME.load(Ordering::Relaxed));
        let options = core::ptr::without_provenance_mut(OPTIONS.load(Ordering::Relaxed));
        assert_eq!(affiant_runtime_stop(runtime, 0), AFFIANT_REENTRANT);
        assert!(reason(runtime).contains("affiant_runtime_stop waits for the callback"));
        // In use by the call that runs this very handler.
        assert_eq!(affiant_runtime_free(runtime), AFFIANT_BUSY);
        assert_eq!(affiant_options_free(options), AFFIANT_REENTRANT);
        given.answer("alive")
    };
    ok(add(options, endpoint("GET", "/x"), counter(), body), options);
    OPTIONS.store(options.addr(), Ordering::Relaxed);
    let mut runtime = core::ptr::null_mut();
    // SAFETY: the output is here.
    ok(unsafe { affiant_runtime_open(options, &raw mut runtime) }, options);
    RUNTIME.store(runtime.addr(), Ordering::Relaxed);
    let runtime = Opened { runtime };
    call(&runtime, "GET", "/app/x").says(200, "alive");
    assert_eq!(affiant_options_free(options), AFFIANT_OK);
}

#[test]
fn calls_within_calls_are_bounded() {
    static RUNTIME: AtomicUsize = AtomicUsize::new(0);
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let runtime = serving(endpoint("GET", "/x"), |given| {
        RUNS.fetch_add(1, Ordering::Relaxed);
        let runtime = core::ptr::without_provenance(RUNTIME.load(Ordering::Relaxed));
        match call_with(runtime, "GET", "/app/x", &[], "") {
            Ok(answer) => given.answer(&String::from_utf8(answer.body).unwrap()),
            Err(status) => {
                assert_eq!(status, AFFIANT_REENTRANT);
                given.answer(&reason(runtime))
            }
        }
    });
    RUNTIME.store(runtime.runtime.addr(), Ordering::Relaxed);
    call(&runtime, "GET", "/app/x").says(200, "does a handler call itself?");
    assert_eq!(RUNS.load(Ordering::Relaxed), limits::NESTED_CALLS_COUNT_MAX);
}

#[test]
fn userdata_is_freed_once_when_nothing_can_call_it() {
    let (freed, refused) = (counter(), counter());
    let made = options();
    ok(add(made, endpoint("GET", "/x"), freed, |given| given.answer("x")), made);
    let mut again = endpoint("GET", "/x");
    again.handler = None;
    assert_eq!(add(made, again, refused, |_| AFFIANT_OK), AFFIANT_NULL_ARGUMENT);
    assert_eq!(reason(made), "handler is NULL");
    assert_eq!(add(made, endpoint("GET", "/x"), refused, |_| AFFIANT_OK), AFFIANT_INVALID_ARGUMENT);
    assert_eq!(reason(made), "GET /x was added before");
    // No neighbour of a handle: that may be another test's.
    let forged = core::ptr::without_provenance_mut(1);
    let status = add(forged, endpoint("GET", "/y"), refused, |_| AFFIANT_OK);
    assert_eq!(status, AFFIANT_INVALID_HANDLE);
    assert_eq!(refused.load(Ordering::Relaxed), 3, "right away");
    let mut runtimes = [core::ptr::null_mut(); 2];
    for runtime in &mut runtimes {
        // SAFETY: the output is here.
        ok(unsafe { affiant_runtime_open(made, runtime) }, made);
    }
    let [first, second] = runtimes.map(|runtime| Opened { runtime });
    assert_eq!(affiant_options_free(made), AFFIANT_OK);
    // This thread keeps a worker for what it has called.
    call(&first, "GET", "/app/x").says(200, "x");
    drop(first);
    call(&second, "GET", "/app/x").says(200, "x");
    assert_eq!(freed.load(Ordering::Relaxed), 0);
    drop(second);
    assert_eq!(freed.load(Ordering::Relaxed), 1);
}

#[test]
fn a_body_is_handed_over_without_a_copy() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    static BODY: &str = "owned by the program";
    unsafe extern "C" fn freed(userdata: *mut c_void) {
        assert_eq!(userdata.addr(), 7);
        FREED.fetch_add(1, Ordering::Relaxed);
    }
    let owned = |response, body| {
        let userdata = core::ptr::without_provenance_mut(7);
        // SAFETY: the body lives for ever.
        unsafe { affiant_response_set_body_owned(response, body, userdata, Some(freed)) }
    };
    let runtime = serving(endpoint("GET", "/x"), move |given| {
        let missing = affiant_slice { data: core::ptr::null(), size: 3 };
        assert_eq!(owned(given.response, missing), AFFIANT_NULL_ARGUMENT);
        assert_eq!(owned(core::ptr::null_mut(), text(BODY)), AFFIANT_NULL_ARGUMENT);
        assert_eq!(FREED.load(Ordering::Relaxed), 2, "right away where it fails");
        ok(owned(given.response, text("before")), given.response);
        ok(owned(given.response, text(BODY)), given.response);
        assert_eq!(FREED.load(Ordering::Relaxed), 3, "what it replaces");
        let mut body = affiant_slice::EMPTY;
        // SAFETY: the output is here.
        ok(unsafe { affiant_response_body(given.response, &raw mut body) }, given.response);
        assert_eq!(body.data, BODY.as_ptr());
        AFFIANT_OK
    });
    call(&runtime, "GET", "/app/x").says(200, BODY);
    assert_eq!(FREED.load(Ordering::Relaxed), 4);
}

#[test]
fn answers_are_checked_when_they_are_made() {
    let runtime = serving(endpoint("GET", "/x"), |given| {
        for status in [0, 100, 199, 600, u16::MAX] {
            let refused = affiant_response_set_status(given.response, status);
            assert_eq!(refused, AFFIANT_INVALID_ARGUMENT);
        }
        let long = "a".repeat(limits::HEADER_VALUE_BYTES_MAX + 1);
        for (name, value, wanted, words) in [
            ("x\r\n", "1", AFFIANT_INVALID_ARGUMENT, "is no header name"),
            ("", "1", AFFIANT_INVALID_ARGUMENT, "is no header name"),
            ("x y", "1", AFFIANT_INVALID_ARGUMENT, "is no header name"),
            ("x", "1\r\nset-cookie: a", AFFIANT_INVALID_ARGUMENT, "a control character at byte 1"),
            ("x", "\0", AFFIANT_INVALID_ARGUMENT, "a control character at byte 0"),
            ("Content-Length", "7", AFFIANT_INVALID_ARGUMENT, "is set by the library"),
            ("x", &long, AFFIANT_TOO_LARGE, "at most"),
        ] {
            // SAFETY: the slices are here.
            let refused =
                unsafe { affiant_response_set_header(given.response, text(name), text(value)) };
            assert_eq!(refused, wanted, "{name:?}");
            assert!(reason(given.response).contains(words), "{}", reason(given.response));
        }
        for number in 0..=limits::HEADERS_COUNT_MAX {
            let name = format!("x-{number}");
            // SAFETY: the slices are here.
            let set =
                unsafe { affiant_response_set_header(given.response, text(&name), text("1")) };
            let full = number == limits::HEADERS_COUNT_MAX;
            assert_eq!(set, if full { AFFIANT_TOO_MANY } else { AFFIANT_OK });
        }
        for (status, code, words) in [(399, "x", "it is 400 to 599"), (400, "", "code is empty")] {
            // SAFETY: the slices are here.
            let refused = unsafe {
                affiant_response_set_error(given.response, status, text(code), text("m"))
            };
            assert_eq!(refused, AFFIANT_INVALID_ARGUMENT);
            assert!(reason(given.response).contains(words));
        }
        given.answer("checked")
    });
    call(&runtime, "GET", "/app/x").says(200, "checked");
}

#[test]
fn endpoints_are_checked_when_they_are_added() {
    let made = options();
    let nobody: &'static [affiant_slice] = Vec::leak(vec![text("nobody")]);
    let many: &'static [affiant_slice] = Vec::leak(vec![text("jwt"); 17]);
    for (method, path, policies, wanted) in [
        ("G T", "/x", &[][..], "is no HTTP method"),
        ("GET", "x", &[], "a path starts with a slash"),
        ("GET", "/{a}{b}", &[], "put text between them"),
        ("*", "/x", &[], "the method \"*\""),
        ("GET", "/x", nobody, "\"nobody\" is no policy; there are no_auth, user_cert"),
        ("GET", "/x", many, "at most 16 policies"),
    ] {
        let mut declared = endpoint(method, path);
        (declared.policies, declared.policy_count) = (policies.as_ptr(), policies.len());
        let status = add(made, declared, counter(), |_| AFFIANT_OK);
        assert!(matches!(status, AFFIANT_INVALID_ARGUMENT | AFFIANT_TOO_MANY), "{path}");
        assert!(reason(made).contains(wanted), "{}", reason(made));
    }
    for (mode, respond) in [(3, 0), (0, 3)] {
        let declared = affiant_endpoint { mode, respond, ..endpoint("GET", "/x") };
        assert_eq!(add(made, declared, counter(), |_| AFFIANT_OK), AFFIANT_INVALID_ARGUMENT);
    }
    let declared = affiant_endpoint { size: 8, ..endpoint("GET", "/x") };
    // SAFETY: the struct is here.
    let status = unsafe { affiant_options_add_endpoint(made, &raw const declared) };
    assert_eq!(status, AFFIANT_INVALID_ARGUMENT);
    assert!(reason(made).contains("sizeof(affiant_endpoint)"));
    assert_eq!(affiant_options_free(made), AFFIANT_OK);
}

#[test]
fn clients_are_answered_over_https_and_the_body_is_freed_once_it_is_sent() {
    static FREED: AtomicUsize = AtomicUsize::new(0);
    unsafe extern "C" fn freed(userdata: *mut c_void) {
        // SAFETY: the handler's, freed once.
        drop(unsafe { Box::from_raw(userdata.cast::<Vec<u8>>()) });
        FREED.fetch_add(1, Ordering::Relaxed);
    }
    let made = options();
    // SAFETY: the slice is here.
    ok(unsafe { affiant_options_listen(made, text("127.0.0.1:0")) }, made);
    let added = add(made, endpoint("GET", "/big"), counter(), |given| {
        let body = Box::new(vec![b'x'; 1 << 20]);
        let view = affiant_slice::of(&body);
        let userdata = Box::into_raw(body).cast();
        // SAFETY: the body stays until it is freed.
        unsafe { affiant_response_set_body_owned(given.response, view, userdata, Some(freed)) }
    });
    ok(added, made);
    let runtime = open_with(made);
    let mut address = affiant_slice::EMPTY;
    // SAFETY: the output is here.
    ok(unsafe { affiant_runtime_address(runtime.runtime, 0, &raw mut address) }, runtime.runtime);
    let url = format!("https://{}", String::from_utf8(shown(address)).unwrap());
    let policy =
        Policy::from_json(r#"{"virtual": {"measurements": "any", "host_data": "any"}}"#.as_bytes())
            .unwrap();
    let mut client = VerifiedClient::connect(&url, policy, Options::default(), None).unwrap();
    for _ in 0..3 {
        let answer = client.request("GET", "/app/big", &[], b"", None).unwrap();
        assert!(answer.status == 200 && answer.body == vec![b'x'; 1 << 20]);
    }
    drop(client);
    drop(runtime);
    assert_eq!(FREED.load(Ordering::Relaxed), 3);
}
