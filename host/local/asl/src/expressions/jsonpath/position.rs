//! Indices that count from the end.

/// Returns the position of an index that counts from the end if negative.
pub(crate) fn position(index: i64, len: usize) -> Option<usize> {
    match index {
        0.. => usize::try_from(index).ok(),
        _ => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}
