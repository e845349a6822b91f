//! Both programs and the server, killed, stopped and started at random.

use crate::size::Sizes;
use harness::process::{Finished, Running};
use harness::{Dice, Server, Site};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// Milliseconds between two blows: seven seconds on the average.
const BETWEEN_MS: (u64, u64) = (3_000, 8_000);

/// The longest time that something is down, in milliseconds.
const DOWN_MS: u64 = 15_000;

const SIGTERM: i32 = 15;

/// Looks at the programs, and at what is due, come this often.
const TICK: Duration = Duration::from_millis(100);

/// A line of progress comes this often.
const TELLS: Duration = Duration::from_secs(30);

/// What is done to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Blow {
    KillAgent,
    KillArchiver,
    KillBoth,
    KillServer,
    StopAgent,
    EndAgent,
    EndArchiver,
}

/// Each as often as it stands here.
const BLOWS: [Blow; 12] = [
    Blow::KillAgent,
    Blow::KillAgent,
    Blow::KillAgent,
    Blow::KillArchiver,
    Blow::KillArchiver,
    Blow::KillArchiver,
    Blow::KillBoth,
    Blow::KillBoth,
    Blow::KillServer,
    Blow::StopAgent,
    Blow::EndAgent,
    Blow::EndArchiver,
];

/// A program that may be down.
struct Target {
    name: &'static str,
    running: Option<Running>,
    started: Instant,
    starts: usize,
    /// When it is started again.
    due: Option<Instant>,
    sizes: Sizes,
}

pub(crate) struct Chaos<'a> {
    site: &'a Site,
    server: &'a Server,
    dice: Dice,
    began: Instant,
    agent: Target,
    archiver: Target,
    server_due: Option<Instant>,
    wakes: Option<Instant>,
    blows: BTreeMap<Blow, usize>,
    /// What ended though nobody ended it.
    ended: Vec<String>,
}

/// What was seen of it all.
pub(crate) struct Seen {
    pub(crate) blows: Vec<(String, usize)>,
    pub(crate) starts: [usize; 2],
    pub(crate) ended: Vec<String>,
    pub(crate) sizes: [(&'static str, Sizes); 2],
}

fn told(name: &str, ended: &Finished) -> String {
    let Finished {
        code,
        signal,
        stderr,
        ..
    } = ended;
    format!("{name} ended with {code:?}, signal {signal:?}: {stderr}")
}

impl Target {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            running: None,
            started: Instant::now(),
            starts: 0,
            due: Some(Instant::now()),
            sizes: Sizes::default(),
        }
    }

    fn kill(&mut self, down: Duration) {
        if let Some(mut running) = self.running.take() {
            running.kill();
            self.due = Some(Instant::now() + down);
        }
    }

    /// Ends it by SIGTERM, as an operator does. Gives what it says if it does not end well.
    fn end(&mut self, down: Duration) -> Option<String> {
        let mut running = self.running.take()?;
        running.signal(Signal::TERM);
        self.due = Some(Instant::now() + down);
        let ended = running.finish();
        // One that has only just started does not listen yet.
        let is_well = matches!(ended.code, Some(0 | 2)) || ended.signal == Some(SIGTERM);
        (!is_well).then(|| told(self.name, &ended))
    }

    /// Starts it if that is due, and looks at it.
    fn tend(&mut self, began: Instant, start: impl Fn() -> Running) -> Option<String> {
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            self.running = Some(start());
            self.started = Instant::now();
            self.starts += 1;
        }
        let running = self.running.as_mut()?;
        if running.is_alive() {
            self.sizes
                .look(running.pid(), began.elapsed(), self.started.elapsed());
            return None;
        }
        let ended = self.running.take()?.finish();
        self.due = Some(Instant::now() + Duration::from_secs(1));
        Some(told(self.name, &ended))
    }
}

impl<'a> Chaos<'a> {
    pub(crate) fn begin(site: &'a Site, server: &'a Server, dice: Dice) -> Self {
        Self {
            site,
            server,
            dice,
            began: Instant::now(),
            agent: Target::new("agent"),
            archiver: Target::new("archiver"),
            server_due: None,
            wakes: None,
            blows: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    /// Strikes until the time is over.
    pub(crate) fn run(&mut self, time: Duration) {
        let (mut next, mut told, mut looked) = (self.pause(), TELLS, Duration::ZERO);
        while self.began.elapsed() < time {
            thread::sleep(TICK);
            if self.began.elapsed() >= looked {
                self.tend();
                looked = self.began.elapsed() + Duration::from_millis(500);
            }
            if Instant::now() >= next {
                self.strike();
                next = self.pause();
            }
            if self.began.elapsed() >= told {
                let blows: usize = self.blows.values().sum();
                let (done, all) = (self.began.elapsed().as_secs(), time.as_secs());
                eprintln!("soak: {done} of {all} s, {blows} blows");
                told += TELLS;
            }
        }
    }

    fn pause(&mut self) -> Instant {
        let (least, more) = BETWEEN_MS;
        Instant::now() + Duration::from_millis(least + self.dice.below(more))
    }

    fn strike(&mut self) {
        let count = BLOWS.len() as u64;
        let blow = BLOWS[usize::try_from(self.dice.below(count)).expect("small")];
        let down = Duration::from_millis(self.dice.below(DOWN_MS));
        *self.blows.entry(blow).or_default() += 1;
        match blow {
            Blow::KillAgent => self.agent.kill(down),
            Blow::KillArchiver => self.archiver.kill(down),
            Blow::KillBoth => {
                self.agent.kill(down);
                self.archiver.kill(down);
            }
            Blow::KillServer if self.server_due.is_none() => {
                self.server.kill();
                self.server_due = Some(Instant::now() + down);
            }
            Blow::KillServer => {}
            Blow::StopAgent => {
                if let Some(agent) = &mut self.agent.running {
                    agent.signal(Signal::STOP);
                    self.wakes = Some(Instant::now() + down);
                }
            }
            Blow::EndAgent => {
                self.wake();
                self.ended.extend(self.agent.end(down));
            }
            Blow::EndArchiver => self.ended.extend(self.archiver.end(down)),
        }
    }

    fn wake(&mut self) {
        self.wakes = None;
        if let Some(agent) = &mut self.agent.running {
            agent.signal(Signal::CONT);
        }
    }

    fn tend(&mut self) {
        let site = self.site;
        let agent = || site.start(site.agent_command(&["run"]), "agent");
        self.ended.extend(self.agent.tend(self.began, agent));
        let archiver = || site.start(site.archive_command(&[]), "archiver");
        self.ended.extend(self.archiver.tend(self.began, archiver));
        if self.wakes.is_some_and(|due| due <= Instant::now()) {
            self.wake();
        }
        if self.server_due.is_some_and(|due| due <= Instant::now()) {
            self.server_due = None;
            self.server.restart();
        }
    }

    /// Brings the server back and ends both programs as an operator does.
    pub(crate) fn end(mut self) -> Seen {
        self.wake();
        if self.server_due.take().is_some() {
            self.server.restart();
        }
        for target in [&mut self.agent, &mut self.archiver] {
            self.ended.extend(target.end(Duration::ZERO));
        }
        let blows = self
            .blows
            .iter()
            .map(|(blow, count)| (format!("{blow:?}"), *count));
        Seen {
            blows: blows.collect(),
            starts: [self.agent.starts, self.archiver.starts],
            ended: self.ended,
            sizes: [
                ("agent", self.agent.sizes),
                ("archiver", self.archiver.sizes),
            ],
        }
    }
}
