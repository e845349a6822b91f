//! Repeatable randomness: a seed, printed by whoever throws it, gives the same run again.

/// SplitMix64: enough to choose a moment or a number, and the same on every machine.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that always fall the same way for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next throw.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A throw below `end`, which is over 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.throw() % end
    }
}

/// The seed of this run: `HOLDFAST_SEED`, else `default`. Printed, so that a failure can be repeated.
#[must_use]
pub fn seed(test: &str, default: u64) -> u64 {
    let given = std::env::var("HOLDFAST_SEED").ok();
    let seed = given.map_or(default, |text| {
        text.parse().expect("HOLDFAST_SEED is a number")
    });
    println!("{test}: HOLDFAST_SEED={seed}");
    seed
}
