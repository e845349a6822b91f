//! What the accounts of infra/iam may do, tried with the very files on a real server: the uploader runs
//! its whole protocol and can neither see, hide, delete nor weaken anything; the auditor judges
//! everything and can write nothing.

mod acts;
mod guard;

use acts::{Answer, Scene, acts};
use harness::account::{Account, root};
use harness::server::client;
use harness::users::policy;
use harness::{Bucket, Kind, Server, Site};
use serde_json::Value;
use std::fs;
use std::time::{Duration, SystemTime};

const STREAMS: &str = r#"
[seal]
age = "1s"
[[stream]]
name = "app"
include = ["{logs}/*.log"]
retention = "1d"
"#;

/// A host with one sealed batch, whose archiver is the bucket's uploader.
fn site(server: &Server, bucket: &Bucket<'_>, account: Account) -> Site {
    let mut site = Site::on(server, &bucket.url("prod"), STREAMS);
    site.account = account;
    site.init();
    fs::write(site.log("a.log"), "a line\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    site
}

/// All rights that a policy gives.
fn rights(policy: &str) -> Vec<String> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let actions = statements.flat_map(|statement| match &statement["Action"] {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    });
    actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

/// The policy without one of its rights.
fn without(right: &str, policy: &str) -> String {
    let mut policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array_mut().unwrap();
    let mut found = false;
    statements.retain_mut(|statement| {
        let actions = &mut statement["Action"];
        if actions == right {
            found = true;
            return false;
        }
        if let Some(list) = actions.as_array_mut() {
            found |= list.iter().any(|action| action == right);
            list.retain(|action| action != right);
        }
        true
    });
    assert!(found, "the policy never had {right}");
    policy.to_string()
}

#[test]
fn the_uploader_runs_its_whole_protocol_and_the_auditor_finds_nothing() {
    let server = Server::shared(Kind::Minio);
    let bucket = server.locked_bucket("roles-protocol");
    let uploader = server.user(
        "protocol-uploader",
        &policy("uploader", &bucket.name, "prod/"),
    );
    let auditor = server.user(
        "protocol-auditor",
        &policy("auditor", &bucket.name, "prod/"),
    );
    let mut site = site(&server, &bucket, uploader.clone());
    // A manifest that is there already, locked too short: it is read, recognised and extended.
    put_locked_briefly(&server, &bucket, &site);
    drop(site.archive(&["--once"]).expect(0));
    // Receipts that got lost: all is put again, and every 412 answered.
    fs::remove_dir_all(site.path("spool/receipts/app")).unwrap();
    drop(site.archive(&["--once"]).expect(0));
    assert!(site.unreceipted().is_empty());
    assert_eq!(harness::world::check_locks(&bucket, "prod/", 1), 0);
    site.account = auditor;
    site.verify_clean();
}

/// The spool's first manifest, put by root under a lock of a minute.
fn put_locked_briefly(server: &Server, bucket: &Bucket<'_>, site: &Site) {
    let mut sealed = site.sealed();
    sealed.sort();
    let manifest = &sealed[0];
    let slot = manifest.parent().unwrap();
    let below = slot.strip_prefix(site.path("spool/sealed")).unwrap();
    let key = format!("prod/manifests/web-01/{}.manifest", below.display());
    let until = SystemTime::now() + Duration::from_secs(60);
    let request = server.client().put_object().bucket(&bucket.name).key(key);
    let request = request
        .object_lock_mode(aws_sdk_s3::types::ObjectLockMode::Compliance)
        .object_lock_retain_until_date(until.into())
        .body(fs::read(manifest).unwrap().into());
    server.run(request.send()).unwrap();
}

#[test]
fn without_any_one_of_its_rights_the_uploader_is_held_and_loses_nothing() {
    let server = Server::shared(Kind::Minio);
    let all = rights(&policy("uploader", "any", ""));
    assert!(all.len() > 3, "{all:?}");
    for (number, right) in all.iter().enumerate() {
        let bucket = server.locked_bucket(&format!("roles-held-{number}"));
        let whole = policy("uploader", &bucket.name, "prod/");
        let name = format!("held-uploader-{number}");
        let mut site = site(
            &server,
            &bucket,
            server.user(&name, &without(right, &whole)),
        );
        put_locked_briefly(&server, &bucket, &site);
        let told = site.archive(&["--once"]).expect(2);
        println!(
            "without {right}: {}",
            told.stderr.lines().last().unwrap_or("").trim()
        );
        assert!(!site.unreceipted().is_empty(), "without {right}");
        site.account = server.user(&format!("{name}-mended"), &whole);
        drop(site.archive(&["--once"]).expect(0));
        assert!(site.unreceipted().is_empty());
    }
}

#[test]
fn without_a_right_to_list_read_or_see_locks_the_auditor_says_that_it_could_not_judge() {
    let server = Server::shared(Kind::Minio);
    let bucket = server.locked_bucket("roles-blind");
    let mut site = site(&server, &bucket, root());
    drop(site.archive(&["--once"]).expect(0));
    let whole = policy("auditor", &bucket.name, "prod/");
    // MinIO takes the right to objects for the right to their versions; AWS tells them apart.
    for (number, (rights, exit, what)) in [
        (&["s3:GetObjectRetention"][..], 2, "LOCK_UNKNOWN"),
        (&["s3:ListBucketVersions", "s3:ListBucket"], 2, "403"),
        (&["s3:GetObjectVersion", "s3:GetObject"], 2, "403"),
        (&["s3:ListBucket", "s3:GetObject"], 0, "CLEAN"),
    ]
    .into_iter()
    .enumerate()
    {
        let policy = rights
            .iter()
            .fold(whole.clone(), |policy, right| without(right, &policy));
        site.account = server.user(&format!("blind-auditor-{number}"), &policy);
        let told = site.verify(&[]).expect(exit).says(&[what]);
        println!(
            "without {}: exit {exit}, {}",
            rights.join(" and "),
            told.stdout.lines().next().unwrap_or("")
        );
    }
}

#[test]
fn each_role_is_refused_what_is_not_its_own() {
    const ROLES: [&str; 3] = ["uploader", "auditor", "root"];
    let server = Server::shared(Kind::Minio);
    let columns = ROLES.map(|role| {
        // A bucket each, so that what one gets done is not in the next one's way.
        let bucket = server.locked_bucket(&format!("roles-{role}"));
        drop(
            site(&server, &bucket, root())
                .archive(&["--once"])
                .expect(0),
        );
        let account = match role {
            "root" => root(),
            _ => server.user(
                &format!("table-{role}"),
                &policy(role, &bucket.name, "prod/"),
            ),
        };
        let scene = Scene::of(&server, &bucket, client(&server.endpoint(), &account));
        acts().iter().map(|act| (act.try_it)(&scene)).collect()
    });
    let rows: Vec<_> = acts().into_iter().enumerate().collect();
    let row = |name: &str, cells: [String; 3]| {
        println!("{name:<37}{:<20}{:<20}{}", cells[0], cells[1], cells[2]);
    };
    row("", ROLES.map(str::to_owned));
    for (number, act) in &rows {
        row(
            act.name,
            columns
                .each_ref()
                .map(|column: &Vec<Answer>| column[*number].to_string()),
        );
    }
    for (number, act) in &rows {
        let got = columns.each_ref().map(|column| column[*number].end());
        assert_eq!(got, act.expected, "{}", act.name);
    }
}
