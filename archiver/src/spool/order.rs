//! Which batch of a stream comes next. Pure: what stands in the spool goes in, the answer comes out.
//!
//! Within an epoch order is that of the numbers, between epochs that of the `prev_epoch` links,
//! never that of time. A batch is skipped only if a successor's link says that it is void.

use ledger::manifest::EpochHead;
use ledger::name::Epoch;
use ledger::spool::Mark;
use std::collections::{BTreeMap, BTreeSet};

/// One epoch of a stream, as it stands in the spool.
#[derive(Debug, Clone, Default)]
pub struct EpochView {
    /// Its batches.
    pub sealed: BTreeSet<u64>,
    /// What stands in the archiver's half.
    pub marks: BTreeMap<u64, Mark>,
    /// The `prev_epoch` of its genesis; empty as well where that has left the spool, which it does
    /// only after its receipt, and so after those of all before it.
    pub links: Vec<EpochHead>,
}

/// Why an epoch does not continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocked {
    /// [`Mark::Bad`]
    Bad,
    /// [`Mark::Conflict`]
    Conflict,
    /// Epochs name each other in a circle, so that none can come first.
    Circle,
}

/// A batch to upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its number.
    pub seq: u64,
    /// The last number of the epoch that is not void.
    pub last: u64,
}

impl Next {
    /// What comes after it in its epoch.
    #[must_use]
    pub fn successor(self) -> Option<Self> {
        let seq = self.seq + 1;
        (self.seq < self.last).then_some(Self { seq, ..self })
    }
}

/// What is to be done for a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// The batch to upload next. It may be missing from the spool though later ones are there.
    pub next: Option<Next>,
    /// With nothing to upload nor in the way: the batch that the agent will seal next, if the
    /// stream continues as before.
    pub expected: Option<Next>,
    /// Epochs that cannot continue, with the batch they stand at.
    pub blocked: Vec<(Epoch, u64, Blocked)>,
    /// Batches that still have to be uploaded.
    pub backlog: usize,
}

/// How far an epoch is uploaded.
enum EpochPosition {
    /// Everything valid is in the store.
    Done,
    At(u64),
    Blocked(u64, Blocked),
}

/// Looks at all epochs of one stream.
#[must_use]
pub fn outlook(epochs: &BTreeMap<Epoch, EpochView>) -> Outlook {
    let valid = |epoch: &Epoch| last_valid(epochs, *epoch);
    let positions: BTreeMap<Epoch, EpochPosition> = epochs
        .iter()
        .map(|(epoch, view)| (*epoch, view.position(valid(epoch))))
        .collect();
    let is_done = |epoch: &Epoch| matches!(positions.get(epoch), None | Some(EpochPosition::Done));
    let mut outlook = Outlook::default();
    let mut waiting = Vec::new();
    for (epoch, view) in epochs {
        let last = valid(epoch);
        outlook.backlog += view.waiting(last).count();
        match positions.get(epoch) {
            Some(EpochPosition::At(seq)) if view.links.iter().all(|head| is_done(&head.epoch)) => {
                let (epoch, seq) = (*epoch, *seq);
                outlook.next = outlook.next.or(Some(Next { epoch, seq, last }));
            }
            Some(EpochPosition::At(seq)) => waiting.push((*epoch, *seq, Blocked::Circle)),
            Some(EpochPosition::Blocked(seq, why)) => outlook.blocked.push((*epoch, *seq, *why)),
            Some(EpochPosition::Done) | None => {}
        }
    }
    if outlook.next.is_none() && outlook.blocked.is_empty() {
        outlook.blocked = waiting;
    }
    if outlook.next.is_none() && outlook.blocked.is_empty() {
        outlook.expected = expected(epochs);
    }
    outlook
}

/// All batches that still have to be uploaded.
pub fn waiting(epochs: &BTreeMap<Epoch, EpochView>) -> impl Iterator<Item = (Epoch, u64)> {
    epochs.iter().flat_map(|(epoch, view)| {
        let waiting = view.waiting(last_valid(epochs, *epoch));
        waiting.map(|seq| (*epoch, seq))
    })
}

/// The batch after the newest of the only epoch that no other continues.
fn expected(epochs: &BTreeMap<Epoch, EpochView>) -> Option<Next> {
    let mut tips = epochs
        .iter()
        .filter(|(epoch, _)| last_valid(epochs, **epoch) == u64::MAX);
    let (epoch, view) = tips.next().filter(|_| tips.next().is_none())?;
    Some(Next {
        epoch: *epoch,
        seq: view.sealed.last()? + 1,
        last: u64::MAX,
    })
}

/// The last batch of `epoch` that is not void.
fn last_valid(epochs: &BTreeMap<Epoch, EpochView>, epoch: Epoch) -> u64 {
    let links = epochs.values().flat_map(|view| &view.links);
    let ends = links.filter(|head| head.epoch == epoch);
    ends.map(|head| head.seq).min().unwrap_or(u64::MAX)
}

impl EpochView {
    /// Batches up to `last` without a receipt.
    fn waiting(&self, last: u64) -> impl Iterator<Item = u64> {
        let open = |seq: &u64| self.marks.get(seq) != Some(&Mark::Receipt);
        self.sealed.range(..=last).copied().filter(open)
    }

    fn position(&self, last: u64) -> EpochPosition {
        let lowest = [self.sealed.first(), self.marks.keys().next()];
        let Some(mut seq) = lowest.into_iter().flatten().min().copied() else {
            return EpochPosition::Done;
        };
        while self.marks.get(&seq) == Some(&Mark::Receipt) {
            seq += 1;
        }
        // Not `sealed.contains(seq)`: one that is missing below others is looked for, not skipped.
        if seq > last
            || self
                .sealed
                .range(seq..)
                .next()
                .is_none_or(|seq| *seq > last)
        {
            return EpochPosition::Done;
        }
        match self.marks.get(&seq) {
            Some(Mark::Bad) => EpochPosition::Blocked(seq, Blocked::Bad),
            Some(Mark::Conflict) => EpochPosition::Blocked(seq, Blocked::Conflict),
            Some(Mark::Receipt) | None => EpochPosition::At(seq),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::{Digest, Moment};

    fn epoch(number: u64) -> Epoch {
        Epoch::new(number, &[0; 10])
    }

    fn view(sealed: &[u64], marks: &[(u64, Mark)], links: &[(u64, u64)]) -> EpochView {
        let head = |(name, seq): &(u64, u64)| EpochHead {
            epoch: epoch(*name),
            seq: *seq,
            sha256: Digest::of(b""),
            sealed_max: Moment::from_micros(0),
            retention_max_s: 86_400,
        };
        EpochView {
            sealed: sealed.iter().copied().collect(),
            marks: marks.iter().copied().collect(),
            links: links.iter().map(head).collect(),
        }
    }

    fn look(views: Vec<(u64, EpochView)>) -> Outlook {
        let named = views.into_iter().map(|(name, view)| (epoch(name), view));
        outlook(&named.collect())
    }

    fn place(outlook: &Outlook) -> Option<(Epoch, u64)> {
        outlook.next.map(|next| (next.epoch, next.seq))
    }

    use Mark::{Bad, Conflict, Receipt};

    #[test]
    fn numbers_go_up_and_none_is_passed_over() {
        for (sealed, marks, next, backlog) in [
            (&[][..], &[][..], None, 0),
            (&[0, 1], &[], Some(0), 2),
            (&[0, 1], &[(0, Receipt)], Some(1), 1),
            (&[0, 1], &[(0, Receipt), (1, Receipt)], None, 0),
            // Older ones have left the spool, with or without their receipts.
            (&[7, 8], &[(7, Receipt)], Some(8), 1),
            (&[7, 8], &[], Some(7), 2),
            (&[7, 8], &[(6, Receipt)], Some(7), 2),
            (&[7], &[(6, Receipt), (7, Receipt)], None, 0),
            // One is missing: it is asked for, not skipped.
            (&[5, 7], &[(5, Receipt)], Some(6), 1),
            (&[7], &[(5, Receipt)], Some(6), 1),
            // A receipt of a batch that is gone needs nothing.
            (&[], &[(3, Receipt)], None, 0),
        ] {
            let outlook = look(vec![(1, view(sealed, marks, &[]))]);
            let found = outlook.next.map(|next| next.seq);
            assert_eq!(found, next, "{sealed:?} {marks:?}");
            assert_eq!(outlook.backlog, backlog, "{sealed:?} {marks:?}");
            assert_eq!(outlook.blocked, []);
        }
    }

    #[test]
    fn a_mark_blocks_its_epoch_until_a_successor_voids_it() {
        for (mark, why) in [(Bad, Blocked::Bad), (Conflict, Blocked::Conflict)] {
            let held = view(&[0, 1, 2], &[(0, Receipt), (1, mark)], &[]);
            let alone = look(vec![(1, held.clone())]);
            assert_eq!(alone.next, None);
            assert_eq!(alone.blocked, [(epoch(1), 1, why)]);
            assert_eq!(alone.backlog, 2);
            let answered = look(vec![(1, held), (2, view(&[0], &[], &[(1, 0)]))]);
            assert_eq!(place(&answered), Some((epoch(2), 0)));
            assert_eq!(answered.blocked, []);
            assert_eq!(answered.backlog, 1);
        }
    }

    #[test]
    fn links_order_epochs_and_time_does_not() {
        // 3 was begun first by its name, yet it continues 5, which continues 4.
        let chain = |done: &[(u64, Mark)]| {
            vec![
                (3, view(&[0], &[], &[(5, 1)])),
                (4, view(&[0, 1], done, &[])),
                (5, view(&[0, 1, 2], &[], &[(4, 1)])),
            ]
        };
        assert_eq!(place(&look(chain(&[]))), Some((epoch(4), 0)));
        // 5's batch 2 is void.
        assert_eq!(look(chain(&[])).backlog, 5);
        let both = [(0, Receipt), (1, Receipt)];
        assert_eq!(place(&look(chain(&both))), Some((epoch(5), 0)));
    }

    #[test]
    fn a_successor_of_what_is_blocked_waits_and_another_epoch_does_not() {
        let blocked = || view(&[0, 1], &[(0, Bad)], &[]);
        let successor = look(vec![(1, blocked()), (2, view(&[0], &[], &[(1, 1)]))]);
        assert_eq!(successor.next, None);
        assert_eq!(successor.blocked, [(epoch(1), 0, Blocked::Bad)]);
        let unrelated = look(vec![(1, blocked()), (2, view(&[0], &[], &[]))]);
        assert_eq!(place(&unrelated), Some((epoch(2), 0)));
    }

    #[test]
    fn a_circle_is_said_to_be_one() {
        let outlook = look(vec![
            (1, view(&[0], &[], &[(2, 0)])),
            (2, view(&[0], &[], &[(1, 0)])),
        ]);
        assert_eq!(outlook.next, None);
        assert_eq!(outlook.blocked.len(), 2);
        assert_eq!(outlook.blocked[0].2, Blocked::Circle);
    }

    #[test]
    fn a_link_to_what_left_the_spool_holds_nothing_up() {
        let outlook = look(vec![(2, view(&[0, 1], &[], &[(1, 9)]))]);
        assert_eq!(place(&outlook), Some((epoch(2), 0)));
    }

    #[test]
    fn what_comes_next_is_foretold_only_where_it_is_plain() {
        let done = |links: &[(u64, u64)]| view(&[3], &[(3, Receipt)], links);
        let after = |views| look(views).expected.map(|next| (next.epoch, next.seq));
        assert_eq!(after(vec![(1, done(&[]))]), Some((epoch(1), 4)));
        assert_eq!(
            after(vec![(1, done(&[])), (2, done(&[(1, 3)]))]),
            Some((epoch(2), 4))
        );
        assert_eq!(after(vec![(1, done(&[])), (2, done(&[]))]), None);
        assert_eq!(after(vec![(1, view(&[3], &[(3, Bad)], &[]))]), None);
        assert_eq!(after(vec![]), None);
    }

    #[test]
    fn nothing_follows_the_last_valid_batch() {
        let next = |last| Next {
            epoch: epoch(1),
            seq: 4,
            last,
        };
        assert_eq!(next(4).successor(), None);
        assert_eq!(next(5).successor().map(|next| next.seq), Some(5));
    }
}
