//! The chunk files of a ledger directory, in order.
//!
//! Invariants: every name in the directory is either a chunk's, or listed as foreign; a file that
//! its node renames while we read (a chunk being committed) is found again under its new name.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use affiant_proof::chunk::{ChunkName, ChunkState};
use affiant_proof::limits::CHUNK_BYTES_MAX;
use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::{self, Failure};

/// Ledgers smaller than this are read before anybody would look at a progress bar, in bytes.
const PROGRESS_BYTES_MIN: u64 = 16 << 20;

/// One chunk file.
#[derive(Clone, Debug)]
pub(crate) struct ChunkFile {
    pub(crate) name: ChunkName,
    pub(crate) bytes: u64,
}

/// A ledger directory as listed.
#[derive(Debug)]
pub(crate) struct Listing {
    dir: PathBuf,
    committed_only: bool,
    /// By first seqno; quarantined files are left out.
    pub(crate) chunks: Vec<ChunkFile>,
    /// What does not belong into a ledger directory.
    pub(crate) foreign: Vec<String>,
}

impl Listing {
    /// Lists `dir`.
    pub(crate) fn read(dir: &Path, committed_only: bool) -> Result<Self, Failure> {
        let (mut chunks, mut foreign) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(dir).map_err(|error| unreadable(dir, &error.to_string()))? {
            let entry = entry.map_err(|error| unreadable(dir, &error.to_string()))?;
            let text = entry.file_name().to_string_lossy().into_owned();
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Renamed or removed since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unreadable(&entry.path(), &error.to_string())),
            };
            match ChunkName::parse(&text) {
                Ok(name) if name.ignored => {}
                Ok(name) if metadata.is_file() => {
                    if !committed_only || name.state == ChunkState::Committed {
                        chunks.push(ChunkFile { name, bytes: metadata.len() });
                    }
                }
                _ => foreign.push(text),
            }
        }
        chunks.sort_by_key(|chunk| (chunk.name.first, chunk.name.last));
        foreign.sort();
        Ok(Self { dir: dir.to_owned(), committed_only, chunks, foreign })
    }

    /// Fails if there is no chunk at all.
    pub(crate) fn require_chunks(self) -> Result<Self, Failure> {
        if !self.chunks.is_empty() {
            return Ok(self);
        }
        let what = if self.committed_only { "committed ledger chunk" } else { "ledger chunk" };
        let found = match self.foreign.first() {
            Some(name) => format!("it holds no {what} (ledger_...), but {name}"),
            None => format!("it holds no {what} (ledger_...)"),
        };
        Err(unreadable(&self.dir, &found))
    }

    /// Size of all chunks, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.bytes).sum()
    }

    /// Reads one chunk; returns the name under which it was found.
    pub(crate) fn load(&self, chunk: &ChunkFile) -> Result<(ChunkName, Vec<u8>), Failure> {
        let name = match self.load_named(&chunk.name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let now = Self::read(&self.dir, self.committed_only)?;
                let renamed = now.chunks.iter().find(|now| now.name.first == chunk.name.first);
                renamed.map_or(chunk.name, |renamed| renamed.name)
            }
            Err(error) => return Err(self.failed(&chunk.name, &error)),
            Ok(bytes) => return Ok((chunk.name, bytes)),
        };
        let bytes = self.load_named(&name).map_err(|error| self.failed(&name, &error))?;
        Ok((name, bytes))
    }

    fn load_named(&self, name: &ChunkName) -> io::Result<Vec<u8>> {
        let path = self.dir.join(name.to_string());
        if fs::metadata(&path)?.len() > CHUNK_BYTES_MAX {
            return Err(io::Error::other("it is larger than a chunk can be (4 GiB)"));
        }
        fs::read(path)
    }

    fn failed(&self, name: &ChunkName, error: &io::Error) -> Failure {
        unreadable(&self.dir.join(name.to_string()), &error.to_string())
    }

    /// A progress bar over all bytes: invisible unless the work is long and somebody watches.
    pub(crate) fn progress(&self) -> ProgressBar {
        if self.bytes() < PROGRESS_BYTES_MIN || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left")
            .expect("the template is well formed");
        ProgressBar::new(self.bytes()).with_style(style)
    }
}

pub(crate) fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::new(exit::UNREADABLE, format!("cannot read {}: {why}", path.display()))
}
