//! All that `agent.toml` may say: what each key is for, its form and its default.

use host::settings::{self, Form, Key, Preset};

const NAME: Form =
    Form::Text("a name of 1 to 63 of A-Z a-z 0-9 . _ - that starts with a letter or digit");

const PRICE: Form =
    Form::Text(r#"dollars in quotes, from 0 to 1000 with at most 6 decimals, such as "0.005""#);

const PATH: Form = Form::Text("an absolute path, in quotes");

/// The keys, in the order of the sample.
pub const KEYS: &[Key] = &[
    Key {
        path: "agent",
        form: NAME,
        preset: Preset::Needed("web-01"),
        doc: "the agent's name, by which auditors pin its key: one for each host, never used twice",
    },
    Key {
        path: "spool",
        form: PATH,
        preset: Preset::Needed("/var/lib/holdfast/spool"),
        doc: "folder shared with the archiver, on a local, journalling file system",
    },
    Key {
        path: "state",
        form: PATH,
        preset: Preset::Needed("/var/lib/holdfast/agent"),
        doc: "the agent's own folder, mode 0700: snapshots, lock, key",
    },
    Key {
        path: "key",
        form: PATH,
        preset: Preset::Depends("`key` in the folder `state`", "/var/lib/holdfast/agent/key"),
        doc: "the signing key, an OpenSSH Ed25519 private key; `holdfast-agent init` makes it",
    },
    Key {
        path: "spool_cap",
        form: Form::Size,
        preset: Preset::Value("1GiB"),
        doc: "most the spool may take; full means that nothing is read until there is room",
    },
    Key {
        path: "spool_keep",
        form: Form::Duration(None),
        preset: Preset::Value("24h"),
        doc: "how long a batch stays after its receipt, while there is room",
    },
    Key {
        path: "max_retention",
        form: Form::Retention,
        preset: Preset::Value("10y"),
        doc: "the longest retention that a stream may have: a lock can't be taken back; the archiver has the same key",
    },
    Key {
        path: "heartbeat",
        // The upper bound is the format's: ledger::limits::HEARTBEAT_MAX_S.
        form: Form::Duration(Some(("1s", "24h"))),
        preset: Preset::Value("5m"),
        doc: "longest time between two manifests of a stream, in whole seconds; three of them are \
              promised to auditors",
    },
    Key {
        path: "poll",
        form: Form::Duration(Some(("10ms", "60s"))),
        preset: Preset::Value("1s"),
        doc: "longest time between two scans of the files; inotify only makes it sooner",
    },
    Key {
        path: "seal",
        form: Form::Table,
        preset: Preset::Value(""),
        doc: "when a batch is sealed, and how it is compressed",
    },
    Key {
        path: "seal.age",
        form: Form::Duration(Some(("100ms", "1h"))),
        preset: Preset::Value("10s"),
        doc: "longest time between reading a line and sealing it, at most `heartbeat`; \
              `holdfast-agent check` prints what it costs",
    },
    Key {
        path: "seal.codec",
        form: Form::Text(r#""zstd" or "gzip""#),
        preset: Preset::Value("zstd"),
        doc: "how bodies are compressed: `zstd` takes less CPU time and three fifths of the space, \
              `gzip` is for readers that lack zstd; each batch says which it is",
    },
    Key {
        path: "seal.level",
        form: Form::Integer(1, 19),
        preset: Preset::Value("1"),
        doc: "how hard to compress: 1 to 19 with `zstd`, 1 to 9 with `gzip`; higher is smaller and \
              slower; over 9, `heartbeat` is at least 1m",
    },
    Key {
        path: "cost",
        form: Form::Table,
        preset: Preset::Value(""),
        doc: "what the store charges; only `holdfast-agent check` asks",
    },
    Key {
        path: "cost.put_per_1000",
        form: PRICE,
        preset: Preset::Value("0.005"),
        doc: "dollars for 1,000 PUTs; the default is S3 Standard's in us-east-1, as listed in 2025-06",
    },
    Key {
        path: "cost.read_per_1000",
        form: PRICE,
        preset: Preset::Value("0.0004"),
        doc: "dollars for 1,000 requests that read: locks, the store's clock; the default is of the \
              same list",
    },
    Key {
        path: "stream",
        form: Form::Tables,
        preset: Preset::Needed(""),
        doc: "one for each stream; a file belongs to the first that wants it",
    },
    Key {
        path: "stream.name",
        form: NAME,
        preset: Preset::Needed("auth"),
        doc: "the stream's name; its chain continues under it for ever",
    },
    Key {
        path: "stream.include",
        form: Form::Texts(r#"absolute patterns such as ["/var/log/*.log"]"#),
        preset: Preset::Needed(r#"["/var/log/auth.log*"]"#),
        doc: "which files to follow: `*` and `?` within a name, `**` over folders",
    },
    Key {
        path: "stream.exclude",
        form: Form::Texts(r#"patterns such as ["*.tmp"]"#),
        preset: Preset::Value("[]"),
        doc: "which of them to leave out",
    },
    Key {
        path: "stream.start",
        form: Form::Text(r#""beginning" or "end""#),
        preset: Preset::Value("beginning"),
        doc: "where to begin in files that are there when the stream's first run looks for the first time; what \
              `end` skips is a signed gap",
    },
    Key {
        path: "stream.ignore_older",
        form: Form::Duration(None),
        preset: Preset::Value("0s"),
        doc: "skip what a file holds that was last changed so long before it is first seen, as a signed gap; \
              `0s` skips nothing",
    },
    Key {
        path: "stream.hard_links",
        form: Form::Text(r#""refuse" or "read""#),
        preset: Preset::Value("refuse"),
        doc: "what to do with a file that has several names in a folder where others than its owner may write: they \
              could have linked it there without the right to read it",
    },
    Key {
        path: "stream.retention",
        form: Form::Retention,
        preset: Preset::Needed("1d"),
        doc: "how long its objects stay locked; a year is 366 days; nobody can shorten it afterwards, \
              so try with `1d`",
    },
];

/// Variables that `holdfast archive` knows and the agent does not; they are often set side by side.
pub const ARCHIVERS: &[&str] = &[
    "HOLDFAST_STORE",
    "HOLDFAST_FORCE_PATH_STYLE",
    "HOLDFAST_RETRY_HELD",
    "HOLDFAST_SIGNERS",
];

/// The sample file.
#[must_use]
pub(crate) fn sample() -> String {
    settings::sample(
        "agent.toml: settings of holdfast-agent, by default /etc/holdfast/agent.toml.",
        KEYS,
    )
}
