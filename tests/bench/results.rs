//! What was measured so far: for each row every run's figure, and the kernel's beside it.

use crate::rows::{ROWS, Row, Selection};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Figures by row.
#[derive(Debug)]
pub(crate) struct Results {
    wanted: Selection,
    figures: BTreeMap<&'static str, Figures>,
}

/// All runs of one row.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    own: Vec<f64>,
    kernel: Vec<f64>,
}

impl Figures {
    /// How many runs there were.
    pub(crate) fn runs(&self) -> usize {
        self.own.len()
    }

    pub(crate) fn median(&self) -> f64 {
        median(&self.own)
    }

    /// The median as a ratio to the kernel's.
    pub(crate) fn kernel_ratio(&self) -> Option<f64> {
        (!self.kernel.is_empty()).then(|| self.median() / median(&self.kernel))
    }
}

/// The middle one, or what lies between the middle two.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        return sorted[half];
    }
    f64::midpoint(sorted[half - 1], sorted[half])
}

impl Results {
    pub(crate) fn new(wanted: Selection) -> Self {
        Self {
            wanted,
            figures: BTreeMap::new(),
        }
    }

    /// Which rows are asked for.
    pub(crate) fn wanted(&self) -> &Selection {
        &self.wanted
    }

    /// A run's figure. One that nobody asked for is dropped.
    pub(crate) fn add(&mut self, row: &str, figure: f64) {
        if let Some(figures) = self.of(row) {
            figures.own.push(figure);
        }
    }

    /// The same, with the kernel's figure in the same run.
    pub(crate) fn add_beside(&mut self, row: &str, figure: f64, kernel: f64) {
        if let Some(figures) = self.of(row) {
            figures.own.push(figure);
            figures.kernel.push(kernel);
        }
    }

    fn of(&mut self, name: &str) -> Option<&mut Figures> {
        let row = ROWS.iter().find(|row| row.name == name);
        let row = row.unwrap_or_else(|| panic!("{name} is in no table"));
        let is_wanted = self.wanted.wants(name);
        is_wanted.then(|| self.figures.entry(row.name).or_default())
    }

    /// What was measured, in the order of the rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static Row, &Figures)> {
        let measured = |row: &'static Row| Some((row, self.figures.get(row.name)?));
        ROWS.iter().filter_map(measured)
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:<24} {:<12} {:>10} {:>19} {:>5} {:>13}\n",
            "row", "unit", "median", "least..most", "runs", "of the kernel"
        );
        for (row, figures) in self.rows() {
            let least = figures.own.iter().copied().fold(f64::INFINITY, f64::min);
            let most = figures.own.iter().copied().fold(0.0, f64::max);
            let ratio = figures.kernel_ratio().map(|ratio| format!("{ratio:.2}"));
            let line = format!(
                "{:<24} {:<12} {:>10.2} {:>19} {:>5} {:>13}",
                row.name,
                row.unit,
                figures.median(),
                format!("{least:.2}..{most:.2}"),
                figures.runs(),
                ratio.unwrap_or_default()
            );
            writeln!(text, "{}", line.trim_end()).expect("text grows");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).to_bits(), 2f64.to_bits());
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]).to_bits(), 2.5f64.to_bits());
        let mut results = Results::new("agent.cpu,stored".parse().unwrap());
        results.add_beside("agent.cpu", 6.0, 3.0);
        results.add_beside("agent.cpu", 8.0, 5.0);
        results.add("agent.wall", 1.0);
        results.add("stored", 2.25);
        let rows: Vec<_> = results.rows().map(|(row, _)| row.name).collect();
        assert_eq!(rows, ["stored", "agent.cpu"]);
        let table = results.table();
        assert!(
            table.contains("6.00..8.00     2          1.75\n"),
            "{table}"
        );
        assert!(table.contains("2.25..2.25     1\n"), "{table}");
    }
}
