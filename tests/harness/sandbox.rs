//! The services of docker-compose.yml as plain processes under the same confinement: their user and
//! groups and no capability, a root file system of their own that cannot be written, in it the very
//! volumes that they mount, and the network that they are given or none.
//!
//! Volumes are folders with the owners and modes that the Dockerfiles give them; the system's
//! programs stand in for those of the image. It needs root.

use crate::compose::{Compose, Mount, Service, installed_folders, repository};
use crate::process::Running;
use crate::programs::Program;
use crate::{cache, rights};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Dockerfiles that say whose a volume is.
const DOCKERFILES: [&str; 2] = ["infra/docker/Dockerfile", "infra/docker/minio.Dockerfile"];

/// What of the system's files a service sees; links are copied as links.
const SYSTEM: &str = "bin sbin lib lib32 lib64 libx32 usr etc/ssl";

/// Devices that every container has.
const DEVICES: &str = "null zero full random urandom";

/// Confinement for services.
#[derive(Debug)]
pub struct Sandbox {
    /// What is run.
    pub compose: Compose,
    /// Holds the network of those that have one.
    network: Running,
    home: TempDir,
    roots: AtomicU32,
}

impl Sandbox {
    /// Reads docker-compose.yml and lays out its volumes, empty.
    ///
    /// # Panics
    /// Without root, or when the system refuses.
    #[must_use]
    pub fn new() -> Self {
        assert!(
            rights::is_root(),
            "this test runs programs as several users in namespaces of their own: run it as root"
        );
        let home = TempDir::with_prefix("holdfast-sandbox-").expect("a temporary directory");
        let compose = Compose::read();
        for folder in ["volumes", "roots", "programs", "out"] {
            fs::create_dir(home.path().join(folder)).expect("a folder can be made");
        }
        gather_programs(&home.path().join("programs"));
        let network = start_network(&home.path().join("out"));
        let sandbox = Self {
            compose,
            home,
            network,
            roots: AtomicU32::new(0),
        };
        for dockerfile in DOCKERFILES {
            for words in installed_folders(dockerfile) {
                sandbox.lay_out(&words);
            }
        }
        for name in sandbox.compose.volumes.keys() {
            let volume = sandbox.volume(name);
            assert!(volume.exists(), "no Dockerfile says whose {name} is");
        }
        sandbox
    }

    /// A named volume's folder.
    #[must_use]
    pub fn volume(&self, name: &str) -> PathBuf {
        self.home.path().join("volumes").join(name)
    }

    /// Where the output of what is started goes.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.home.path().join("out")
    }

    /// A service, by name.
    ///
    /// # Panics
    /// When the file has none of that name.
    #[must_use]
    pub fn service(&self, name: &str) -> &Service {
        let service = self.compose.services.get(name);
        service.unwrap_or_else(|| panic!("docker-compose.yml has no service {name}"))
    }

    /// A command in a service's confinement, as by `docker compose exec`.
    #[must_use]
    pub fn inside(&self, service: &str, words: &[&str]) -> Command {
        self.confine(
            self.service(service),
            &self.service(service).mounts(),
            words,
        )
    }

    /// The same, but every volume of every service is mounted and can be written: file modes alone
    /// stand between the service's user and what is not its own.
    #[must_use]
    pub fn exposed(&self, service: &str, words: &[&str]) -> Command {
        let mut mounts: Vec<Mount> = Vec::new();
        for mount in self.compose.services.values().flat_map(Service::mounts) {
            if !mounts.iter().any(|known| known.target == mount.target) {
                let read_only = false;
                mounts.push(Mount { read_only, ..mount });
            }
        }
        self.confine(self.service(service), &mounts, words)
    }

    /// Makes the volume that is mounted at a folder of the images, or what the images have in it, as `install -d` makes
    /// the folder: a new volume takes over both.
    fn lay_out(&self, words: &[String]) {
        let (target, options) = words.split_last().expect("install -d names a folder");
        let mounts = self.compose.services.values().flat_map(Service::mounts);
        let mut mounts = mounts.filter(|mount| !mount.source.starts_with("./"));
        let place = mounts.find_map(|mount| {
            let below = Path::new(target).strip_prefix(&mount.target).ok()?;
            Some(self.volume(&mount.source).join(below))
        });
        let place = place.unwrap_or_else(|| panic!("no service mounts a volume at {target}"));
        let mut install = Command::new("install");
        install.arg("-d").args(options).arg(place);
        let done = install.status().expect("install starts");
        assert!(done.success(), "{install:?}");
    }

    fn confine(&self, service: &Service, mounts: &[Mount], words: &[&str]) -> Command {
        let mut command = match (&*service.networks, service.network_mode.as_deref()) {
            ([], Some("none")) => Command::new("unshare"),
            ([_], None) => Command::new("nsenter"),
            other => panic!("a service with the networks {other:?}"),
        };
        if service.networks.is_empty() {
            command.arg("--net");
        } else {
            let network = format!("--net=/proc/{}/ns/net", self.network.pid());
            command.args([&network, "unshare"]);
        }
        command
            .args(["--mount", "--propagation", "private", "sh", "-ec"])
            .arg(self.script(service, mounts))
            .arg("sh")
            .args(words)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .envs(&service.environment);
        command
    }

    /// Builds the service's root file system, then becomes its user and its program ("$@").
    fn script(&self, service: &Service, mounts: &[Mount]) -> String {
        let number = self.roots.fetch_add(1, Ordering::Relaxed);
        let root = self.home.path().join("roots").join(number.to_string());
        fs::create_dir(&root).expect("a folder can be made");
        let root = root.display();
        let programs = self.home.path().join("programs");
        let mut script = format!(
            "mount -t tmpfs -o mode=0755 none {root}; cd {root}; mkdir dev etc\n\
             for name in {SYSTEM}; do\n\
               if [ -L /$name ]; then cp -P /$name $name\n\
               elif [ -d /$name ]; then mkdir -p $name; mount --bind /$name $name; mount -o remount,bind,ro $name; fi\n\
             done\n\
             mount --bind {programs} usr/local/bin; mount -o remount,bind,ro usr/local/bin\n\
             mkdir proc; mount -t proc -o hidepid=invisible none proc # as if it were alone\n\
             for name in {DEVICES}; do touch dev/$name; mount --bind /dev/$name dev/$name; done\n",
            programs = programs.display()
        );
        let mut line = |text: String| writeln!(script, "{text}").expect("text grows");
        if !service.networks.is_empty() {
            // One network for all: each name is the same machine.
            let names: Vec<_> = self.compose.services.keys().map(String::as_str).collect();
            line(format!(
                "echo 127.0.0.1 localhost {} > etc/hosts",
                names.join(" ")
            ));
        }
        // Docker gives every container this one.
        let shared = "/dev/shm".to_owned();
        for path in service.tmpfs.iter().chain([&shared]) {
            line(format!(
                "mkdir .{path}; mount -t tmpfs -o mode=1777 none .{path}"
            ));
        }
        for mount in mounts {
            let (source, at) = (self.source(mount), format!(".{}", mount.target.display()));
            let make = if source.is_dir() { "mkdir -p" } else { "touch" };
            line(format!("mkdir -p $(dirname {at}); {make} {at}"));
            line(format!("mount --bind {} {at}", source.display()));
            if mount.read_only {
                line(format!("mount -o remount,bind,ro {at}"));
            }
        }
        if service.read_only {
            line("mount -o remount,ro .".into());
        }
        line(format!(
            "exec chroot . /usr/bin/setpriv {} -- \"$@\"",
            privileges(service)
        ));
        script
    }

    fn source(&self, mount: &Mount) -> PathBuf {
        match mount.source.strip_prefix("./") {
            Some(below) => repository().join(below),
            None => self.volume(&mount.source),
        }
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

/// The options by which setpriv makes a process what Docker makes of the service's.
fn privileges(service: &Service) -> String {
    let (user, group) = service.user.split_once(':').expect("user is uid:gid");
    let groups = match &*service.group_add {
        [] => "--clear-groups".to_owned(),
        groups => format!("--groups={}", groups.join(",")),
    };
    let mut options = format!("--reuid={user} --regid={group} {groups}");
    if service.cap_drop == ["ALL"] {
        options.push_str(" --inh-caps=-all --ambient-caps=-all --bounding-set=-all");
    }
    if service.security_opt == ["no-new-privileges:true"] {
        options.push_str(" --no-new-privs");
    }
    options
}

/// Everything that the images have in /usr/local/bin.
fn gather_programs(to: &Path) {
    let app = repository().join("infra/docker/app.sh");
    for (name, from) in [
        ("holdfast-agent", Program::Agent.path()),
        ("holdfast", Program::Holdfast.path()),
        ("minio", cache::minio()),
        ("mc", cache::mc()),
        ("app", app),
    ] {
        let to = to.join(name);
        fs::copy(&from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&to, open).expect("an own file's mode can be set");
    }
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(to, open).expect("an own folder's mode can be set");
}

/// A network that leads nowhere, as long as the process lives.
fn start_network(out: &Path) -> Running {
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-ec"]);
    command.arg("ip link set lo up; echo up >&2; exec sleep infinity");
    let mut network = Running::start(command, out, "network");
    network.wait_for_log("up");
    network
}
