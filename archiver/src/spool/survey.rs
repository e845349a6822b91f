//! What waits in a stream, for people: nothing is removed, made durable or remembered.

use super::folder::seq_name;
use super::order::{self, Outlook};
use super::{Orphans, Spool, found, name_error};
use ledger::name::Name;
use ledger::spool::{BODY, MANIFEST, SEALED};
use std::collections::BTreeMap;
use std::io;

/// What waits in one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What is to be done.
    pub outlook: Outlook,
    /// Stored bytes of the batches that wait, manifests included.
    pub bytes: u64,
}

impl Spool {
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
        let folder = self.half(SEALED)?.enter(stream.as_str())?;
        let names = folder.names()?;
        let epochs = names.iter().filter_map(|name| name.parse().ok()).collect();
        let views = self.views(stream, &epochs, &mut BTreeMap::new(), Orphans::Keep)?;
        let mut bytes = 0;
        for (epoch, seq) in order::waiting(&views) {
            // One that is gone by now was void.
            let epoch_folder = found(folder.enter(&epoch.to_string()))?;
            let batch = match epoch_folder {
                Some(epoch_folder) => found(epoch_folder.enter(&seq_name(seq)))?,
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
