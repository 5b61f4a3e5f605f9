//! A picture's channels, their blocks, and the samples that they become.

use super::error::damaged;
use super::header::{Component, Frame};
use super::transform::{place, room};
use crate::error::PictureError;
use crate::geometry::Size;

/// For each position in zigzag order, the coefficient's position in the block.
#[rustfmt::skip]
const ZIGZAG: [u8; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// What [`Channel::slots`] adds to the place of a coefficient that is used.
pub const USED: u8 = 64;

/// Returns the most that a first coefficient can be, with `steps` of quantisation. A block of only black or only white has
/// 1024 steps of one; twice that is left to encoders that sharpen. Where bits were changed, the sum of all differences soon
/// exceeds it.
pub fn most_of_first(steps: &[i16; 64]) -> u32 {
    2048 / u32::from(steps[0] as u16).max(1) + 2
}

/// A colour channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The identifier that scans use.
    pub id: u8,
    /// The number of its quantisation table.
    pub quantisation: u8,
    /// Its blocks in a minimum coded unit of several channels, across and down.
    pub unit: (usize, usize),
    /// Its blocks that hold the picture, which are those of a scan of its own.
    pub blocks: (usize, usize),
    /// The number of samples that a block becomes, across and down: 1, 2, or 4 to 8.
    pub size: usize,
    /// The columns and rows that the picture would have in this channel at its full size.
    pub full: (f64, f64),
}

/// A picture's channels.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The picture's full size.
    pub full: Size,
    /// Minimum coded units of several channels, across and down.
    pub units: (usize, usize),
    /// The most blocks of a channel in a minimum coded unit.
    pub most: (usize, usize),
    /// The channels.
    pub channels: Vec<Channel>,
    /// Whether all coefficients are kept until the last scan.
    pub progressive: bool,
}

impl Shape {
    /// Returns the channels of a picture, at their full size.
    ///
    /// # Errors
    /// If a sampling factor is not from 1 to 4.
    pub fn new(frame: &Frame) -> Result<Self, PictureError> {
        let lawful = |c: &Component| (1..=4).contains(&c.horizontal) && (1..=4).contains(&c.vertical);
        if !frame.components.iter().all(lawful) {
            return Err(damaged("a sampling factor is not from 1 to 4"));
        }
        let largest = |side: fn(&Component) -> u8| frame.components.iter().map(side).max().unwrap_or(1).into();
        let most: (usize, usize) = (largest(|c| c.horizontal), largest(|c| c.vertical));
        let (width, height) = (usize::from(frame.width), usize::from(frame.height));
        let channels = frame.components.iter().map(|component| {
            let unit = (usize::from(component.horizontal), usize::from(component.vertical));
            let own = |side: usize, unit: usize, most: usize| (side * unit).div_ceil(most).div_ceil(8);
            Channel {
                id: component.id,
                quantisation: component.quantisation,
                unit,
                blocks: (own(width, unit.0, most.0), own(height, unit.1, most.1)),
                size: 8,
                full: (width as f64 * unit.0 as f64 / most.0 as f64, height as f64 * unit.1 as f64 / most.1 as f64),
            }
        });
        Ok(Self {
            full: Size::new(frame.width.into(), frame.height.into()),
            units: (width.div_ceil(8 * most.0), height.div_ceil(8 * most.1)),
            most,
            channels: channels.collect(),
            progressive: frame.marker == 0xC2,
        })
    }

    /// Gives each channel the smallest size at which its samples cover the columns and rows that are wanted of the first
    /// channel and of the others.
    pub fn scale_apart(&mut self, first: (f64, f64), others: (f64, f64)) {
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let wanted = if index == 0 { first } else { others };
            let covers = |size: usize| {
                let scale = size as f64 / 8.0;
                channel.full.0 * scale >= wanted.0 && channel.full.1 * scale >= wanted.1
            };
            channel.size = [1, 2, 4, 5, 6, 7].into_iter().find(|&size| covers(size)).unwrap_or(8);
        }
    }

    /// Gives all channels the smallest scale at which the picture's complete samples cover `wanted`, and returns it in
    /// eighths. Channels of fewer samples have a larger scale where that is possible, so that less has to be enlarged.
    pub fn scale_together(&mut self, wanted: Size) -> usize {
        let covers = |size: u32| {
            let side = |full: u32| (u64::from(full) * u64::from(size) / 8) as u32;
            side(self.full.width) >= wanted.width && side(self.full.height) >= wanted.height
        };
        let scale = [1, 2, 4].into_iter().find(|&size| covers(size)).unwrap_or(8) as usize;
        for channel in &mut self.channels {
            channel.size = scale;
            let fits = |size: usize| {
                size * channel.unit.0 <= scale * self.most.0 && size * channel.unit.1 <= scale * self.most.1
            };
            while channel.size < 8 && fits(2 * channel.size) {
                channel.size *= 2;
            }
        }
        scale
    }

    /// Returns the bytes that decoding takes, without the file: planes, and the coefficients of a progressive picture.
    pub fn bytes(&self) -> u64 {
        let bytes = |channel: &Channel| {
            let samples = channel.size as u64 * channel.size as u64;
            let blocks = channel.blocks.0 as u64 * channel.blocks.1 as u64;
            let stored = self.stored(channel);
            let kept = if self.progressive { 2 * room(channel.size) as u64 + 8 } else { 0 };
            samples * blocks + kept * stored.0 as u64 * stored.1 as u64
        };
        self.channels.iter().map(bytes).sum()
    }

    /// Returns the blocks of a channel with those that fill up the last minimum coded units.
    pub fn stored(&self, channel: &Channel) -> (usize, usize) {
        (self.units.0 * channel.unit.0, self.units.1 * channel.unit.1)
    }
}

impl Channel {
    /// Returns, for each position in zigzag order, the place of the coefficient in a block as the transform of this size
    /// takes it, plus [`USED`], or zero for one that this size does not use.
    pub fn slots(&self) -> [u8; 64] {
        ZIGZAG.map(|at| {
            let (u, v) = (usize::from(at) % 8, usize::from(at) / 8);
            // At most 63 + 64.
            if u < self.size && v < self.size { USED + place(self.size, u, v) as u8 } else { 0 }
        })
    }

    /// Returns the steps of `table`, which is in zigzag order, by the places of [`Channel::slots`]. Products are taken
    /// modulo 2¹⁶, and so are steps, which have 16 bits at most.
    pub fn steps(&self, table: &[u16; 64]) -> [i16; 64] {
        let mut steps = [0; 64];
        for (slot, step) in self.slots().into_iter().zip(table) {
            if let Some(place) = slot.checked_sub(USED).and_then(|place| steps.get_mut(usize::from(place))) {
                *place = *step as i16;
            }
        }
        steps
    }

    /// Returns the columns and rows of samples that the picture covers.
    pub fn extent(&self) -> (f64, f64) {
        let scale = self.size as f64 / 8.0;
        (self.full.0 * scale, self.full.1 * scale)
    }
}
