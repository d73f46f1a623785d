//! The node under test, as a process of its own: this program again, called with `node`.
//!
//! Prints `READY <address>` once it serves; its service certificate is then in the data directory.

use std::path::PathBuf;
use std::sync::Arc;

use affiant::hosting::{AppBundle, RuntimeOptions};
use affiant::node::{NewUser, NodeSettings};
use affiant::{Listener, Runtime, RuntimeBuilder};
use affiant_js::JsFrontend;
use clap::Args;

use crate::app;

/// Name of the service's certificate in the data directory.
pub const SERVICE_CERTIFICATE: &str = "service_cert.pem";
/// Name of the user's certificate in the data directory.
pub const USER_CERTIFICATE: &str = "user_cert.pem";

/// Name of the user's key in the data directory, where the node makes the user.
pub const USER_KEY: &str = "user_privk.pem";

/// How the node is started.
#[derive(Args, Clone, Debug)]
pub struct NodeArguments {
    /// Where the data lies; the user's certificate is expected there.
    #[arg(long)]
    pub data: PathBuf,
    /// A JavaScript bundle to serve instead of the endpoints in Rust.
    #[arg(long)]
    pub app: Option<PathBuf>,
    /// Size at which a chunk ends with the next signature, in bytes.
    #[arg(long, default_value_t = 5_000_000)]
    pub chunk_bytes: u64,
    /// Age at which a signature is due, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    pub signature_delay_ms: u64,
    /// Threads that serve connections.
    #[arg(long, default_value_t = 2)]
    pub http_threads: usize,
    /// Bound on sequenced but uncommitted transactions.
    #[arg(long, default_value_t = affiant_kv::limits::UNCOMMITTED_COUNT_MAX_DEFAULT)]
    pub uncommitted_count_max: usize,
}

impl NodeArguments {
    /// The arguments of the command line that means these.
    #[must_use]
    pub fn to_command_line(&self) -> Vec<String> {
        let mut line = vec![
            "node".to_owned(),
            format!("--data={}", self.data.display()),
            format!("--chunk-bytes={}", self.chunk_bytes),
            format!("--signature-delay-ms={}", self.signature_delay_ms),
            format!("--http-threads={}", self.http_threads),
            format!("--uncommitted-count-max={}", self.uncommitted_count_max),
        ];
        line.extend(self.app.iter().map(|app| format!("--app={}", app.display())));
        line
    }

    fn settings(&self) -> std::io::Result<NodeSettings> {
        let mut settings = NodeSettings::in_directory(self.data.join("node"));
        settings.chunk_bytes = self.chunk_bytes;
        settings.signature_delay_ms = self.signature_delay_ms;
        settings.uncommitted_count_max = self.uncommitted_count_max;
        settings.node_subject_alt_names = vec!["127.0.0.1".to_owned()];
        let certificate_pem = std::fs::read_to_string(self.data.join(USER_CERTIFICATE))?;
        settings.service.users = vec![NewUser { certificate_pem, ..NewUser::default() }];
        Ok(settings)
    }
}

/// Serves until the process is killed.
///
/// # Errors
/// The node does not start, in words.
pub fn serve(arguments: &NodeArguments) -> Result<(), Box<dyn std::error::Error>> {
    let builder = Runtime::builder()
        .node(arguments.settings()?)
        .listen(Listener::new("bench", "127.0.0.1:0"))
        .http_threads(arguments.http_threads);
    let runtime = with_application(builder, arguments)?.start()?;
    let certificate = runtime.node().info().service_certificate_pem;
    std::fs::write(arguments.data.join(SERVICE_CERTIFICATE), certificate)?;
    let address = runtime.addresses().first().copied().ok_or("the node does not listen")?;
    println!("READY {address}");
    loop {
        std::thread::park();
    }
}

fn with_application(
    builder: RuntimeBuilder,
    arguments: &NodeArguments,
) -> Result<RuntimeBuilder, Box<dyn std::error::Error>> {
    let Some(directory) = &arguments.app else {
        return Ok(app::add_records(app::add_logging(builder)?)?);
    };
    let bundle = AppBundle::from_directory(directory)?;
    let endpoints = bundle.endpoints()?;
    let frontend = JsFrontend::load(&bundle, endpoints, RuntimeOptions::default())?;
    for warning in frontend.warnings() {
        eprintln!("warning: {warning}");
    }
    Ok(builder.frontend(Arc::new(frontend)))
}
