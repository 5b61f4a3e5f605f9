//! Errors as the API speaks them.

/// An error reply of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// The exception's name, as in the service's model: `BadRequestException`.
    pub code: &'static str,
    /// HTTP status code.
    pub status: u16,
    /// For the person who reads it.
    pub message: String,
}

impl ApiError {
    /// The request makes no sense, or asks for what is not supported here.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { code: "BadRequestException", status: 400, message: message.into() }
    }

    /// No such job or template.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { code: "NotFoundException", status: 404, message: message.into() }
    }

    /// The request contradicts what is there.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self { code: "ConflictException", status: 409, message: message.into() }
    }

    /// Too much is waiting already.
    pub fn too_many(message: impl Into<String>) -> Self {
        Self { code: "TooManyRequestsException", status: 429, message: message.into() }
    }

    /// The service is on its way down.
    pub fn closing() -> Self {
        Self { code: "InternalServerErrorException", status: 500, message: "The service is shutting down".into() }
    }
}
