//! `holdfast archive --check`: what archiving would meet, and what stands in its way. It changes
//! nothing, takes no lock and stores nothing; so what only a PUT can show (the right to put and to
//! lock) is not in it.

use crate::archive::{LOCK_FILE, StartError};
use crate::config::Config;
use crate::spool::Spool;
use crate::spool::order::Blocked;
use host::cli::counted;
use host::terminal::escape;
use host::{clock, lock};
use ledger::limits::DAY_S;
use ledger::name::Name;
use std::fmt;
use store::{AnyStore, Protection, Store, StoreOptions};

/// Beyond this the two clocks count as apart: auditors judge silence and lateness by the store's
/// clock, with 15 minutes of grace by default.
const CLOCKS_APART_S: u64 = 60;

/// What was found.
#[derive(Debug, Default)]
pub struct Checked {
    /// What would happen, for people.
    pub facts: Vec<String>,
    /// What would go wrong.
    pub faults: Vec<String>,
}

impl Checked {
    fn fact(&mut self, text: impl Into<String>) {
        self.facts.push(text.into());
    }

    fn fault(&mut self, text: impl Into<String>) {
        self.faults.push(text.into());
    }
}

/// Looks at everything that archiving would use.
pub async fn check(config: &Config) -> Checked {
    let mut checked = Checked::default();
    let days = counted(config.max_retention_s / DAY_S, "day", "days");
    checked.fact(format!("longest retention that is uploaded: {days}"));
    check_spool(config, &mut checked);
    check_store(config, &mut checked).await;
    checked
}

fn check_spool(config: &Config, checked: &mut Checked) {
    let root = config.spool.display();
    let spool = match Spool::open(&config.spool) {
        Ok(spool) => spool,
        Err(error) => {
            checked.fault(StartError::from(error).to_string());
            return;
        }
    };
    let receipts = spool.receipts_path();
    if let Err(error) = spool.receipts().may_write() {
        let receipts = receipts.display();
        checked.fault(format!("{receipts}: {error}: receipts cannot be written"));
    }
    match lock::is_held_in(spool.receipts(), LOCK_FILE) {
        Ok(true) => {
            checked.fact("an archiver runs on this spool now; a second one would be refused")
        }
        Ok(false) => {}
        Err(error) => checked.fault(format!("{}: {error}", receipts.join(LOCK_FILE).display())),
    }
    let streams = match spool.streams() {
        Ok(streams) => streams,
        Err(error) => {
            checked.fault(format!("spool {root}: {error}"));
            return;
        }
    };
    let count = counted(streams.len() as u64, "stream", "streams");
    checked.fact(format!("spool {root}: {count}"));
    for stream in &streams {
        check_stream(&spool, stream, checked);
    }
}

fn check_stream(spool: &Spool, stream: &Name, checked: &mut Checked) {
    let survey = match spool.survey(stream) {
        Ok(survey) => survey,
        Err(error) => {
            checked.fault(format!("stream {stream}: {error}"));
            return;
        }
    };
    checked.fact(format!(
        "stream {stream}: {} waiting, {} bytes",
        counted(survey.outlook.backlog as u64, "batch", "batches"),
        survey.bytes
    ));
    for (epoch, seq, why) in survey.outlook.blocked {
        let why = match why {
            Blocked::Bad => "cannot be uploaded as it is (.bad); the agent must answer",
            Blocked::Conflict => "the store holds another statement for its place (.conflict)",
            Blocked::Circle => "epochs name each other in a circle",
        };
        checked.fault(format!(
            "stream {stream}: held at {stream}/{epoch}/{seq:020}: {why}"
        ));
    }
}

async fn check_store(config: &Config, checked: &mut Checked) {
    let options = StoreOptions {
        force_path_style: config.force_path_style,
        ..StoreOptions::default()
    };
    let store: AnyStore = match store::open(&config.store, &options).await {
        Ok(store) => store,
        Err(error) => {
            checked.fault(error.to_string());
            return;
        }
    };
    let url = escape(store.url());
    if let Err(fault) = store.check().await {
        checked.fault(escape(&fault.to_string()));
        return;
    }
    checked.fact(match store.capability().protection {
        Protection::Enforces => {
            format!("store {url}: answers, with Object Lock and versioning on; these credentials may ask it")
        }
        Protection::Evidences => format!(
            "store {url}: is there; a plain directory records locks, whoever owns the disk can lift them"
        ),
    });
    checked.fact(
        "the rights to put and to lock: seen when archiving starts, for a check stores nothing",
    );
    match store.now().await {
        Ok(theirs) => {
            let ours = clock::now();
            let (ahead, behind) = (theirs.since_s(ours), ours.since_s(theirs));
            let apart_s = ahead.max(behind);
            let whose = if ahead > behind { "ahead of" } else { "behind" };
            if apart_s > CLOCKS_APART_S {
                checked.fault(format!(
                    "clock: the store's is {apart_s} s {whose} this host's; set this host's by NTP, \
                     or auditors read lateness or silence into it"
                ));
            } else {
                checked.fact(format!("clock: at most {} s from the store's", apart_s + 1));
            }
        }
        Err(error) => checked.fault(escape(&error.to_string())),
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fact in &self.facts {
            writeln!(f, "{fact}")?;
        }
        for fault in &self.faults {
            writeln!(f, "FAULT {fault}")?;
        }
        Ok(())
    }
}
