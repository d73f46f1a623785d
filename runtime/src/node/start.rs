//! How a node starts: a new service, or the one whose data is there.
//!
//! The identity is sealed and synced before the ledger has its first entry, so that no service
//! exists whose keys could be lost with the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use affiant_attest::Attestation;
use affiant_kv::{
    CommitOutcome, Committer, Disk, Effects, LedgerReader, Replica, ReplicaConfig, SealedQueue,
    Sealer, Store, Tx,
};
use affiant_proof::{Certificate, TxId};
use parking_lot::Mutex;

use super::identity::{NodeIdentity, split_address};
use super::lock::DirectoryLock;
use super::quote;
use super::settings::{NodeSettings, OpenDisk, StartMode};
use super::{Node, sealed};
use crate::attestation::NodeAttestor;
use crate::clock::{Clock, unix_seconds};
use crate::core::{CommitNotice, Core};
use crate::crypto::{RuntimeSealer, certificate_id};
use crate::error::{RuntimeError, RuntimeResult};
use crate::genesis::{self, Genesis};
use crate::historical::HistoricalCache;
use crate::tables::{self, NodeRow, ServiceInfo};
use crate::{log_fail, log_info};

/// Longest wait for the node's own first transactions.
const START_WAIT: Duration = Duration::from_secs(60);

pub(super) fn start(settings: NodeSettings) -> RuntimeResult<Node> {
    let lock = DirectoryLock::take(&settings)?;
    let node = create_or_resume(settings)?;
    *node.lock.lock() = lock;
    Ok(node)
}

fn create_or_resume(settings: NodeSettings) -> RuntimeResult<Node> {
    let open_disk = settings.storage.opener()?;
    let mut disk = open_disk()?;
    let empty = disk.list(&settings.ledger_directory)?.is_empty();
    // A sealed identity without a ledger: the process ended before its service had an entry, or the
    // ledger was lost, which the consensus record tells.
    let interrupted = empty && sealed::exists(&*disk, &settings.state_directory)?;
    let directory = || settings.ledger_directory_configured.clone();
    match (settings.start, empty) {
        (StartMode::New, false) => Err(RuntimeError::LedgerNotEmpty { directory: directory() }),
        (StartMode::New, true) => create(settings, disk.as_mut(), &open_disk),
        (StartMode::Resume, true) if !interrupted => {
            Err(RuntimeError::NothingToResume { directory: directory() })
        }
        (StartMode::ResumeOrNew, true) if !interrupted => {
            create(settings, disk.as_mut(), &open_disk)
        }
        (StartMode::Resume | StartMode::ResumeOrNew, _) => {
            resume(settings, disk.as_mut(), &open_disk)
        }
    }
}

fn create(
    settings: NodeSettings,
    disk: &mut dyn Disk,
    open_disk: &OpenDisk,
) -> RuntimeResult<Node> {
    check_threshold(&settings)?;
    let unix_s = unix_seconds();
    let identity = NodeIdentity::generate(&settings, unix_s)?;
    if sealed::set_aside(disk, &settings.state_directory)? {
        log_fail!(
            "node",
            "{} held the state of a service without a ledger; it was set aside",
            settings.state_directory
        );
    }
    let bytes = identity.to_bytes()?;
    sealed::write(disk, &settings.state_directory, &*settings.sealing, &bytes)?;
    log_info!("node", "New service; identity sealed by {}", settings.sealing.kind());

    let parts = Parts::prepare(&settings, &identity)?;
    let (replica, effects) = Replica::create(
        parts.config.clone(),
        parts.store.clone(),
        parts.queue.clone(),
        parts.sealer.clone(),
        Box::new(identity.signer()),
    )?;
    let node = parts.launch(settings, identity, replica, effects, open_disk, 0)?;
    node.write_genesis()?;
    if node.settings.service.open {
        node.open_at_once()?;
    }
    log_info!("node", "Node {} serves a new service", node.node_id());
    Ok(node)
}

fn resume(
    settings: NodeSettings,
    disk: &mut dyn Disk,
    open_disk: &OpenDisk,
) -> RuntimeResult<Node> {
    let path = sealed::path_in(&settings.state_directory);
    let bytes = sealed::read(disk, &settings.state_directory, &*settings.sealing)?;
    let mut identity = NodeIdentity::from_bytes(&bytes, &path)?;
    log_info!("node", "Identity unsealed by {}", settings.sealing.kind());
    let renewed = identity.renew_node_certificates(&settings, unix_seconds())?;
    if renewed {
        let bytes = identity.to_bytes()?;
        sealed::write(disk, &settings.state_directory, &*settings.sealing, &bytes)?;
        log_info!("node", "The node's certificate was renewed");
    }
    let parts = Parts::prepare(&settings, &identity)?;
    let mut next_percent = 10;
    let (replica, effects, found) = Replica::recover(
        parts.config.clone(),
        disk,
        parts.store.clone(),
        parts.queue.clone(),
        parts.sealer.clone(),
        Box::new(identity.signer()),
        &mut |done, all| {
            while all > 0 && done.saturating_mul(100) / all >= next_percent && next_percent < 100 {
                log_info!("node", "Ledger verified to {next_percent} %");
                next_percent += 10;
            }
        },
    )?;
    log_info!(
        "node",
        "Ledger verified: {} entries, the last is {}, {} bytes of an unsynced tail were cut",
        found.entries,
        found.last,
        found.cut_bytes
    );
    check_service(&parts.store, &identity, &path)?;
    let startup_seqno = found.last.seqno;
    let node = parts.launch(settings, identity, replica, effects, open_disk, startup_seqno)?;
    node.wait_for_view()?;
    node.refresh_rows(found.last, renewed)?;
    log_info!("node", "Node {} resumes its service", node.node_id());
    Ok(node)
}

/// Refuses more shares than there are holders.
fn check_threshold(settings: &NodeSettings) -> RuntimeResult<()> {
    let service = &settings.service;
    let participants = service.members.iter().filter(|member| member.holds_share()).count();
    let threshold = service.config.recovery_threshold;
    if threshold > participants {
        return Err(RuntimeError::RecoveryThreshold { threshold, participants });
    }
    Ok(())
}

/// The ledger must be of the service whose keys were sealed.
fn check_service(store: &Store, identity: &NodeIdentity, path: &str) -> RuntimeResult<()> {
    let service: Option<ServiceInfo> =
        tables::read_single(&store.snapshot(), &tables::SERVICE_INFO);
    // Without a service the ledger holds nothing that was ever answered; genesis is written again.
    let Some(service) = service else { return Ok(()) };
    let refused = |reason: &str| RuntimeError::SealedIdentity {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let certificate = Certificate::from_pem(&service.cert)
        .map_err(|_| refused("the ledger's service certificate cannot be read"))?;
    if certificate.not_after() < unix_seconds() {
        log_fail!("node", "The service's certificate has expired: clients will refuse the node");
    }
    if certificate.id() == certificate_id(&identity.facts.service_certificate_pem)? {
        return Ok(());
    }
    if certificate.public_key().key_id() == identity.service_key.id() {
        return Ok(());
    }
    Err(refused("it belongs to another service than the ledger; put back the one this node wrote"))
}

/// What a node is made of before its threads run.
struct Parts {
    config: ReplicaConfig,
    store: Arc<Store>,
    queue: Arc<SealedQueue>,
    sealer: Arc<dyn Sealer>,
    attestor: Arc<NodeAttestor>,
    evidence: Attestation,
}

impl Parts {
    fn prepare(settings: &NodeSettings, identity: &NodeIdentity) -> RuntimeResult<Self> {
        let store = Store::new();
        store.set_uncommitted_count_max(settings.uncommitted_count_max);
        let attestor = Arc::new(NodeAttestor::new(
            settings.attestor.clone(),
            identity.node_key.public_key_der(),
            identity.service_key.public_key_der(),
        ));
        let evidence = attestor.of_node_key().map_err(|error| RuntimeError::Host {
            reason: format!("there is no evidence of the platform under this node: {error}"),
        })?;
        log_info!("node", "Evidence of the platform: {}", settings.attestor.provider());
        if let Some(reasons) = quote::doubts(&evidence) {
            log_fail!("node", "Others will not believe the evidence of this node: {reasons}");
        }
        Ok(Self {
            config: ReplicaConfig {
                ledger_dir: settings.ledger_directory.clone(),
                state_dir: settings.state_directory.clone(),
                chunk_bytes: settings.chunk_bytes,
                signature_entries_max: settings.signature_entries_max,
                signature_delay_ms: settings.signature_delay_ms,
                node: 1,
                view_offset: identity.facts.view_offset,
            },
            store,
            queue: Arc::new(SealedQueue::default()),
            sealer: Arc::new(RuntimeSealer::new(&identity.secrets)?),
            attestor,
            evidence,
        })
    }

    fn launch(
        self,
        settings: NodeSettings,
        identity: NodeIdentity,
        replica: Replica,
        effects: Effects,
        open_disk: &OpenDisk,
        startup_seqno: u64,
    ) -> RuntimeResult<Node> {
        let reader = || -> RuntimeResult<LedgerReader> {
            let (disk, index) = (open_disk()?, replica.reader_index());
            Ok(LedgerReader::new(disk, &settings.ledger_directory, index, self.sealer.clone()))
        };
        let historical = HistoricalCache::new(
            reader()?,
            replica.reader_index(),
            &identity.facts.service_certificate_pem,
            settings.historical_bytes_max,
        )?;
        let reader = Mutex::new(reader()?);
        let committer = Committer::new(self.store, self.sealer, self.queue);
        let core = Core::start(replica, effects, open_disk()?, committer.clone(), Clock::start())?;
        Ok(Node {
            settings,
            identity,
            committer,
            core,
            reader,
            historical: Arc::new(historical),
            attestor: self.attestor,
            evidence: self.evidence,
            startup_seqno,
            stop_notice: false.into(),
            lock: Mutex::default(),
        })
    }
}

impl Node {
    /// Commits a transaction of the node's own and waits until it is durable.
    fn commit_own(&self, what: &str, tx: Tx) -> RuntimeResult<()> {
        match self.commit(tx) {
            CommitOutcome::Sequenced(txid) => self.wait_own(what, txid),
            CommitOutcome::ReadOnly(_) => Ok(()),
            other => {
                let reason = format!("{what} was not accepted: {other:?}");
                Err(RuntimeError::Stopped { reason })
            }
        }
    }

    fn wait_own(&self, what: &str, txid: TxId) -> RuntimeResult<()> {
        let stopped = |reason: String| RuntimeError::Stopped { reason };
        match self.wait_committed_blocking(txid) {
            CommitNotice::Committed { .. } => Ok(()),
            CommitNotice::Invalid => Err(stopped(format!("{what} was rolled back"))),
            CommitNotice::Failed(reason) => Err(stopped(format!("{what}: {reason}"))),
        }
    }

    /// Waits until the node numbers transactions.
    fn wait_for_view(&self) -> RuntimeResult<()> {
        let started = Instant::now();
        while self.store().sequencing_view().is_none() {
            if let Some(reason) = self.failed() {
                return Err(RuntimeError::Stopped { reason });
            }
            if started.elapsed() > START_WAIT {
                let reason = "no view was opened within a minute".to_owned();
                return Err(RuntimeError::Stopped { reason });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn write_genesis(&self) -> RuntimeResult<()> {
        self.wait_for_view()?;
        let mut tx = self.begin();
        let service = &self.settings.service;
        let mut config = service.config.clone();
        if config.recovery_threshold == 0 {
            config.recovery_threshold =
                service.members.iter().filter(|member| member.holds_share()).count();
        }
        genesis::create_service(
            &mut tx,
            &Genesis {
                service_certificate_pem: &self.identity.facts.service_certificate_pem,
                service_data: &service.data,
                service_config: &config,
                constitution: &service.constitution,
                members: &service.members,
                node_id: self.node_id(),
                node: &self.make_row()?,
                node_certificate_pem: &self.identity.facts.node_certificate_pem,
                evidence: &self.evidence,
            },
        )?;
        self.commit_own("the first transaction", tx)?;
        Ok(())
    }

    fn open_at_once(&self) -> RuntimeResult<()> {
        let mut tx = self.begin();
        for member in &self.settings.service.members {
            genesis::set_member_active(&mut tx, &certificate_id(&member.certificate_pem)?)?;
        }
        for user in &self.settings.service.users {
            genesis::set_user(&mut tx, &user.certificate_pem, &user.user_data)?;
        }
        self.open_service(&mut tx)?;
        self.commit_own("the transaction that opens the service", tx)?;
        Ok(())
    }

    /// Writes what the ledger lacks: the first transactions, where a crash came before them, and the
    /// node's row and certificate, where they have changed. A certificate that governance has issued
    /// stays, unless this start had to make another.
    fn refresh_rows(&self, last: TxId, renewed: bool) -> RuntimeResult<()> {
        if let Some(view) = self.store().sequencing_view().filter(|_| last.seqno > 0) {
            // The signature that opens the view commits everything before it.
            self.wait_own("the opening of the view", TxId::new(view, last.seqno + 1))?;
        }
        if self.service().is_none() {
            self.write_genesis()?;
        }
        let opening = self.service_status() == Some(tables::ServiceStatus::Opening);
        if opening && self.settings.service.open {
            self.open_at_once()?;
        }
        let mut tx = self.begin();
        let key = self.node_id().as_bytes();
        let own = &self.identity.facts.node_certificate_pem;
        let known: Option<NodeRow> = tables::get_json(&mut tx, &tables::NODE_INFO, key);
        let mut row = self.make_row()?;
        if let Some(known) = &known {
            // Signed anew each time it is made, and governance's to change.
            row.certificate_signing_request.clone_from(&known.certificate_signing_request);
            row.node_data.clone_from(&known.node_data);
            row.status.clone_from(&known.status);
            row.retired_committed = known.retired_committed;
        }
        let issued = tx
            .get(&tables::NODE_CERTS, key)
            .and_then(|known| String::from_utf8(known.to_vec()).ok())
            .filter(|known| !renewed && self.is_own_certificate(known));
        let certificate = issued.as_ref().unwrap_or(own);
        if known.as_ref() != Some(&row) || issued.is_none() {
            genesis::put_node(&mut tx, self.node_id(), &row, certificate)?;
            self.commit_own("the node's new row", tx)?;
        }
        Ok(())
    }

    fn make_row(&self) -> RuntimeResult<NodeRow> {
        let key = &self.identity.node_key;
        let interface = self.settings.rpc_interfaces.values().next();
        let address = |which: &str| {
            let text = interface.and_then(|interface| interface.get(which)?.as_str());
            let (host, port) = split_address(text.unwrap_or_default());
            (host.to_owned(), port.to_owned())
        };
        let (rpchost, rpcport) = address("bind_address");
        let (pubhost, pubport) = address("published_address");
        let node_to_node = &self.settings.node_to_node_interface;
        let (nodehost, nodeport) = split_address(&node_to_node.published_address);
        Ok(NodeRow {
            status: "Trusted".to_owned(),
            public_key: key.public_key_pem(),
            encryption_pub_key: self.identity.encryption_key.public_key_pem().to_owned(),
            certificate_signing_request: Some(self.identity.signing_request_pem()?),
            code_digest: Some(self.evidence.measurement_hex().unwrap_or_default()),
            quote_info: quote::quote_info(&self.evidence),
            node_to_node_interface: node_to_node.clone(),
            rpc_interfaces: self.settings.rpc_interfaces.clone(),
            node_data: self.settings.node_data.clone(),
            retired_committed: false,
            rpchost,
            rpcport,
            pubhost,
            pubport,
            nodehost: nodehost.to_owned(),
            nodeport: nodeport.to_owned(),
        })
    }
}
