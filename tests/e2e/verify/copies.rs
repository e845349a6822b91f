//! Copies on disk: whole ones, ones made while the archive grew, and ones with holes.

use super::draft::{Draft, Objects};
use super::judged::{assert_all, assert_found, judge_copy};
use ledger::Moment;
use ledger::finding::Code;
use ledger::finding::Severity::{Critical, Inconclusive, Note};

fn archive() -> Draft {
    let start: Moment = "2026-11-22T10:00:00.000000Z".parse().unwrap();
    let mut draft = Draft::begin(start);
    (0..6).for_each(|_| draft.batch(2));
    draft.heartbeat(|_| {});
    draft
}

fn without_bodies(draft: &Draft, seqs: &[usize]) -> Objects {
    let mut objects = draft.objects.clone();
    for seq in seqs {
        objects.remove(&draft.body_key(*seq));
    }
    objects
}

#[test]
fn where_bodies_are_missing_decides() {
    let draft = archive();
    assert_all(&judge_copy(&without_bodies(&draft, &[])), &[]);
    let grew = judge_copy(&without_bodies(&draft, &[5, 6]));
    assert_found(&grew, Code::Coverage, Inconclusive);
    assert!(grew.findings[0].message.contains("sync manifests/ first"));
    let expired = judge_copy(&without_bodies(&draft, &[1, 2]));
    assert_found(&expired, Code::Expired, Inconclusive);
    let lost = judge_copy(&without_bodies(&draft, &[3, 4]));
    assert_found(&lost, Code::MissingVersion, Critical);
    assert!(lost.findings[0].message.contains("3-4"));
    let all = [1, 2, 3, 4, 5, 6];
    assert_found(
        &judge_copy(&without_bodies(&draft, &all)),
        Code::Coverage,
        Inconclusive,
    );
    let torn = judge_copy(&without_bodies(&draft, &[1, 3, 6]));
    let expected = [
        (Code::Expired, Inconclusive),
        (Code::MissingVersion, Critical),
        (Code::Coverage, Inconclusive),
    ];
    assert_all(&torn, &expected);
}

#[test]
fn a_stream_continues_over_its_epochs() {
    let one = archive();
    let mut two = one.continued(2, |_| {});
    two.batch(1);
    let mut objects = without_bodies(&one, &[5, 6]);
    objects.extend(two.objects.clone());
    assert_found(&judge_copy(&objects), Code::MissingVersion, Critical);
    objects.remove(&two.body_key(1));
    let grew = judge_copy(&objects);
    assert_all(
        &grew,
        &[
            (Code::Coverage, Inconclusive),
            (Code::Coverage, Inconclusive),
        ],
    );
    let mut objects = without_bodies(&one, &[1, 2, 3, 4, 5, 6]);
    objects.extend(two.objects.clone());
    assert_found(&judge_copy(&objects), Code::Expired, Inconclusive);
}

#[test]
fn a_body_that_came_after_its_manifests_were_copied() {
    let draft = archive();
    let mut longer = draft.clone();
    longer.batch(1);
    let mut objects = draft.objects.clone();
    let body = longer.body_key(8);
    objects.insert(body.clone(), longer.objects[&body].clone());
    assert_found(&judge_copy(&objects), Code::Orphan, Note);
}
