//! What was found: the collection, the commands that show a finding by hand, and a page for each code.
//!
//! No check is here. Each code is made in one file of the stages before, in the order of the checks:
//!
//! | code                 | file that makes it              |
//! |----------------------|---------------------------------|
//! | `NOTHING_FOUND`      | `manifests/refusals.rs`         |
//! | `LOOKS_LIKE_COPY`    | `listing/copy_detection.rs`     |
//! | `COVERAGE`           | `objects/unjudged.rs`           |
//! | `FOREIGN_OBJECT`     | `objects/unnamed.rs`            |
//! | `SHADOW_VERSION`     | `objects/shadow_versions.rs`    |
//! | `DELETE_MARKER`      | `objects/markers.rs`            |
//! | `MISSING_VERSION`    | `objects/missing_objects.rs`    |
//! | `UNKNOWN_SIGNER`     | `manifests/refusals.rs`         |
//! | `UNKNOWN_FORMAT`     | `manifests/refusals.rs`         |
//! | `SIG_INVALID`        | `manifests/refusals.rs`         |
//! | `SIG_SCOPE`          | `manifests/refusals.rs`         |
//! | `MANIFEST_FORMAT`    | `manifests/refusals.rs`         |
//! | `EQUIVOCATION`       | `manifests/choice.rs`           |
//! | `SEQ_GAP`            | `objects/missing_objects.rs`    |
//! | `PREV_MISMATCH`      | `epochs/breaks.rs`              |
//! | `ENTRY_GAP`          | `epochs/breaks.rs`              |
//! | `ENTRY_OVERLAP`      | `epochs/breaks.rs`              |
//! | `RETENTION_MISMATCH` | `epochs/breaks.rs`              |
//! | `DATE_MISMATCH`      | `epochs/breaks.rs`              |
//! | `EVENT_MISPLACED`    | `epochs/breaks.rs`              |
//! | `TIME_REGRESSION`    | `epochs/breaks.rs`              |
//! | `EPOCH_MISSING`      | `objects/missing_objects.rs`    |
//! | `LOOSE_EPOCH`        | `epochs/links.rs`               |
//! | `EPOCH_FORK`         | `epochs/links.rs`               |
//! | `NEW_EPOCH`          | `epochs/stated_events.rs`       |
//! | `VOID`               | `epochs/links.rs`               |
//! | `HEAD_MISSING`       | `objects/missing_objects.rs`    |
//! | `HEAD_MISMATCH`      | `epochs/head_check.rs`          |
//! | `SIZE_LIMIT`         | `manifests/refusals.rs`         |
//! | `STORED_HASH`        | `bodies/body_verdict.rs`        |
//! | `BLOCK_HASH`         | `bodies/body_content.rs`        |
//! | `BLOCK_BAD`          | `bodies/body_content.rs`        |
//! | `BLOCK_TRAILING`     | `bodies/body_content.rs`        |
//! | `COUNT_MISMATCH`     | `bodies/body_content.rs`        |
//! | `ROOT_MISMATCH`      | `bodies/body_content.rs`        |
//! | `ENTRY_FORMAT`       | `bodies/body_content.rs`        |
//! | `ENTRY_SEQUENCE`     | `bodies/body_content.rs`        |
//! | `ENTRY_TIME`         | `bodies/body_content.rs`        |
//! | `ENTRY_SOURCE`       | `bodies/body_content.rs`        |
//! | `ENTRY_CONT`         | `epochs/source_joins.rs`        |
//! | `LOCK_ABSENT`        | `objects/lock_state.rs`         |
//! | `LOCK_MODE`          | `objects/lock_state.rs`         |
//! | `LOCK_SHORT`         | `objects/lock_state.rs`         |
//! | `LOCK_UNKNOWN`       | `objects/lock_state.rs`         |
//! | `BYTE_GAP`           | `epochs/source_joins.rs`        |
//! | `BYTE_OVERLAP`       | `epochs/source_joins.rs`        |
//! | `SOURCE_MISMATCH`    | `epochs/source_joins.rs`        |
//! | `GAP`                | `epochs/stated_events.rs`       |
//! | `AMBIGUOUS`          | `epochs/stated_events.rs`       |
//! | `RESTATED`           | `epochs/source_joins.rs`        |
//! | `SILENT`             | `epochs/promises.rs`            |
//! | `OUTAGE`             | `epochs/promises.rs`            |
//! | `STOPPED`            | `epochs/promises.rs`            |
//! | `LATE`               | `epochs/promises.rs`            |
//! | `PENDING`            | `objects/missing_objects.rs`    |
//! | `ORPHAN`             | `objects/unnamed.rs`            |
//! | `EXPIRED`            | `objects/missing_objects.rs`    |

pub(crate) mod by_hand;
pub(crate) mod collection;
mod pages;

pub use pages::{Explanation, explanation};

/// `7` or `7-9`, as messages write the seqs of manifests.
pub(crate) fn seq_range(first: u64, last: u64) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}

#[cfg(test)]
mod tests {
    use ledger::finding::Code;
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::path::{Path, PathBuf};

    /// The table above: files by code.
    fn table() -> BTreeMap<Code, String> {
        let rows = include_str!("findings.rs").lines();
        let cells = rows.filter_map(|row| row.strip_prefix("//! | `")?.split_once("` "));
        let row = |(code, rest): (&str, &str)| {
            let file = rest.trim_matches(|c| " |`".contains(c)).to_string();
            (code.parse().unwrap(), file)
        };
        cells.map(row).collect()
    }

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// The files that name each code outside of tests, findings and report.
    fn makers() -> BTreeMap<Code, BTreeSet<String>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let mut makers: BTreeMap<Code, BTreeSet<String>> = BTreeMap::new();
        for path in files {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            if ["findings", "report"]
                .iter()
                .any(|only_shows| name.starts_with(only_shows))
            {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code_alone = text.split("#[cfg(test)]").next().unwrap_or_default();
            let words: BTreeSet<_> = code_alone
                .split(|c: char| !(c.is_alphanumeric() || c == ':'))
                .filter_map(|word| word.rsplit_once("Code::").map(|(_, name)| name))
                .collect();
            for code in Code::ALL {
                if words.contains(format!("{code:?}").as_str()) {
                    makers.entry(*code).or_default().insert(name.to_string());
                }
            }
        }
        makers
    }

    #[test]
    fn every_code_is_made_in_the_one_file_that_the_table_names() {
        let table: BTreeMap<_, _> = table()
            .into_iter()
            .map(|(code, file)| (code, BTreeSet::from([file])))
            .collect();
        assert_eq!(table.len(), Code::ALL.len());
        assert_eq!(table, makers());
    }
}
