//! Progressive pictures: every scan adds coefficients, or one more bit of them, to all blocks (T.81, annex G).
//!
//! Of each block, the coefficients that its size uses are kept, and for all of them one bit that says whether they are zero:
//! later scans have bits for those that are not.
//!
//! **When a picture is complete.** Every scan that was begun must have its data for all blocks, and follow from those before
//! it: a first scan of coefficients that had none, or one more bit of coefficients whose next bit it is. Every channel must
//! have all 64 coefficients. Their last bits may be missing where an end mark says that the picture ends there, and all
//! coefficients of the channel except the first have the same number of bits: libjpeg can be told to write such files. Without an
//! end mark, the file was cut off between two scans. As soon as no bit is missing, nothing further is read.

use super::bits::Bits;
use super::coefficients::{Coefficients, Part};
use super::error::damaged;
use super::header::Header;
use super::scan::{Chosen, Progress, chosen};
use super::shape::Shape;
use super::tables::{first_table, other_table, steps};
use crate::error::PictureError;

/// The most scans of a picture. Encoders write about ten, and each costs time for the whole picture.
const MAX_SCANS: usize = 500;

/// Decodes all scans.
///
/// # Errors
/// If the data of a scan ends early or is damaged, the picture is not complete, or there are too many scans.
pub fn decode(file: &[u8], mut header: Header, shape: &Shape) -> Result<Vec<Vec<u8>>, PictureError> {
    let mut channels: Vec<Coefficients> =
        shape.channels.iter().map(|channel| Coefficients::new(channel, shape.stored(channel))).collect();
    for _ in 0..MAX_SCANS {
        let chosen = chosen(&header, shape)?;
        for one in &chosen {
            let Some(channel) = channels.get_mut(one.place) else { continue };
            // The table at the first scan counts, even if another one gets its number later.
            if channel.steps.is_none() {
                channel.steps = Some(steps(&header, one.channel)?);
            }
        }
        let part = part(&header, &chosen, &mut channels)?;
        let end = scan(file, &header, shape, &chosen, &part, &mut channels)?;
        if channels.iter().all(Coefficients::is_exact) {
            return channels.into_iter().map(Coefficients::into_samples).collect();
        }
        if header.advance(file, end)?.is_some() {
            return match channels.iter().all(Coefficients::is_whole) {
                true => channels.into_iter().map(Coefficients::into_samples).collect(),
                false => Err(damaged("it ends before all of its scans")),
            };
        }
    }
    Err(damaged(&format!("it has more than {MAX_SCANS} scans")))
}

/// Returns what the scan that `header` has reached holds, and notes that for its channels.
fn part(header: &Header, chosen: &[Chosen], channels: &mut [Coefficients]) -> Result<Part, PictureError> {
    let [from, to, bits] = header.scan.selection;
    let (high, low) = (bits >> 4, bits & 15);
    let lawful = match from {
        0 => to == 0,
        _ => from <= to && to <= 63 && chosen.len() == 1,
    };
    if !lawful || low > 13 || (high != 0 && high != low + 1) {
        return Err(damaged("a scan has coefficients that cannot be in one scan"));
    }
    for one in chosen {
        let noted = channels.get_mut(one.place).and_then(|channel| channel.note(from, to, high, low));
        noted.ok_or_else(|| damaged("its scans do not follow from each other"))?;
    }
    let (low, to) = (u32::from(low), usize::from(to));
    Ok(match (from, high) {
        (0, 0) => {
            let tables: Result<Vec<_>, _> = chosen.iter().map(|one| first_table(header, one.dc)).collect();
            Part::First(tables?, low)
        }
        (0, _) => Part::FirstRefined(low),
        (from, high) => {
            let table = chosen.iter().map(|one| other_table(header, one.ac)).next();
            let table = table.unwrap_or_else(|| Err(damaged("a scan has no colour channel")))?;
            let from = usize::from(from);
            if high == 0 { Part::Others(table, from, to, low) } else { Part::OthersRefined(table, from, to, low) }
        }
    })
}

/// Reads one scan, and returns where it ends.
fn scan(
    file: &[u8],
    header: &Header,
    shape: &Shape,
    chosen: &[Chosen],
    part: &Part,
    channels: &mut [Coefficients],
) -> Result<usize, PictureError> {
    let mut bits = Bits::new(file.get(header.scan.data..).unwrap_or_default());
    let mut progress = Progress::new(header, shape, chosen);
    let single = chosen.len() == 1;
    while progress.next_row() {
        let row = progress.row();
        let mut column = 0;
        while column < progress.across {
            if progress.restarts() {
                progress.restart(&mut bits)?;
                begin(chosen, channels).ok_or_else(|| progress.beyond())?;
            }
            for (index, one) in chosen.iter().enumerate() {
                let Some(channel) = channels.get_mut(one.place) else { continue };
                let (across, down) = if single { (1, 1) } else { one.channel.unit };
                for y in row * down..(row + 1) * down {
                    for x in column * across..(column + 1) * across {
                        channel.block(part, index, &mut bits, x, y).ok_or_else(|| progress.broken(&bits))?;
                    }
                }
            }
            column += 1;
            if single && !progress.has_restarts() {
                let left = progress.across - column;
                column += chosen.first().and_then(|one| channels.get_mut(one.place)).map_or(0, |c| c.skip(part, left));
            }
        }
        progress.check(&bits)?;
    }
    begin(chosen, channels).ok_or_else(|| progress.beyond())?;
    progress.end(&bits, file, header.scan.data)
}

/// Begins anew, at a restart marker and at the end. `None` if a run of empty blocks would reach beyond it.
fn begin(chosen: &[Chosen], channels: &mut [Coefficients]) -> Option<()> {
    chosen.iter().all(|one| channels.get_mut(one.place).is_some_and(Coefficients::restart)).then_some(())
}
