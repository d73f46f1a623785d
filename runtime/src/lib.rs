//! Affiant: an embeddable application runtime for ledger apps in confidential virtual machines.
#![forbid(unsafe_code)]

mod access;
mod admin;
mod application;
mod attestation;
mod auth;
mod bundle;
mod client;
mod clock;
mod config;
mod core;
pub mod crypto;
mod dispatch;
mod endpoint;
mod error;
mod executor;
mod frontend;
mod gate;
mod genesis;
mod governance;
mod historical;
mod http;
pub mod jwt;
pub mod limits;
pub mod log;
mod metrics;
mod native;
mod node;
pub mod odata;
mod options;
mod platform;
mod receipts;
pub mod relying;
mod replies;
mod request;
mod respond;
mod router;
mod runtime;
mod seat;
pub mod tables;
mod tls;
mod workers;

pub use access::{ExecutionContext, TableAccess, TableRefusal};
pub use affiant_attest as attest;
pub use affiant_kv::{KvError, MapName, Tx};
pub use attestation::{
    NodeAttestor, SnpEvidence, SnpField, TcbPolicy, TcbRefused, VerifiedSnp, tcb_hex_to_policy,
    verify_snp,
};
pub use auth::{
    AnyCert, AuthError, AuthPolicy, AuthRequest, Jwt, MemberCert, NoAuth, Peer, PeerCertificate,
    UserCert, UserCoseSign1,
};
pub use bundle::{AppBundle, BundleError};
pub use config::{
    AppProtocol, CommandKind, Configuration, Endorsement, ListenerSettings, OutputFiles,
    write_file_atomically,
};
pub use core::CommitNotice;
pub use endpoint::{
    AuthnPolicy, Endpoint, EndpointOptions, Interface, Language, Mode, Promises, Redirection,
    Respond,
};
pub use error::{RuntimeError, RuntimeResult};
pub use frontend::{AppError, Call, Frontend, FrontendWorker, Threads};
pub use genesis::{CREATE_TXID, NewMember, add_member, set_member_active, set_user, store_bundle};
pub use governance::{
    Ballot, Constitution, DEFAULT_CONSTITUTION, GovEffects, Governance, GovernanceCall,
    NodeEffects, Resolution, SANDBOX_RESOLVE, ScriptFailure, Validation, Vote,
    constitution_fragments, proposal_id,
};
pub use historical::{
    HistoricalCache, HistoricalError, HistoricalNamespace, HistoricalState, HistoricalStates,
};
pub use http::{Listener, Protocols};
pub use native::{NativeFrontend, NativeHandler};
pub use node::{
    InsecureFileKey, JoinPolicy, JoinRefusal, NewUser, Node, NodeInfo, NodeMetrics, NodeSettings,
    NodeState, OpenDisk, ReceiptOutcome, SealingKey, ServiceSettings, StartMode, Storage,
    TlsIdentity, VolatileKey,
};
pub use options::RuntimeOptions;
pub use platform::{
    Attestor, ContextVariables, EndorsementServer, FORMAT_SNP, FORMAT_VIRTUAL, KeyRelease, Maa,
    PlatformError, PlatformSettings, Provider, SealingKind, ServerKind, Sidecar, SnpDerivedKey,
    VirtualAttestor, choose_sealing, detect,
};
pub use receipts::{json_receipt, receipt_cose, receipt_json};
pub use request::{Caller, CertCaller, InvalidRequest, JwtCaller, Request, Response};
pub use router::TemplateError;
pub use runtime::{Runtime, RuntimeBuilder};
