//! One candidate: a file that matches a pattern and is in no source yet. What a look at it shows: its form, and which
//! sources' content it holds. What becomes of it is concluded in [`super::candidates`].

use super::decide::{CopyWait, is_rotated_name};
use super::form::{self, Form, TELLING};
use super::pass::{Pass, Progress};
use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_file::{OpenFault, TrackedFile};
use super::tracked_source::{SourceKey, TrackedSource};
use crate::read::gzip::PackedEnd;
use crate::read::plain::{self, WINDOW};
use crate::sys;
use ledger::Digest;
use ledger::entry::PathBytes;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A file that no source is known to be in.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) watch: usize,
    /// Where it was last seen.
    pub(super) path: PathBytes,
    pub(super) file: TrackedFile,
    /// A further part of its content was looked at in this scan.
    pub(super) has_passed: bool,
    /// The name showed in this scan that it is empty, as it was.
    pub(super) is_still_empty: bool,
    /// It has become shorter, or begins otherwise: what it held before is another content.
    shrank: bool,
    /// It is written in place, and has given a version not long ago.
    pub(super) is_held_back: bool,
    /// The scan that met it.
    pub(super) met_scan: u64,
    /// Under which it is registered: lost before it is identified, it leaves a gap.
    pub(super) registered: Option<SourceKey>,
    pub(super) form: Form,
    /// The source whose file it equalled the beginning of, and its own size then.
    pub(super) witness: Option<(SourceKey, u64)>,
    /// Sources whose content it holds up to their read position.
    pub(super) matches: Vec<SourceKey>,
    /// Scans in a row in which a source that it may be a copy of changed after it was looked at.
    pub(super) overtaken: u32,
    /// Scans in a row that could not tell whether what it may be a copy of is gone.
    pub(super) hidden: u32,
    /// While it may be a copy in progress.
    pub(super) copying: Option<CopyWait>,
    /// A look at its whole content, where that is needed.
    pub(super) content: Content,
}

/// What is known of a candidate's content beyond its windows.
#[derive(Debug)]
pub(super) enum Content {
    /// Nobody asked.
    Unasked,
    /// No source and no finished log begins like it.
    Unheard,
    /// It is being looked at.
    Passing(Box<Pass>),
    /// All of it was looked at.
    Known(Box<Pass>, PackedEnd),
}

impl Content {
    /// Hash of its first window, if all of it was looked at.
    pub(super) fn first(&self) -> Option<Digest> {
        match self {
            Self::Known(pass, _) => Some(pass.first()),
            Self::Unasked | Self::Unheard | Self::Passing(_) => None,
        }
    }
}

impl Candidate {
    pub(super) fn new(watch: usize, path: PathBytes, file: TrackedFile, met_scan: u64) -> Self {
        Self {
            watch,
            path,
            file,
            has_passed: false,
            is_still_empty: false,
            is_held_back: false,
            met_scan,
            shrank: false,
            registered: None,
            form: Form::Plain,
            witness: None,
            matches: Vec::new(),
            overtaken: 0,
            hidden: 0,
            copying: None,
            content: Content::Unasked,
        }
    }

    /// Under which the content is registered that it held before it became shorter; what it holds now is registered
    /// again.
    pub(super) fn lost_content(&mut self) -> Option<SourceKey> {
        if !std::mem::take(&mut self.shrank) {
            return None;
        }
        self.witness = None;
        self.copying = None;
        self.registered.take()
    }

    /// Its length and hash, if all of it was looked at.
    pub(super) fn whole(&self) -> Option<(u64, Digest)> {
        let Content::Known(pass, PackedEnd::Whole) = &self.content else {
            return None;
        };
        Some((pass.len(), pass.digest()?))
    }

    /// Looks at it again: at its form, and at which of the sources read so far it begins with.
    pub(super) fn look(
        &mut self,
        read: &[SourceKey],
        table: &SourceTable,
        scan: &mut Scan,
    ) -> Result<(), OpenFault> {
        self.has_passed = false;
        self.file.unnamed_unless_seen(scan);
        if let Some(path) = self.file.path() {
            self.path = path;
        }
        let file = self.file.open(scan.boot_id())?;
        let stat = sys::stat_file(&file).map_err(OpenFault::Io)?;
        if self.file.is_changed(&stat) {
            // Said before anything can fail: the next look does not see the change.
            self.content = Content::Unasked;
        }
        self.shrank |= stat.size < self.file.size();
        self.file.looked(stat, scan.now_ms());
        let head = plain::first_bytes(&file, WINDOW).map_err(OpenFault::Io)?;
        let form = form::form_of(&head);
        // Cut, and grown beyond what it was.
        self.shrank |= form == Form::Plain && self.form == form && !self.file.agrees(&head);
        self.form = form;
        let looked = match self.form {
            Form::Other(_) => Ok(()),
            Form::Gzip => self.look_inside(&file, table, scan),
            Form::Plain => self.look_at_lines((&file, &head), read, table, scan),
        };
        looked.map_err(OpenFault::Io)
    }

    /// Whether more bytes may yet make something else than lines of it.
    pub(super) fn is_undecided(&self) -> bool {
        let head = self.file.head();
        self.form == Form::Plain && head.len() < TELLING && form::is_undecided(head)
    }

    fn look_at_lines(
        &mut self,
        (file, head): (&Arc<File>, &[u8]),
        read: &[SourceKey],
        table: &SourceTable,
        scan: &mut Scan,
    ) -> io::Result<()> {
        self.file.begins_with(head);
        self.matches.clear();
        let first = Digest::of(head);
        for key in read {
            let Some(source) = table.get(*key) else {
                continue;
            };
            if !plain::reaches(self.file.size(), source.offset()) || source.is_ended() {
                continue;
            }
            let content = source.positions().content();
            let near = source.file().agrees(self.file.head()) && content.may_begin(head, first);
            if near && content.begins(file)? {
                self.matches.push(*key);
            }
        }
        if table.any_over_is_so_long(first, self.file.size()) {
            if matches!(self.content, Content::Unasked | Content::Unheard) {
                let pass = Pass::begin(file, Form::Plain)?;
                self.content = Content::Passing(Box::new(pass));
            }
            self.look_further(scan)?;
        } else {
            self.content = Content::Unheard;
        }
        Ok(())
    }

    /// Looks at what a packed file unpacks to.
    fn look_inside(
        &mut self,
        file: &Arc<File>,
        table: &SourceTable,
        scan: &mut Scan,
    ) -> io::Result<()> {
        self.matches.clear();
        let overtaken = match &self.content {
            Content::Passing(pass) | Content::Known(pass, _) => pass.is_overtaken(table),
            Content::Unasked | Content::Unheard => true,
        };
        if overtaken {
            self.begin_pass(file, table)?;
        }
        self.look_further(scan)?;
        if let Content::Known(pass, _) = &self.content {
            self.matches = pass.held(table);
        }
        Ok(())
    }

    fn begin_pass(&mut self, file: &Arc<File>, table: &SourceTable) -> io::Result<()> {
        let mut pass = Pass::begin(file, Form::Gzip)?;
        let head = pass.head().to_vec();
        self.file.begins_with(&head);
        let first = Digest::of(&head);
        let near = |(key, source): (SourceKey, &TrackedSource)| {
            if source.offset() == 0 || !source.file().agrees(self.file.head()) {
                return None;
            }
            let content = source.positions().content();
            // Of a content too short for a window, and of a source that was passed over in part, the first bytes tell.
            let short = head.len() < content.window_len() || source.is_covered();
            (short || content.may_begin(&head, first)).then_some((key, source.offset()))
        };
        let near = table.iter().filter_map(near);
        // What is not read yet of a source is not known, but that it begins so, or had such a name.
        let unread = |(key, source): (SourceKey, &TrackedSource)| {
            let begun = source.is_in_sight() && source.file().is_begun_by(&head);
            let named = source.is_missing() && is_rotated_name(&source.path().0, &self.path.0);
            (source.offset() == 0 && (begun || named)).then_some((key, 0))
        };
        let near: Vec<_> = near.chain(table.iter().filter_map(unread)).collect();
        let repeats = || {
            table
                .finished()
                .any_is_repeated_by(&head, head.len() as u64)
        };
        let heard = !near.is_empty() || head.is_empty() || repeats();
        self.content = if heard {
            pass.ask(near.into_iter());
            Content::Passing(Box::new(pass))
        } else {
            Content::Unheard
        };
        Ok(())
    }

    /// Looks at a further part of its whole content, if that was asked for.
    fn look_further(&mut self, scan: &mut Scan) -> io::Result<()> {
        let Content::Passing(pass) = &mut self.content else {
            return Ok(());
        };
        if !scan.may_pass() {
            return Ok(());
        }
        let progress = pass.step()?;
        self.has_passed = true;
        if let Progress::Done(end) = progress
            && let Content::Passing(pass) = std::mem::replace(&mut self.content, Content::Unasked)
        {
            self.content = Content::Known(pass, end);
        }
        Ok(())
    }
}
