//! A connection of the kill harness: blocking, one request after the other or several at once.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::load::{ResponseHead, header};

/// A node that has been killed answers nothing, so no answer is worth a longer wait.
const PATIENCE: Duration = Duration::from_secs(20);
const TXID: &str = "x-ms-ccf-transaction-id";

/// A TLS connection to the node.
pub struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
    incoming: Vec<u8>,
}

/// An answer, as far as the harness looks at it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The transaction id, as sent.
    pub txid: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request in the making.
#[derive(Clone, Debug, Default)]
pub struct Outgoing(Vec<u8>);

impl Outgoing {
    /// Appends a request; a body is sent as JSON.
    pub fn add(&mut self, method: &str, target: &str, headers: &str, body: Option<&str>) {
        let length = body.map_or_else(String::new, |body| {
            format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
        });
        let body = body.unwrap_or("");
        self.0.extend_from_slice(
            format!("{method} {target} HTTP/1.1\r\nhost: node\r\n{headers}{length}\r\n{body}")
                .as_bytes(),
        );
    }
}

impl Client {
    /// Opens a connection.
    ///
    /// # Errors
    /// As the system or TLS says.
    pub fn connect(address: SocketAddr, tls: &Arc<ClientConfig>) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::IpAddress(address.ip().into());
        let connection = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
        Ok(Self { stream: StreamOwned::new(connection, socket), incoming: Vec::new() })
    }

    /// Sends what was put together.
    ///
    /// # Errors
    /// The connection broke.
    pub fn send(&mut self, outgoing: &Outgoing) -> io::Result<()> {
        self.stream.write_all(&outgoing.0)?;
        self.stream.flush()
    }

    /// Receives the next answer.
    ///
    /// # Errors
    /// The connection broke, or what came is no answer.
    pub fn receive(&mut self) -> io::Result<Answer> {
        loop {
            if let Some(head) = ResponseHead::parse(&self.incoming).map_err(io::Error::other)?
                && self.incoming.len() >= head.bytes()
            {
                let rest = self.incoming.split_off(head.bytes());
                let mut answer = std::mem::replace(&mut self.incoming, rest);
                let body = answer.split_off(head.head_bytes);
                let txid = header(&answer, TXID).map(str::to_owned);
                return Ok(Answer { status: head.status, txid, body });
            }
            let mut buffer = [0; 16 * 1_024];
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.incoming.extend_from_slice(&buffer[..count]);
        }
    }

    /// Sends one request and receives its answer.
    ///
    /// # Errors
    /// As [`Self::send`] and [`Self::receive`].
    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &str,
        body: Option<&str>,
    ) -> io::Result<Answer> {
        let mut outgoing = Outgoing::default();
        outgoing.add(method, target, headers, body);
        self.send(&outgoing)?;
        self.receive()
    }
}
