//! The wire format (RFC 4271 §4).
use std::fmt;
/// Why an UPDATE is not as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateError;
impl fmt::Display for UpdateError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
