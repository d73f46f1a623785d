//! What an endpoint declares: where it is, who may call it, how it runs and when it answers.
//! The field names and defaults are CCF's (`app.json`, reference B.2).

use serde_json::Value as Json;

use crate::auth::KNOWN_POLICIES;
use crate::router::{Template, is_fallback};

/// How an endpoint touches the store.
///
/// ```
/// use affiant::{EndpointOptions, Mode};
///
/// assert_eq!(EndpointOptions::native().mode, Mode::ReadWrite);
/// assert_eq!(EndpointOptions::native().read_only().mode, Mode::ReadOnly);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Reads and writes.
    #[default]
    ReadWrite,
    /// Reads only; a write throws inside the handler.
    ReadOnly,
    /// Reads one past transaction, named by the request's `x-ms-ccf-transaction-id`.
    Historical,
}

/// When the answer leaves.
///
/// ```
/// use affiant::{EndpointOptions, Respond};
///
/// // What is answered is durable, unless the endpoint says otherwise.
/// assert_eq!(EndpointOptions::native().respond, Respond::AtCommit);
/// let early = EndpointOptions::native().respond(Respond::AtOnce);
/// # assert_eq!(early.respond, Respond::AtOnce);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Respond {
    /// As soon as the transaction has its id (CCF's way, the default for `app.json`).
    #[default]
    AtOnce,
    /// Once it is committed, which means synced to disk; the default for native endpoints.
    AtCommit,
    /// At commit, with the receipt in the answer.
    WithReceipt,
}

/// What becomes of a promise that a handler returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Promises {
    /// Its jobs are run, and what it settles to is the answer.
    #[default]
    Awaited,
    /// CCF's way: no job is ever run, and a promise is an object without a body.
    Ignored,
}

/// One way to be admitted: a policy's name, or several that must all succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthnPolicy {
    /// `no_auth`, `user_cert`, `member_cert`, `any_cert`, ...
    Named(String),
    /// All of the named policies.
    AllOf(Vec<String>),
}

/// Where a request goes when this node cannot serve it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Redirection {
    /// Nowhere.
    None,
    /// To the primary.
    #[default]
    ToPrimary,
    /// To a backup.
    ToBackup,
}

/// Everything about an endpoint except its handler.
///
/// ```
/// use affiant::EndpointOptions;
///
/// let options = EndpointOptions::native().policies(&["user_cert", "jwt"]).read_only();
/// assert_eq!(options.authn_policies.len(), 2);
/// // Every field can be set.
/// let hidden = EndpointOptions { openapi_hidden: true, ..options };
/// # assert!(hidden.openapi_hidden);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointOptions {
    /// Tried in order; the first that admits decides who calls. Empty: anybody, and no caller object.
    pub authn_policies: Vec<AuthnPolicy>,
    /// How it touches the store.
    pub mode: Mode,
    /// When the answer leaves, unless the request says otherwise.
    pub respond: Respond,
    /// Where a request goes when this node cannot serve it.
    pub redirection: Redirection,
    /// OpenAPI operation object merged into `/app/api`.
    pub openapi: Json,
    /// Left out of `/app/api`.
    pub openapi_hidden: bool,
    /// Requests with the same key share an interpreter (`interpreter_reuse.key`).
    pub interpreter_reuse_key: Option<String>,
    /// What becomes of a promise that the handler returns.
    pub promises: Promises,
}

impl EndpointOptions {
    /// The defaults of code that is linked in: anybody may call, and 200 means committed.
    ///
    /// ```
    /// use affiant::{EndpointOptions, Mode, Respond};
    ///
    /// let options = EndpointOptions::native();
    /// assert!(options.authn_policies.is_empty());
    /// assert_eq!((options.mode, options.respond), (Mode::ReadWrite, Respond::AtCommit));
    /// ```
    #[must_use]
    pub fn native() -> Self {
        Self { respond: Respond::AtCommit, ..Self::default() }
    }

    /// The same, with the policies of these names, tried in order.
    ///
    /// ```
    /// use affiant::EndpointOptions;
    /// use affiant::auth::AuthnPolicy;
    ///
    /// let options = EndpointOptions::native().policies(&["member_cert"]);
    /// assert_eq!(options.authn_policies, [AuthnPolicy::Named("member_cert".to_owned())]);
    /// ```
    #[must_use]
    pub fn policies(mut self, names: &[&str]) -> Self {
        self.authn_policies =
            names.iter().map(|name| AuthnPolicy::Named((*name).to_owned())).collect();
        self
    }

    /// The same, reading only.
    ///
    /// ```
    /// use affiant::{EndpointOptions, Mode};
    ///
    /// assert_eq!(EndpointOptions::native().read_only().mode, Mode::ReadOnly);
    /// ```
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.mode = Mode::ReadOnly;
        self
    }

    /// The same, for one past transaction, which the request names; reading only.
    ///
    /// ```
    /// use affiant::{EndpointOptions, Mode};
    ///
    /// assert_eq!(EndpointOptions::native().historical().mode, Mode::Historical);
    /// ```
    #[must_use]
    pub fn historical(mut self) -> Self {
        self.mode = Mode::Historical;
        self
    }

    /// The same, answering at another time.
    ///
    /// ```
    /// use affiant::{EndpointOptions, Respond};
    ///
    /// let proven = EndpointOptions::native().respond(Respond::WithReceipt);
    /// assert_eq!(proven.respond, Respond::WithReceipt);
    /// ```
    #[must_use]
    pub fn respond(mut self, respond: Respond) -> Self {
        self.respond = respond;
        self
    }
}

impl Default for EndpointOptions {
    fn default() -> Self {
        Self {
            authn_policies: Vec::new(),
            mode: Mode::default(),
            respond: Respond::default(),
            redirection: Redirection::default(),
            openapi: Json::Null,
            openapi_hidden: false,
            interpreter_reuse_key: None,
            promises: Promises::default(),
        }
    }
}

/// The language of an application in a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// `js_module`, `js_function`.
    JavaScript,
    /// `py_module`, `py_function`, `py_interface`.
    Python,
}

impl Language {
    /// Its name, as [`crate::hosting::Frontend::language`] says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JavaScript => "javascript",
            Self::Python => "python",
        }
    }
}

/// How an endpoint's function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Interface {
    /// With the request; it returns the answer.
    #[default]
    Handler,
    /// As a WSGI application (PEP 3333).
    Wsgi,
    /// As an ASGI application.
    Asgi,
}

/// One endpoint of an application. Method `*` and path `/*` together make the application's fallback,
/// which serves every path that no endpoint has, whatever the method.
///
/// ```
/// use affiant::{Endpoint, EndpointOptions};
///
/// let endpoint = Endpoint {
///     method: "GET".to_owned(),
///     path: "/notes/{id}".to_owned(),
///     options: EndpointOptions::native().read_only(),
///     ..Endpoint::default()
/// };
/// # assert!(endpoint.module.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoint {
    /// Upper-case method.
    pub method: String,
    /// Path template below the application, with a leading slash: `/log/{id}`.
    pub path: String,
    /// The language of the handler, where it comes from a bundle.
    pub language: Option<Language>,
    /// How the handler is called.
    pub interface: Interface,
    /// Module that holds the handler, with a leading slash (`/src/log.js`); empty for native code.
    pub module: String,
    /// The handler's exported name, or the name of a web application; for native code a label.
    pub function: String,
    /// Everything else.
    pub options: EndpointOptions,
}

impl Endpoint {
    /// Whether a runtime can serve it, as far as that can be known without one: method, path and the names of
    /// policies.
    ///
    /// # Errors
    /// What it cannot be, and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        let Self { method, path, options, .. } = self;
        let fail = |why: String| format!("{method} {path}: {why}");
        is_fallback(method, path)
            .and_then(|_| Template::compile(path))
            .map_err(|error| fail(error.to_string()))?;
        if http::Method::from_bytes(method.as_bytes()).is_err() {
            return Err(fail(format!("{method:?} is no HTTP method")));
        }
        for policy in &options.authn_policies {
            let names = match policy {
                AuthnPolicy::Named(name) => core::slice::from_ref(name),
                AuthnPolicy::AllOf(names) => names,
            };
            if let Some(name) = names.iter().find(|name| !KNOWN_POLICIES.contains(&&***name)) {
                let known = KNOWN_POLICIES.join(", ");
                return Err(fail(format!("{name:?} is no policy; there are {known}")));
            }
        }
        Ok(())
    }
}
