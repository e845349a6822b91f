//! An auditor for tests: reads a stream's sealed batches with the ledger alone, holds
//! them against every rule that one epoch can be held to, and rebuilds the files.

use super::{agent, manifest};
use crate::spool::Layout;
use ledger::chain::{Chain, Edge, Seams, Tiling};
use ledger::manifest::{EventKind, Manifest};
use ledger::name::{Epoch, Name, Slot};
use ledger::tree::{Tree, leaf};
use ledger::{Digest, entry, signature};
use std::collections::BTreeMap;

/// What an epoch says.
#[derive(Default)]
pub(crate) struct Audited {
    pub(crate) manifests: Vec<Manifest>,
    /// By path where first seen and source id: the bytes.
    pub(crate) files: BTreeMap<(String, u64), Vec<u8>>,
    pub(crate) messages: Vec<Vec<u8>>,
}

impl Audited {
    /// All events, in order.
    pub(crate) fn events(&self) -> Vec<EventKind> {
        let all = self.manifests.iter().flat_map(|manifest| &manifest.events);
        all.map(|event| event.kind).collect()
    }

    /// The bytes of the sources first seen at `path`, one after the other.
    pub(crate) fn file(&self, path: &str) -> Vec<u8> {
        let sources = self.files.iter().filter(|((at, _), _)| at == path);
        sources.flat_map(|(_, bytes)| bytes.clone()).collect()
    }
}

/// Audits the one epoch that the stream has in the spool.
pub(crate) fn audit(layout: &Layout, stream: &Name) -> Audited {
    let epochs = layout.epochs(stream).unwrap();
    assert_eq!(epochs.len(), 1, "one epoch");
    audit_epoch(layout, stream, epochs[0])
}

pub(crate) fn audit_epoch(layout: &Layout, stream: &Name, epoch: Epoch) -> Audited {
    let mut audited = Audited::default();
    let mut chain: Option<Chain> = None;
    let mut seams = Seams::default();
    for seq in layout.seqs(stream, epoch).unwrap() {
        let slot = Slot {
            agent: agent(),
            stream: stream.clone(),
            epoch,
            seq,
        };
        let folder = layout.batch(&slot);
        let manifest = manifest(&folder);
        assert_eq!(manifest.slot(), slot);
        let file = std::fs::read(folder.join("manifest")).unwrap();
        let sha256 = Digest::of(signature::split(&file).unwrap().0);
        let step = match &mut chain {
            None => {
                let (begun, step) = Chain::begin(&manifest, sha256);
                chain = Some(begun);
                step
            }
            Some(chain) => chain.follow(&manifest, sha256),
        };
        assert_eq!(step.breaks, [], "{slot}");
        let mut tiling = Tiling::of(&manifest);
        assert_eq!(folder.join("body").exists(), manifest.body.is_some());
        if let Some(stored) = &manifest.stored {
            let body = std::fs::read(folder.join("body")).unwrap();
            assert_eq!(Digest::of(&body), stored.sha256);
            read(
                &manifest,
                &unpack(&manifest, &body),
                &mut tiling,
                &mut audited,
            );
        }
        for (source, touch) in tiling.finish().unwrap() {
            seams.join(source, touch, Edge::LineEnd).unwrap();
        }
        audited.manifests.push(manifest);
    }
    audited
}

/// The unpacked body, block by block.
fn unpack(manifest: &Manifest, body: &[u8]) -> Vec<u8> {
    let codec = manifest.stored.as_ref().unwrap().codec;
    let (mut all, mut raw) = (Vec::new(), Vec::new());
    for block in manifest.blocks.as_ref().unwrap() {
        let from = usize::try_from(block.offset).unwrap();
        let packed = &body[from..from + usize::try_from(block.size).unwrap()];
        codec.unpack(packed, block.raw, &mut raw).unwrap();
        all.extend_from_slice(&raw);
    }
    all
}

fn read(manifest: &Manifest, raw: &[u8], tiling: &mut Tiling, audited: &mut Audited) {
    let mut tree = Tree::new();
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap();
        let entry = entry::parse(line).unwrap();
        assert_eq!(entry.sequence, manifest.entries.first + tree.count());
        tree.push(leaf(line));
        tiling.lay(&entry);
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        let file = audited.files.entry((path, entry.source)).or_default();
        assert!(entry.offset >= file.len() as u64, "offsets ascend");
        file.extend_from_slice(&entry.message);
        if !entry.flags.open {
            file.push(b'\n');
        }
        audited.messages.push(entry.message.into_owned());
    }
    assert_eq!(
        (tree.count(), tree.root()),
        (manifest.entries.count, manifest.entries.root)
    );
}
