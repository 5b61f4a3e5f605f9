//! The errors of the API.

/// An error response of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct MediaConvertError {
    /// The exception's name in the service's model: `BadRequestException`.
    pub code: &'static str,
    /// The HTTP status code.
    pub status: u16,
    /// The message for people.
    pub message: String,
}

impl MediaConvertError {
    /// Returns `BadRequestException`: the request is malformed, or uses a feature that is not supported here.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { code: "BadRequestException", status: 400, message: message.into() }
    }

    /// Returns `NotFoundException`: the job or template does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { code: "NotFoundException", status: 404, message: message.into() }
    }

    /// Returns `ConflictException`: the request conflicts with an existing job or template.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self { code: "ConflictException", status: 409, message: message.into() }
    }

    /// Returns `TooManyRequestsException`: too many jobs are waiting.
    pub fn too_many(message: impl Into<String>) -> Self {
        Self { code: "TooManyRequestsException", status: 429, message: message.into() }
    }

    /// Returns `InternalServerErrorException`: the service is shutting down.
    pub fn closing() -> Self {
        Self { code: "InternalServerErrorException", status: 500, message: "The service is shutting down".into() }
    }
}
