//! The sums, and that README.md and docs/design.md say nothing else.

use super::*;

/// Years of the table's last column.
const YEARS_KEPT: u64 = 7;

/// Streams of the host that the tables are about, none of which ever rests.
const STREAMS: u64 = 3;

/// Hosts of the tables' fleet.
const FLEET: u64 = 1000;

/// The heartbeat where none is set.
const HEARTBEAT_S: u64 = 300;

/// A manifest's file, for a rough sum: the vectors have 1004 to 2288 bytes.
const MANIFEST_BYTES: u64 = 1500;

/// Ages in README's table, as settings and in seconds.
const AGES: [(&str, u64); 6] = [
    ("1s", 1),
    ("5s", 5),
    ("10s", 10),
    ("30s", 30),
    ("60s", 60),
    ("5m", 300),
];

/// Those that the decision in docs/design.md compares.
const ARGUED: [&str; 4] = ["1s", "10s", "60s", "5m"];

const README: &str = include_str!("../../../../README.md");
const DESIGN: &str = include_str!("../../../../docs/design.md");

const HEADER: &str = "\
| `seal.age` | a line can be lost for | requests per host and year | dollars per host and year | per 1,000 hosts and year | objects per host in 7 years |
| --- | --- | --- | --- | --- | --- |
";

fn host(age_s: u64) -> Year {
    Year::busy(Duration::from_secs(age_s)).of_many(STREAMS)
}

fn row(age: &str, age_s: u64) -> String {
    let host = host(age_s);
    format!(
        "| `{age}` | {age_s} s | {} | {} | {} | {} |\n",
        grouped(host.puts() + host.reads()),
        host.dollars(Prices::LIST),
        host.of_many(FLEET).dollars(Prices::LIST),
        grouped(host.puts() * YEARS_KEPT)
    )
}

fn table(rows: impl Iterator<Item = (&'static str, u64)>) -> String {
    let rows: String = rows.map(|(age, age_s)| row(age, age_s)).collect();
    format!("{HEADER}{rows}")
}

fn must_say(file: &str, text: &str, said: &str) {
    assert!(text.contains(said), "{file} must say:\n{said}");
}

#[test]
fn sums_are_right_and_rounded_up() {
    let ten = Year::busy(Duration::from_secs(10));
    // 31,622,400 s a year, a batch each 10 s, of 2 PUTs at 5 and 2 reads at 0.4 millionths of a dollar.
    assert_eq!((ten.puts(), ten.reads()), (6_324_480, 6_324_480));
    // 34.152192, and a thousand hosts of three such streams: 102,456.576
    assert_eq!(ten.dollars(Prices::LIST), "$34.16");
    let fleet = ten.of_many(3).of_many(1000);
    assert_eq!(fleet.dollars(Prices::LIST), "$102,456.58");
    // The least there can be is still a cent; nothing is nothing.
    let one = Year(Requests { puts: 0, reads: 1 });
    assert_eq!(one.dollars(Prices::LIST), "$0.01");
    assert_eq!(one.of_many(0).dollars(Prices::LIST), "$0.00");
    // What is even is not rounded: 25,000 reads are a cent.
    assert_eq!(one.of_many(25_000).dollars(Prices::LIST), "$0.01");
    assert_eq!(one.of_many(25_001).dollars(Prices::LIST), "$0.02");
    assert_eq!(Year::busy(Duration::from_millis(100)).puts(), 632_448_000);
    assert_eq!(Year::quiet(Duration::from_secs(86_400)).puts(), 366);
}

#[test]
fn after_a_minute_the_store_is_asked_for_its_time_too() {
    let before = Year::busy(Duration::from_millis(59_999));
    assert_eq!((before.puts(), before.reads()), (1_054_098, 1_054_098));
    let minute = Year::busy(Duration::from_secs(60));
    assert_eq!((minute.puts(), minute.reads()), (1_054_080, 1_581_120));
    let quiet = Year::quiet(Duration::from_secs(HEARTBEAT_S));
    // 0.6113664: of each manifest a PUT, a lock read back and the clock asked.
    assert_eq!((quiet.puts(), quiet.reads()), (105_408, 210_816));
    assert_eq!(quiet.dollars(Prices::LIST), "$0.62");
}

#[test]
fn no_setting_overflows() {
    let dearest = Prices {
        put: "1000".parse().unwrap(),
        read: "1000".parse().unwrap(),
    };
    let most = Year::busy(Duration::from_millis(100));
    let most = most
        .of_many(crate::bounds::STREAMS_MAX as u64)
        .of_many(1000);
    assert_eq!(most.dollars(dearest), "$323,813,376,000,000.00");
    let free = Prices {
        put: "0".parse().unwrap(),
        read: "0".parse().unwrap(),
    };
    assert_eq!(most.dollars(free), "$0.00");
}

#[test]
fn numbers_are_grouped() {
    for (number, text) in [
        (0, "0"),
        (999, "999"),
        (1000, "1,000"),
        (1_234_567, "1,234,567"),
    ] {
        assert_eq!(grouped(number), text);
    }
}

#[test]
fn readme_has_this_table() {
    must_say("README", README, &table(AGES.into_iter()));
    must_say("README", README, Prices::LIST.source());
    let Prices { put, read } = Prices::LIST;
    let prices = format!("{put} for 1,000 PUTs and {read} for 1,000 reads");
    must_say("README", README, &prices);
    let quiet = Year::quiet(Duration::from_secs(HEARTBEAT_S)).of_many(STREAMS);
    let said = format!(
        "{} PUTs, {} reads and {} a year",
        grouped(quiet.puts()),
        grouped(quiet.reads()),
        quiet.dollars(Prices::LIST)
    );
    must_say("README", README, &said);
    let manifests_gb = |age_s| (host(age_s).puts() / 2 * MANIFEST_BYTES).div_ceil(1_000_000_000);
    let said = format!(
        "{} GB a year at `10s`, {} GB at `1s`",
        manifests_gb(10),
        manifests_gb(1)
    );
    must_say("README", README, &said);
}

#[test]
fn the_decision_is_argued_with_the_same_sums() {
    let argued = AGES.into_iter().filter(|(age, _)| ARGUED.contains(age));
    must_say("docs/design.md", DESIGN, &table(argued));
    must_say("docs/design.md", DESIGN, Prices::LIST.source());
}
