//! What to ask of the store next. Pure: a step and its answer give the next step or a stop, so that
//! every branch of the protocol stands in one table of tests.
//!
//! Failures that may pass are not answers; they leave the plan where it is (see [`store::retry`]).

use bytes::Bytes;
use host::sabotage::{Switch, is_on};
use ledger::Moment;
use store::{Lock, LockMode};

/// One request, or at the end the receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// HEAD of the manifest's key, before a stream's first body after a start.
    Look,
    /// PUT of the body.
    PutBody { if_absent: bool },
    /// PUT of the manifest: it claims the number and commits the batch.
    PutManifest { if_absent: bool },
    /// GET of the manifest that stands in our place.
    Compare,
    /// The body version's lock.
    ReadBodyLock,
    /// The manifest version's lock.
    ReadManifestLock,
    /// A longer lock for a manifest of an earlier run, or a lock for what was stored without.
    Extend(Object),
    /// The store's time, for the receipt.
    ReadClock,
    /// Nothing is left to ask: both are in the store, locked, read back.
    Receipt,
}

impl Step {
    /// Its name in the log, which crash tests read.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Look => "head.manifest",
            Self::PutBody { .. } => "put.body",
            Self::PutManifest { .. } => "put.manifest",
            Self::Compare => "get.manifest",
            Self::ReadBodyLock | Self::ReadManifestLock => "lock.read",
            Self::Extend(_) => "lock.extend",
            Self::ReadClock => "clock.read",
            Self::Receipt => "receipt.write",
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// To a look: nothing there, or no right to know.
    Free,
    /// To a look: something is there.
    Taken,
    /// To a put: stored, to be locked until at least this moment.
    Stored { version_id: String, until: Moment },
    /// To a put: 412.
    Exists,
    /// To a comparison.
    Found(Found),
    /// To a question for a lock.
    Lock(Option<Lock>),
    /// To a question for a lock, or an extension: there is no such version.
    Gone,
    /// To an extension: done.
    Extended,
    /// To a question for the time.
    Time(Moment),
}

/// What an answer that leads on proves of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// That it answers.
    None,
    /// That it says that it stored.
    Word,
    /// That it keeps a lock.
    Lock,
}

impl Answer {
    pub(super) fn proof(&self) -> Proof {
        match self {
            Self::Stored { .. } => Proof::Word,
            Self::Lock(Some(_)) => Proof::Lock,
            _ => Proof::None,
        }
    }
}

/// What stands in our manifest's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Our own line, validly signed, to be locked until at least this moment.
    Ours { version_id: String, until: Moment },
    /// Another line that our agent's key signed for this very place.
    Fork(Bytes),
    /// Something that proves nothing.
    Foreign,
    /// Nothing any more.
    Nothing,
}

/// Which of a batch's two objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    Body,
    Manifest,
}

/// Why a batch gets no receipt as things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The agent's key signed two statements for one place: a fork.
    Fork(Bytes),
    /// A store with one version for each key holds other bytes under ours.
    Occupied(Object),
    /// The store said that it stored, yet the lock is not what was asked for.
    Unlocked {
        object: Object,
        until: Moment,
        found: Option<Lock>,
    },
    /// The store said that it stored, yet has no such version, so many times before.
    Vanished { object: Object, times: u32 },
}

/// An object that the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) version_id: String,
    /// The lock must last until then, and once it was read back it is what the lock says.
    pub(super) until: Moment,
}

/// A batch in the store, locked, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) manifest: Placed,
    pub(super) body: Option<Placed>,
    pub(super) store_time: Moment,
}

/// How far one batch has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    step: Step,
    has_body: bool,
    /// The manifest's place is taken by something worthless: ours is put on top of it.
    on_top: bool,
    /// The place was said to be taken, yet nothing stood there.
    was_empty: bool,
    /// The manifest was there before us, so that its lock may be an older, shorter one.
    was_there: bool,
    /// How often something was stored and then not there.
    vanished: u32,
    body: Option<Placed>,
    manifest: Option<Placed>,
    store_time: Option<Moment>,
}

impl Plan {
    /// A plan for one batch; `look_first` for a stream's first after a start.
    pub(super) fn new(has_body: bool, look_first: bool) -> Self {
        let mut plan = Self {
            step: Step::Look,
            has_body,
            on_top: false,
            was_empty: false,
            was_there: false,
            vanished: 0,
            body: None,
            manifest: None,
            store_time: None,
        };
        if !look_first {
            plan.step = plan.next_put();
        }
        plan
    }

    pub(super) fn step(&self) -> Step {
        self.step
    }

    /// The body, once it is stored.
    pub(super) fn body(&self) -> Option<&Placed> {
        self.body.as_ref()
    }

    /// The manifest, once it is stored.
    pub(super) fn manifest(&self) -> Option<&Placed> {
        self.manifest.as_ref()
    }

    /// Where everything is, once nothing is left to ask.
    pub(super) fn placement(&self) -> Option<Placement> {
        Some(Placement {
            store_time: self.store_time?,
            manifest: self.manifest.clone()?,
            body: self.body.clone(),
        })
    }

    /// Takes the answer to the current step. After a stop the plan stands where it stood, so that
    /// the same step can be asked again without storing anything twice; at a lock for what has none; or, for what
    /// is not there, at its put.
    pub(super) fn advance(&mut self, answer: Answer) -> Result<(), Stop> {
        self.step = match (self.step, answer) {
            (Step::Look, Answer::Taken) => Step::Compare,
            (Step::PutBody { .. }, Answer::Stored { version_id, until }) => {
                self.body = Some(Placed::new(version_id, until));
                self.next_put()
            }
            // It can't be read back, so it may be ours or not. Two equal versions do no harm, and
            // a store that keeps one compares them.
            (Step::PutBody { if_absent: true }, Answer::Exists) => {
                Step::PutBody { if_absent: false }
            }
            (Step::PutBody { .. }, Answer::Exists) => return Err(Stop::Occupied(Object::Body)),
            (Step::PutManifest { .. }, Answer::Stored { version_id, until }) => {
                self.manifest = Some(Placed::new(version_id, until));
                self.next_put()
            }
            (Step::PutManifest { if_absent: true }, Answer::Exists)
                if is_on(Switch::ConflictUnread) =>
            {
                self.on_top = true;
                self.next_put()
            }
            (Step::PutManifest { if_absent: true }, Answer::Exists) => Step::Compare,
            (Step::PutManifest { .. }, Answer::Exists) => {
                return Err(Stop::Occupied(Object::Manifest));
            }
            (Step::Compare, Answer::Found(found)) => self.judge(found)?,
            (Step::ReadBodyLock, Answer::Lock(lock)) => {
                let body = self.body.as_mut();
                if let Err(stop) = Placed::keep(body, Object::Body, lock) {
                    self.step = Step::Extend(Object::Body);
                    return Err(stop);
                }
                Step::ReadManifestLock
            }
            (Step::ReadManifestLock, Answer::Lock(lock)) => {
                match Placed::keep(self.manifest.as_mut(), Object::Manifest, lock) {
                    Ok(()) => Step::ReadClock,
                    Err(stop) => {
                        self.step = Step::Extend(Object::Manifest);
                        if std::mem::take(&mut self.was_there) {
                            return Ok(());
                        }
                        return Err(stop);
                    }
                }
            }
            (Step::ReadBodyLock | Step::Extend(Object::Body), Answer::Gone) => {
                self.body = None;
                return Err(self.vanish(Object::Body));
            }
            (Step::ReadManifestLock | Step::Extend(Object::Manifest), Answer::Gone) => {
                self.manifest = None;
                self.on_top = false;
                self.was_there = false;
                return Err(self.vanish(Object::Manifest));
            }
            (Step::Extend(Object::Body), Answer::Extended) => Step::ReadBodyLock,
            (Step::Extend(Object::Manifest), Answer::Extended) => Step::ReadManifestLock,
            (Step::ReadClock, Answer::Time(now)) => {
                self.store_time = Some(now);
                Step::Receipt
            }
            (Step::Look, _) => self.next_put(),
            // No other pair is ever formed; asking again is right for whatever it could mean.
            (step, _) => step,
        };
        Ok(())
    }

    /// Goes back to the put of an object that is not there: on the condition that nothing is.
    fn vanish(&mut self, object: Object) -> Stop {
        let times = self.vanished;
        self.vanished = times.saturating_add(1);
        self.step = self.next_put();
        Stop::Vanished { object, times }
    }

    fn judge(&mut self, found: Found) -> Result<Step, Stop> {
        match found {
            Found::Ours { version_id, until } => {
                self.manifest = Some(Placed::new(version_id, until));
                self.was_there = true;
            }
            Found::Fork(line) => return Err(Stop::Fork(line)),
            Found::Foreign => self.on_top = true,
            // Gone since, or a server that is not yet itself after a crash: the condition stays, or
            // ours could be there twice. The second time the server's word for it is worth nothing.
            Found::Nothing => self.on_top = std::mem::replace(&mut self.was_empty, true),
        }
        Ok(self.next_put())
    }

    /// Body before manifest: half an upload is an orphan, never a claim without its bytes.
    fn next_put(&self) -> Step {
        if self.has_body && self.body.is_none() {
            return Step::PutBody { if_absent: true };
        }
        if self.manifest.is_none() {
            let if_absent = !self.on_top;
            return Step::PutManifest { if_absent };
        }
        if is_on(Switch::ReceiptEarly) {
            Step::ReadClock
        } else if self.has_body {
            Step::ReadBodyLock
        } else {
            Step::ReadManifestLock
        }
    }
}

impl Placed {
    fn new(version_id: String, until: Moment) -> Self {
        Self { version_id, until }
    }

    /// Keeps a lock that is what was asked for, or longer.
    fn keep(placed: Option<&mut Self>, object: Object, lock: Option<Lock>) -> Result<(), Stop> {
        let until = placed.as_ref().map_or(Moment::LAST, |placed| placed.until);
        let holds = |lock: &Lock| lock.mode == LockMode::Compliance && lock.retain_until >= until;
        match (placed, lock.filter(holds)) {
            (Some(placed), Some(lock)) => {
                placed.until = lock.retain_until;
                Ok(())
            }
            _ => Err(Stop::Unlocked {
                object,
                until,
                found: lock,
            }),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
