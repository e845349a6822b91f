//! Who can read, write and reach what, tried as each service while all of them run.

use super::Up;
use harness::site::sealed;
use harness::wait_for;
use std::fmt;
use std::fs;

/// Whose power is tried, in the table's order.
const SERVICES: [&str; 4] = ["app", "agent", "archiver", "auditor"];

/// Lets `mc` work with a service's own account, if it has one.
const WITH_OWN_ACCOUNT: &str = "export HOME=/dev/shm \
    MC_HOST_own=http://${AWS_ACCESS_KEY_ID:-none}:${AWS_SECRET_ACCESS_KEY:-nonenone}@minio:9000; ";

const SIGNERS: &str = "/var/lib/holdfast/signers/allowed_signers";

/// One of the app's log files, under a second name that does not rotate away during a try.
const LOG: &str = "/var/log/app/tried";

const WRITE_ELSEWHERE: &str =
    "for folder in / /etc /usr /tmp; do : > $folder/tried && exit 0; done; exit 1";

const REACH_THE_STORE: &str = "for host in minio 127.0.0.1 192.0.2.1; do (exec 3<> /dev/tcp/$host/9000) && exit 0; done; exit 1";

/// One thing to try.
struct Power {
    name: &'static str,
    /// A script that ends with 0 if it can be done.
    script: String,
    /// Whether each service may, as composed.
    composed: [bool; 4],
    /// Whether file modes alone would let each service, were every volume mounted; `None` where it
    /// is not a matter of files.
    by_mode: Option<[bool; 4]>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Yes,
    /// The path is not there.
    Absent,
    ReadOnly,
    Mode,
    Unreachable,
    /// By the store.
    Refused,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Yes => "yes",
            Self::Absent => "no: not mounted",
            Self::ReadOnly => "no: read-only",
            Self::Mode => "no: mode",
            Self::Unreachable => "no: no network",
            Self::Refused => "no: store refuses",
        })
    }
}

fn outcome(code: Option<i32>, said: &str) -> Outcome {
    let says = |words: &str| said.contains(words);
    match code {
        Some(0) => Outcome::Yes,
        _ if says("Read-only file system") => Outcome::ReadOnly,
        _ if says("Permission denied") => Outcome::Mode,
        _ if says("No such file") || says("nonexistent") => Outcome::Absent,
        _ if says("unreachable") || says("not known") || says("resolution") || says("lookup") => {
            Outcome::Unreachable
        }
        _ if says("Access Denied") || says("Insufficient permissions") => Outcome::Refused,
        _ => panic!("an unknown refusal: {said}"),
    }
}

#[rustfmt::skip] // a table, one power a line
fn powers(up: &Up) -> Vec<Power> {
    let logs = up.sandbox.volume("logs");
    wait_for("a rotated log", || fs::hard_link(logs.join("app.log.1"), logs.join("tried")).ok());
    let spool = up.sandbox.volume("spool");
    let mut manifests = sealed(&spool);
    manifests.sort();
    let manifest = manifests[0].strip_prefix(&spool).expect("it is in the spool");
    let manifest = format!("/var/lib/holdfast/spool/{}", manifest.display());
    let body = up.as_root_of_the_store("mc find store/audit-logs/demo/entries | head -1").expect(0).stdout;
    let body = body.trim().trim_start_matches("store/").to_owned();
    assert!(body.ends_with(".ndjson.zst"), "{body}");
    let read = |path: &str| format!("cat {path} > /dev/null");
    let append = |path: &str| format!(": >> {path}");
    let make = |folder: &str| format!(": > {folder}/.tried && rm {folder}/.tried");
    let own = |script: &str| format!("{WITH_OWN_ACCOUNT}{script}");
    let (y, n) = (true, false);
    let files = |name, script, composed, by_mode| Power { name, script, composed, by_mode: Some(by_mode) };
    let other = |name, script, composed| Power { name, script, composed, by_mode: None };
    vec![
        //                                                                      app ag ar au  app ag ar au
        files("read the logs", read(LOG),                                      [y, y, n, n], [y, y, n, n]),
        files("write the logs", append(LOG),                                   [y, n, n, n], [y, n, n, n]),
        files("make or remove log files", make("/var/log/app"),                [y, n, n, n], [y, n, n, n]),
        files("read the signing key, so sign", read("/var/lib/holdfast/agent/key"), [n, y, n, n], [n, y, n, n]),
        files("write the agent's state", make("/var/lib/holdfast/agent"),      [n, y, n, n], [n, y, n, n]),
        files("read sealed batches", read(&manifest),                          [n, y, y, n], [n, y, y, n]),
        files("change sealed batches", append(&manifest),                      [n, y, n, n], [n, y, n, n]),
        files("make sealed batches", make("/var/lib/holdfast/spool/sealed"),   [n, y, n, n], [n, y, n, n]),
        files("write receipts", make("/var/lib/holdfast/spool/receipts"),      [n, n, y, n], [n, n, y, n]),
        files("read the pinned key", read(SIGNERS),                            [n, n, n, y], [y, y, y, y]),
        files("write the pinned key", append(SIGNERS),                         [n, n, n, n], [n, y, n, n]),
        other("write anywhere else on disk", WRITE_ELSEWHERE.into(),           [n, n, n, n]),
        other("reach the store", REACH_THE_STORE.into(),                       [n, n, y, y]),
        other("put an object", own("echo x | mc pipe --quiet own/audit-logs/demo/probe/tried"), [n, n, y, n]),
        other("read an archived line", own(&format!("mc cat own/{body}")),     [n, n, n, y]),
        other("list versions", own("mc ls --versions --recursive own/audit-logs/demo/"), [n, n, n, y]),
        other("delete an archived version", own(&format!("mc rm --force --versions own/{body}")), [n, n, n, n]),
    ]
}

/// Tries everything as everyone, prints the table, then demands that each cell is as it must be.
pub(super) fn show_and_check(up: &Up) {
    show_users(up);
    let heads = SERVICES.map(|name| format!("{name:<19}")).concat();
    println!("\n{:<31}{:<76}by mode alone", "", "as composed");
    println!("{:<31}{heads}{}", "", SERVICES.join("  "));
    let mut wrong = Vec::new();
    for power in powers(up) {
        let words = ["bash", "-c", &power.script];
        let composed = SERVICES.map(|name| {
            let run = up.run(up.sandbox.inside(name, &words), "try");
            outcome(run.code, &run.stderr)
        });
        let cells = composed.map(|outcome| format!("{outcome:<19}")).concat();
        let by_mode = power.by_mode.map(|_| {
            SERVICES.map(|name| {
                let run = up.run(up.sandbox.exposed(name, &words), "try");
                outcome(run.code, &run.stderr) == Outcome::Yes
            })
        });
        let yes_or_no = |can: [bool; 4]| {
            let cells = SERVICES.iter().zip(can);
            let cell = |(name, can): (&&str, bool)| {
                format!("{:<1$}", if can { "yes" } else { "no" }, name.len() + 2)
            };
            cells.map(cell).collect::<String>()
        };
        let modes = by_mode.map(yes_or_no).unwrap_or_default();
        println!("{:<31}{cells}{}", power.name, modes.trim_end());
        if composed.map(|outcome| outcome == Outcome::Yes) != power.composed
            || by_mode != power.by_mode
        {
            wrong.push(power.name);
        }
    }
    assert!(wrong.is_empty(), "not as it must be: {wrong:?}");
}

/// Whom the kernel takes each running service for.
fn show_users(up: &Up) {
    println!(
        "\n{:<10}{:<8}{:<8}{:<14}{:<18}no new privileges",
        "", "uid", "gid", "groups", "capabilities"
    );
    for (name, running) in &up.running {
        let status =
            fs::read_to_string(format!("/proc/{}/status", running.pid())).expect("it runs");
        let field = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap_or_else(|| panic!("no {key} in /proc")).trim()
        };
        let first = |key: &str| field(key).split_whitespace().next().unwrap_or_default();
        let (uid, gid) = (first("Uid:"), first("Gid:"));
        let caps = ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"].map(&field);
        println!(
            "{name:<10}{uid:<8}{gid:<8}{:<14}{:<18}{}",
            field("Groups:"),
            caps[2],
            field("NoNewPrivs:")
        );
        assert_eq!(format!("{uid}:{gid}"), up.sandbox.service(name).user);
        assert_eq!(
            field("Groups:").split_whitespace().collect::<Vec<_>>(),
            up.sandbox.service(name).group_add
        );
        assert!(
            caps.iter().all(|set| set.trim_matches('0').is_empty()),
            "{name}: {caps:?}"
        );
        assert_eq!(field("NoNewPrivs:"), "1");
    }
}
