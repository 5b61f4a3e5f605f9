//! Medians and quantiles of measurements. Means are useless here, because a shared machine stops for a while now and then.

use std::time::Duration;

/// Measurements of one thing.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// No measurements yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a measurement.
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Returns the smallest time that a share of all measurements does not exceed; zero without measurements.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or_default()
    }

    /// Returns the time that half of the measurements do not exceed.
    pub fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    /// Returns `median (from–to)` in milliseconds, where from and to are the 10th and the 90th percentile.
    pub fn summary(&self) -> String {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        format!("{:.1} ({:.1}–{:.1})", ms(self.median()), ms(self.quantile(0.1)), ms(self.quantile(0.9)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_measurements() {
        let mut times = Times::default();
        assert_eq!(times.median(), Duration::ZERO);
        for ms in [5, 1, 4, 2, 3, 6, 7, 8, 9, 10] {
            times.add(Duration::from_millis(ms));
        }
        assert_eq!(times.median(), Duration::from_millis(5));
        assert_eq!(times.quantile(0.99), Duration::from_millis(10));
        assert_eq!(times.quantile(0.0), Duration::from_millis(1));
        assert_eq!(times.summary(), "5.0 (1.0–9.0)");
    }
}
