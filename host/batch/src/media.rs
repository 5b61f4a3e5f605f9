//! Media types of uploads, and their two spellings.

use serde::{Deserialize, Serialize};

/// The media type that a file was uploaded as. Written as `PHOTO_VERTICAL`, …; in keys as `photo/vertical`, ….
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
    /// A rendered picture of the project.
    ProjectRender,
}

/// The first word of a media type. Some uploaders declare only this; the rest follows from the key.
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

    /// Returns the name in documents: `PHOTO_VERTICAL`.
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

    /// Returns the spelling in keys: `photo/vertical`.
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

    /// Returns the type with this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Returns the type whose keys contain `first/second`, if there is one.
    pub fn from_segments(first: &str, second: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.segment().split_once('/') == Some((first, second)))
    }

    /// Returns its first word.
    pub fn family(self) -> Family {
        match self {
            MediaType::PhotoVertical | MediaType::PhotoHorizontal => Family::Photo,
            MediaType::VideoVertical | MediaType::VideoHorizontal => Family::Video,
            MediaType::ProjectDoc | MediaType::ProjectRender => Family::Project,
        }
    }

    /// Returns whether it is one of the two video types.
    pub fn is_video(self) -> bool {
        self.family() == Family::Video
    }

    /// Returns whether it is a picture: a photo or a rendering.
    pub fn is_picture(self) -> bool {
        self.family() == Family::Photo || self == MediaType::ProjectRender
    }
}

impl Family {
    /// Returns the family with this name, if there is one.
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
    fn every_type_is_found_by_either_spelling() {
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
