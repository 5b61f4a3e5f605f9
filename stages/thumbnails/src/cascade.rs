//! The sizes of a photo's renditions, and which one is made from which.
//!
//! The photo is decoded at a scale that the largest rendition needs, and every other rendition is resized from the next
//! larger one. So the bytes of a rendition depend on the sizes of all larger ones. They are taken from the configuration and
//! never from what happens to be missing: a rendition that is made again has the same bytes as before.

use crate::geometry::{Bounds, Size};

/// The sizes of a photo's renditions, the largest first, each of them once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cascade {
    sizes: Vec<Size>,
}

impl Cascade {
    /// Returns the cascade of a photo of `picture` pixels, upright, for all `renditions` of a configuration. Their order
    /// does not matter.
    pub fn new(picture: Size, renditions: &[Bounds]) -> Self {
        let mut sizes: Vec<Size> = renditions.iter().map(|bounds| bounds.fit(picture)).collect();
        // All have the picture's aspect ratio, so the one with the most pixels covers the others. Rounding can make the
        // numbers of pixels equal; the width decides then.
        sizes.sort_by_key(|size| std::cmp::Reverse((size.pixels(), size.width)));
        sizes.dedup();
        Self { sizes }
    }

    /// Returns the size that is made of the decoded photo. Without renditions, which no configuration allows, it is one pixel.
    pub fn largest(&self) -> Size {
        self.sizes.first().copied().unwrap_or(Size::new(1, 1))
    }

    /// Returns the sizes that lead to `size`, which is the last of them. `None` if it is not in the cascade.
    pub fn down_to(&self, size: Size) -> Option<&[Size]> {
        let last = self.sizes.iter().position(|&one| one == size)?;
        self.sizes.get(..=last)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn bounds() -> impl Strategy<Value = Bounds> {
        prop_oneof![
            (1u32..3000, 1u32..3000).prop_map(|(w, h)| Bounds::Box(Size::new(w, h))),
            (1u32..3000).prop_map(Bounds::Width)
        ]
    }

    #[test]
    fn a_small_photo_has_one_step_for_several_boxes() {
        let boxes = [(320, 240), (640, 480), (1280, 960)].map(|(w, h)| Bounds::Box(Size::new(w, h)));
        let sizes = |w, h| Cascade::new(Size::new(w, h), &boxes).sizes;
        assert_eq!(sizes(4000, 3000), [Size::new(1280, 960), Size::new(640, 480), Size::new(320, 240)]);
        assert_eq!(sizes(300, 400), [Size::new(300, 400), Size::new(180, 240)]);
        assert_eq!(sizes(50, 40), [Size::new(50, 40)]);
    }

    proptest! {
        #[test]
        fn the_order_of_a_configuration_changes_nothing(
            (one, other) in proptest::collection::vec(bounds(), 1..8).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
            width in 1u32..5000, height in 1u32..5000,
        ) {
            let picture = Size::new(width, height);
            let cascade = Cascade::new(picture, &one);
            prop_assert_eq!(&cascade, &Cascade::new(picture, &other));
            for bounds in one {
                let steps = cascade.down_to(bounds.fit(picture)).unwrap();
                prop_assert_eq!(steps[0], cascade.largest());
                prop_assert_eq!(steps.last().copied(), Some(bounds.fit(picture)));
            }
        }

        #[test]
        fn a_further_small_rendition_changes_no_step_of_a_larger_one(
            all in proptest::collection::vec(bounds(), 1..8), more in bounds(), width in 1u32..5000, height in 1u32..5000,
        ) {
            let picture = Size::new(width, height);
            let (before, after) = (Cascade::new(picture, &all), Cascade::new(picture, &[all.as_slice(), &[more]].concat()));
            for size in all.iter().map(|bounds| bounds.fit(picture)).filter(|size| size.pixels() > more.fit(picture).pixels()) {
                prop_assert_eq!(before.down_to(size), after.down_to(size));
            }
        }
    }
}
