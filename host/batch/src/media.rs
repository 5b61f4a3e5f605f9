//! What a file was uploaded as, and its two spellings.

use serde::{Deserialize, Serialize};

/// What a file was uploaded as. Written as `PHOTO_VERTICAL`, …; in keys as `photo/vertical`, ….
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MediaType {
    /// A portrait photo.
    PhotoVertical,
    /// A landscape photo.
    PhotoHorizontal,
    /// A portrait video.
    VideoVertical,
    /// A landscape video.
    VideoHorizontal,
    /// A PDF of the project.
    ProjectDoc,
    /// A rendering of the project: a picture.
    ProjectRender,
}

/// The first word of a media type. Some uploaders declare no more than this; the key says the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `PHOTO`
    Photo,
    /// `VIDEO`
    Video,
    /// `PROJECT`
    Project,
}

impl MediaType {
    /// Every type, in the order of the contract.
    pub const ALL: [MediaType; 6] = [
        MediaType::PhotoVertical,
        MediaType::PhotoHorizontal,
        MediaType::VideoVertical,
        MediaType::VideoHorizontal,
        MediaType::ProjectDoc,
        MediaType::ProjectRender,
    ];

    /// As it is written in documents: `PHOTO_VERTICAL`.
    pub fn name(self) -> &'static str {
        match self {
            MediaType::PhotoVertical => "PHOTO_VERTICAL",
            MediaType::PhotoHorizontal => "PHOTO_HORIZONTAL",
            MediaType::VideoVertical => "VIDEO_VERTICAL",
            MediaType::VideoHorizontal => "VIDEO_HORIZONTAL",
            MediaType::ProjectDoc => "PROJECT_DOC",
            MediaType::ProjectRender => "PROJECT_RENDER",
        }
    }

    /// As it is written in keys: `photo/vertical`.
    pub fn segment(self) -> &'static str {
        match self {
            MediaType::PhotoVertical => "photo/vertical",
            MediaType::PhotoHorizontal => "photo/horizontal",
            MediaType::VideoVertical => "video/vertical",
            MediaType::VideoHorizontal => "video/horizontal",
            MediaType::ProjectDoc => "project/doc",
            MediaType::ProjectRender => "project/render",
        }
    }

    /// The type of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The type whose keys contain `first/second`, if there is one.
    pub fn from_segments(first: &str, second: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.segment().split_once('/') == Some((first, second)))
    }

    /// Its first word.
    pub fn family(self) -> Family {
        match self {
            MediaType::PhotoVertical | MediaType::PhotoHorizontal => Family::Photo,
            MediaType::VideoVertical | MediaType::VideoHorizontal => Family::Video,
            MediaType::ProjectDoc | MediaType::ProjectRender => Family::Project,
        }
    }

    /// True for the two kinds of video.
    pub fn is_video(self) -> bool {
        self.family() == Family::Video
    }

    /// True for what is meant to be a picture: photos and renderings.
    pub fn is_picture(self) -> bool {
        self.family() == Family::Photo || self == MediaType::ProjectRender
    }
}

impl Family {
    /// The family of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "PHOTO" => Some(Family::Photo),
            "VIDEO" => Some(Family::Video),
            "PROJECT" => Some(Family::Project),
            _ => None,
        }
    }
}

impl std::fmt::Display for MediaType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_type_is_found_again_by_either_spelling() {
        for media_type in MediaType::ALL {
            let (first, second) = media_type.segment().split_once('/').unwrap();
            assert_eq!(MediaType::from_name(media_type.name()), Some(media_type));
            assert_eq!(MediaType::from_segments(first, second), Some(media_type));
            assert_eq!(serde_json::to_value(media_type).unwrap(), media_type.name());
        }
    }

    #[test]
    fn renderings_are_pictures_and_documents_are_not() {
        assert!(MediaType::ProjectRender.is_picture());
        assert!(!MediaType::ProjectDoc.is_picture());
        assert!(!MediaType::VideoVertical.is_picture());
    }
}
