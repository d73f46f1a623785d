//! What a runtime is opened with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use affiant::node::{InsecureFileKey, NewMember, NewUser, NodeSettings, SealingKey, VolatileKey};
use affiant::platform::{PlatformSettings, Provider, SnpDerivedKey, VirtualAttestor, detect};
use affiant::{AppError, Call, EndpointOptions, Listener, Runtime, RuntimeBuilder};
use serde_json::Value as Json;

use crate::boundary;
use crate::endpoint::FAILED;
use crate::fault::Fault;
use crate::handle::{Kind, Opaque};
use crate::limits::{ADDRESSES_COUNT_MAX, THREADS_COUNT_MAX};
use crate::memory::affiant_slice;
use crate::status::{AFFIANT_TOO_MANY, AFFIANT_UNSUPPORTED, affiant_status};
use crate::version;

/// What a runtime is opened with. Made by `affiant_options_new`, changed by `affiant_options_...`, read by
/// `affiant_runtime_open`, any number of times.
pub struct affiant_options {
    _opaque: [u8; 0],
}

impl Opaque for affiant_options {
    type Object = Options;
    const KIND: Kind = Kind::Options;
}

/// What seals the node's keys at rest: one of the constants `AFFIANT_SEALING_...`.
pub type affiant_sealing = u32;

/// A key in a file: who can read the file and the data can read everything. What a disk holds is only as
/// secret as this file is.
pub const AFFIANT_SEALING_KEY_FILE: affiant_sealing = 1;
/// A key that the secure processor of an AMD SEV-SNP guest derives for this very software.
pub const AFFIANT_SEALING_SNP: affiant_sealing = 2;

/// Where evidence of the platform comes from: one of the constants `AFFIANT_PLATFORM_...`.
pub type affiant_platform = u32;

/// From nowhere: "evidence" that no verifier accepts unless its policy names it. The default.
pub const AFFIANT_PLATFORM_VIRTUAL: affiant_platform = 1;
/// From what is there: the kernel's reports, the guest device; the virtual one where neither is.
pub const AFFIANT_PLATFORM_DETECT: affiant_platform = 2;

/// A handler as the runtime calls it.
pub(crate) type Handler =
    dyn Fn(&mut Call<'_>) -> Result<affiant::Response, AppError> + Send + Sync;

/// An endpoint, to be served by every runtime that is opened.
#[derive(Clone)]
pub(crate) struct NativeEndpoint {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) options: EndpointOptions,
    pub(crate) handler: Arc<Handler>,
}

/// How the node's keys are sealed.
#[derive(Clone)]
enum Sealing {
    KeyFile(Option<PathBuf>),
    Snp(Option<PathBuf>),
}

/// The object behind `affiant_options`.
pub(crate) struct Options {
    directory: Option<PathBuf>,
    sealing: Sealing,
    platform: affiant_platform,
    addresses: Vec<String>,
    names: Vec<String>,
    signature_delay_ms: Option<u64>,
    http_threads: usize,
    executor_threads: usize,
    members: Vec<NewMember>,
    users: Vec<NewUser>,
    pub(crate) endpoints: Vec<NativeEndpoint>,
    exception_details: bool,
}

impl Options {
    fn new() -> Self {
        Self {
            directory: None,
            sealing: Sealing::KeyFile(None),
            platform: AFFIANT_PLATFORM_VIRTUAL,
            addresses: Vec::new(),
            names: Vec::new(),
            signature_delay_ms: None,
            http_threads: 0,
            executor_threads: 0,
            members: Vec::new(),
            users: Vec::new(),
            endpoints: Vec::new(),
            exception_details: false,
        }
    }

    fn settings(&self) -> Result<NodeSettings, Fault> {
        let mut settings = match &self.directory {
            None => NodeSettings::in_memory(),
            Some(directory) => NodeSettings::in_directory(directory),
        };
        settings.sealing = self.sealing_key();
        settings.attestor = match self.platform {
            AFFIANT_PLATFORM_DETECT => {
                let wanted =
                    PlatformSettings { provider: Provider::Auto, ..PlatformSettings::default() };
                detect(&wanted)
                    .map_err(|error| Fault::new(AFFIANT_UNSUPPORTED, error.to_string()))?
            }
            _ => Arc::new(VirtualAttestor),
        };
        settings.node_subject_alt_names.clone_from(&self.names);
        settings.service.members.clone_from(&self.members);
        settings.service.users.clone_from(&self.users);
        if let Some(delay) = self.signature_delay_ms {
            settings.signature_delay_ms = delay;
        }
        Ok(settings)
    }

    fn sealing_key(&self) -> Arc<dyn SealingKey> {
        let Some(directory) = &self.directory else { return Arc::new(VolatileKey::default()) };
        let place = |given: &Option<PathBuf>, usual: &str| match given {
            Some(path) => path.clone(),
            None => directory.join(usual),
        };
        match &self.sealing {
            Sealing::KeyFile(path) => Arc::new(InsecureFileKey::new(place(path, "sealing_key"))),
            Sealing::Snp(path) => Arc::new(SnpDerivedKey::new(place(path, "sealing_versions"))),
        }
    }

    /// Everything that a runtime needs to start. Its endpoints work as long as somebody holds their handlers.
    pub(crate) fn builder(&self) -> Result<RuntimeBuilder, Fault> {
        let mut builder = Runtime::builder().node(self.settings()?);
        for (position, address) in self.addresses.iter().enumerate() {
            let name = match position {
                0 => "main".to_owned(),
                other => format!("main-{}", other + 1),
            };
            builder = builder.listen(Listener::new(&name, address));
        }
        if self.http_threads > 0 {
            builder = builder.http_threads(self.http_threads);
        }
        if self.executor_threads > 0 {
            builder = builder.executor_threads(self.executor_threads);
        }
        for endpoint in &self.endpoints {
            let NativeEndpoint { method, path, options, handler } = endpoint;
            // Threads keep what they have called: not the program's userdata, which it wants back.
            let handler = Arc::downgrade(handler);
            let details = self.exception_details;
            let run = move |call: &mut Call<'_>| answer(&handler, call, details);
            builder = builder.endpoint_with_call(method, path, options.clone(), run);
        }
        Ok(builder)
    }
}

/// Runs a handler, if the runtime has not stopped meanwhile.
fn answer(
    handler: &Weak<Handler>,
    call: &mut Call<'_>,
    details: bool,
) -> Result<affiant::Response, AppError> {
    let Some(handler) = handler.upgrade() else {
        return Err(AppError::new(503, "ServiceUnavailable", "This node is stopping."));
    };
    handler(call).map_err(|mut error| {
        if details
            && error.message == FAILED
            && let Some(reason) = &error.log
        {
            error.message = format!("{FAILED} {reason}");
        }
        error
    })
}

/// Makes options: a new ledger in memory, without an address, until told otherwise. `header_version` is
/// `AFFIANT_VERSION`: `AFFIANT_VERSION_MISMATCH` if this library is another one than the program was compiled
/// for (`affiant_check_version` has the rule). To be freed with `affiant_options_free`. From any thread.
///
/// # Safety
/// `options` leads to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_options_new(
    header_version: u32,
    options: *mut *mut affiant_options,
) -> affiant_status {
    // SAFETY: as promised to this function.
    unsafe {
        boundary::make(options, || {
            version::check(header_version, version::AFFIANT_VERSION)?;
            Ok(Options::new())
        })
    }
}

/// Frees options. Runtimes that were opened with them live on. NULL is allowed; `AFFIANT_REENTRANT` from
/// inside a callback.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_options_free(options: *mut affiant_options) -> affiant_status {
    boundary::free_if(options, |_| boundary::outside_callbacks("affiant_options_free"))
}

/// Where the data lies: a directory, made if it is missing. What is in it is resumed: the same service, its
/// transactions, its keys. One process at a time.
///
/// # Safety
/// `path` leads to as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_options_set_directory(
    options: *mut affiant_options,
    path: affiant_slice,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        // SAFETY: as promised to this function.
        let path = unsafe { path.text("path")? };
        if path.is_empty() || path.contains('\0') {
            return Err(Fault::argument("path is empty, or holds a NUL"));
        }
        // So that a later chdir of the program changes nothing.
        let path = std::path::absolute(Path::new(path))
            .map_err(|error| Fault::argument(format!("{path}: {error}")))?;
        options.directory = Some(path);
        Ok(())
    })
}

/// What seals the node's keys at rest, where there is a directory. `path` is the file of the key, or with
/// `AFFIANT_SEALING_SNP` that of the versions it was derived for; empty: beside the data. The default is
/// `AFFIANT_SEALING_KEY_FILE`, beside the data.
///
/// # Safety
/// `path` leads to as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_options_set_sealing(
    options: *mut affiant_options,
    kind: affiant_sealing,
    path: affiant_slice,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        // SAFETY: as promised to this function.
        let path = unsafe { path.text("path")? };
        let path = (!path.is_empty()).then(|| PathBuf::from(path));
        options.sealing = match kind {
            AFFIANT_SEALING_KEY_FILE => Sealing::KeyFile(path),
            AFFIANT_SEALING_SNP => Sealing::Snp(path),
            other => {
                let text = format!("{other} is no AFFIANT_SEALING_... constant");
                return Err(Fault::argument(text));
            }
        };
        Ok(())
    })
}

/// Where evidence of the platform comes from. The default is `AFFIANT_PLATFORM_VIRTUAL`.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_options_set_platform(
    options: *mut affiant_options,
    platform: affiant_platform,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        if !matches!(platform, AFFIANT_PLATFORM_VIRTUAL | AFFIANT_PLATFORM_DETECT) {
            let text = format!("{platform} is no AFFIANT_PLATFORM_... constant");
            return Err(Fault::argument(text));
        }
        options.platform = platform;
        Ok(())
    })
}

/// Serves HTTPS at an address, such as "127.0.0.1:8000"; port 0 lets the system choose
/// (`affiant_runtime_address` has it then). May be called several times. Without any, nothing listens.
///
/// # Safety
/// `address` leads to as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_options_listen(
    options: *mut affiant_options,
    address: affiant_slice,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        // SAFETY: as promised to this function.
        let address = unsafe { address.text("address")? };
        push(&mut options.addresses, address.to_owned(), "addresses")
    })
}

/// Adds a name or IP address to those in the node's certificates, under which clients reach it.
///
/// # Safety
/// `name` leads to as many bytes as it says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_options_add_name(
    options: *mut affiant_options,
    name: affiant_slice,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        // SAFETY: as promised to this function.
        let name = unsafe { name.text("name")? };
        push(&mut options.names, name.to_owned(), "names")
    })
}

/// How old the oldest unsigned transaction may become before a signature is made, in milliseconds; default
/// 1000. Whoever waits for a commit has one made at once.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_options_set_signature_delay(
    options: *mut affiant_options,
    delay_ms: u64,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        if delay_ms == 0 {
            return Err(Fault::argument("delay_ms is 0; it is 1 at least"));
        }
        options.signature_delay_ms = Some(delay_ms);
        Ok(())
    })
}

/// How many threads serve connections, and how many run handlers that take long; 0 leaves the default.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_options_set_threads(
    options: *mut affiant_options,
    http_threads: u32,
    executor_threads: u32,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        let (http, executor) = (http_threads as usize, executor_threads as usize);
        if http.max(executor) > THREADS_COUNT_MAX {
            let text = format!("at most {THREADS_COUNT_MAX} threads of a kind are started");
            return Err(Fault::argument(text));
        }
        (options.http_threads, options.executor_threads) = (http, executor);
        Ok(())
    })
}

/// Adds a member of the consortium that governs a new service: certificate and public encryption key
/// (RSA) in PEM, the latter empty for a member who holds no recovery share; `data_json` is any JSON or empty.
///
/// # Safety
/// The slices lead to as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_options_add_member(
    options: *mut affiant_options,
    certificate_pem: affiant_slice,
    encryption_key_pem: affiant_slice,
    data_json: affiant_slice,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        // SAFETY: as promised to this function.
        let (certificate, key, data) = unsafe {
            (
                certificate_pem.text("certificate_pem")?,
                encryption_key_pem.text("encryption_key_pem")?,
                json(data_json)?,
            )
        };
        let member = NewMember {
            certificate_pem: certificate.to_owned(),
            encryption_public_key_pem: (!key.is_empty()).then(|| key.to_owned()),
            member_data: data,
            ..NewMember::default()
        };
        push(&mut options.members, member, "members")
    })
}

/// Adds a user of a new service: certificate in PEM; `data_json` is any JSON or empty.
///
/// # Safety
/// The slices lead to as many bytes as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn affiant_options_add_user(
    options: *mut affiant_options,
    certificate_pem: affiant_slice,
    data_json: affiant_slice,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        // SAFETY: as promised to this function.
        let (certificate, user_data) =
            unsafe { (certificate_pem.text("certificate_pem")?, json(data_json)?) };
        let user = NewUser { certificate_pem: certificate.to_owned(), user_data };
        push(&mut options.users, user, "users")
    })
}

/// Whether clients are told why a handler of the program's failed: the text of the exception, or what
/// `affiant_error_text` had. It is in the log in any case. The default is false.
#[unsafe(no_mangle)]
pub extern "C" fn affiant_options_set_exception_details(
    options: *mut affiant_options,
    exception_details: bool,
) -> affiant_status {
    boundary::exclusive(options, |options| {
        options.exception_details = exception_details;
        Ok(())
    })
}

/// # Safety
/// As [`affiant_slice::text`].
unsafe fn json(data: affiant_slice) -> Result<Json, Fault> {
    // SAFETY: as promised to this function.
    let text = unsafe { data.text("data_json")? };
    if text.is_empty() {
        return Ok(Json::Null);
    }
    serde_json::from_str(text)
        .map_err(|error| Fault::argument(format!("data_json is not JSON: {error}")))
}

fn push<T>(list: &mut Vec<T>, item: T, what: &str) -> Result<(), Fault> {
    if list.len() >= ADDRESSES_COUNT_MAX {
        let text = format!("at most {ADDRESSES_COUNT_MAX} {what} are taken");
        return Err(Fault::new(AFFIANT_TOO_MANY, text));
    }
    list.push(item);
    Ok(())
}
