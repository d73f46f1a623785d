//! Relying parties, over real sockets: sandbox-like nodes in this process, stand-ins for nodes of
//! SEV-SNP guests, proxies, and servers that mean harm.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(unreachable_pub, reason = "shared by the files of this test")]

#[path = "../http_support/mod.rs"]
mod http_support;

mod client;
mod forged;
mod guide;
mod hostile;
mod nodes;
mod snp;
mod stand_in;
