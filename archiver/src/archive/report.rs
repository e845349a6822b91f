//! Keeps the status file true: counts what waits, and writes how archiving stands.

use crate::health::{Backlog, Health};
use crate::spool::{EpochLinks, Spool};
use crate::upload::gate::Gate;
use host::health::WRITE_EVERY;
use ledger::name::Name;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::block_in_place;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How soon something new is written.
const TICK: Duration = Duration::from_secs(1);

/// Tells how archiving stands.
pub(super) struct Reporter {
    health: Arc<Health>,
    gate: Arc<Gate>,
    spool: Spool,
    links: BTreeMap<Name, EpochLinks>,
    began: Instant,
    counted: Option<Instant>,
    written: Option<Instant>,
    /// The file could not be written the last time: told once.
    is_unwritable: bool,
}

impl Reporter {
    pub(super) fn new(health: Arc<Health>, gate: Arc<Gate>, spool: Spool) -> Self {
        Self {
            health,
            gate,
            spool,
            links: BTreeMap::new(),
            began: Instant::now(),
            counted: None,
            written: None,
            is_unwritable: false,
        }
    }

    /// Reports until it is dropped, or what it writes is no longer seen, for the archiver's half of the spool was
    /// replaced. To be polled in the task that does the work: where that hangs, the status
    /// becomes stale, as it must.
    pub(super) async fn report(&mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if block_in_place(|| self.spool.is_replaced()) {
                return;
            }
            self.tell();
        }
    }

    /// Counts and writes, as far as either is due.
    fn tell(&mut self) {
        let is_over = |at: Option<Instant>| at.is_none_or(|at| at.elapsed() >= WRITE_EVERY);
        if is_over(self.counted) {
            block_in_place(|| self.count());
        }
        self.write(is_over(self.written));
    }

    /// Counts and writes for the last time.
    pub(super) fn finish(&mut self) {
        block_in_place(|| self.count());
        self.write(true);
    }

    fn count(&mut self) {
        let counted = self.spool.streams().map_err(|error| error.to_string());
        let counted = counted.map(|listed| {
            self.links.retain(|stream, _| listed.contains(stream));
            let mut backlog = Backlog::default();
            for stream in &listed {
                if self.health.take_drained(stream) {
                    backlog.waiting.insert(stream.clone(), Default::default());
                    continue;
                }
                let links = self.links.entry(stream.clone()).or_default();
                match self.spool.waiting(stream, links) {
                    Ok(waiting) => drop(backlog.waiting.insert(stream.clone(), waiting)),
                    Err(error) => {
                        backlog.fault.get_or_insert(error.to_string());
                    }
                }
            }
            backlog.listed = listed;
            backlog
        });
        self.health.counted(counted, self.began.elapsed().as_secs());
        self.counted = Some(Instant::now());
    }

    fn write(&mut self, is_due: bool) {
        let (troubles, now) = (self.gate.troubles(), host::clock::now());
        let receipts = self.spool.receipts();
        let written = block_in_place(|| self.health.write(receipts, &troubles, now, is_due));
        match &written {
            Ok(true) => self.written = Some(Instant::now()),
            Ok(false) => {}
            Err(error) if !self.is_unwritable => {
                tracing::error!(
                    "{}: the status can't be written: {error}",
                    self.spool.receipts_path().display()
                );
            }
            Err(_) => {}
        }
        self.is_unwritable = written.is_err();
    }
}
