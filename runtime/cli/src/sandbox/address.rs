//! `--node`: where the sandbox listens, in the forms that CCF's sandbox takes.

use std::net::{SocketAddr, ToSocketAddrs as _};

const DEFAULT: &str = "127.0.0.1:8000";

/// Where a node listens and how clients call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeAddress {
    /// To bind.
    pub(crate) bind: SocketAddr,
    /// Host and port that clients use, if not the bound ones.
    pub(crate) published: Option<String>,
}

/// The one node of the sandbox.
pub(crate) fn parse_nodes(nodes: &[String]) -> Result<NodeAddress, String> {
    match nodes {
        [] => parse_node(DEFAULT),
        [node] => parse_node(node),
        _ => Err(format!(
            "--node is given {} times, but a sandbox is one node for now: give it once.",
            nodes.len()
        )),
    }
}

fn parse_node(text: &str) -> Result<NodeAddress, String> {
    let wrong = |why: &str| format!("--node {text}: {why}. Write local://127.0.0.1:8000.");
    let address = match text.split_once("://") {
        None => text,
        Some(("local", address)) => address,
        Some(("ssh", _)) => return Err(wrong("nodes on other machines are not supported")),
        Some((scheme, _)) => return Err(wrong(&format!("{scheme}:// is not known"))),
    };
    let (bind, published) = match address.split_once(',') {
        None => (address, None),
        Some((bind, published)) => (bind, Some(published.to_owned())),
    };
    let (host, port) = bind.rsplit_once(':').ok_or_else(|| wrong("the port is missing"))?;
    let port: u16 = port.parse().map_err(|_| wrong("the port is not a number below 65536"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let bind = (host, port)
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| wrong("the host has no address"))?;
    Ok(NodeAddress { bind, published })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn parse(text: &str) -> Result<NodeAddress, String> {
        parse_nodes(&[text.to_owned()])
    }

    #[test]
    fn the_forms_of_ccfs_sandbox_are_understood() {
        assert_eq!(parse_nodes(&[]).unwrap().bind.to_string(), "127.0.0.1:8000");
        for (text, bind) in [
            ("local://127.0.0.1:8443", "127.0.0.1:8443"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("local://[::1]:9000", "[::1]:9000"),
        ] {
            assert_eq!(parse(text).unwrap().bind.to_string(), bind);
        }
        let both = parse("local://0.0.0.0:8000,ledger.example.com:443").unwrap();
        assert_eq!(both.published.as_deref(), Some("ledger.example.com:443"));
    }

    #[test]
    fn what_cannot_be_done_is_said_in_words() {
        assert!(parse("ssh://host:8000").unwrap_err().contains("other machines"));
        assert!(parse("local://127.0.0.1").unwrap_err().contains("port is missing"));
        assert!(parse("local://127.0.0.1:99999").unwrap_err().contains("below 65536"));
        let two = ["local://127.0.0.1:1".to_owned(), "local://127.0.0.1:2".to_owned()];
        assert!(parse_nodes(&two).unwrap_err().contains("given 2 times"));
    }
}
