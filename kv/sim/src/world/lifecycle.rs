//! Starts and stops of the process and of the machine.

use affiant_kv::{KvError, Recovered};

use super::{Happening, World};
use crate::checkers::check_refusal;
use crate::disk::{FaultRates, Stop, View};
use crate::ledger;
use crate::node::Started;
use crate::violation::{Checked, Violation};

/// Failed starts after which the operator replaces the hardware.
const FAILED_STARTS_MAX: u64 = 4;

/// A copy of all files.
type Image = Vec<(String, Vec<u8>)>;

impl World {
    pub(super) fn start(&mut self, node: usize) -> Checked {
        let disk = self.nodes[node].disk.clone();
        let gentle = self.is_quiet() || self.failed_starts >= FAILED_STARTS_MAX;
        disk.set_rates(if gentle { FaultRates::default() } else { self.scenario.rates });
        if !gentle && self.faults.chance(self.scenario.interrupt_recovery) {
            disk.stop_after(Some(self.faults.below(12)));
        }
        let rot = self.rot(node);
        let before = rot.as_ref().map(|_| disk.image());
        let outcome = self.nodes[node].start();
        let life = self.nodes[node].life;
        match outcome {
            Ok((started, effects)) => {
                self.failed_starts = 0;
                if rot.is_some() {
                    self.stats.visit("bit rot survived");
                }
                self.started(node, &started)?;
                self.begin_life(node);
                self.step("start", life, 0);
                self.take_effects(node, effects)?;
                self.wake_core(node, 0);
                self.pump_disk(node)
            }
            Err(error) => {
                self.failed_starts += 1;
                self.step("start failed", life, 0);
                let stopped = disk.has_stopped();
                let after = rot.as_ref().map(|_| disk.image());
                if let Some((path, offset, bit)) = &rot
                    && contents(&before, path) == contents(&after, path)
                {
                    // The operator restores the file, unless the start has repaired it.
                    disk.rot(path, *offset, *bit);
                }
                match (error, rot, before.zip(after)) {
                    (error @ KvError::Damaged { .. }, Some((path, offset, _)), Some(images)) => {
                        let [before, after] = [images.0, images.1].map(lasting);
                        check_refusal(&error, &path, offset, &before, &after)?;
                        self.stats.visit("bit rot refused");
                    }
                    _ if stopped => self.stats.visit("recovery interrupted"),
                    (KvError::Disk(_), ..) if !gentle => {
                        self.stats.visit("recovery failed by a disk fault");
                    }
                    (error, rot, _) => {
                        let detail = format!("a start was refused, rot {rot:?}: {error}");
                        return Err(Violation::new("recovery", detail));
                    }
                }
                self.restart_machine(node)
            }
        }
    }

    fn started(&mut self, node: usize, started: &Started) -> Checked {
        let Started::Recovered(recovered) = started else {
            self.stats.visit("service created");
            return Ok(());
        };
        let Recovered { entries, last, cut_bytes, .. } = recovered;
        self.stats.visit(match entries {
            0 => "recovered an empty ledger",
            _ => "recovered with entries",
        });
        if *cut_bytes > 0 {
            self.stats.visit("recovered with a torn tail");
        }
        self.step("recovered", last.view, last.seqno);
        let Some(running) = &self.nodes[node].running else { return Ok(()) };
        let snapshot = running.committer.store().snapshot();
        let (oracle, directory) = (&mut self.oracle, self.nodes[node].ledger_dir());
        let lost = self.nodes[node]
            .disk
            .with_files(View::Live, directory, |files| oracle.recovered(*last, files, &snapshot))?;
        self.stats.add("entries lost that were not committed", lost);
        Ok(())
    }

    fn begin_life(&mut self, node: usize) {
        let disk = self.nodes[node].disk.clone();
        self.serving = false;
        if self.is_quiet() {
            disk.stop_after(None);
            self.steps_left = 25;
            return;
        }
        self.steps_left = self.faults.between(1, self.scenario.steps_per_life_max);
        match self.faults.below(3) {
            0 => {
                let operations = match self.faults.below(3) {
                    0 => self.faults.below(12),
                    1 => self.faults.below(60),
                    _ => self.faults.below(400),
                };
                disk.stop_after(Some(operations));
            }
            1 => {
                let span = self.scenario.pace_us * self.steps_left;
                let after = self.faults.below(span + 10_000);
                self.plan(node, after, Happening::Stop);
            }
            // The life ends when the clients have done all their steps.
            _ => {}
        }
    }

    /// Flips a bit of some file, if this start is to see rot: path, offset and bit.
    fn rot(&mut self, node: usize) -> Option<(String, usize, u8)> {
        // Before the first commits there is nothing that damage could be told from a tear by.
        let unvouched = self.oracle.commit_point().seqno == 0;
        if self.is_quiet() || unvouched || !self.faults.chance(self.scenario.bit_rot) {
            return None;
        }
        let node = &self.nodes[node];
        let mut files: Vec<(String, usize)> = Vec::new();
        // Damage to what was synced last cannot be told from a tear: nothing vouches for it yet.
        node.disk.with_files(View::Durable, node.ledger_dir(), |found| {
            files.extend(ledger::extents(found, self.oracle.vouched_for(found)));
        });
        node.disk.with_files(View::Durable, node.state_dir(), |found| {
            files.extend(found.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.len())));
        });
        files.retain(|(_, size)| *size > 0);
        if files.is_empty() {
            return None;
        }
        let (path, size) = self.faults.pick(&files).clone();
        let (offset, bit) = (self.faults.index(size), self.faults.below(8) as u8);
        node.disk.rot(&path, offset, bit);
        self.step("bit rot", offset as u64, u64::from(bit));
        Some((path, offset, bit))
    }

    /// The machine stops, by plan, by its fuse, or because the process gave up.
    pub(super) fn stop(&mut self, node: usize) -> Checked {
        if self.nodes[node].running.is_none() {
            // It stopped otherwise meanwhile.
            return Ok(());
        }
        self.step("stop", self.nodes[node].life, 0);
        self.restart_machine(node)
    }

    fn restart_machine(&mut self, node: usize) -> Checked {
        let disk = self.nodes[node].disk.clone();
        let running = self.nodes[node].running.take();
        let directory = self.nodes[node].ledger_dir();
        let oracle = &mut self.oracle;
        disk.with_files(View::Live, directory, |files| oracle.written(files))?;
        if let Some(operation) = disk.stopped_at() {
            self.stats.visit(&format!("stopped at {operation}"));
        }
        let stop = self.scenario.stop(&mut self.faults);
        if let Some(running) = &running {
            self.stats.visit(match (stop, running.disk_is_idle()) {
                (Stop::Kill, true) => "killed while idle",
                (Stop::Kill, false) => "killed while a batch was under way",
                (Stop::PowerCut, true) => "power cut while idle",
                (Stop::PowerCut, false) => "power cut while a batch was under way",
            });
        }
        drop(running);
        self.open.clear();
        self.waiters.clear();
        self.durable_waiters.clear();
        self.core_due_us[node] = None;
        disk.restart(stop);
        self.step(if stop == Stop::Kill { "kill" } else { "power cut" }, 0, 0);
        self.lives_left = self.lives_left.saturating_sub(1);
        if self.lives_left == 0 && !self.is_quiet() {
            self.quiet_since_us = Some(self.now_us);
        }
        let pause = self.schedule.between(1_000, 2_000_000);
        self.plan(node, pause, Happening::Start);
        Ok(())
    }
}

/// The contents of one file of an image.
fn contents<'a>(image: &'a Option<Image>, path: &str) -> Option<&'a [u8]> {
    let (_, bytes) = image.as_ref()?.iter().find(|(found, _)| found == path)?;
    Some(bytes)
}

/// The files that matter: a replacement that had not taken its place is no loss.
fn lasting(mut image: Image) -> Image {
    image.retain(|(path, _)| !path.ends_with(".new"));
    image
}
