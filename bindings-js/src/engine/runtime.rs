//! One interpreter: its creation, its memory's snapshot, the doors through which the C engine calls
//! Rust (native functions, the two classes of `ccf.kv`, module loading, the interrupt).
//!
//! Invariants:
//! * The context's opaque pointer is the [`Host`] that the engine owns; it lives as long.
//! * The C engine is never torn down object by object: all it has lies in its [`Heap`], which is
//!   dropped as a whole. Nothing inside owns anything outside.
//! * No unwind crosses C: every door catches panics, and the interpreter is then thrown away.
#![allow(unsafe_code, reason = "calls of the C engine")]

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::NonNull;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rquickjs::qjs;

use super::guard;
use super::heap::Heap;
use super::names;
use super::scope::{Args, Arity, ErrorKind, Promised, Scope, Script, Thrown, Value};
use crate::exception::{Exception, describe};
use crate::host::Host;
use crate::limits::GARBAGE_BYTES_MAX;
use crate::program::{Loaded, resolve_specifier};
use crate::surface;

/// A function that outlives one stay in the engine; belongs to the engine that made it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function(usize);

/// One interpreter.
pub(crate) struct Engine {
    rt: NonNull<qjs::JSRuntime>,
    ctx: NonNull<qjs::JSContext>,
    host: Box<Host>,
    heap: Heap,
}

impl Engine {
    /// A fresh interpreter with the language and nothing else.
    pub(crate) fn new(host: Host) -> Result<Self, &'static str> {
        let heap = Heap::new();
        let (functions, opaque) = heap.functions();
        // SAFETY: the functions follow the engine's rules and `opaque` is theirs.
        let rt = unsafe { qjs::JS_NewRuntime2(&functions, opaque) };
        let rt = NonNull::new(rt).ok_or("no memory for a JavaScript runtime")?;
        // SAFETY: a live runtime. What fails halfway dies with the heap.
        let ctx = unsafe { new_context(rt.as_ptr()) };
        let ctx = ctx.ok_or("no memory for a JavaScript context")?;
        let host = Box::new(host);
        let opaque: *mut c_void = core::ptr::from_ref::<Host>(&host).cast_mut().cast();
        // SAFETY: live runtime and context; the host is boxed and outlives both; only shared
        // references are made from the pointer.
        unsafe {
            qjs::JS_SetContextOpaque(ctx.as_ptr(), opaque);
            qjs::JS_SetInterruptHandler(rt.as_ptr(), Some(interrupt), opaque);
            qjs::JS_SetModuleLoaderFunc(
                rt.as_ptr(),
                Some(normalize_module_name),
                Some(load_module),
                opaque,
            );
            host.kv_class.set(new_class(rt.as_ptr(), &KV_CLASS));
            host.handle_class.set(new_class(rt.as_ptr(), &HANDLE_CLASS));
            host.state_class.set(new_class(rt.as_ptr(), &STATE_CLASS));
            qjs::JS_SetGCThreshold(rt.as_ptr(), GARBAGE_BYTES_MAX as qjs::size_t);
            // Never given back: they are to stay for the life of the interpreter.
            for (atom, name) in host.atoms.iter().zip(names::TABLE) {
                atom.set(qjs::JS_NewAtom(ctx.as_ptr(), name.as_ptr()));
            }
            for name in names::COMMON_HEADERS {
                qjs::JS_NewAtom(ctx.as_ptr(), name.as_ptr());
            }
        }
        Ok(Self { rt, ctx, host, heap })
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn heap(&self) -> &Heap {
        &self.heap
    }

    /// Enters the engine on this thread's stack.
    pub(crate) fn enter<R>(&mut self, run: impl for<'js> FnOnce(Scope<'js>) -> R) -> R {
        guard::settle();
        // SAFETY: a live runtime; from here on calls come from this stack.
        unsafe { qjs::JS_UpdateStackTop(self.rt.as_ptr()) };
        // SAFETY: the context is live and its opaque pointer is this host; values cannot leave
        // `run`, so they do not outlive the borrow of `self`.
        run(unsafe { Scope::new(self.ctx, &self.host) })
    }

    /// Sets the stack that scripts may use, in bytes.
    pub(crate) fn limit_stack(&mut self, bytes: usize) {
        // SAFETY: a live runtime.
        unsafe { qjs::JS_SetMaxStackSize(self.rt.as_ptr(), bytes as qjs::size_t) };
    }

    /// Remembers the present state as the one to [`Engine::restore`].
    pub(crate) fn keep(&mut self) {
        let threshold = self.heap.in_use().saturating_add(GARBAGE_BYTES_MAX);
        // SAFETY: a live runtime. Collecting first keeps the copy small.
        unsafe {
            qjs::JS_RunGC(self.rt.as_ptr());
            qjs::JS_SetGCThreshold(self.rt.as_ptr(), threshold as qjs::size_t);
        }
        self.host.keep();
        self.heap.keep();
    }

    /// Goes back to the state of [`Engine::keep`]: every object, prototype, module binding, symbol
    /// and pending job.
    pub(crate) fn restore(&mut self) {
        // No value of a stay is left: `enter` has returned and `self` is borrowed mutably.
        self.heap.restore();
        self.host.restore();
    }

    /// Compiles one module's source to bytecode without running it.
    ///
    /// # Errors
    /// The syntax error, or which import is missing.
    pub(crate) fn compile(&mut self, name: &str, source: &str) -> Result<Vec<u8>, Exception> {
        self.enter(|scope| {
            compile_module(scope, name, source)
                .and_then(|module| write_bytecode(scope, &module))
                .map_err(|thrown| describe(scope, thrown))
        })
    }

    /// Compiles a script, which is no module, without running it.
    ///
    /// # Errors
    /// The message of the syntax error.
    pub(crate) fn compile_script(&mut self, name: &str, source: &str) -> Result<Vec<u8>, String> {
        self.enter(|scope| {
            compile(scope, name, source, qjs::JS_EVAL_TYPE_GLOBAL)
                .and_then(|script| write_bytecode(scope, &script))
                .map_err(|thrown| describe(scope, thrown).located())
        })
    }

    /// Whether the module exports that name; links but runs nothing.
    ///
    /// # Errors
    /// What the linker says.
    pub(crate) fn exports(&mut self, module: &str, name: &str) -> Result<(), String> {
        // Linking goes import by import and precedes running: the second import always fails, so
        // nothing ever runs, and which of the two failed is the answer.
        const IMPOSSIBLE: &str = "no such export, on purpose";
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let source = format!(
            "import {{ {} as found }} from {};\nimport {{ {} as never }} from {};",
            quoted(name),
            quoted(module),
            quoted(IMPOSSIBLE),
            quoted(module),
        );
        self.enter(|scope| {
            let linked = compile_module(scope, "/affiant-link-check.js", &source)
                // SAFETY: a compiled module, whose reference the engine takes over.
                .and_then(|probe| unsafe {
                    scope.checked(qjs::JS_EvalFunction(scope.raw(), probe.into_raw()))
                });
            let Err(thrown) = linked else { return Err("it was run by mistake".to_owned()) };
            let reason = describe(scope, thrown).reason;
            if reason.contains(IMPOSSIBLE) { Ok(()) } else { Err(reason) }
        })
    }
}

/// The C engine's version.
pub(crate) fn engine_version() -> &'static str {
    // SAFETY: the engine returns a constant terminated string.
    let version = unsafe { CStr::from_ptr(qjs::JS_GetVersion()) };
    version.to_str().unwrap_or("unknown")
}

/// Language built-ins that CCF's engine has, and WeakRef, `atob`, `btoa` and DOMException, which
/// libraries count on; no `performance`.
///
/// # Safety
/// `rt` is live.
unsafe fn new_context(rt: *mut qjs::JSRuntime) -> Option<NonNull<qjs::JSContext>> {
    // SAFETY: the caller's promise; a raw context takes intrinsics in this order.
    unsafe {
        let ctx = NonNull::new(qjs::JS_NewContextRaw(rt))?;
        let raw = ctx.as_ptr();
        let failed = qjs::JS_AddIntrinsicBaseObjects(raw) != 0
            || qjs::JS_AddIntrinsicDate(raw) != 0
            || qjs::JS_AddIntrinsicEval(raw) != 0
            || qjs::JS_AddIntrinsicRegExp(raw) != 0
            || qjs::JS_AddIntrinsicJSON(raw) != 0
            || qjs::JS_AddIntrinsicProxy(raw) != 0
            || qjs::JS_AddIntrinsicMapSet(raw) != 0
            || qjs::JS_AddIntrinsicTypedArrays(raw) != 0
            || qjs::JS_AddIntrinsicPromise(raw) != 0
            || qjs::JS_AddIntrinsicWeakRef(raw) != 0
            || qjs::JS_AddIntrinsicDOMException(raw) != 0
            || qjs::JS_AddIntrinsicAToB(raw) != 0;
        (!failed).then_some(ctx)
    }
}

/// A class definition for the C engine; `Sync` because it is constant.
struct ClassDefinition(qjs::JSClassDef);
// SAFETY: the definitions below hold pointers to constants and functions only.
unsafe impl Sync for ClassDefinition {}

struct ExoticMethods(qjs::JSClassExoticMethods);
// SAFETY: function pointers only.
unsafe impl Sync for ExoticMethods {}

static KV_EXOTIC: ExoticMethods = ExoticMethods(qjs::JSClassExoticMethods {
    get_own_property: None,
    get_own_property_names: Some(kv_own_names),
    delete_property: None,
    define_own_property: Some(kv_define),
    has_property: Some(kv_has),
    get_property: Some(kv_get),
    set_property: Some(kv_set),
});

static KV_CLASS: ClassDefinition = ClassDefinition(qjs::JSClassDef {
    class_name: c"KV Store".as_ptr(),
    finalizer: None,
    gc_mark: None,
    call: None,
    exotic: (&raw const KV_EXOTIC.0).cast_mut(),
});

static STATE_CLASS: ClassDefinition = ClassDefinition(qjs::JSClassDef {
    class_name: c"Historical State".as_ptr(),
    finalizer: None,
    gc_mark: None,
    call: None,
    exotic: core::ptr::null_mut(),
});

static HANDLE_CLASS: ClassDefinition = ClassDefinition(qjs::JSClassDef {
    class_name: c"KV Map Handle".as_ptr(),
    finalizer: None,
    gc_mark: None,
    call: None,
    exotic: core::ptr::null_mut(),
});

/// # Safety
/// `rt` is live.
unsafe fn new_class(rt: *mut qjs::JSRuntime, class: &'static ClassDefinition) -> u32 {
    let mut id: qjs::JSClassID = 0;
    // SAFETY: the caller's promise; the definition is constant.
    unsafe {
        qjs::JS_NewClassID(rt, &mut id);
        qjs::JS_NewClass(rt, id, &raw const class.0);
    }
    id
}

/// The host behind a context.
///
/// # Safety
/// `ctx` is a context made by [`Engine::new`], entered now.
unsafe fn scope_of<'js>(ctx: *mut qjs::JSContext) -> Option<Scope<'js>> {
    let ctx = NonNull::new(ctx)?;
    // SAFETY: the caller's promise: the opaque pointer is the engine's host.
    unsafe {
        let host = qjs::JS_GetContextOpaque(ctx.as_ptr()).cast::<Host>().as_ref()?;
        Some(Scope::new(ctx, host))
    }
}

/// Runs Rust code called from C: no unwind gets out.
fn guarded<'js, R>(scope: Scope<'js>, run: impl FnOnce() -> Script<R>) -> Script<R> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        scope.host().panicked.set(true);
        Err(scope.throw(ErrorKind::Internal, "Internal: native code failed"))
    })
}

/// The value for C, or its marker of a pending exception.
fn answer(result: Script<Value<'_>>) -> qjs::JSValue {
    result.map_or(qjs::JS_EXCEPTION, Value::into_raw)
}

pub(super) fn native_function<'js>(scope: Scope<'js>, index: usize) -> Script<Value<'js>> {
    let native = surface::native(index).expect("installed from the tables");
    let length = match native.arity {
        Arity::Any => 0,
        Arity::Exactly(count) | Arity::ExactlyNoComma(count) => count,
    };
    let magic = c_int::try_from(index).expect("a small table");
    let kind = match native.name.to_bytes() {
        b"Date" => qjs::JSCFunctionEnum_JS_CFUNC_constructor_or_func_magic,
        _ => qjs::JSCFunctionEnum_JS_CFUNC_generic_magic,
    };
    // SAFETY: functions of these kinds are called with a trailing magic number, which is how
    // `enter_native` is declared; the engine's own inline wrapper does the same cast.
    unsafe {
        let function = core::mem::transmute::<
            unsafe extern "C" fn(
                *mut qjs::JSContext,
                qjs::JSValue,
                c_int,
                *mut qjs::JSValue,
                c_int,
            ) -> qjs::JSValue,
            unsafe extern "C" fn(
                *mut qjs::JSContext,
                qjs::JSValue,
                c_int,
                *mut qjs::JSValue,
            ) -> qjs::JSValue,
        >(enter_native);
        let name = native.name.as_ptr();
        let length = c_int::from(length);
        scope.checked(qjs::JS_NewCFunction2(scope.raw(), Some(function), name, length, kind, magic))
    }
}

unsafe extern "C" fn enter_native(
    ctx: *mut qjs::JSContext,
    this: qjs::JSValue,
    argc: c_int,
    argv: *mut qjs::JSValue,
    magic: c_int,
) -> qjs::JSValue {
    // SAFETY: called by the engine on behalf of a script in an entered context.
    let Some(scope) = (unsafe { scope_of(ctx) }) else { return qjs::JS_EXCEPTION };
    let native = usize::try_from(magic).ok().and_then(surface::native);
    let Some(native) = native else { return qjs::JS_EXCEPTION };
    // SAFETY: the engine passes `argc` live values and a live `this`.
    let args = unsafe { Args::new(scope, this, argc, argv) };
    guard::door(|| {
        answer(guarded(scope, || {
            check_arity(scope, native.arity, args.len())?;
            (native.run)(scope, args)
        }))
    })
}

fn check_arity(scope: Scope<'_>, arity: Arity, count: usize) -> Script<()> {
    let message = match arity {
        Arity::Exactly(wanted) if usize::from(wanted) != count => {
            format!("Passed {count} arguments, but expected {wanted}")
        }
        Arity::ExactlyNoComma(wanted) if usize::from(wanted) != count => {
            format!("Passed {count} arguments but expected {wanted}")
        }
        _ => return Ok(()),
    };
    Err(scope.throw_type(&message))
}

unsafe extern "C" fn interrupt(_: *mut qjs::JSRuntime, opaque: *mut c_void) -> c_int {
    // SAFETY: the handler was installed with the engine's host.
    let host = unsafe { opaque.cast::<Host>().as_ref() };
    guard::shield(|| c_int::from(host.is_none_or(Host::check_deadline)))
}

/// The text of a C string from the engine.
///
/// # Safety
/// `text` is null or terminated.
unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

unsafe extern "C" fn normalize_module_name(
    ctx: *mut qjs::JSContext,
    base: *const c_char,
    specifier: *const c_char,
    _: *mut c_void,
) -> *mut c_char {
    // SAFETY: called by the engine in an entered context, with terminated strings.
    guard::shield(|| unsafe {
        let Some(scope) = scope_of(ctx) else { return core::ptr::null_mut() };
        let (base, specifier) = (text_of(base), text_of(specifier));
        let name = resolve_specifier(&base, &specifier);
        *scope.host().importer.borrow_mut() = base;
        qjs::js_strndup(ctx, name.as_ptr().cast::<c_char>(), name.len() as qjs::size_t)
    })
}

unsafe extern "C" fn load_module(
    ctx: *mut qjs::JSContext,
    name: *const c_char,
    _: *mut c_void,
) -> *mut qjs::JSModuleDef {
    // SAFETY: called by the engine in an entered context.
    let Some(scope) = (unsafe { scope_of(ctx) }) else { return core::ptr::null_mut() };
    // SAFETY: a terminated string.
    guard::shield(|| loaded(scope, &unsafe { text_of(name) }))
}

/// The module of that name, compiled; null with an exception pending if there is none.
fn loaded(scope: Scope<'_>, name: &str) -> *mut qjs::JSModuleDef {
    guarded(scope, || {
        let importer = scope.host().importer.borrow().clone();
        let program = scope.host().program.clone();
        let module = match program.find(name) {
            Loaded::Bytecode(bytes) => read_bytecode(scope, bytes),
            Loaded::Source(source) => compile_module(scope, name, source),
            Loaded::Broken(reason) => Err(scope.throw(
                ErrorKind::Reference,
                &format!("Module '{name}' could not be loaded: {reason}"),
            )),
            Loaded::Missing if importer.is_empty() => Err(scope.throw(
                ErrorKind::Reference,
                &format!("Module '{name}' could not be loaded: the bundle has no such module"),
            )),
            Loaded::Missing => Err(scope.throw(
                ErrorKind::Reference,
                &format!(
                    "Module '{name}' could not be loaded: '{importer}' imports it and the bundle \
                     has no such module (file extensions are not guessed)"
                ),
            )),
        }?;
        // The context's list of modules holds its own reference.
        // SAFETY: both functions above return modules only.
        Ok(unsafe { qjs::JS_VALUE_GET_PTR(module.raw) }.cast::<qjs::JSModuleDef>())
    })
    .unwrap_or(core::ptr::null_mut())
}

fn compile_module<'js>(scope: Scope<'js>, name: &str, source: &str) -> Script<Value<'js>> {
    compile(scope, name, source, qjs::JS_EVAL_TYPE_MODULE)
}

fn compile<'js>(scope: Scope<'js>, name: &str, source: &str, kind: u32) -> Script<Value<'js>> {
    let flags = kind | qjs::JS_EVAL_FLAG_COMPILE_ONLY;
    let invalid = |_| scope.throw(ErrorKind::Plain, "a module name or source with a NUL in it");
    let name = CString::new(name).map_err(invalid)?;
    let source = CString::new(source).map_err(invalid)?;
    let bytes = source.as_bytes();
    // SAFETY: terminated strings; compiling runs no script.
    unsafe {
        scope.checked(qjs::JS_Eval(
            scope.raw(),
            source.as_ptr(),
            bytes.len() as qjs::size_t,
            name.as_ptr(),
            flags.cast_signed(),
        ))
    }
}

fn write_bytecode(scope: Scope<'_>, module: &Value<'_>) -> Script<Vec<u8>> {
    let mut length = 0;
    let flags = qjs::JS_WRITE_OBJ_BYTECODE | qjs::JS_WRITE_OBJ_STRIP_SOURCE;
    // SAFETY: a live compiled module; the engine fills the length.
    let start =
        unsafe { qjs::JS_WriteObject(scope.raw(), &mut length, module.raw, flags.cast_signed()) };
    if start.is_null() {
        return Err(Thrown(()));
    }
    // SAFETY: the engine gave `length` bytes at `start`, freed once.
    unsafe {
        let bytes = core::slice::from_raw_parts(start, length as usize).to_vec();
        qjs::js_free(scope.raw(), start.cast());
        Ok(bytes)
    }
}

fn read_bytecode<'js>(scope: Scope<'js>, bytes: &[u8]) -> Script<Value<'js>> {
    let flags = qjs::JS_READ_OBJ_BYTECODE.cast_signed();
    // SAFETY: `Program` holds only what `write_bytecode` made in this process with this engine.
    unsafe {
        scope.checked(qjs::JS_ReadObject(
            scope.raw(),
            bytes.as_ptr(),
            bytes.len() as qjs::size_t,
            flags,
        ))
    }
}

impl<'js> Scope<'js> {
    /// Loads, links and runs a module and what it imports, once per interpreter; returns its
    /// namespace.
    pub(crate) fn import(self, name: &str) -> Script<Value<'js>> {
        let invalid = |_| self.throw(ErrorKind::Plain, "a module name with a NUL in it");
        let name = CString::new(name).map_err(invalid)?;
        self.host().importer.borrow_mut().clear();
        let (ctx, base, name_start) = (self.raw(), c"".as_ptr(), name.as_ptr());
        // SAFETY: terminated strings in a live context.
        let promise =
            unsafe { self.checked(self.stoppable(|| qjs::JS_LoadModule(ctx, base, name_start))?) }?;
        self.run_jobs();
        if self.host().stopped() {
            return Err(Thrown(()));
        }
        match self.promise(&promise) {
            Promised::Fulfilled(namespace) => Ok(namespace),
            Promised::Rejected(reason) => Err(self.throw_value(reason)),
            Promised::Pending if self.host().expired() => {
                Err(self.throw(ErrorKind::Internal, "interrupted"))
            }
            Promised::Pending => Err(self.throw(
                ErrorKind::Plain,
                &format!("Module {name:?} awaits something that never happens"),
            )),
        }
    }

    /// Runs a script compiled by [`Engine::compile_script`]; its value.
    pub(crate) fn run_script(self, bytecode: &[u8]) -> Script<Value<'js>> {
        let script = read_bytecode(self, bytecode)?.into_raw();
        let ctx = self.raw();
        // SAFETY: a compiled script, whose reference the engine takes over.
        unsafe { self.checked(self.stoppable(|| qjs::JS_EvalFunction(ctx, script))?) }
    }

    /// Compiles, links and runs a source as a module of that name, and returns its namespace.
    pub(crate) fn evaluate(self, name: &str, source: &str) -> Script<Value<'js>> {
        let module = compile_module(self, name, source)?;
        // SAFETY: a compiled module; the context's list of modules holds its own reference, so the
        // definition stays where it is.
        let definition = unsafe { qjs::JS_VALUE_GET_PTR(module.raw) }.cast::<qjs::JSModuleDef>();
        let (ctx, module) = (self.raw(), module.into_raw());
        // SAFETY: a compiled module, whose reference the engine takes over.
        let promise =
            unsafe { self.checked(self.stoppable(|| qjs::JS_EvalFunction(ctx, module))?) }?;
        self.run_jobs();
        match self.promise(&promise) {
            // SAFETY: the module is linked and has been run.
            Promised::Fulfilled(_) => unsafe {
                self.checked(qjs::JS_GetModuleNamespace(ctx, definition))
            },
            Promised::Rejected(reason) => Err(self.throw_value(reason)),
            Promised::Pending if self.host().expired() => {
                Err(self.throw(ErrorKind::Internal, "interrupted"))
            }
            Promised::Pending => Err(self.throw(
                ErrorKind::Plain,
                &format!("Module '{name}' awaits something that never happens"),
            )),
        }
    }

    /// Keeps a function for later stays.
    pub(crate) fn pin(self, function: Value<'js>) -> Function {
        let mut pinned = self.host().pinned.borrow_mut();
        pinned.0.push(function.into_raw());
        Function(pinned.0.len() - 1)
    }

    /// A function kept earlier; undefined if it was kept after the state that was restored.
    pub(crate) fn pinned(self, function: Function) -> Value<'js> {
        let pinned = self.host().pinned.borrow();
        pinned.0.get(function.0).map_or_else(
            || self.undefined(),
            // SAFETY: the list holds a reference to each of its values, which are of this engine:
            // `Host::restore` cuts it to what the kept state holds.
            |raw| unsafe { self.dup(*raw) },
        )
    }

    /// Makes `constructor` the constructor of what inherits from `prototype`.
    pub(crate) fn set_constructor(
        self,
        constructor: &Value<'js>,
        prototype: &Value<'js>,
    ) -> Script<()> {
        // SAFETY: live values.
        let done = unsafe { qjs::JS_SetConstructor(self.raw(), constructor.raw, prototype.raw) };
        if done < 0 { Err(Thrown(())) } else { Ok(()) }
    }

    /// An object whose properties are map handles: `ccf.kv` (0), or those of a historical state.
    pub(crate) fn kv_object(self, state: u64) -> Script<Value<'js>> {
        self.object_of(self.host().kv_class.get(), state)
    }

    /// An object that stands for a historical state.
    pub(crate) fn state_object(self, state: u64) -> Script<Value<'js>> {
        self.object_of(self.host().state_class.get(), state)
    }

    /// An object of one of the classes above with a number, which it is found by.
    fn object_of(self, class: u32, number: u64) -> Script<Value<'js>> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        // SAFETY: the class is registered; the opaque pointer is a number, never followed.
        unsafe {
            let object = self.checked(qjs::JS_NewObjectClass(self.raw(), class))?;
            qjs::JS_SetOpaque(object.raw, core::ptr::without_provenance_mut(number));
            Ok(object)
        }
    }

    /// The number of an object of that class; 0 for any other value.
    fn number_of(self, value: qjs::JSValueConst, class: u32) -> u64 {
        // SAFETY: a live value; yields null for any other class.
        unsafe { qjs::JS_GetOpaque(value, class) }.addr() as u64
    }

    /// The number of a historical state's object; 0 for any other value.
    pub(crate) fn state_of(self, value: &Value<'js>) -> u64 {
        self.number_of(value.raw, self.host().state_class.get())
    }

    /// Sets what all map handles inherit from, and all states.
    pub(crate) fn set_prototypes(self, handle: Value<'js>, state: Value<'js>) {
        let host = self.host();
        for (class, prototype) in
            [(host.handle_class.get(), handle), (host.state_class.get(), state)]
        {
            // SAFETY: the class is registered; the engine takes over the prototype.
            unsafe { qjs::JS_SetClassProto(self.raw(), class, prototype.into_raw()) };
        }
    }

    /// A handle with a number.
    pub(crate) fn handle(self, number: u64) -> Script<Value<'js>> {
        self.object_of(self.host().handle_class.get(), number)
    }

    /// The number of a handle; 0 for any other value.
    pub(crate) fn handle_number(self, value: &Value<'js>) -> u64 {
        self.number_of(value.raw, self.host().handle_class.get())
    }
}

/// Values that the Rust side keeps across stays; each holds a reference inside the engine.
#[derive(Default)]
pub(crate) struct Pinned(Vec<qjs::JSValue>);

impl Pinned {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets those past `length`; the memory they refer to is gone already.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

/// The property's name; `None` for a symbol.
///
/// # Safety
/// `atom` is live.
unsafe fn atom_text(scope: Scope<'_>, atom: qjs::JSAtom) -> Script<Option<String>> {
    // SAFETY: the caller's promise.
    let name = unsafe { scope.checked(qjs::JS_AtomToValue(scope.raw(), atom)) }?;
    if name.is_symbol() { Ok(None) } else { scope.text(&name).map(Some) }
}

unsafe extern "C" fn kv_get(
    ctx: *mut qjs::JSContext,
    object: qjs::JSValue,
    atom: qjs::JSAtom,
    _: qjs::JSValue,
) -> qjs::JSValue {
    // SAFETY: called by the engine in an entered context with a live atom.
    let Some(scope) = (unsafe { scope_of(ctx) }) else { return qjs::JS_EXCEPTION };
    guard::door(|| {
        answer(guarded(scope, || {
            // SAFETY: as above.
            match unsafe { atom_text(scope, atom) }? {
                Some(name) => {
                    let state = scope.number_of(object, scope.host().kv_class.get());
                    surface::map_handle(scope, &name, state)
                }
                None => Ok(scope.undefined()),
            }
        }))
    })
}

unsafe extern "C" fn kv_has(_: *mut qjs::JSContext, _: qjs::JSValue, _: qjs::JSAtom) -> c_int {
    1
}

unsafe extern "C" fn kv_own_names(
    _: *mut qjs::JSContext,
    table: *mut *mut qjs::JSPropertyEnum,
    count: *mut u32,
    _: qjs::JSValue,
) -> c_int {
    // SAFETY: both are out parameters of the engine.
    unsafe {
        *table = core::ptr::null_mut();
        *count = 0;
    }
    0
}

unsafe extern "C" fn kv_set(
    ctx: *mut qjs::JSContext,
    _: qjs::JSValue,
    atom: qjs::JSAtom,
    _: qjs::JSValue,
    _: qjs::JSValue,
    _: c_int,
) -> c_int {
    // SAFETY: called by the engine in an entered context with a live atom.
    unsafe { refuse_definition(ctx, atom) }
}

unsafe extern "C" fn kv_define(
    ctx: *mut qjs::JSContext,
    _: qjs::JSValue,
    atom: qjs::JSAtom,
    _: qjs::JSValue,
    _: qjs::JSValue,
    _: qjs::JSValue,
    _: c_int,
) -> c_int {
    // SAFETY: called by the engine in an entered context with a live atom.
    unsafe { refuse_definition(ctx, atom) }
}

/// # Safety
/// Called by the engine in an entered context with a live atom.
unsafe fn refuse_definition(ctx: *mut qjs::JSContext, atom: qjs::JSAtom) -> c_int {
    // SAFETY: the caller's promise.
    let Some(scope) = (unsafe { scope_of(ctx) }) else { return -1 };
    guard::door(|| {
        let _thrown: Script<()> = guarded(scope, || {
            // SAFETY: the caller's promise.
            let name = unsafe { atom_text(scope, atom) }?.unwrap_or_default();
            Err(scope.throw_type(&format!(
                "'{name}' is read-only: write with ccf.kv[\"{name}\"].set(key, value)"
            )))
        });
        -1
    })
}
