//! Prediction of blocks from the samples above and to the left (RFC 6386, section 12).

/// How a whole block of 16×16 or of 8×8 samples is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// By the mean of the edges.
    Mean,
    /// By the row above.
    Down,
    /// By the column to the left.
    Right,
    /// By the row above and the slope of the column to the left.
    Slope,
}

impl Whole {
    pub(super) const ALL: [Self; 4] = [Self::Mean, Self::Down, Self::Right, Self::Slope];

    /// Returns the subblock's mode that counts for the context of neighbours.
    pub(super) fn as_subblock(self) -> u8 {
        match self {
            Self::Mean => MEAN,
            Self::Down => 2,
            Self::Right => 3,
            Self::Slope => 1,
        }
    }
}

/// The first of the [`SUBBLOCK_MODES`] modes of subblocks of 4×4 samples, in the order of section 11.2.
pub(super) const MEAN: u8 = 0;
/// The number of modes.
pub(super) const SUBBLOCK_MODES: u8 = 10;

/// The decoded samples around a block of `N`×`N`.
pub(super) struct Edges<const N: usize> {
    pub(super) above: [u8; N],
    pub(super) left: [u8; N],
    pub(super) corner: u8,
    /// Whether the row above and the column to the left are in the picture.
    pub(super) inside: (bool, bool),
}

/// A plane of decoded samples, of whole blocks.
pub(super) struct Plane {
    pub(super) stride: usize,
    pub(super) samples: Vec<u8>,
}

impl Plane {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { stride: width, samples: vec![0; width * height] }
    }

    /// Returns the edges of the block at `x`, `y`. Outside of the picture, rows are 127 and columns are 129.
    pub(super) fn edges<const N: usize>(&self, x: usize, y: usize) -> Edges<N> {
        let mut edges = Edges { above: [127; N], left: [129; N], corner: self.corner(x, y), inside: (y > 0, x > 0) };
        if y > 0 {
            let start = (y - 1) * self.stride + x;
            edges.above.copy_from_slice(&self.samples[start..start + N]);
        }
        if x > 0 {
            for (row, sample) in edges.left.iter_mut().enumerate() {
                *sample = self.samples[(y + row) * self.stride + x - 1];
            }
        }
        edges
    }

    fn corner(&self, x: usize, y: usize) -> u8 {
        match (x, y) {
            (_, 0) => 127,
            (0, _) => 129,
            _ => self.samples[(y - 1) * self.stride + x - 1],
        }
    }

    /// Returns the samples around the subblock at `x`, `y`: four to the left from the bottom, the corner, eight above.
    pub(super) fn subblock_edges(&self, x: usize, y: usize) -> [u8; 13] {
        let mut edges = [0; 13];
        for row in 0..4 {
            edges[3 - row] = if x > 0 { self.samples[(y + row) * self.stride + x - 1] } else { 129 };
        }
        edges[4] = self.corner(x, y);
        if y == 0 {
            edges[5..].fill(127);
            return edges;
        }
        let above = (y - 1) * self.stride;
        edges[5..9].copy_from_slice(&self.samples[above + x..above + x + 4]);
        // To the right of a block of 16 columns, only the row above the whole block is decoded.
        let above = if x % 16 == 12 { (y - y % 16).checked_sub(1).map(|row| row * self.stride) } else { Some(above) };
        match above {
            None => edges[9..].fill(127),
            Some(above) if x + 4 < self.stride => {
                edges[9..].copy_from_slice(&self.samples[above + x + 4..above + x + 8]);
            }
            Some(above) => edges[9..].fill(self.samples[above + x + 3]),
        }
        edges
    }

    pub(super) fn write(&mut self, x: usize, y: usize, block: &[u8; 16]) {
        let (rows, _) = block.as_chunks::<4>();
        for (row, samples) in rows.iter().enumerate() {
            let start = (y + row) * self.stride + x;
            self.samples[start..start + 4].copy_from_slice(samples);
        }
    }
}

/// Returns the prediction of a whole block.
pub(super) fn whole<const N: usize>(mode: Whole, edges: &Edges<N>) -> [[u8; N]; N] {
    match mode {
        Whole::Mean => {
            let sum = |side: &[u8; N]| side.iter().map(|&sample| u32::from(sample)).sum::<u32>();
            let (n, above, left) = (N as u32, sum(&edges.above), sum(&edges.left));
            let mean = match edges.inside {
                (true, true) => (above + left + n) / (2 * n),
                (true, false) => (above + n / 2) / n,
                (false, true) => (left + n / 2) / n,
                (false, false) => 128,
            };
            [[mean as u8; N]; N]
        }
        Whole::Down => [edges.above; N],
        Whole::Right => edges.left.map(|sample| [sample; N]),
        Whole::Slope => edges.left.map(|left| {
            let rise = i32::from(left) - i32::from(edges.corner);
            edges.above.map(|above| (i32::from(above) + rise).clamp(0, 255) as u8)
        }),
    }
}

/// Returns the prediction of a subblock by one of its modes, from its [`Plane::subblock_edges`].
pub(super) fn subblock(mode: u8, e: &[u8; 13]) -> [u8; 16] {
    let two = |at: usize| ((u32::from(e[at]) + u32::from(e[at + 1]) + 1) >> 1) as u8;
    let weigh = |a: u8, b: u8, c: u8| ((u32::from(a) + 2 * u32::from(b) + u32::from(c) + 2) >> 2) as u8;
    // Around the sample `at`.
    let three = |at: usize| weigh(e[at - 1], e[at], e[at + 1]);
    let mut out = [0; 16];
    let mut set = |places: &[(usize, usize)], value: u8| {
        for (row, column) in places {
            out[4 * row + column] = value;
        }
    };
    match mode {
        0 => {
            let sum: u32 = e[..4].iter().chain(&e[5..9]).map(|&sample| u32::from(sample)).sum();
            out = [((sum + 4) >> 3) as u8; 16];
        }
        1 => {
            for (row, left) in e[..4].iter().rev().enumerate() {
                for column in 0..4 {
                    let sample = i32::from(*left) + i32::from(e[5 + column]) - i32::from(e[4]);
                    out[4 * row + column] = sample.clamp(0, 255) as u8;
                }
            }
        }
        2 => {
            for (place, sample) in out.iter_mut().enumerate() {
                *sample = three(5 + place % 4);
            }
        }
        3 => {
            for row in 0..4 {
                let sample = if row == 3 { weigh(e[1], e[0], e[0]) } else { three(3 - row) };
                out[4 * row..4 * row + 4].fill(sample);
            }
        }
        4 => {
            for (place, sample) in out.iter_mut().enumerate() {
                let along = place / 4 + place % 4;
                *sample = if along == 6 { weigh(e[11], e[12], e[12]) } else { three(6 + along) };
            }
        }
        5 => {
            for (place, sample) in out.iter_mut().enumerate() {
                *sample = three(4 + place % 4 - place / 4);
            }
        }
        6 => {
            set(&[(3, 0)], three(2));
            set(&[(2, 0)], three(3));
            set(&[(3, 1), (1, 0)], three(4));
            set(&[(2, 1), (0, 0)], two(4));
            set(&[(3, 2), (1, 1)], three(5));
            set(&[(2, 2), (0, 1)], two(5));
            set(&[(3, 3), (1, 2)], three(6));
            set(&[(2, 3), (0, 2)], two(6));
            set(&[(1, 3)], three(7));
            set(&[(0, 3)], two(7));
        }
        7 => {
            set(&[(0, 0)], two(5));
            set(&[(1, 0)], three(6));
            set(&[(2, 0), (0, 1)], two(6));
            set(&[(1, 1), (3, 0)], three(7));
            set(&[(2, 1), (0, 2)], two(7));
            set(&[(3, 1), (1, 2)], three(8));
            set(&[(2, 2), (0, 3)], two(8));
            set(&[(3, 2), (1, 3)], three(9));
            set(&[(2, 3)], three(10));
            set(&[(3, 3)], three(11));
        }
        8 => {
            set(&[(3, 0)], two(0));
            set(&[(3, 1)], three(1));
            set(&[(2, 0), (3, 2)], two(1));
            set(&[(2, 1), (3, 3)], three(2));
            set(&[(2, 2), (1, 0)], two(2));
            set(&[(2, 3), (1, 1)], three(3));
            set(&[(1, 2), (0, 0)], two(3));
            set(&[(1, 3), (0, 1)], three(4));
            set(&[(0, 2)], three(5));
            set(&[(0, 3)], three(6));
        }
        _ => {
            set(&[(0, 0)], two(2));
            set(&[(0, 1)], three(2));
            set(&[(0, 2), (1, 0)], two(1));
            set(&[(0, 3), (1, 1)], three(1));
            set(&[(1, 2), (2, 0)], two(0));
            set(&[(1, 3), (2, 1)], weigh(e[1], e[0], e[0]));
            set(&[(2, 2), (2, 3), (3, 0), (3, 1), (3, 2), (3, 3)], e[0]);
        }
    }
    out
}
