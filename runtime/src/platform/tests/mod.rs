//! The clients of this module against stand-ins on loopback, which answer as recorded, wrongly, late,
//! or never. Nothing here speaks to the services themselves.
#![allow(clippy::unwrap_used, reason = "tests")]

mod endorsements;
mod guest;
mod services;
mod vtpm;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value as Json;

/// How a stand-in answers one question.
#[derive(Clone)]
enum Reply {
    /// A status, headers of one line each, and a body.
    Whole(u16, &'static str, Vec<u8>),
    /// Nothing, until the client goes.
    Hang,
    /// A body that comes a byte at a time, without end.
    Drip,
    /// A connection that ends without an answer.
    Close,
}

impl Reply {
    fn json(status: u16, body: &Json) -> Self {
        Self::Whole(status, "content-type: application/json\r\n", body.to_string().into_bytes())
    }

    fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, "", body.into())
    }
}

/// A stand-in for a service: answers one question per connection, as told, and is gone after the last.
struct StandIn {
    address: SocketAddr,
    questions: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

impl StandIn {
    fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: Vec<Reply> = replies.into_iter().collect();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let questions = Arc::new(Mutex::new(Vec::new()));
        let asked = questions.clone();
        let thread = std::thread::spawn(move || {
            for reply in replies {
                let mut stream = accept(&socket);
                asked.lock().push(question(&mut stream));
                answer(stream, reply);
            }
        });
        Self { address, questions, thread }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The questions that were asked; all replies must have been used.
    fn asked(self) -> Vec<String> {
        self.thread.join().unwrap();
        let questions = self.questions.lock();
        questions.clone()
    }
}

/// The next connection; a test whose client does not come fails instead of waiting for ever.
fn accept(socket: &TcpListener) -> TcpStream {
    socket.set_nonblocking(true).unwrap();
    for _ in 0..4_000 {
        if let Ok((stream, _)) = socket.accept() {
            stream.set_nonblocking(false).unwrap();
            return stream;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("nobody has asked the stand-in for 20 s");
}

/// Head and body of one question.
fn question(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    let head = String::from_utf8(text.clone()).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    text.extend(body);
    String::from_utf8(text).unwrap()
}

fn answer(mut stream: TcpStream, reply: Reply) {
    match reply {
        Reply::Whole(status, headers, body) => {
            let head = format!(
                "HTTP/1.1 {status} As told\r\n{headers}content-length: {}\r\n\r\n",
                body.len()
            );
            // The client may have seen enough before the end.
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)));
        }
        Reply::Hang => drop(stream.read(&mut [0])),
        Reply::Drip => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            while stream.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Reply::Close => {}
    }
}

/// The body of a question.
fn body(question: &str) -> Json {
    serde_json::from_str(question.split("\r\n\r\n").nth(1).unwrap()).unwrap()
}

/// A recorded file, if the recordings are beside the project.
fn recorded(name: &str) -> Option<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let path: PathBuf = root.join("../shared/fixtures/snp").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(_) => {
            println!("skipped: {} is not there", path.display());
            None
        }
    }
}

/// No report of any hardware: the length of one, and this data in its place.
fn made_up_report(data: &[u8; 64]) -> Vec<u8> {
    let mut report = vec![0; affiant_attest::limits::REPORT_BYTES];
    report[0x50..0x90].copy_from_slice(data);
    report
}
