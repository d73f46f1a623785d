//! A small HTTPS client: one request a connection, trusting one service certificate, optionally
//! showing a client certificate.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A node, and how to reach it.
pub(crate) struct Client {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    /// Directory with `service_cert.pem` and clients' certificates.
    pub(crate) common: PathBuf,
    /// `user0`, `member0`.
    pub(crate) identity: Option<&'static str>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Fails unless the answer has `status`.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

impl Client {
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.request("POST", path, body)
    }

    /// The protocol that the server chooses when offered these.
    pub(crate) fn negotiated(&self, offered: &[&str]) -> Option<String> {
        let mut config = self.config();
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut tcp = TcpStream::connect(&self.address).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp).ok()?;
        }
        let chosen = connection.alpn_protocol()?;
        Some(String::from_utf8(chosen.to_vec()).unwrap())
    }

    /// The certificate that the server shows, DER.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let mut connection = ClientConnection::new(Arc::new(self.config()), name).unwrap();
        let mut tcp = TcpStream::connect(&self.address).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp).unwrap();
        }
        connection.peer_certificates().unwrap()[0].to_vec()
    }

    pub(crate) fn get_accepting(&self, path: &str, content_type: &str) -> Answer {
        self.send("GET", path, &format!("accept: {content_type}\r\n"), "")
    }

    /// `header` is one line without its end.
    pub(crate) fn post_with(&self, path: &str, header: &str, body: &str) -> Answer {
        self.send("POST", path, &format!("{header}\r\n"), body)
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send(method, path, "", body)
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let tcp = TcpStream::connect(&self.address).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(self.config()), name).unwrap();
        let mut tls = StreamOwned::new(connection, tcp);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        tls.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        // A server may close without the TLS farewell; content-length tells what is whole.
        let _ = tls.read_to_end(&mut bytes);
        parse(&bytes)
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let service = self.common.join("service_cert.pem");
        roots.add(CertificateDer::from_pem_file(service).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match self.identity {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let (certificate, key) = identity(&self.common, name);
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        }
    }
}

fn identity(common: &Path, name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let certificate = CertificateDer::from_pem_file(common.join(format!("{name}_cert.pem")));
    let key = fs::read(common.join(format!("{name}_privk.pem"))).unwrap();
    (certificate.unwrap(), PrivateKeyDer::from_pem_slice(&key).unwrap())
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        })
        .collect();
    let answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    if let Some(length) = answer.header("content-length") {
        assert_eq!(length.parse::<usize>().unwrap(), answer.body.len(), "the answer is cut short");
    }
    answer
}
