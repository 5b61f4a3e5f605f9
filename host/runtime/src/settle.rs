//! How an asset stage's call ends for its file.

use stagehost_batch::{Asset, Case, Failure, Problem};

use crate::additions::{merge_asset, problem};
use crate::call::CallOutput;
use crate::grants::ListingGrants;
use crate::text::shorten;

/// Records how an asset stage's call for `asset` ended: what the stage found out, with the problem that it names itself if it
/// could do a part of its work only, or the failure, which is returned as well. A problem that the asset had is replaced:
/// asset stages are called for files without one.
pub(crate) fn settle(
    asset: &mut Asset,
    answer: Result<CallOutput, Failure>,
    state: &str,
    grants: &ListingGrants,
) -> Option<Failure> {
    asset.problem = None;
    let merged = answer.and_then(|output| match output {
        CallOutput::Asset(mut additions) => {
            // The host knows the state, and the texts come from a guest.
            additions.problem = additions.problem.take().map(|own| Problem {
                state: state.to_owned(),
                code: shorten(own.code),
                message: shorten(own.message),
            });
            merge_asset(asset, *additions, grants)
        }
        CallOutput::Batch(_) => Err(Failure::new(Case::Internal, "an asset stage answered for a batch")),
    });
    let failure = merged.err()?;
    asset.problem = Some(problem(state, &failure));
    Some(failure)
}

#[cfg(test)]
mod tests {
    use stagehost_batch::{MediaType, Rendition};

    use super::*;
    use crate::grants::Grants;

    const STATE: &str = "GenerateThumbnails";

    fn grants() -> ListingGrants {
        Grants { write: vec!["{listingId}/thumb/".into()], ..Grants::default() }.for_listing("51")
    }

    fn photo() -> Asset {
        Asset::new("51/raw/photo/vertical/a.jpg", MediaType::PhotoVertical)
    }

    /// A file during its call.
    fn called() -> Asset {
        let lost = Failure::new(Case::Internal, "the host lost this call");
        Asset { problem: Some(problem(STATE, &lost)), ..photo() }
    }

    fn answer(asset: Asset) -> Result<CallOutput, Failure> {
        Ok(CallOutput::Asset(Box::new(asset)))
    }

    #[test]
    fn a_problem_that_a_stage_returns_is_recorded_beside_what_it_made() {
        let made = Rendition {
            name: "w200".into(),
            key: "51/thumb/photo/vertical/a_w200.webp".into(),
            content_type: "image/webp".into(),
            pixels: None,
            bytes: 1,
            etag: "e".into(),
            crc32: None,
            reused: false,
        };
        let problem = |state: &str| Problem {
            state: state.into(),
            code: "Stage.TooLarge".into(),
            message: "a.jpg: the rendition w800 would be too high".into(),
        };
        let mut asset = called();
        let own = Asset { renditions: vec![made.clone()], problem: Some(problem("Elsewhere")), ..photo() };
        assert_eq!(settle(&mut asset, answer(own), STATE, &grants()), None);
        assert_eq!(asset.renditions, [made]);
        assert_eq!(asset.problem, Some(problem(STATE)));
    }

    #[test]
    fn a_file_that_was_answered_for_without_a_problem_has_none() {
        let mut asset = called();
        assert_eq!(settle(&mut asset, answer(photo()), STATE, &grants()), None);
        assert_eq!(asset, photo());
    }

    #[test]
    fn a_failed_call_is_the_problem_of_its_file() {
        let failed = Failure::new(Case::Corrupt, "cut off");
        let mut asset = called();
        assert_eq!(settle(&mut asset, Err(failed.clone()), STATE, &grants()), Some(failed.clone()));
        assert_eq!(asset.problem, Some(problem(STATE, &failed)));
    }
}
