//! The messages between node and worker. Both come from one installation, so there is one version.
//!
//! A worker is told to load an app and says what the app is; it is told what to serve and says that it
//! can. Then requests: while it has one, a worker asks and is answered, one question at a time, and
//! hands over writes whenever it likes; it ends the request with [`FromWorker::Done`].

use affiant::hosting::RuntimeOptions;
use serde::{Deserialize, Serialize};

use super::{Blob, Text};
use crate::app::Description;

/// Of every frame.
pub(crate) const VERSION: u8 = 1;

/// From node to worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToWorker<'a> {
    #[serde(borrow)]
    Load(Load<'a>),
    Serve(Serve),
    #[serde(borrow)]
    Request(Box<RequestParts<'a>>),
    #[serde(borrow)]
    Answer(Answer<'a>),
    /// End, after the app's own end.
    Stop,
}

/// From worker to node.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromWorker<'a> {
    Loaded(Result<Description, String>),
    /// It serves what it was told to, or why it cannot.
    Serving(Result<(), String>),
    /// Writes, then a question whose answer may depend on them.
    Ask {
        #[serde(borrow)]
        writes: Vec<Write<'a>>,
        #[serde(borrow)]
        question: Question<'a>,
    },
    #[serde(borrow)]
    Writes(Vec<Write<'a>>),
    #[serde(borrow)]
    Done(Box<Done<'a>>),
}

/// Which app, and how.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Load<'a> {
    #[serde(borrow)]
    pub(crate) source: Source<'a>,
    #[serde(borrow)]
    pub(crate) packages: Text<'a>,
    pub(crate) guarded: bool,
}

/// As [`crate::AppSource`]; JSON as text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Source<'a> {
    Place(#[serde(borrow)] Text<'a>),
    Modules {
        #[serde(borrow)]
        modules: Vec<(Text<'a>, Text<'a>)>,
        #[serde(borrow)]
        endpoints: Text<'a>,
        #[serde(borrow)]
        manifest: Text<'a>,
    },
}

/// What is served, by position, and under which limits.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Serve {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) options: RuntimeOptions,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) mode: Mode,
}

/// As [`affiant::Mode`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Mode {
    ReadWrite,
    ReadOnly,
    Historical,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RequestParts<'a> {
    pub(crate) endpoint: u32,
    #[serde(borrow)]
    pub(crate) method: Text<'a>,
    /// Path and query as sent.
    #[serde(borrow)]
    pub(crate) target: Text<'a>,
    #[serde(borrow)]
    pub(crate) headers: Vec<(Text<'a>, Blob<'a>)>,
    #[serde(borrow)]
    pub(crate) body: Blob<'a>,
    #[serde(borrow)]
    pub(crate) route: Text<'a>,
    #[serde(borrow)]
    pub(crate) params: Vec<(Text<'a>, Text<'a>)>,
    #[serde(borrow)]
    pub(crate) caller: Option<Caller<'a>>,
}

/// As [`affiant::Caller`]; JSON as text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Caller<'a> {
    NoAuth,
    UserCert(#[serde(borrow)] Known<'a>),
    MemberCert(#[serde(borrow)] Known<'a>),
    AnyCert(#[serde(borrow)] Text<'a>),
    Jwt {
        #[serde(borrow)]
        key_issuer: Text<'a>,
        #[serde(borrow)]
        header: Text<'a>,
        #[serde(borrow)]
        payload: Text<'a>,
    },
    UserCoseSign1 {
        #[serde(borrow)]
        user: Known<'a>,
        #[serde(borrow)]
        content: Blob<'a>,
    },
    AllOf(#[serde(borrow)] Vec<(Text<'a>, Caller<'a>)>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Known<'a> {
    #[serde(borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) data: Text<'a>,
    #[serde(borrow)]
    pub(crate) cert: Text<'a>,
}

/// What a handler does to the transaction, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Write<'a> {
    Put {
        #[serde(borrow)]
        map: Text<'a>,
        #[serde(borrow)]
        key: Blob<'a>,
        #[serde(borrow)]
        value: Blob<'a>,
    },
    Remove {
        #[serde(borrow)]
        map: Text<'a>,
        #[serde(borrow)]
        key: Blob<'a>,
    },
    Clear {
        #[serde(borrow)]
        map: Text<'a>,
    },
    Claims([u8; 32]),
}

/// The questions of [`crate::surface::Surface`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question<'a> {
    Get {
        #[serde(borrow)]
        map: Text<'a>,
        #[serde(borrow)]
        key: Blob<'a>,
    },
    Has {
        #[serde(borrow)]
        map: Text<'a>,
        #[serde(borrow)]
        key: Blob<'a>,
    },
    Version {
        #[serde(borrow)]
        map: Text<'a>,
        #[serde(borrow)]
        key: Blob<'a>,
    },
    Len {
        #[serde(borrow)]
        map: Text<'a>,
    },
    /// A page of a range.
    Range {
        #[serde(borrow)]
        map: Text<'a>,
        #[serde(borrow)]
        from: Option<Blob<'a>>,
        #[serde(borrow)]
        to: Option<Blob<'a>>,
        count_max: u64,
    },
    LastCommitted,
    Status(u64, u64),
    ViewOf(u64),
    HistoricalState,
    StateRange {
        handle: u64,
        first: u64,
        last: u64,
        expiry_s: u64,
    },
    /// A page of the range of past transactions that was asked for last, from this one on.
    States(u32),
    DropStates(u64),
    Attestation(#[serde(borrow)] Blob<'a>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer<'a> {
    Value(#[serde(borrow)] Option<Blob<'a>>),
    Flag(bool),
    Number(Option<u64>),
    /// A page, and whether there is more after its last key.
    Pairs {
        #[serde(borrow)]
        pairs: Vec<(Blob<'a>, Blob<'a>)>,
        more: bool,
    },
    TxId(u64, u64),
    Text(#[serde(borrow)] Text<'a>),
    Past(#[serde(borrow)] Option<Past<'a>>),
    States(#[serde(borrow)] Vec<Past<'a>>),
    Failed(#[serde(borrow)] Text<'a>),
}

type Pairs<'a> = Vec<(Blob<'a>, Blob<'a>)>;

/// One past transaction: what of it an app may see.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Past<'a> {
    pub(crate) view: u64,
    pub(crate) seqno: u64,
    #[serde(borrow)]
    pub(crate) receipt: Text<'a>,
    #[serde(borrow)]
    pub(crate) maps: Vec<(Text<'a>, Pairs<'a>)>,
}

/// The end of a request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done<'a> {
    /// Those that no question has brought yet.
    #[serde(borrow)]
    pub(crate) writes: Vec<Write<'a>>,
    pub(crate) apply_writes: Option<bool>,
    #[serde(borrow)]
    pub(crate) result: Result<Answered<'a>, Failed<'a>>,
    /// The worker is short of memory, and better replaced.
    pub(crate) retire: bool,
}

/// As [`affiant::Response`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answered<'a> {
    pub(crate) status: u16,
    #[serde(borrow)]
    pub(crate) headers: Vec<(Text<'a>, Text<'a>)>,
    pub(crate) latin1_headers: bool,
    #[serde(borrow)]
    pub(crate) body: Blob<'a>,
}

/// As [`affiant::AppError`]; JSON as text.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failed<'a> {
    pub(crate) status: u16,
    #[serde(borrow)]
    pub(crate) code: Text<'a>,
    #[serde(borrow)]
    pub(crate) message: Text<'a>,
    pub(crate) details: Vec<String>,
    pub(crate) log: Option<String>,
}
