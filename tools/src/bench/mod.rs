//! Measuring speed and size, each figure beside the limit of the same machine in the same run.
//!
//! Owns the rows and what they are held against. Every rate is the median of repeats; every limit is
//! measured here and now, never remembered.

pub mod appends;
pub mod child;
pub mod http;
pub mod limits;
pub mod run;
pub mod sizes;
pub mod tree;
pub mod volatile;

use serde::Serialize;

/// What a figure is held against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// At least this share of the limit beside it.
    ShareOfLimit(f64),
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Reported, not judged.
    Nothing,
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// The limit beside it, in the same unit.
    pub limit: Option<f64>,
    /// What the limit is.
    pub limit_is: &'static str,
    /// What it is held against.
    pub wanted: Wanted,
    /// More to say.
    pub note: String,
}

impl Figure {
    /// A figure that is only reported.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            limit: None,
            limit_is: "",
            wanted: Wanted::Nothing,
            note: String::new(),
        }
    }

    /// With the limit beside it.
    #[must_use]
    pub fn beside(mut self, limit_is: &'static str, limit: f64) -> Self {
        self.limit = Some(limit);
        self.limit_is = limit_is;
        self
    }

    /// Held against something.
    #[must_use]
    pub const fn wanted(mut self, wanted: Wanted) -> Self {
        self.wanted = wanted;
        self
    }

    /// With a remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Share of the limit.
    pub fn share(&self) -> Option<f64> {
        self.limit
            .filter(|limit| *limit > 0.0)
            .map(|limit| self.value / limit)
    }

    /// Whether it is good enough; `None`: not judged.
    pub fn met(&self) -> Option<bool> {
        match self.wanted {
            Wanted::ShareOfLimit(least) => self.share().map(|share| share >= least),
            Wanted::AtLeast(least) => Some(self.value >= least),
            Wanted::AtMost(most) => Some(self.value <= most),
            Wanted::Nothing => None,
        }
    }

    /// What it is held against, in words.
    pub fn wanted_text(&self) -> String {
        match self.wanted {
            Wanted::ShareOfLimit(least) => format!("≥ {:.0} % of the limit", least * 100.0),
            Wanted::AtLeast(least) => format!("≥ {}", number(least)),
            Wanted::AtMost(most) => format!("≤ {}", number(most)),
            Wanted::Nothing => String::new(),
        }
    }
}

/// A number for people: three significant digits or whole.
#[allow(clippy::cast_sign_loss)] // not below zero
pub fn number(value: f64) -> String {
    if value.abs() >= 100.0 {
        crate::output::grouped(value.round().max(0.0) as u64)
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The value below which a share of the others lie.
#[allow(clippy::cast_sign_loss)] // a share is not below zero
pub fn percentile(sorted: &[u32], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    f64::from(
        sorted
            .get(at.min(sorted.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_judged_by_what_is_beside_them() {
        let figure = Figure::new("x", 80.0, "1/s").beside("raw", 100.0);
        assert_eq!(figure.clone().met(), None);
        assert_eq!(
            figure.clone().wanted(Wanted::ShareOfLimit(0.8)).met(),
            Some(true)
        );
        assert_eq!(
            figure.clone().wanted(Wanted::ShareOfLimit(0.81)).met(),
            Some(false)
        );
        assert_eq!(
            figure.clone().wanted(Wanted::AtMost(79.0)).met(),
            Some(false)
        );
        assert_eq!(figure.wanted(Wanted::AtLeast(80.0)).met(), Some(true));
    }

    #[test]
    fn the_middle_is_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        let sorted: Vec<u32> = (1..=100).collect();
        assert!((percentile(&sorted, 0.5) - 51.0).abs() < f64::EPSILON);
        assert!((percentile(&sorted, 0.99) - 100.0).abs() < f64::EPSILON);
        assert!(percentile(&[], 0.5).abs() < f64::EPSILON);
    }
}
