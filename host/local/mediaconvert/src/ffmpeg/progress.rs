//! ffmpeg's `-progress` report: lines of `name=value`, in blocks that end with `progress=`.

/// The longest line that is kept, in bytes. ffmpeg's lines are shorter.
const LONGEST: usize = 256;

/// The progress as of the last complete block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Microseconds of output.
    pub(crate) out_time: u64,
    /// Frames encoded.
    pub(crate) frames: u64,
    line: Vec<u8>,
}

impl Progress {
    /// Reads some bytes of the report. Returns whether a block ended in them.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> bool {
        let mut complete = false;
        for &byte in bytes {
            if byte == b'\n' {
                complete |= self.end_line();
            } else if self.line.len() < LONGEST {
                self.line.push(byte);
            }
        }
        complete
    }

    fn end_line(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let Some((name, value)) = line.trim().split_once('=') else { return false };
        // `N/A` before the first frame: keep the last value.
        match (name, value.trim().parse::<u64>()) {
            ("out_time_us", Ok(time)) => self.out_time = self.out_time.max(time),
            ("frame", Ok(frames)) => self.frames = frames,
            _ => {}
        }
        name == "progress"
    }

    /// Returns the progress of `total` microseconds in percent.
    pub(crate) fn percent(&self, total: u64) -> u32 {
        match total {
            0 => 0,
            total => u32::try_from((u128::from(self.out_time) * 100 / u128::from(total)).min(100)).unwrap_or(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_in_pieces_of_any_size() {
        let report = b"frame=12\nout_time_us=N/A\nprogress=continue\nframe=30\nout_time_us=1500000\nprogress=end\n";
        for cut in 0..report.len() {
            let mut progress = Progress::default();
            let (head, tail) = report.split_at(cut);
            let first = progress.push(head);
            assert!(progress.push(tail) || first);
            assert_eq!((progress.frames, progress.percent(3_000_000)), (30, 50));
        }
    }

    #[test]
    fn progress_is_at_most_100_percent_and_never_divides_by_zero() {
        let mut progress = Progress::default();
        progress.push(b"out_time_us=18446744073709551615\nprogress=end\n");
        assert_eq!(progress.percent(1), 100);
        assert_eq!(progress.percent(0), 0);
    }

    proptest::proptest! {
        #[test]
        fn no_report_panics_or_grows(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)) {
            let mut progress = Progress::default();
            progress.push(&bytes);
            proptest::prop_assert!(progress.line.len() <= LONGEST);
        }
    }
}
