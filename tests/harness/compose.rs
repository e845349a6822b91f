//! docker-compose.yml and the Dockerfiles, read: what runs, as whom, with which volumes and network.
//!
//! Tests take every value from here, so none is typed twice. What this does not know in a service is
//! refused: a key that is added must be looked at.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The file's services.
#[derive(Debug, Deserialize)]
pub struct Compose {
    /// By name.
    pub services: BTreeMap<String, Service>,
    /// Named volumes; their settings are all Docker's own.
    pub volumes: BTreeMap<String, Option<()>>,
    /// Networks.
    pub networks: BTreeMap<String, Network>,
}

/// A network.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Whether it leads nowhere else.
    pub internal: bool,
}

/// A service, every key as the file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are Compose's, which documents them")]
pub struct Service {
    pub build: Build,
    pub user: String,
    #[serde(default)]
    pub group_add: Vec<String>,
    #[serde(default)]
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    pub volumes: Vec<String>,
    #[serde(default)]
    pub tmpfs: Vec<String>,
    #[serde(default)]
    pub networks: Vec<String>,
    pub network_mode: Option<String>,
    pub read_only: bool,
    pub cap_drop: Vec<String>,
    pub security_opt: Vec<String>,
    pub healthcheck: Option<Healthcheck>,
    #[serde(default)]
    pub depends_on: BTreeMap<String, Dependency>,
    pub profiles: Option<Vec<String>>,
    pub restart: Option<String>,
    pub stop_grace_period: Option<String>,
}

/// Where an image comes from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are Compose's, which documents them")]
pub struct Build {
    pub context: String,
    pub dockerfile: String,
    pub target: Option<String>,
    #[serde(default)]
    pub args: BTreeMap<String, String>,
}

/// How a service is found healthy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the keys are Compose's, which documents them")]
pub struct Healthcheck {
    pub test: Vec<String>,
    pub interval: String,
    pub timeout: String,
    pub start_period: String,
}

/// What another service must have come to first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// `service_healthy` or `service_completed_successfully`
    pub condition: String,
}

/// One entry of `volumes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// A named volume, or a path below the repository that starts with `./`.
    pub source: String,
    /// Where the service sees it.
    pub target: PathBuf,
    /// Whether it can only be read.
    pub read_only: bool,
}

impl Service {
    /// Entrypoint and command together.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        let words = self.entrypoint.iter().chain(&self.command);
        words.map(String::as_str).collect()
    }

    /// Its volumes.
    ///
    /// # Panics
    /// When one is not written `source:target` or `source:target:ro`.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        let parse = |text: &String| match text.split(':').collect::<Vec<_>>()[..] {
            [source, target] => mount(source, target, false),
            [source, target, "ro"] => mount(source, target, true),
            _ => panic!("a volume of an unknown form: {text}"),
        };
        self.volumes.iter().map(parse).collect()
    }
}

fn mount(source: &str, target: &str, read_only: bool) -> Mount {
    Mount {
        source: source.to_owned(),
        target: target.into(),
        read_only,
    }
}

/// The repository's top folder.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the repository")
}

impl Compose {
    /// Reads docker-compose.yml, every variable at its default.
    ///
    /// # Panics
    /// When it does not say what is known here.
    #[must_use]
    pub fn read() -> Self {
        let text = read("docker-compose.yml");
        serde_saphyr::from_str(&with_defaults(&text))
            .unwrap_or_else(|error| panic!("docker-compose.yml: {error}"))
    }
}

/// A file of the repository.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `${NAME:-default}` as it is when NAME is not set.
fn with_defaults(text: &str) -> String {
    let mut pieces = text.split("${");
    let mut done = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (variable, rest) = piece.split_once('}').expect("a variable ends with }");
        let (_, default) = variable
            .split_once(":-")
            .expect("each variable has a default");
        done.push_str(default);
        done.push_str(rest);
    }
    done
}

/// The arguments of every `install -d` in a Dockerfile: the folders that its images have.
#[must_use]
pub fn installed_folders(dockerfile: &str) -> Vec<Vec<String>> {
    let text = read(dockerfile).replace("\\\n", " ");
    let commands = text.lines().flat_map(|line| {
        let line = line.strip_prefix("RUN ").unwrap_or_default();
        line.split("&&").map(str::trim)
    });
    let folders = commands.filter_map(|command| command.strip_prefix("install -d "));
    folders
        .map(|words| words.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_at_their_defaults() {
        let text = "a: ${A:-one}/${B:-two:3}\nb: plain $$\n";
        assert_eq!(with_defaults(text), "a: one/two:3\nb: plain $$\n");
    }

    #[test]
    fn mounts_are_read_as_they_are_written() {
        let compose = Compose::read();
        let agent = compose.services["agent"].mounts();
        assert!(agent.contains(&mount("logs", "/var/log/app", true)));
        assert!(agent.contains(&mount("spool", "/var/lib/holdfast/spool", false)));
    }

    #[test]
    fn folders_of_a_dockerfile_are_found_over_continued_lines() {
        let folders = installed_folders("infra/docker/Dockerfile");
        let names: Vec<_> = folders.iter().filter_map(|words| words.last()).collect();
        assert!(
            names.iter().any(|name| *name == "/var/log/app"),
            "{names:?}"
        );
        assert!(
            names.iter().any(|name| *name == "/var/lib/holdfast/spool"),
            "{names:?}"
        );
    }
}
