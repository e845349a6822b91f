//! Files and variables in, values and faults out.

use super::*;
use std::time::Duration;

const KEYS: &[Key] = &[
    key("name", Form::Text("text in quotes"), Preset::Needed("n")),
    key("list", Form::Texts("a list of texts"), Preset::Value("[]")),
    key("on", Form::Flag, Preset::Depends("true on Sundays", "true")),
    key("size", Form::Size, Preset::Value("1MiB")),
    key("seal", Form::Table, Preset::Value("")),
    key(
        "seal.age",
        Form::Duration(Some(("1s", "1h"))),
        Preset::Value("10s"),
    ),
    key("stream", Form::Tables, Preset::Needed("")),
    key("stream.keep", Form::Retention, Preset::Needed("1d")),
];

const fn key(path: &'static str, form: Form, preset: Preset) -> Key {
    let doc = "what it is for";
    Key {
        path,
        form,
        preset,
        doc,
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    let owned = variables.iter();
    Environment::of(owned.map(|(name, value)| (name.into(), value.into())))
}

fn settings(text: &str, variables: &[(&str, &str)]) -> Settings {
    let path = Path::new("a.toml");
    Settings::parse(path, text.as_bytes(), KEYS, &environment(variables)).unwrap()
}

/// Asks for all keys.
fn read(file: &Settings) -> (String, Vec<String>, Option<bool>, u64, Duration, Vec<u64>) {
    let root = file.root();
    let keeps = root.tables("stream");
    (
        root.text("name").unwrap_or_default(),
        root.texts("list"),
        root.flag("on"),
        root.size("size"),
        root.table("seal").duration("age"),
        keeps
            .iter()
            .filter_map(|table| table.retention_s("keep"))
            .collect(),
    )
}

#[test]
fn values_come_out_checked() {
    let file = settings(
        "name = \"n\"\nlist = [\"a\", \"b\"]\non = true\nsize = \"8MiB\"\n[seal]\nage = \"5s\"\n\
         [[stream]]\nkeep = \"7y\"\n[[stream]]\nkeep = \"90d\"\n",
        &[],
    );
    let (name, list, on, size, age, keeps) = read(&file);
    assert_eq!((name.as_str(), on), ("n", Some(true)));
    assert_eq!(list, ["a", "b"]);
    assert_eq!((size, age), (8 << 20, Duration::from_secs(5)));
    assert_eq!(keeps, [7 * 366 * 86_400, 90 * 86_400]);
    file.finish().unwrap();
    assert!(file.never_asked().is_empty());
}

#[test]
fn every_fault_is_named_with_its_line() {
    let file = settings(
        "nam = \"x\"\nsize = 5\n[seal]\nagee = \"1s\"\nage = \"2h\"\n[odd]\nx = 1\n",
        &[],
    );
    drop(read(&file));
    let said = file.finish().unwrap_err().to_string();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "a.toml:1: nam: unknown key, did you mean \"name\"?",
            "a.toml:1: name: needed: text in quotes",
            "a.toml:2: size: the number 5 where a size such as \"64KiB\", \"8MiB\" or \"1GiB\" is expected",
            "a.toml:4: seal.agee: unknown key, did you mean \"age\"?",
            "a.toml:5: seal.age: \"2h\" where a duration such as \"10s\" or \"5m\", from 1s to 1h is expected",
            "a.toml:6: odd: unknown key; known here: list, name, on, seal, size, stream",
        ]
    );
}

#[test]
fn what_is_not_toml_names_its_line() {
    for (text, line) in [
        (&b"a = 1\nb = = 2\n"[..], "a.toml:2: "),
        (b"a = \"\xff\"\n", "a.toml:1: "),
    ] {
        let parsed = Settings::parse(Path::new("a.toml"), text, KEYS, &Environment::default());
        let error = parsed.unwrap_err().to_string();
        assert!(error.starts_with(line), "{error}");
    }
}

#[test]
fn a_variable_goes_before_the_file_and_the_file_before_the_default() {
    let text = "name = \"file\"\non = true\n[[stream]]\nkeep = \"1d\"\n";
    let file = settings(
        text,
        &[
            ("HOLDFAST_NAME", "variable"),
            ("HOLDFAST_ON", "false"),
            ("HOLDFAST_SEAL_AGE", "7s"),
            ("HOLDFAST_SIZE", ""),
            ("HOLDFAST_LIST", "no list"),
            ("HOLDFAST_STREAM_KEEP", "2d"),
        ],
    );
    let (name, list, on, size, age, keeps) = read(&file);
    file.finish().unwrap();
    assert_eq!(
        (name.as_str(), on, size),
        ("variable", Some(false), 1 << 20)
    );
    assert_eq!((list.len(), age), (0, Duration::from_secs(7)));
    assert_eq!(
        keeps,
        [86_400],
        "what may stand several times has no variable"
    );
}

#[test]
fn a_variables_fault_names_the_variable() {
    let file = settings(
        "[[stream]]\nkeep = \"1d\"\n",
        &[
            ("HOLDFAST_NAME", "n"),
            ("HOLDFAST_ON", "yes"),
            ("HOLDFAST_SEAL_AGE", "10 parsecs"),
        ],
    );
    drop(read(&file));
    let said = file.finish().unwrap_err().to_string();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "variable HOLDFAST_ON: \"yes\" where true or false is expected",
            "variable HOLDFAST_SEAL_AGE: \"10 parsecs\" where a duration such as \"10s\" or \"5m\", from 1s to 1h is expected",
        ]
    );
}

#[test]
fn the_hash_covers_file_and_overrides_and_nothing_else() {
    let text = "name = \"n\"\n";
    let hash = |variables| settings(text, variables).sha256();
    assert_eq!(hash(&[]), Digest::of(text.as_bytes()));
    assert_eq!(hash(&[("HOLDFAST_OTHER", "1")]), hash(&[]));
    let both = [("HOLDFAST_SIZE", "2MiB"), ("HOLDFAST_NAME", "m")];
    let expected = format!("{text}HOLDFAST_NAME=m\nHOLDFAST_SIZE=2MiB\n");
    assert_eq!(hash(&both), Digest::of(expected.as_bytes()));
}

#[test]
#[should_panic(expected = "must be in the table of keys")]
fn a_key_that_the_table_lacks_is_not_asked_for() {
    drop(settings("", &[]).root().text("unheard-of"));
}

#[test]
fn the_sample_has_every_key_and_reads_back_as_the_defaults() {
    let text = sample("A title.", KEYS);
    let values = |text: &str| {
        let file = settings(text, &[]);
        let values = read(&file);
        file.finish().unwrap();
        values
    };
    let given = values(&text);
    assert_eq!((given.3, given.4), (1 << 20, Duration::from_secs(10)));
    assert_eq!(given.5, [86_400]);
    let bare = |line: &str| match line.strip_prefix('#') {
        Some(set) if !set.starts_with(' ') => set.to_owned(),
        _ => line.to_owned(),
    };
    let uncommented: Vec<_> = text.lines().map(bare).collect();
    let uncommented = uncommented.join("\n");
    assert_eq!(values(&uncommented).2, Some(true));
    for key in KEYS {
        assert!(text.contains(key.split().1), "{text}");
    }
    assert!(text.contains("Overridden by HOLDFAST_SEAL_AGE."), "{text}");
    assert!(!text.contains("HOLDFAST_STREAM"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
}
