//! How large a program is: its memory and open descriptors, once a second.

use std::fs;
use std::time::Duration;

/// A program takes so long to settle after it was started.
const SETTLES: Duration = Duration::from_secs(2);

/// One look at a program.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    memory_kib: u64,
    descriptors: u64,
}

/// What was seen of one program.
#[derive(Debug, Default)]
pub(crate) struct Sizes(Vec<Sample>);

/// Medians of the last two thirds of the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thirds {
    pub(crate) memory_kib: [u64; 2],
    pub(crate) descriptors: [u64; 2],
}

impl Sizes {
    /// Looks at a process that runs since `age`.
    pub(crate) fn look(&mut self, pid: u32, at: Duration, age: Duration) {
        if age < SETTLES {
            return;
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let memory = memory.and_then(|words| words.split_whitespace().next()?.parse().ok());
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).map(|all| all.count() as u64);
        if let (Some(memory_kib), Ok(descriptors)) = (memory, descriptors) {
            self.0.push(Sample {
                at,
                memory_kib,
                descriptors,
            });
        }
    }

    pub(crate) fn thirds(&self, time: Duration) -> Thirds {
        let third = time / 3;
        let of = |from: Duration, value: fn(&Sample) -> u64| {
            let part = self
                .0
                .iter()
                .filter(|sample| (from..from + third).contains(&sample.at));
            let mut values: Vec<u64> = part.map(value).collect();
            values.sort_unstable();
            values.get(values.len() / 2).copied().unwrap_or(0)
        };
        let both = |value| [of(third, value), of(third * 2, value)];
        Thirds {
            memory_kib: both(|sample| sample.memory_kib),
            descriptors: both(|sample| sample.descriptors),
        }
    }
}

impl Thirds {
    /// Whether the last third is at most a twentieth above the one before.
    pub(crate) fn is_steady(&self) -> bool {
        let steady = |[middle, last]: [u64; 2]| last * 20 <= middle * 21;
        steady(self.memory_kib) && steady(self.descriptors)
    }
}
