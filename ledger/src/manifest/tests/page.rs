//! docs/format.md and the code say the same: its tables are read and held against the parser.

use super::*;
use alloc::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../docs/format.md");

/// The rows of the table below a heading: each cell without its backticks.
fn table(heading: &str) -> Vec<Vec<String>> {
    let below = PAGE.split(&format!("\n### {heading}\n")).nth(1).unwrap();
    let rows = below.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|')).skip(2);
    let cell = |cell: &str| cell.trim().trim_matches('`').to_string();
    rows.map(|row| row.trim_matches('|').split('|').map(cell).collect())
        .collect()
}

fn first_cells(heading: &str) -> BTreeSet<String> {
    let rows = table(heading);
    rows.into_iter().map(|row| row[0].clone()).collect()
}

/// The words that serde takes for a closed list, from its own refusal.
fn variants<T: serde::de::DeserializeOwned>() -> BTreeSet<String> {
    let refusal = serde_json::from_value::<T>(json!("?"))
        .err()
        .unwrap()
        .to_string();
    let words = refusal.split('`').skip(3).step_by(2);
    words.map(Into::into).collect()
}

#[test]
fn closed_lists() {
    assert_eq!(first_cells("Events"), variants::<EventKind>());
    assert_eq!(first_cells("Reasons"), variants::<Reason>());
}

#[test]
fn presence() {
    let heads = json!([stream_head("app")]);
    let kinds = [
        genesis(),
        batch(),
        set(heartbeat(), "/heads", heads),
        close(),
    ];
    let mut fields = BTreeSet::new();
    for row in table("Presence") {
        let pointer = format!("/{}", row[0].replace('.', "/"));
        let sample = kinds
            .iter()
            .find_map(|kind| kind.pointer(&pointer))
            .unwrap();
        for (kind, mark) in kinds.iter().zip(&row[1..]) {
            let with = set(kind.clone(), &pointer, sample.clone());
            let without = kind
                .pointer(&pointer)
                .map(|_| unset(kind.clone(), &pointer));
            let without = without.unwrap_or_else(|| kind.clone());
            let stands = kind.pointer(&pointer).is_some();
            let allowed = (stands || parse(&with).is_ok(), parse(&without).is_ok());
            let expected = match mark.as_str() {
                "●" => (true, false),
                "○" => (true, true),
                "–" => (false, true),
                other => panic!("{other} in the table"),
            };
            assert_eq!(allowed, expected, "{pointer} in {}", kind["kind"]);
        }
        fields.insert(row[0].clone());
    }
    let known = kinds
        .iter()
        .flat_map(|kind| kind.as_object().unwrap().keys());
    let known: BTreeSet<String> = known.cloned().collect();
    let listed = fields.into_iter().filter(|field| !field.contains('.'));
    assert_eq!(listed.collect::<BTreeSet<_>>(), known);
}
