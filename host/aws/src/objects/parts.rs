//! Plans the parts of an object. The plan makes no request, so it can be tested against S3's rules without S3.
//!
//! The rules: every part but the last has at least 5 MiB, an object has at most 10,000 parts, and a copied part is one
//! range of one object. An archive consists of many small headers between stored files. So the plan decides for every
//! stored file which of its bytes pass through the host (to fill the part before it up to 5 MiB, or because the file is
//! too small for a part of its own) and which S3 copies by itself.

/// How many parts are sent or copied at the same time.
pub(crate) const PARTS_IN_FLIGHT: usize = 4;

/// S3's rules, and the sizes chosen within them, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartLimits {
    /// The smallest part that may be followed by another one.
    pub(crate) min_part: u64,
    /// The size of the first parts made of bytes.
    pub(crate) part: u64,
    /// The size at which parts stop growing.
    pub(crate) max_part: u64,
    /// The largest range that is copied by one request.
    pub(crate) max_copy: u64,
    pub(crate) max_parts: u32,
    /// Part sizes double after every `double_every` parts, so that an object of any size fits into `max_parts`.
    pub(crate) double_every: u32,
}

impl PartLimits {
    /// Parts of 8 MiB keep a writer's memory small; doubling every 1,000 parts makes room for 2 TiB. A part must fit into
    /// the call's budget of host memory, so an object can have some 24 GB of bytes that pass through the host; what S3
    /// copies by itself is not limited by that.
    pub(crate) const S3: PartLimits = PartLimits {
        min_part: 5 << 20,
        part: 8 << 20,
        max_part: 512 << 20,
        max_copy: 512 << 20,
        max_parts: 10_000,
        double_every: 1_000,
    };

    /// Returns the factor by which sizes have grown after `parts` parts.
    fn growth(&self, parts: u32) -> u64 {
        1u64 << (parts / self.double_every.max(1)).min(32)
    }

    fn part_size(&self, parts: u32) -> u64 {
        self.part.saturating_mul(self.growth(parts)).min(self.max_part)
    }

    /// Returns the shortest range that becomes a part of its own.
    fn min_copy(&self, parts: u32) -> u64 {
        self.min_part.saturating_mul(self.growth(parts)).min(self.max_copy)
    }
}

/// One step of a plan. Offsets count from the beginning of the input that the step was planned for: bytes, or the range
/// of a stored object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartStep {
    /// Adds bytes of the input to the part that is being filled.
    Take { offset: u64, len: u64 },
    /// Completes the part that is being filled, under this number.
    Cut { part: i32 },
    /// Lets S3 copy this range as a part of its own.
    Copy { part: i32, offset: u64, len: u64 },
}

/// How an object is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    /// By one request: no part was cut.
    Single,
    /// From its parts; the remaining bytes, if there are any, become the part `last`.
    Parts { last: Option<i32> },
}

/// The object needs more parts than S3 allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the object is too large: it needs more than {0} parts, which S3 does not allow")]
pub(crate) struct TooManyParts(pub(crate) u32);

/// Plans the parts of one object.
#[derive(Clone, Debug)]
pub(crate) struct Planner {
    limits: PartLimits,
    /// How many bytes the part that is being filled has.
    pending: u64,
    /// How many parts have been cut or copied.
    parts: u32,
}

impl Planner {
    pub(crate) fn new(limits: PartLimits) -> Self {
        Self { limits, pending: 0, parts: 0 }
    }

    /// Plans `len` bytes that pass through the host.
    pub(crate) fn append(&mut self, len: u64) -> Result<Vec<PartStep>, TooManyParts> {
        let mut steps = Vec::new();
        self.take(0, len, &mut steps)?;
        Ok(steps)
    }

    /// Plans `len` bytes of a stored object.
    pub(crate) fn append_object(&mut self, len: u64) -> Result<Vec<PartStep>, TooManyParts> {
        let mut steps = Vec::new();
        let top_up = if self.pending == 0 { 0 } else { self.limits.min_part.saturating_sub(self.pending) };
        let copied = len.saturating_sub(top_up);
        // "You can copy a range only if the source object is greater than 5 MB" (API reference, UploadPartCopy).
        if copied < self.limits.min_copy(self.parts) || len <= self.limits.min_part {
            self.take(0, len, &mut steps)?;
            return Ok(steps);
        }
        self.take(0, top_up, &mut steps)?;
        if self.pending > 0 {
            steps.push(PartStep::Cut { part: self.next_part()? });
            self.pending = 0;
        }
        // The pieces are equal: after pieces of the full size, a short rest could be below the smallest part.
        let pieces = copied.div_ceil(self.limits.max_copy);
        let mut offset = top_up;
        for piece in 0..pieces {
            let len = copied / pieces + u64::from(piece < copied % pieces);
            steps.push(PartStep::Copy { part: self.next_part()?, offset, len });
            offset += len;
        }
        Ok(steps)
    }

    /// Plans how the object is completed.
    pub(crate) fn finish(mut self) -> Result<Completion, TooManyParts> {
        if self.parts == 0 {
            return Ok(Completion::Single);
        }
        let last = if self.pending > 0 { Some(self.next_part()?) } else { None };
        Ok(Completion::Parts { last })
    }

    /// Adds bytes to the part that is being filled. A full part is cut only when more bytes follow. So the last part is
    /// never empty, and an object of exactly one part's size is sent by a single request.
    fn take(&mut self, mut offset: u64, len: u64, steps: &mut Vec<PartStep>) -> Result<(), TooManyParts> {
        let end = offset + len;
        while offset < end {
            let size = self.limits.part_size(self.parts);
            if self.pending >= size {
                steps.push(PartStep::Cut { part: self.next_part()? });
                self.pending = 0;
                continue;
            }
            let len = (end - offset).min(size - self.pending);
            steps.push(PartStep::Take { offset, len });
            self.pending += len;
            offset += len;
        }
        Ok(())
    }

    fn next_part(&mut self) -> Result<i32, TooManyParts> {
        if self.parts >= self.limits.max_parts {
            return Err(TooManyParts(self.limits.max_parts));
        }
        self.parts += 1;
        i32::try_from(self.parts).map_err(|_| TooManyParts(self.limits.max_parts))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// S3's limits in small numbers, so that short inputs exercise every rule.
    const SMALL: PartLimits =
        PartLimits { min_part: 5, part: 8, max_part: 512, max_copy: 64, max_parts: 200, double_every: 20 };

    #[derive(Clone, Debug)]
    enum Input {
        Bytes(u64),
        Object(u64),
    }

    /// Carries out a plan over inputs whose bytes are all different, and checks S3's rules as S3 does.
    fn carry_out(limits: PartLimits, inputs: &[Input]) -> Result<(Vec<u64>, Vec<u64>, Completion), TooManyParts> {
        let mut plan = Planner::new(limits);
        let (mut whole, mut parts, mut pending, mut next) = (Vec::new(), Vec::new(), Vec::new(), 0u64);
        for input in inputs {
            let (steps, len) = match *input {
                Input::Bytes(len) => (plan.append(len)?, len),
                Input::Object(len) => (plan.append_object(len)?, len),
            };
            let base = next;
            next += len;
            let mut taken = 0;
            for step in steps {
                match step {
                    PartStep::Take { offset, len } => {
                        assert_eq!(offset, taken, "input is taken in order, without a gap");
                        taken += len;
                        pending.extend(base + offset..base + offset + len);
                    }
                    PartStep::Cut { part } => {
                        assert_eq!(part as usize, parts.len() + 1);
                        parts.push(pending.len() as u64);
                        whole.append(&mut pending);
                    }
                    PartStep::Copy { part, offset, len } => {
                        assert!(matches!(input, Input::Object(_)), "only stored objects can be copied");
                        assert!(pending.is_empty(), "what came before is a part already");
                        assert!(len <= limits.max_copy);
                        assert_eq!(part as usize, parts.len() + 1);
                        assert_eq!(offset, taken);
                        taken += len;
                        parts.push(len);
                        whole.extend(base + offset..base + offset + len);
                    }
                }
            }
            assert_eq!(taken, len);
        }
        let end = plan.finish()?;
        if let Completion::Parts { last: Some(part) } = end {
            assert_eq!(part as usize, parts.len() + 1);
            assert!(!pending.is_empty());
            parts.push(pending.len() as u64);
        }
        whole.append(&mut pending);
        Ok((whole, parts, end))
    }

    fn inputs() -> impl Strategy<Value = Vec<Input>> {
        let input = prop_oneof![
            3 => (0u64..20).prop_map(Input::Bytes),
            3 => (0u64..40).prop_map(Input::Object),
            1 => (0u64..400).prop_map(Input::Object),
        ];
        proptest::collection::vec(input, 0..60)
    }

    proptest! {
        #[test]
        fn parts_in_order_are_the_inputs_in_order_and_every_part_but_the_last_is_long_enough(inputs in inputs()) {
            let Ok((whole, parts, end)) = carry_out(SMALL, &inputs) else { return Ok(()) };
            prop_assert!(whole.iter().copied().eq(0..whole.len() as u64));
            let total: u64 = inputs.iter().map(|input| match input { Input::Bytes(n) | Input::Object(n) => n }).sum();
            prop_assert_eq!(whole.len() as u64, total);
            prop_assert!(parts.len() <= SMALL.max_parts as usize);
            if let Some((last, others)) = parts.split_last() {
                prop_assert!(others.iter().all(|len| *len >= SMALL.min_part), "{:?}", parts);
                prop_assert!(*last > 0);
                prop_assert_eq!(parts.iter().sum::<u64>(), total);
            }
            prop_assert_eq!(end == Completion::Single, parts.is_empty());
        }
    }

    #[test]
    fn an_object_of_one_part_is_written_by_one_request() {
        for len in [0, 1, 8 * MIB] {
            let mut plan = Planner::new(PartLimits::S3);
            let steps = plan.append(len).unwrap();
            assert!(steps.iter().all(|step| matches!(step, PartStep::Take { .. })));
            assert_eq!(plan.finish().unwrap(), Completion::Single);
        }
    }

    #[test]
    fn s3_copies_a_large_file_after_a_header_except_for_its_first_five_mebibytes() {
        let mut plan = Planner::new(PartLimits::S3);
        plan.append(100).unwrap();
        assert_eq!(
            plan.append_object(256 * MIB).unwrap(),
            [
                PartStep::Take { offset: 0, len: 5 * MIB - 100 },
                PartStep::Cut { part: 1 },
                PartStep::Copy { part: 2, offset: 5 * MIB - 100, len: 251 * MIB + 100 },
            ]
        );
        assert_eq!(plan.finish().unwrap(), Completion::Parts { last: None });
    }

    #[test]
    fn a_file_too_short_to_be_a_part_passes_through_the_host() {
        let mut plan = Planner::new(PartLimits::S3);
        plan.append(100).unwrap();
        assert_eq!(plan.append_object(6 * MIB).unwrap(), [PartStep::Take { offset: 0, len: 6 * MIB }]);
    }

    #[test]
    fn s3_copies_no_range_of_a_file_that_is_not_larger_than_five_mebibytes() {
        let plan = |len| Planner::new(PartLimits::S3).append_object(len).unwrap();
        assert_eq!(plan(5 * MIB), [PartStep::Take { offset: 0, len: 5 * MIB }]);
        assert_eq!(plan(5 * MIB + 1), [PartStep::Copy { part: 1, offset: 0, len: 5 * MIB + 1 }]);
    }

    #[test]
    fn a_range_too_long_for_one_copy_is_copied_in_equal_pieces() {
        let mut plan = Planner::new(PartLimits::S3);
        let steps = plan.append_object(1025 * MIB).unwrap();
        let lengths: Vec<u64> =
            steps.iter().map(|step| if let PartStep::Copy { len, .. } = step { *len } else { 0 }).collect();
        assert_eq!(lengths.len(), 3);
        assert_eq!(lengths.iter().sum::<u64>(), 1025 * MIB);
        assert!(lengths.iter().all(|len| *len > 300 * MIB));
    }

    #[test]
    fn parts_grow_so_that_a_terabyte_of_bytes_fits_into_ten_thousand_of_them() {
        let mut plan = Planner::new(PartLimits::S3);
        plan.append(1 << 40).unwrap();
        assert!(matches!(plan.finish(), Ok(Completion::Parts { .. })));
    }

    #[test]
    fn an_archive_of_thousands_of_large_files_does_not_run_out_of_parts() {
        let mut plan = Planner::new(PartLimits::S3);
        for _ in 0..70_000 {
            plan.append(100).unwrap();
            plan.append_object(12 * MIB).unwrap();
        }
        assert!(plan.finish().is_ok());
    }

    #[test]
    fn an_object_of_more_than_ten_thousand_parts_is_refused_before_it_is_sent() {
        let mut plan = Planner::new(PartLimits { double_every: u32::MAX, ..PartLimits::S3 });
        assert_eq!(plan.append(u64::from(u32::MAX) * 64), Err(TooManyParts(10_000)));
    }
}
