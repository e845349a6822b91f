//! Answers to the archiver that an earlier run began and did not finish: finished at a start, before anything is read.

use super::startup::RunError;
use crate::answer::{Answer, AnswerError, Step, Tools};
use crate::config::Config;
use crate::now::Now;
use crate::recovery::Recovered;
use crate::recovery::sealed_batch::SealedBatches;
use crate::sealing::sealer::Sealer;
use crate::sealing::stream_state::{SealedAt, StreamState};
use crate::spool::Spool;
use crate::track::checkpoint::Checkpoint;
use ledger::manifest::Was;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

/// Seals again what an answer to the archiver left when the agent ended: before that nothing is known of where its
/// sources stand.
pub(super) fn finish_answers(
    config: &Config,
    spool: &mut Spool,
    sealer: &mut Sealer,
    recovered: &mut Recovered,
) -> Result<(), RunError> {
    let layout = spool.layout().clone();
    let keys = sealer.all_keys();
    let batches = SealedBatches {
        layout: &layout,
        agent: &config.agent,
        keys: &keys,
    };
    let own_files = config.own_files();
    // A checkpoint's path is opened only where the settings name it, and the file is held against its windows.
    let mut file_of = |_: &Was, known: &Checkpoint| {
        let path = Path::new(OsStr::from_bytes(&known.path.0));
        let is_wanted = config.streams.iter().any(|stream| stream.watch.wants(path));
        let file = is_wanted.then(|| own_files.open_other(path))??;
        Some(Arc::new(file))
    };
    let all = recovered.streams.iter_mut().chain(&mut recovered.leaving);
    for next in all {
        let StreamState::After(state) = &*next else {
            continue;
        };
        let mut configured = config.streams.iter();
        let configured = configured.find(|stream| stream.name == state.stream);
        let retention_s = configured.map_or(state.retention_s, |stream| stream.retention_s);
        let Some(mut answer) = Answer::resume(&batches, state, retention_s)? else {
            continue;
        };
        tracing::warn!(stream = %state.stream, left = answer.left(), "what the archiver refused is sealed again");
        loop {
            let now = Now::read();
            let stepped = answer.step(Tools {
                sealer,
                spool,
                agent: &config.agent,
                file_of: &mut file_of,
                at: SealedAt {
                    wall: now.wall,
                    boot_ms: now.boot_ms,
                    suspended_ms: now.suspended_ms,
                },
            });
            match stepped {
                Ok(Step::More) => {}
                Ok(Step::Done) => break,
                Err(AnswerError::Seal(error)) => return Err(error.into()),
                Err(AnswerError::Read(error)) => return Err(error.into()),
            }
        }
        let answered = answer.finish();
        *next = answered.state;
        let memory = std::mem::take(&mut recovered.memory);
        recovered.memory = memory.then(answered.restated);
    }
    Ok(())
}
