//! What waits in a stream, for people: nothing is removed, made durable or remembered.

use super::order::{self, Outlook};
use super::seq_name;
use super::{Orphans, Spool, found, name_error};
use crate::health::Waiting;
use ledger::manifest::EpochHead;
use ledger::name::{Epoch, Name};
use ledger::spool::{BODY, MANIFEST, SEALED};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// What each epoch of a stream continues, read once.
pub type EpochLinks = BTreeMap<Epoch, Vec<EpochHead>>;

/// What waits in one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What is to be done.
    pub outlook: Outlook,
    /// Stored bytes of the batches that wait, manifests included.
    pub bytes: u64,
}

impl Spool {
    /// How many batches of `stream` wait, and since when the oldest. `links` is for the next call.
    ///
    /// # Errors
    /// A folder can't be listed; the text names it.
    pub fn waiting(&self, stream: &Name, links: &mut EpochLinks) -> io::Result<Waiting> {
        let counted = self.count_waiting(stream, links);
        let path = self.root.join(SEALED).join(stream.as_str());
        counted.map_err(|error| name_error(&path.display(), error))
    }

    fn count_waiting(&self, stream: &Name, links: &mut EpochLinks) -> io::Result<Waiting> {
        let Some(folder) = found(self.sealed()?.enter(stream.as_str()))? else {
            return Ok(Waiting::default());
        };
        let names = folder.names()?;
        let epochs: BTreeSet<Epoch> = names.iter().filter_map(|name| name.parse().ok()).collect();
        links.retain(|epoch, _| epochs.contains(epoch));
        let views = self.views(stream, &epochs, links, Orphans::Keep)?;
        let (mut waiting, mut epoch_before) = (Waiting::default(), None);
        for (epoch, seq) in order::waiting(&views) {
            waiting.count += 1;
            // The oldest of an epoch is its first.
            if epoch_before != Some(epoch) {
                epoch_before = Some(epoch);
                let epoch_folder = found(folder.enter(epoch.to_string()))?;
                let sealed = epoch_folder.map(|folder| folder.changed(&seq_name(seq)));
                let sealed = sealed.transpose()?.flatten();
                waiting.oldest = [waiting.oldest, sealed].into_iter().flatten().min();
            }
        }
        Ok(waiting)
    }

    /// What waits in `stream` for its upload. For people: it removes nothing and remembers nothing.
    ///
    /// # Errors
    /// A folder can't be listed; the text names it.
    pub fn survey(&self, stream: &Name) -> io::Result<Survey> {
        let surveyed = self.survey_stream(stream);
        let path = self.root.join(SEALED).join(stream.as_str());
        surveyed.map_err(|error| name_error(&path.display(), error))
    }

    fn survey_stream(&self, stream: &Name) -> io::Result<Survey> {
        let folder = self.sealed()?.enter(stream.as_str())?;
        let names = folder.names()?;
        let epochs = names.iter().filter_map(|name| name.parse().ok()).collect();
        let views = self.views(stream, &epochs, &mut BTreeMap::new(), Orphans::Keep)?;
        let mut bytes = 0;
        for (epoch, seq) in order::waiting(&views) {
            // One that is gone by now was void.
            let epoch_folder = found(folder.enter(epoch.to_string()))?;
            let batch = match epoch_folder {
                Some(epoch_folder) => found(epoch_folder.enter(seq_name(seq)))?,
                None => None,
            };
            if let Some(batch) = batch {
                bytes += batch.size_of(MANIFEST)? + batch.size_of(BODY)?;
            }
        }
        let outlook = order::outlook(&views);
        Ok(Survey { outlook, bytes })
    }
}
