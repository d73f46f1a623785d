//! Values and what can be done with them during one stay inside the engine.
//!
//! Invariants:
//! * A [`Value`] owns one reference and cannot outlive the stay that made it (the lifetime is
//!   invariant and comes from [`super::Engine::enter`]).
//! * [`Thrown`] means that an exception is pending in the engine; whoever gets one hands it on or
//!   takes it with [`Scope::take_exception`].
//! * Bytes of a buffer are only lent to closures that cannot run JavaScript.
//! * Engine calls that may run scripts can be stopped ([`Scope::stoppable`]); none is made afterwards.
#![allow(unsafe_code, reason = "calls of the C engine")]

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int};
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use std::ffi::CString;

use rquickjs::qjs;

use super::guard;
use super::names::Name;
use crate::host::Host;

/// An exception is pending.
#[derive(Debug)]
pub(crate) struct Thrown(pub(super) ());

/// What native code and conversions return.
pub(crate) type Script<T> = Result<T, Thrown>;

/// A native function: looked up by its position in the tables of [`crate::surface`].
pub(crate) struct Native {
    pub(crate) name: &'static CStr,
    pub(crate) arity: Arity,
    pub(crate) run: for<'js> fn(Scope<'js>, Args<'js>) -> Script<Value<'js>>,
}

/// How many arguments a native function takes.
#[derive(Clone, Copy)]
pub(crate) enum Arity {
    /// Any number; the function looks for itself.
    Any,
    /// Exactly so many.
    Exactly(u8),
    /// Exactly so many; CCF's text has no comma here.
    ExactlyNoComma(u8),
}

/// Which class of error to throw.
#[derive(Clone, Copy)]
pub(crate) enum ErrorKind {
    Plain,
    Type,
    Range,
    Reference,
    Internal,
}

/// The state of a promise.
pub(crate) enum Promised<'js> {
    Pending,
    Fulfilled(Value<'js>),
    Rejected(Value<'js>),
}

type Invariant<'js> = PhantomData<Cell<&'js ()>>;

/// The engine, entered.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'js> {
    pub(super) ctx: NonNull<qjs::JSContext>,
    host: &'js Host,
    marker: Invariant<'js>,
}

/// One reference to a JavaScript value.
pub(crate) struct Value<'js> {
    pub(super) raw: qjs::JSValue,
    ctx: NonNull<qjs::JSContext>,
    marker: Invariant<'js>,
}

/// `this` and the arguments of a native function.
pub(crate) struct Args<'js> {
    scope: Scope<'js>,
    this: qjs::JSValue,
    count: usize,
    first: *const qjs::JSValue,
}

impl Drop for Value<'_> {
    fn drop(&mut self) {
        if guard::stopped() {
            // The heap goes as a whole, and may be in disorder.
            return;
        }
        // SAFETY: the value holds a reference in this live context.
        unsafe { qjs::JS_FreeValue(self.ctx.as_ptr(), self.raw) };
    }
}

impl Clone for Value<'_> {
    fn clone(&self) -> Self {
        // SAFETY: the value is live.
        let raw = unsafe { qjs::JS_DupValue(self.ctx.as_ptr(), self.raw) };
        Self { raw, ctx: self.ctx, marker: PhantomData }
    }
}

impl<'js> Args<'js> {
    /// # Safety
    /// `first` points to `count` live values, `this` is live, all for `'js`.
    pub(super) unsafe fn new(
        scope: Scope<'js>,
        this: qjs::JSValue,
        count: c_int,
        first: *const qjs::JSValue,
    ) -> Self {
        Self { scope, this, count: usize::try_from(count).unwrap_or(0), first }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The argument at `index`; undefined where there are fewer.
    pub(crate) fn get(&self, index: usize) -> Value<'js> {
        if index >= self.count {
            return self.scope.undefined();
        }
        // SAFETY: in bounds; the engine keeps the arguments alive during the call.
        unsafe { self.scope.dup(*self.first.add(index)) }
    }

    pub(crate) fn this(&self) -> Value<'js> {
        // SAFETY: live during the call.
        unsafe { self.scope.dup(self.this) }
    }
}

impl<'js> Value<'js> {
    /// Gives the reference away.
    pub(super) fn into_raw(self) -> qjs::JSValue {
        let raw = self.raw;
        core::mem::forget(self);
        raw
    }

    fn tag(&self) -> i32 {
        // SAFETY: reads the tag of a valid value.
        unsafe { qjs::JS_VALUE_GET_TAG(self.raw) }
    }

    pub(crate) fn is_undefined(&self) -> bool {
        self.tag() == qjs::JS_TAG_UNDEFINED
    }

    pub(crate) fn is_null(&self) -> bool {
        self.tag() == qjs::JS_TAG_NULL
    }

    pub(crate) fn is_object(&self) -> bool {
        self.tag() == qjs::JS_TAG_OBJECT
    }

    pub(crate) fn is_string(&self) -> bool {
        self.tag() == qjs::JS_TAG_STRING || self.tag() == qjs::JS_TAG_STRING_ROPE
    }

    pub(crate) fn is_symbol(&self) -> bool {
        self.tag() == qjs::JS_TAG_SYMBOL
    }

    /// The value, if it is a boolean.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        // SAFETY: the tag says that it is a boolean.
        (self.tag() == qjs::JS_TAG_BOOL).then(|| unsafe { qjs::JS_VALUE_GET_BOOL(self.raw) })
    }

    /// The value, if it is a number.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self.tag() {
            // SAFETY: the tag says that it is an integer.
            qjs::JS_TAG_INT => Some(f64::from(unsafe { qjs::JS_VALUE_GET_INT(self.raw) })),
            // SAFETY: the tag says that it is a float.
            tag if unsafe { qjs::JS_TAG_IS_FLOAT64(tag) } => {
                // SAFETY: as above.
                Some(unsafe { qjs::JS_VALUE_GET_FLOAT64(self.raw) })
            }
            _ => None,
        }
    }

    pub(crate) fn is_function(&self) -> bool {
        // SAFETY: a live value in its context.
        unsafe { qjs::JS_IsFunction(self.ctx.as_ptr(), self.raw) }
    }

    pub(crate) fn is_error(&self) -> bool {
        // SAFETY: a live value.
        unsafe { qjs::JS_IsError(self.raw) }
    }

    pub(crate) fn is_array_buffer(&self) -> bool {
        // SAFETY: a live value.
        unsafe { qjs::JS_IsArrayBuffer(self.raw) }
    }

    pub(crate) fn is_promise(&self) -> bool {
        // SAFETY: a live value.
        unsafe { qjs::JS_IsPromise(self.raw) }
    }

    pub(crate) fn is_typed_array(&self) -> bool {
        // SAFETY: a live value.
        unsafe { qjs::JS_GetTypedArrayType(self.raw) >= 0 }
    }
}

impl<'js> Scope<'js> {
    /// # Safety
    /// `ctx` is a live context whose opaque pointer is `host`, entered for `'js`.
    pub(super) unsafe fn new(ctx: NonNull<qjs::JSContext>, host: &'js Host) -> Self {
        Self { ctx, host, marker: PhantomData }
    }

    pub(crate) fn host(self) -> &'js Host {
        self.host
    }

    pub(super) fn raw(self) -> *mut qjs::JSContext {
        assert!(!self.host.stopped(), "an engine that was stopped is not called");
        self.ctx.as_ptr()
    }

    /// Makes an engine call that may run scripts, so that the watchdog can stop it.
    pub(super) fn stoppable<R: Copy>(self, call: impl FnOnce() -> R + Copy) -> Script<R> {
        if self.host.stopped() {
            return Err(Thrown(()));
        }
        guard::run(call).ok_or_else(|| {
            self.host.stop();
            Thrown(())
        })
    }

    /// # Safety
    /// `raw` holds a reference that is given up here; it is not an exception marker.
    pub(super) unsafe fn own(self, raw: qjs::JSValue) -> Value<'js> {
        Value { raw, ctx: self.ctx, marker: PhantomData }
    }

    /// # Safety
    /// `raw` is live.
    pub(super) unsafe fn dup(self, raw: qjs::JSValue) -> Value<'js> {
        // SAFETY: the caller's promise.
        unsafe { self.own(qjs::JS_DupValue(self.raw(), raw)) }
    }

    /// # Safety
    /// `raw` was just returned by an engine function that gives a reference or an exception.
    pub(super) unsafe fn checked(self, raw: qjs::JSValue) -> Script<Value<'js>> {
        // SAFETY: reads the tag.
        if unsafe { qjs::JS_IsException(raw) } {
            return Err(Thrown(()));
        }
        // SAFETY: the caller's promise.
        Ok(unsafe { self.own(raw) })
    }

    pub(crate) fn undefined(self) -> Value<'js> {
        Value { raw: qjs::JS_UNDEFINED, ctx: self.ctx, marker: PhantomData }
    }

    pub(crate) fn null(self) -> Value<'js> {
        Value { raw: qjs::JS_NULL, ctx: self.ctx, marker: PhantomData }
    }

    pub(crate) fn boolean(self, value: bool) -> Value<'js> {
        let raw = if value { qjs::JS_TRUE } else { qjs::JS_FALSE };
        Value { raw, ctx: self.ctx, marker: PhantomData }
    }

    pub(crate) fn number(self, value: f64) -> Value<'js> {
        // SAFETY: makes a number, which holds no reference.
        let raw = unsafe { qjs::JS_NewNumber(self.raw(), value) };
        Value { raw, ctx: self.ctx, marker: PhantomData }
    }

    /// An integer, exact up to 2^53.
    #[expect(clippy::cast_precision_loss, reason = "JavaScript has no other numbers")]
    pub(crate) fn integer(self, value: u64) -> Value<'js> {
        self.number(value as f64)
    }

    pub(crate) fn string(self, text: &str) -> Script<Value<'js>> {
        self.string_from_bytes(text.as_bytes())
    }

    /// A string from bytes that should be UTF-8; what is not becomes U+FFFD.
    pub(crate) fn string_from_bytes(self, bytes: &[u8]) -> Script<Value<'js>> {
        let start = bytes.as_ptr().cast::<c_char>();
        // SAFETY: `bytes` is readable for its length.
        unsafe { self.checked(qjs::JS_NewStringLen(self.raw(), start, bytes.len() as _)) }
    }

    /// An ArrayBuffer with a copy of `bytes`.
    pub(crate) fn array_buffer(self, bytes: &[u8]) -> Script<Value<'js>> {
        // SAFETY: `bytes` is readable for its length.
        unsafe {
            self.checked(qjs::JS_NewArrayBufferCopy(self.raw(), bytes.as_ptr(), bytes.len() as _))
        }
    }

    pub(crate) fn object(self) -> Script<Value<'js>> {
        // SAFETY: a live context.
        unsafe { self.checked(qjs::JS_NewObject(self.raw())) }
    }

    pub(crate) fn object_with_prototype(self, prototype: &Value<'js>) -> Script<Value<'js>> {
        // SAFETY: live values.
        unsafe { self.checked(qjs::JS_NewObjectProto(self.raw(), prototype.raw)) }
    }

    pub(crate) fn array(self, items: Vec<Value<'js>>) -> Script<Value<'js>> {
        let Ok(count) = c_int::try_from(items.len()) else {
            return Err(self.throw(ErrorKind::Range, "too many elements for one array"));
        };
        let raw: Vec<qjs::JSValue> = items.into_iter().map(Value::into_raw).collect();
        // SAFETY: the engine takes over the references of all `count` values.
        unsafe { self.checked(qjs::JS_NewArrayFrom(self.raw(), count, raw.as_ptr())) }
    }

    pub(crate) fn global(self) -> Value<'js> {
        // SAFETY: a live context.
        unsafe { self.own(qjs::JS_GetGlobalObject(self.raw())) }
    }

    /// `object[name]`.
    pub(crate) fn get(self, object: &Value<'js>, name: &CStr) -> Script<Value<'js>> {
        let (ctx, raw, name) = (self.ctx.as_ptr(), object.raw, name.as_ptr());
        // SAFETY: live values, a terminated name.
        unsafe { self.checked(self.stoppable(|| qjs::JS_GetPropertyStr(ctx, raw, name))?) }
    }

    /// `object[name]`.
    pub(crate) fn read(self, object: &Value<'js>, name: Name) -> Script<Value<'js>> {
        let atom = self.host.atoms[name.position()].get();
        let (ctx, raw) = (self.ctx.as_ptr(), object.raw);
        // SAFETY: live values; the atom lives as long as the interpreter.
        unsafe { self.checked(self.stoppable(|| qjs::JS_GetProperty(ctx, raw, atom))?) }
    }

    /// Defines an own enumerable data property.
    pub(crate) fn put(self, object: &Value<'js>, name: Name, value: Value<'js>) -> Script<()> {
        let atom = self.host.atoms[name.position()].get();
        let flags = qjs::JS_PROP_C_W_E.cast_signed();
        // SAFETY: live values; the engine takes over `value`; the atom lives as long as the
        // interpreter.
        let done = unsafe {
            qjs::JS_DefinePropertyValue(self.raw(), object.raw, atom, value.into_raw(), flags)
        };
        if done < 0 { Err(Thrown(())) } else { Ok(()) }
    }

    /// `object[name]` for a name known at run time only.
    pub(crate) fn get_named(self, object: &Value<'js>, name: &str) -> Script<Value<'js>> {
        let atom = self.atom(name)?;
        let (ctx, raw) = (self.ctx.as_ptr(), object.raw);
        // SAFETY: live values; the atom is freed once.
        unsafe {
            let found = self.stoppable(|| qjs::JS_GetProperty(ctx, raw, atom))?;
            qjs::JS_FreeAtom(ctx, atom);
            self.checked(found)
        }
    }

    /// `name in object`.
    pub(crate) fn has(self, object: &Value<'js>, name: Name) -> Script<bool> {
        let atom = self.host.atoms[name.position()].get();
        let (ctx, raw) = (self.ctx.as_ptr(), object.raw);
        // SAFETY: live values; the atom lives as long as the interpreter.
        let found = self.stoppable(|| unsafe { qjs::JS_HasProperty(ctx, raw, atom) })?;
        if found < 0 { Err(Thrown(())) } else { Ok(found > 0) }
    }

    /// `value instanceof class`.
    pub(crate) fn is_instance(self, value: &Value<'js>, class: &Value<'js>) -> Script<bool> {
        let (ctx, value, class) = (self.ctx.as_ptr(), value.raw, class.raw);
        // SAFETY: live values.
        let answer = self.stoppable(|| unsafe { qjs::JS_IsInstanceOf(ctx, value, class) })?;
        if answer < 0 { Err(Thrown(())) } else { Ok(answer > 0) }
    }

    fn atom(self, name: &str) -> Script<qjs::JSAtom> {
        let start = name.as_ptr().cast::<c_char>();
        // SAFETY: `name` is readable for its length.
        let atom = unsafe { qjs::JS_NewAtomLen(self.raw(), start, name.len() as _) };
        if atom == 0 { Err(Thrown(())) } else { Ok(atom) }
    }

    /// Defines an own enumerable data property.
    pub(crate) fn set(self, object: &Value<'js>, name: &CStr, value: Value<'js>) -> Script<()> {
        self.define(object, name, value, qjs::JS_PROP_C_W_E)
    }

    /// Defines an own data property that enumeration does not show.
    pub(crate) fn set_hidden(
        self,
        object: &Value<'js>,
        name: &CStr,
        value: Value<'js>,
    ) -> Script<()> {
        self.define(object, name, value, qjs::JS_PROP_CONFIGURABLE | qjs::JS_PROP_WRITABLE)
    }

    fn define(self, object: &Value<'js>, name: &CStr, value: Value<'js>, flags: u32) -> Script<()> {
        // SAFETY: live values, a terminated name; the engine takes over `value`.
        let done = unsafe {
            qjs::JS_DefinePropertyValueStr(
                self.raw(),
                object.raw,
                name.as_ptr(),
                value.into_raw(),
                flags.cast_signed(),
            )
        };
        if done < 0 { Err(Thrown(())) } else { Ok(()) }
    }

    /// Defines an own enumerable data property for a name known at run time only.
    pub(crate) fn set_named(
        self,
        object: &Value<'js>,
        name: &str,
        value: Value<'js>,
    ) -> Script<()> {
        let atom = self.atom(name)?;
        // SAFETY: live values; the engine takes over `value`; the atom is freed once.
        let done = unsafe {
            let flags = qjs::JS_PROP_C_W_E.cast_signed();
            let raw = value.into_raw();
            let done = qjs::JS_DefinePropertyValue(self.raw(), object.raw, atom, raw, flags);
            qjs::JS_FreeAtom(self.raw(), atom);
            done
        };
        if done < 0 { Err(Thrown(())) } else { Ok(()) }
    }

    /// Defines an accessor without setter that enumeration does not show.
    pub(crate) fn set_getter(
        self,
        object: &Value<'js>,
        name: &str,
        getter: Value<'js>,
    ) -> Script<()> {
        self.set_accessor(object, name, getter, self.undefined())
    }

    /// Defines an accessor that enumeration does not show.
    pub(crate) fn set_accessor(
        self,
        object: &Value<'js>,
        name: &str,
        getter: Value<'js>,
        setter: Value<'js>,
    ) -> Script<()> {
        self.define_accessor(object, name, getter, setter, qjs::JS_PROP_CONFIGURABLE)
    }

    /// Defines an own accessor that looks like a data property.
    pub(crate) fn set_own_accessor(
        self,
        object: &Value<'js>,
        name: &str,
        getter: Value<'js>,
        setter: Value<'js>,
    ) -> Script<()> {
        let flags = qjs::JS_PROP_CONFIGURABLE | qjs::JS_PROP_ENUMERABLE;
        self.define_accessor(object, name, getter, setter, flags)
    }

    fn define_accessor(
        self,
        object: &Value<'js>,
        name: &str,
        getter: Value<'js>,
        setter: Value<'js>,
        flags: u32,
    ) -> Script<()> {
        let atom = self.atom(name)?;
        let flags = flags.cast_signed();
        // SAFETY: live values; the engine takes over both functions; the atom is freed once.
        let done = unsafe {
            let (getter, setter) = (getter.into_raw(), setter.into_raw());
            let ctx = self.raw();
            let done = qjs::JS_DefinePropertyGetSet(ctx, object.raw, atom, getter, setter, flags);
            qjs::JS_FreeAtom(self.raw(), atom);
            done
        };
        if done < 0 { Err(Thrown(())) } else { Ok(()) }
    }

    /// Own enumerable property names that are strings, at most `count_max` of them.
    ///
    /// `Ok(None)`: there are more.
    pub(crate) fn own_keys(
        self,
        object: &Value<'js>,
        count_max: usize,
    ) -> Script<Option<Vec<String>>> {
        let mut table: *mut qjs::JSPropertyEnum = ptr::null_mut();
        let mut count: u32 = 0;
        let flags = (qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_ENUM_ONLY).cast_signed();
        let (ctx, raw) = (self.ctx.as_ptr(), object.raw);
        let (to_table, to_count) = (&raw mut table, &raw mut count);
        // SAFETY: a live object; the engine fills both out parameters.
        let done = self.stoppable(|| unsafe {
            qjs::JS_GetOwnPropertyNames(ctx, to_table, to_count, raw, flags)
        })?;
        if done < 0 {
            return Err(Thrown(()));
        }
        let mut keys = Ok(Vec::new());
        if count as usize <= count_max {
            keys = (0..count as usize)
                .map(|index| {
                    // SAFETY: the table has `count` elements with live atoms.
                    let key = unsafe {
                        let atom = (*table.add(index)).atom;
                        self.checked(qjs::JS_AtomToString(self.raw(), atom))
                    }?;
                    self.text(&key)
                })
                .collect();
        }
        // SAFETY: the table came from the engine and is freed once.
        unsafe { qjs::JS_FreePropertyEnum(self.raw(), table, count) };
        keys.map(|keys: Vec<String>| (keys.len() == count as usize).then_some(keys))
    }

    /// The value as a string, by JavaScript's rules; lone surrogates become U+FFFD.
    pub(crate) fn text(self, value: &Value<'js>) -> Script<String> {
        self.with_text(value, |bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Lends the value as a string, by JavaScript's rules; UTF-8 but for lone surrogates.
    pub(crate) fn with_text<R>(
        self,
        value: &Value<'js>,
        run: impl FnOnce(&[u8]) -> R,
    ) -> Script<R> {
        let mut length = 0;
        let (ctx, raw, to_length) = (self.ctx.as_ptr(), value.raw, &raw mut length);
        // SAFETY: a live value; the engine fills the length.
        let start =
            self.stoppable(|| unsafe { qjs::JS_ToCStringLen2(ctx, to_length, raw, false) })?;
        if start.is_null() {
            return Err(Thrown(()));
        }
        // SAFETY: the engine gave `length` bytes at `start`, ours until freed below.
        let bytes = unsafe { core::slice::from_raw_parts(start.cast::<u8>(), length as usize) };
        let result = run(bytes);
        // SAFETY: freed once.
        unsafe { qjs::JS_FreeCString(self.raw(), start) };
        Ok(result)
    }

    /// Lends the bytes of an ArrayBuffer; `None` for anything else (and for a detached one).
    pub(crate) fn with_buffer<R>(
        self,
        value: &Value<'js>,
        run: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        if !value.is_array_buffer() {
            return None;
        }
        let mut length = 0;
        // SAFETY: an ArrayBuffer; the engine fills the length.
        let start = unsafe { qjs::JS_GetArrayBuffer(self.raw(), &mut length, value.raw) };
        if start.is_null() {
            drop(self.take_exception());
            return None;
        }
        // SAFETY: the engine gave `length` bytes at `start`; no JavaScript runs meanwhile, so they
        // are neither moved nor changed.
        Some(run(unsafe { core::slice::from_raw_parts(start, length as usize) }))
    }

    /// The bytes of an ArrayBuffer or of a typed array's window, copied.
    pub(crate) fn bytes_of_view(self, value: &Value<'js>) -> Script<Option<Vec<u8>>> {
        if value.is_array_buffer() {
            return Ok(self.with_buffer(value, <[u8]>::to_vec));
        }
        if !value.is_typed_array() {
            return Ok(None);
        }
        let (mut offset, mut length) = (0, 0);
        // SAFETY: a typed array; the engine fills both out parameters.
        let buffer = unsafe {
            self.checked(qjs::JS_GetTypedArrayBuffer(
                self.raw(),
                value.raw,
                &mut offset,
                &mut length,
                ptr::null_mut(),
            ))
        }?;
        let (offset, length) = (offset as usize, length as usize);
        let window = self.with_buffer(&buffer, |bytes| {
            let from = offset.min(bytes.len());
            bytes[from..from.saturating_add(length).min(bytes.len())].to_vec()
        });
        Ok(Some(window.unwrap_or_default()))
    }

    /// `JSON.stringify(value)`; undefined where that is undefined.
    pub(crate) fn to_json(self, value: &Value<'js>) -> Script<Value<'js>> {
        let (ctx, raw, nothing) = (self.ctx.as_ptr(), value.raw, qjs::JS_UNDEFINED);
        // SAFETY: live values.
        unsafe {
            self.checked(self.stoppable(|| qjs::JS_JSONStringify(ctx, raw, nothing, nothing))?)
        }
    }

    /// `JSON.parse` of UTF-8 text.
    pub(crate) fn parse_json(self, text: &[u8]) -> Script<Value<'js>> {
        let mut terminated = Vec::with_capacity(text.len() + 1);
        terminated.extend_from_slice(text);
        terminated.push(0);
        let start = terminated.as_ptr().cast::<c_char>();
        // SAFETY: `text.len()` bytes at `start`, followed by a NUL as the parser wants.
        unsafe {
            self.checked(qjs::JS_ParseJSON(self.raw(), start, text.len() as _, c"<json>".as_ptr()))
        }
    }

    /// Calls `function` with `this` undefined.
    pub(crate) fn call(self, function: &Value<'js>, args: &[&Value<'js>]) -> Script<Value<'js>> {
        let mut raw: [qjs::JSValue; 4] = [qjs::JS_UNDEFINED; 4];
        assert!(args.len() <= raw.len(), "at most four arguments");
        for (slot, value) in raw.iter_mut().zip(args) {
            *slot = value.raw;
        }
        let (ctx, function, this) = (self.ctx.as_ptr(), function.raw, qjs::JS_UNDEFINED);
        let (count, first) = (args.len() as c_int, raw.as_mut_ptr());
        // SAFETY: live values; the engine borrows the arguments.
        unsafe { self.checked(self.stoppable(|| qjs::JS_Call(ctx, function, this, count, first))?) }
    }

    /// `Reflect.construct(constructor, args, new_target)` with at most one argument.
    pub(crate) fn construct(
        self,
        constructor: &Value<'js>,
        new_target: &Value<'js>,
        args: &[Value<'js>],
    ) -> Script<Value<'js>> {
        let mut raw: Vec<qjs::JSValue> = args.iter().map(|value| value.raw).collect();
        let (ctx, constructor, target) = (self.ctx.as_ptr(), constructor.raw, new_target.raw);
        let (count, first) = (raw.len() as c_int, raw.as_mut_ptr());
        // SAFETY: live values; the engine borrows the arguments.
        unsafe {
            self.checked(
                self.stoppable(|| {
                    qjs::JS_CallConstructor2(ctx, constructor, target, count, first)
                })?,
            )
        }
    }

    /// Throws an error of that kind.
    pub(crate) fn throw(self, kind: ErrorKind, message: &str) -> Thrown {
        if self.host.stopped() {
            return Thrown(());
        }
        let text = CString::new(message.replace('\0', "\u{fffd}")).unwrap_or_default();
        let (ctx, format, text) = (self.raw(), c"%s".as_ptr(), text.as_ptr());
        // SAFETY: the format takes one terminated string; the engine copies up to 255 bytes of it.
        unsafe {
            match kind {
                ErrorKind::Plain => qjs::JS_ThrowPlainError(ctx, format, text),
                ErrorKind::Type => qjs::JS_ThrowTypeError(ctx, format, text),
                ErrorKind::Range => qjs::JS_ThrowRangeError(ctx, format, text),
                ErrorKind::Reference => qjs::JS_ThrowReferenceError(ctx, format, text),
                ErrorKind::Internal => qjs::JS_ThrowInternalError(ctx, format, text),
            };
        }
        if message.len() > 255 {
            let error = self.take_exception();
            if let Ok(whole) = self.string(message) {
                // Where even this fails the short message has to do.
                let _ = self.set_hidden(&error, c"message", whole);
            }
            return self.throw_value(error);
        }
        Thrown(())
    }

    /// Throws a TypeError.
    pub(crate) fn throw_type(self, message: &str) -> Thrown {
        self.throw(ErrorKind::Type, message)
    }

    /// Throws any value.
    pub(crate) fn throw_value(self, value: Value<'js>) -> Thrown {
        if self.host.stopped() {
            return Thrown(());
        }
        // SAFETY: the engine takes over the value.
        unsafe { qjs::JS_Throw(self.raw(), value.into_raw()) };
        Thrown(())
    }

    /// Takes the pending exception; undefined if there is none.
    pub(crate) fn take_exception(self) -> Value<'js> {
        if self.host.stopped() {
            return self.undefined();
        }
        // SAFETY: a live context; the reference becomes ours.
        unsafe {
            let raw = qjs::JS_GetException(self.raw());
            if qjs::JS_IsUninitialized(raw) { self.undefined() } else { self.own(raw) }
        }
    }

    /// The value as a boolean, by JavaScript's rules.
    pub(crate) fn truthy(self, value: &Value<'js>) -> bool {
        // SAFETY: a live value; never throws for valid values.
        unsafe { qjs::JS_ToBool(self.raw(), value.raw) > 0 }
    }

    /// The value as a number, by JavaScript's rules.
    pub(crate) fn to_number(self, value: &Value<'js>) -> Script<f64> {
        let mut number = 0.0;
        let (ctx, raw, to_number) = (self.ctx.as_ptr(), value.raw, &raw mut number);
        // SAFETY: a live value; the engine fills the out parameter.
        let done = self.stoppable(|| unsafe { qjs::JS_ToFloat64(ctx, to_number, raw) })?;
        if done < 0 { Err(Thrown(())) } else { Ok(number) }
    }

    /// What became of a promise.
    pub(crate) fn promise(self, promise: &Value<'js>) -> Promised<'js> {
        // SAFETY: a live promise; the result is a new reference.
        unsafe {
            match qjs::JS_PromiseState(self.raw(), promise.raw) {
                qjs::JSPromiseStateEnum_JS_PROMISE_FULFILLED => {
                    Promised::Fulfilled(self.own(qjs::JS_PromiseResult(self.raw(), promise.raw)))
                }
                qjs::JSPromiseStateEnum_JS_PROMISE_REJECTED => {
                    Promised::Rejected(self.own(qjs::JS_PromiseResult(self.raw(), promise.raw)))
                }
                _ => Promised::Pending,
            }
        }
    }

    /// Runs pending jobs (promise reactions) until there are none, or one is interrupted.
    pub(crate) fn run_jobs(self) {
        // SAFETY: a live context.
        let rt = unsafe { qjs::JS_GetRuntime(self.ctx.as_ptr()) };
        let mut ran: *mut qjs::JSContext = ptr::null_mut();
        let to_ran = &raw mut ran;
        loop {
            // SAFETY: a live runtime; the engine fills the out parameter.
            let done = self.stoppable(|| unsafe { qjs::JS_ExecutePendingJob(rt, to_ran) });
            if matches!(done, Ok(done) if done < 0) {
                drop(self.take_exception());
            }
            if matches!(done, Ok(0) | Err(_)) || self.host.expired() {
                return;
            }
        }
    }

    /// A function object of the native with that number ([`crate::surface::native`]).
    pub(crate) fn native(self, index: usize) -> Script<Value<'js>> {
        super::runtime::native_function(self, index)
    }
}
